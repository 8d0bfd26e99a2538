package iampolicy

import "strings"

// The keys of a request that have several values are compared by these.
const (
	forAll = "ForAllValues:"
	forAny = "ForAnyValue:"
)

// holds says whether a condition is met, after
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html and
// reference_policies_condition-logic-multiple-context-keys-or-values.html there. Operators that are not known, values
// that cannot be read, and several values where one is compared are Unknown.
func (c Condition) holds(context Context, version string) Truth {
	name, all := strings.CutPrefix(c.Operator, forAll)
	name, some := strings.CutPrefix(name, forAny)
	if all && some {
		return Unknown
	}
	name, optional := strings.CutSuffix(name, "IfExists")
	values, known := context.get(c.Key)
	if name == "Null" {
		return c.isNull(len(values) > 0, known && !all && !some && !optional)
	}
	compare, ok := comparisons[name]
	switch {
	case !ok || !known || len(c.Values) == 0:
		return Unknown
	case len(values) == 0:
		return truthOf(optional || all || compare.negated && !some)
	case len(values) > 1 && !all && !some:
		return Unknown
	}
	meets := func(value string) Truth { return compare.meets(value, c.Values, version, context) }
	if all {
		return anyOf(values, func(v string) Truth { return meets(v).not() }).not()
	}
	return anyOf(values, meets)
}

// isNull is the operator Null: "true" asks for the key's absence.
func (c Condition) isNull(present, decidable bool) Truth {
	if !decidable {
		return Unknown
	}
	return anyOf(c.Values, func(v string) Truth {
		switch strings.ToLower(v) {
		case "true":
			return truthOf(!present)
		case "false":
			return truthOf(present)
		}
		return Unknown
	})
}

// comparison is an operator without what stands before and after its name.
type comparison struct {
	negated bool
	// equal compares a value of the request with one of the policy.
	equal func(value, with string) Truth
	// like does it for operators whose values in the policy may have variables and wildcards.
	like func(value string, with pattern) Truth
	// exact says that wildcards in the policy's values are plain characters.
	exact bool
}

// meets compares one value of the request with all of the policy's, of which one must match; of a negated operator none.
func (o comparison) meets(value string, with []string, version string, context Context) Truth {
	found := anyOf(with, func(w string) Truth {
		if o.like == nil {
			return o.equal(value, w)
		}
		p, ok := newTemplate(w, version).fill(context)
		if !ok {
			return Unknown
		}
		if o.exact {
			return o.like(value, p.plain())
		}
		return o.like(value, p.normal())
	})
	if o.negated {
		return found.not()
	}
	return found
}

func (o comparison) not() comparison {
	o.negated = true
	return o
}

// comparisons are all operators but Null.
var comparisons = func() map[string]comparison {
	like := comparison{like: func(v string, p pattern) Truth { return truthOf(p.covers(literal(v))) }}
	equals := comparison{like: like.like, exact: true}
	folded := comparison{exact: true, like: func(v string, p pattern) Truth { return truthOf(strings.EqualFold(string(p), v)) }}
	arn := comparison{like: arnLike}
	all := map[string]comparison{
		"StringEquals": equals, "StringNotEquals": equals.not(),
		"StringEqualsIgnoreCase": folded, "StringNotEqualsIgnoreCase": folded.not(),
		"StringLike": like, "StringNotLike": like.not(),
		"ArnEquals": arn, "ArnLike": arn, "ArnNotEquals": arn.not(), "ArnNotLike": arn.not(),
		"Bool":         {equal: boolEquals},
		"BinaryEquals": {equal: binaryEquals},
		"IpAddress":    {equal: addressIn},
		"NotIpAddress": comparison{equal: addressIn}.not(),
	}
	for prefix, order := range map[string]func(a, b string) (int, bool){"Numeric": numbers, "Date": dates} {
		for suffix, test := range orders {
			all[prefix+suffix] = comparison{negated: suffix == "NotEquals", equal: func(v, w string) Truth {
				n, ok := order(v, w)
				if !ok {
					return Unknown
				}
				return truthOf(test(n))
			}}
		}
	}
	return all
}()

// orders says which results of a comparison a suffix asks for; NotEquals negates what Equals asks.
var orders = map[string]func(int) bool{
	"Equals":            func(n int) bool { return n == 0 },
	"NotEquals":         func(n int) bool { return n == 0 },
	"LessThan":          func(n int) bool { return n < 0 },
	"LessThanEquals":    func(n int) bool { return n <= 0 },
	"GreaterThan":       func(n int) bool { return n > 0 },
	"GreaterThanEquals": func(n int) bool { return n >= 0 },
}
