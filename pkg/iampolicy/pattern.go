package iampolicy

import (
	"slices"
	"strings"
)

// Symbols of a pattern that are not characters.
const (
	anyRun rune = -1 // *, any characters, also none
	anyOne rune = -2 // ?, exactly one character
)

// pattern is text with wildcards. In each row of wildcards the single ones stand first and * at most once, so that
// equal rows are written equally. A text without wildcards is a pattern that matches itself.
type pattern []rune

// newPattern reads * and ? as wildcards.
func newPattern(s string) pattern { return symbols(s).normal() }

// symbols is a pattern of which the wildcards stand as they are written.
func symbols(s string) pattern {
	p := make(pattern, 0, len(s))
	for _, r := range s {
		switch r {
		case '*':
			p = append(p, anyRun)
		case '?':
			p = append(p, anyOne)
		default:
			p = append(p, r)
		}
	}
	return p
}

// newActionPattern is the pattern of an action, in which case does not matter.
func newActionPattern(s string) pattern { return newPattern(strings.ToLower(s)) }

// literal is the pattern that matches a text and nothing else.
func literal(s string) pattern { return pattern([]rune(s)) }

// normal orders rows of wildcards, in place.
func (p pattern) normal() pattern {
	out := p[:0]
	for i := 0; i < len(p); {
		if p[i] >= 0 {
			out = append(out, p[i])
			i++
			continue
		}
		run := false
		for ; i < len(p) && p[i] < 0; i++ {
			if p[i] == anyRun {
				run = true
			} else {
				out = append(out, anyOne)
			}
		}
		if run {
			out = append(out, anyRun)
		}
	}
	return out
}

// all reports whether the pattern matches every text.
func (p pattern) all() bool { return len(p) == 1 && p[0] == anyRun }

// prefix is how every text that the pattern matches begins, and whether that is all of it.
func (p pattern) prefix() (string, bool) {
	i := slices.IndexFunc(p, func(r rune) bool { return r < 0 })
	if i < 0 {
		return string(p), true
	}
	return string(p[:i]), false
}

// covers reports whether everything that q matches is matched by p too. For a q without wildcards that is matching.
// With wildcards on both sides it may miss a pair, and never reports a wrong one: a * of q is taken by a * of p only.
func (p pattern) covers(q pattern) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(q) {
		switch {
		case i < len(p) && p[i] == anyRun:
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == q[j] || p[i] == anyOne && q[j] != anyRun):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyRun {
		i++
	}
	return i == len(p)
}

// overlaps reports whether some text is matched by both. Its cost is the product of the lengths.
func (p pattern) overlaps(q pattern) bool {
	// reach[j] tells whether the first i symbols of p and the first j of q match a common text.
	reach := make([]bool, len(q)+1)
	for i := 0; i <= len(p); i++ {
		next := make([]bool, len(q)+1)
		for j := 0; j <= len(q); j++ {
			switch {
			case i == 0 && j == 0:
				next[j] = true
			case i > 0 && p[i-1] == anyRun && (reach[j] || j > 0 && next[j-1]),
				j > 0 && q[j-1] == anyRun && (next[j-1] || i > 0 && reach[j]):
				next[j] = true
			case i > 0 && j > 0 && p[i-1] != anyRun && q[j-1] != anyRun:
				next[j] = reach[j-1] && (p[i-1] == q[j-1] || p[i-1] == anyOne || q[j-1] == anyOne)
			}
		}
		reach = next
	}
	return reach[len(q)]
}

// plain takes wildcards for the characters that they are written with.
func (p pattern) plain() pattern {
	out := make(pattern, len(p))
	for i, r := range p {
		switch r {
		case anyRun:
			r = '*'
		case anyOne:
			r = '?'
		}
		out[i] = r
	}
	return out
}
