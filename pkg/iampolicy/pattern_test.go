package iampolicy

import "testing"

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		p, q             string
		covers, overlaps bool
	}{
		{"", "", true, true},
		{"*", "", true, true},
		{"", "*", false, true},
		{"?", "", false, false},
		{"?", "*", false, true},
		{"*", "?", true, true},
		{"?*", "*?", true, true},
		{"*?", "?*", true, true},
		{"??", "?*", false, true},
		{"a*", "ab*", true, true},
		{"ab*", "a*", false, true},
		{"*a", "b*", false, true},
		{"a*b", "ab", true, true},
		{"a*b", "aab*b", true, true},
		{"a*b*c", "abbc", true, true},
		{"a*bc", "abcb*c", false, true},
		{"a?c", "a*c", false, true},
		{"a", "b*", false, false},
		{"a*x", "a*y", false, false},
		{"é?", "éé", true, true},
	} {
		p, q := newPattern(c.p), newPattern(c.q)
		if p.covers(q) != c.covers || p.overlaps(q) != c.overlaps || q.overlaps(p) != c.overlaps {
			t.Errorf("%q, %q: covers %t, overlaps %t", c.p, c.q, p.covers(q), p.overlaps(q))
		}
	}
}
