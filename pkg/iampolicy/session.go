package iampolicy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxSessionPolicy is how many characters AWS STS takes in the parameter Policy of AssumeRole, session policies by ARN
// included. STS also packs policies and session tags together into a binary form with a limit of its own, which
// cannot be worked out outside of AWS: it answers PackedPolicyTooLarge, and PackedPolicySize in percent.
const MaxSessionPolicy = 2048

// Permission is what a session may do: every action on every resource. Actions are as in policies, with * and ?.
// Resources are ARNs with * and ?, or "*"; [Literal] makes one of a name in which those are plain characters.
type Permission struct {
	Actions, Resources []string
}

// Literal writes a resource so that *, ? and $ in it stand for themselves.
func Literal(resource string) string {
	return strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}").Replace(resource)
}

// SessionPolicy writes the policy for AssumeRole that allows exactly the permissions, in as few characters as that can be said:
// what another entry covers is left out, and permissions on the same resources, or of the same actions, become one
// statement. It never generalises. The same permissions in any order give the same bytes. Errors are [ErrScope], and
// a [SizeError] when it does not fit. A session gets what both the role and this policy allow; policies of resources that
// name the session itself are not narrowed by it.
func SessionPolicy(permissions ...Permission) ([]byte, error) {
	if len(permissions) == 0 {
		return nil, fmt.Errorf("%w: no permissions", ErrScope)
	}
	rules := make([]scope, len(permissions))
	for i, p := range permissions {
		var err error
		if rules[i], err = newScope(p); err != nil {
			return nil, err
		}
	}
	out := writeSession(merge(rules))
	if len(out) > MaxSessionPolicy {
		return nil, &SizeError{len(out), MaxSessionPolicy}
	}
	return out, nil
}

// item is an action or a resource, as written and as it matches.
type item struct {
	text    string
	pattern pattern
}

// covers reports whether the other item adds nothing. Resources must be covered whether or not wildcards reach over the
// colons of an ARN, so that what is left allows as much in either reading.
func (it item) covers(other item) bool {
	if !it.pattern.covers(other.pattern) {
		return false
	}
	return it.pattern.all() || !strings.HasPrefix(other.text, "arn:") || arnCovers(it.pattern, other.pattern, true)
}

// items is sorted, and no item covers another.
type items []item

// scope is a permission that is ready to be compared.
type scope struct{ actions, resources items }

func newScope(p Permission) (scope, error) {
	var s scope
	for _, a := range p.Actions {
		if !validAction(a) {
			return s, fmt.Errorf("%w: %q is not an action such as s3:GetObject", ErrScope, a)
		}
		s.actions = append(s.actions, item{a, newActionPattern(a)})
	}
	for _, r := range p.Resources {
		if err := validResource(r); err != nil {
			return s, err
		}
		// There is no variable in it, so nothing has to be known to fill it.
		filled, _ := newTemplate(r, Version2012).fill(nil)
		s.resources = append(s.resources, item{r, filled.normal()})
	}
	if len(s.actions) == 0 || len(s.resources) == 0 {
		return s, fmt.Errorf("%w: a permission without actions or resources", ErrScope)
	}
	s.actions, s.resources = s.actions.reduced(), s.resources.reduced()
	return s, nil
}

// validResource refuses what AWS would, and variables: what a session may do is known when it begins.
func validResource(r string) error {
	plain := strings.NewReplacer("${*}", "", "${?}", "", "${$}", "").Replace(r)
	switch {
	case r != "*" && !strings.HasPrefix(r, "arn:"):
		return fmt.Errorf("%w: %q is neither an ARN nor *", ErrScope, r)
	case strings.Contains(plain, "${"):
		return fmt.Errorf("%w: a variable in %q", ErrScope, r)
	case !utf8.ValidString(r) || strings.ContainsFunc(r, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return fmt.Errorf("%w: control characters in %q", ErrScope, r)
	}
	return nil
}

// reduced sorts the items and drops what another covers; of two that cover each other the first stays.
func (l items) reduced() items {
	l = slices.Clone(l)
	slices.SortFunc(l, func(a, b item) int { return cmp.Compare(a.text, b.text) })
	var out items
	for i, it := range l {
		redundant := false
		for j, other := range l {
			if i != j && other.covers(it) && (j < i || !it.covers(other)) {
				redundant = true
				break
			}
		}
		if !redundant {
			out = append(out, it)
		}
	}
	return out
}

// cover reports whether one of the items covers it.
func (l items) cover(it item) bool {
	return slices.ContainsFunc(l, func(o item) bool { return o.covers(it) })
}

// coverAll reports whether each of the others is covered.
func (l items) coverAll(others items) bool {
	return !slices.ContainsFunc(others, func(o item) bool { return !l.cover(o) })
}

// key is the same for lists that match the same.
func (l items) key() string {
	var b strings.Builder
	for _, it := range l {
		for _, r := range it.pattern {
			fmt.Fprintf(&b, "%x ", r)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
