package sqlclass

import "strings"

// maxTemplate bounds the texts that are looked up without their literals, in bytes.
const maxTemplate = 2 << 10

// template appends text to dst with every plain literal behind a comparison operator left out, so that
// `... WHERE id = 1` and `... WHERE id = 2` share one classification. ok is false where nothing was left
// out or where a literal could matter: only single SELECT and INSERT texts qualify, and only literals that
// are compared, never those of ORDER BY, LIMIT, a function's arguments or a type's modifiers.
func template(dst []byte, text string) (out []byte, ok bool) {
	if len(text) > maxTemplate || strings.IndexByte(text, 0) >= 0 || !readsOrInserts(text) {
		return dst, false
	}
	s := scanner{text: text}
	compared, ended, from := false, false, 0
	for {
		t, more := s.next()
		if !more {
			break
		}
		switch {
		case ended, t.kind == tokComment, t.kind == tokBroken:
			return dst, false
		case t.kind == tokPunct && text[t.start] == ';':
			ended = true
		case compared && plainLiteral(text[t.start:t.end], t.kind):
			dst = append(append(dst, text[from:t.start]...), 0, byte(t.kind))
			from, ok = t.end, true
		}
		compared = t.kind == tokOp && comparison(text[t.start:t.end])
	}
	return append(dst, text[from:]...), ok
}

func readsOrInserts(text string) bool {
	const n = len("select ")
	if len(text) <= n {
		return false
	}
	head := text[:n]
	return strings.EqualFold(head, "select ") || strings.EqualFold(head, "insert ")
}

func comparison(op string) bool {
	switch op {
	case "=", "<", ">", "<=", ">=", "<>", "!=":
		return true
	}
	return false
}

// plainLiteral tells whether a token is a decimal number or a simple string.
func plainLiteral(tok string, kind tokenKind) bool {
	switch kind {
	case tokNumber:
		for i := range len(tok) {
			if !isDigit(tok[i]) && tok[i] != '.' {
				return false
			}
		}
		return true
	case tokString:
		return tok[0] == '\''
	}
	return false
}

// templated tells whether a classification holds for other literals too.
func (b *Batch) templated() bool {
	if len(b.Statements) != 1 {
		return false
	}
	f := b.Statements[0]
	if f.Kind != KindSelect && f.Kind != KindInsert || f.Secret || f.Opaque || f.DynamicSQL || f.Inner != nil {
		return false
	}
	if len(f.Sets) > 0 || len(f.Unresolved) > 0 || len(f.Creates) > 0 {
		return false
	}
	for i := range f.Accesses {
		if a := f.Accesses[i].Action; a != ActionSelect && a != ActionInsert {
			return false
		}
	}
	for i := range f.Functions {
		if fn := &f.Functions[i]; fn.Dangerous || fn.LargeObject || fn.Sensitive || fn.Opaque || fn.Writes {
			return false
		}
	}
	return true
}
