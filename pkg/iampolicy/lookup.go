package iampolicy

import (
	"slices"
	"strings"
)

// entry returns the entry with a number: those with names come first, then those with patterns.
func (c *Catalog) entry(i int) *entry {
	if i < len(c.names) {
		return &c.names[i]
	}
	return &c.patterns[i-len(c.names)]
}

// overlapping visits entries of which the pattern matches at least one action.
func (c *Catalog) overlapping(p pattern, visit func(int)) { c.find(p, pattern.overlaps, visit) }

// covered visits entries of which the pattern matches every action.
func (c *Catalog) covered(p pattern, visit func(int)) { c.find(p, pattern.covers, visit) }

// find looks at the names that begin as the pattern does, and at all patterns.
func (c *Catalog) find(p pattern, relation func(pattern, pattern) bool, visit func(int)) {
	prefix, whole := p.prefix()
	first, found := slices.BinarySearchFunc(c.names, prefix, byKey)
	switch {
	case whole && found:
		visit(first)
	case whole:
	default:
		rest := p[len(prefix):].all()
		for i := first; i < len(c.names) && strings.HasPrefix(c.names[i].key, prefix); i++ {
			if rest || p.covers(c.names[i].pattern) {
				visit(i)
			}
		}
	}
	for i := range c.patterns {
		if relation(p, c.patterns[i].pattern) {
			visit(len(c.names) + i)
		}
	}
}
