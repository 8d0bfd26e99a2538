package iampolicy

// Truth is what can be said of a statement about a request of which not all is known. The zero value is Unknown.
type Truth uint8

// The three truths.
const (
	Unknown Truth = iota
	False
	True
)

func (t Truth) String() string { return [...]string{"unknown", "no", "yes"}[t] }

func truthOf(b bool) Truth {
	if b {
		return True
	}
	return False
}

func (t Truth) and(u Truth) Truth {
	switch {
	case t == False || u == False:
		return False
	case t == True && u == True:
		return True
	}
	return Unknown
}

func (t Truth) or(u Truth) Truth { return t.not().and(u.not()).not() }

func (t Truth) not() Truth {
	switch t {
	case True:
		return False
	case False:
		return True
	}
	return Unknown
}

// anyOf is True when test is of one of the values.
func anyOf[T any](values []T, test func(T) Truth) Truth {
	result := False
	for _, v := range values {
		result = result.or(test(v))
	}
	return result
}
