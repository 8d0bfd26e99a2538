package iampolicy

import "strings"

// template is a pattern that may contain policy variables, in order of its pieces.
type template []piece

// piece is one variable, or what stands between two.
type piece struct {
	fixed    pattern // as written; without a variable
	variable string
	fallback string // the variable's default
	falls    bool   // there is one
}

// newTemplate reads a resource, or the value of a condition that compares text. In the old version of the language
// there are no variables. ${*}, ${?} and ${$} stand for the characters themselves; what is not closed is plain text.
func newTemplate(s, version string) template {
	var t template
	var fixed pattern
	for s != "" {
		before, name, rest, ok := cutVariable(s)
		if version != Version2012 || !ok {
			fixed = append(fixed, symbols(s)...)
			break
		}
		fixed = append(fixed, symbols(before)...)
		s = rest
		if len(name) == 1 && strings.Contains("*?$", name) {
			fixed = append(fixed, rune(name[0]))
			continue
		}
		v := piece{variable: name}
		if i := strings.IndexByte(name, ','); i >= 0 {
			v.fallback, v.falls = strings.Trim(strings.TrimSpace(name[i+1:]), "'"), true
			v.variable = strings.TrimSpace(name[:i])
		}
		t = append(t, piece{fixed: fixed}, v)
		fixed = nil
	}
	return append(t, piece{fixed: fixed})
}

// cutVariable splits around the first ${name}.
func cutVariable(s string) (before, name, after string, ok bool) {
	i := strings.Index(s, "${")
	if i < 0 {
		return s, "", "", false
	}
	n := strings.IndexByte(s[i:], '}')
	if n < 0 {
		return s, "", "", false
	}
	return s[:i], s[i+2 : i+n], s[i+n+1:], true
}

// fill puts in the values of the variables. It fails where one is not known, absent without a default, has several values,
// or one with wildcards: what AWS makes of those is not told. Wildcards stand as they were written.
func (t template) fill(c Context) (pattern, bool) {
	var out pattern
	for _, p := range t {
		if p.variable == "" {
			out = append(out, p.fixed...)
			continue
		}
		value, ok := p.value(c)
		if !ok {
			return nil, false
		}
		out = append(out, []rune(value)...)
	}
	return out, true
}

func (p piece) value(c Context) (string, bool) {
	values, known := c.get(p.variable)
	if known && len(values) == 0 && p.falls {
		return p.fallback, true
	}
	if len(values) != 1 || strings.ContainsAny(values[0], "*?") {
		return "", false
	}
	return values[0], true
}
