package kubemask

import (
	"slices"
	"strings"
)

// ReadsMasked tells whether JSON pointers (RFC 6901), as a JSON patch reads from with test, copy and move, reach a field
// of o that is hidden, or something that has one in it. field is the first such field, empty for what is no pointer.
func (m *Masker) ReadsMasked(pointers []string, o Object) (field string, bad bool) {
	s := scanner{m: m}
	s.objs = []object{{role: roleThing}}
	kind := kindPlan{}
	if m.cfg.Choose != nil {
		kind.choices = m.cfg.Choose(o)
	}
	s.objs[0].plan = plan{made: true, kinds: []kindPlan{kind}}
	for _, p := range pointers {
		if field, bad = s.reads(p); bad {
			return field, true
		}
	}
	return "", false
}

func (s *scanner) reads(pointer string) (string, bool) {
	steps, ok := pointerSteps(pointer)
	if !ok {
		return "", true
	}
	n := s.m.root
	for _, name := range steps {
		if field := s.hiddenAt(n); field != "" {
			return field, true
		}
		n = n.next([]byte(name))
	}
	if field := s.hiddenIn(n); field != "" {
		return field, true
	}
	if readsCopy(steps) {
		if field := s.hiddenIn(s.m.root); field != "" {
			return field, true
		}
	}
	return "", false
}

// hiddenAt returns the hidden field that ends at n.
func (s *scanner) hiddenAt(n *node) string {
	if n == nil {
		return ""
	}
	if _, f := s.rule(&hit{node: n}); f != nil {
		return f.path.String()
	}
	return ""
}

// hiddenIn returns a hidden field that ends at n or below.
func (s *scanner) hiddenIn(n *node) string {
	if n == nil {
		return ""
	}
	if field := s.hiddenAt(n); field != "" {
		return field
	}
	for _, e := range n.edges {
		if field := s.hiddenIn(e.to); field != "" {
			return field
		}
	}
	return s.hiddenIn(n.any)
}

// copies are where an object has values of its fields a second time.
var copies = [...][]string{{"metadata", "annotations", lastApplied}, {"metadata", "managedFields"}}

// readsCopy tells whether steps lead to, or into, or to what holds a copy.
func readsCopy(steps []string) bool {
	for _, at := range copies {
		n := min(len(steps), len(at))
		if slices.Equal(steps[:n], at[:n]) {
			return true
		}
	}
	return false
}

// pointerSteps returns the names of a JSON pointer.
func pointerSteps(pointer string) ([]string, bool) {
	if pointer == "" {
		return nil, true
	}
	if pointer[0] != '/' {
		return nil, false
	}
	steps := strings.Split(pointer[1:], "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i, st := range steps {
		if strings.Count(st, "~") != strings.Count(st, "~0")+strings.Count(st, "~1") {
			return nil, false
		}
		steps[i] = unescape.Replace(st)
	}
	return steps, true
}
