package kubemask

import (
	"bytes"
	"slices"

	"github.com/writhq/writ/pkg/mask"
)

// maxNotes is how many annotations may be inside each other.
const maxNotes = 4

// inside reads the object in an annotation. end is stop if there is none that can be read.
func (s *scanner) inside(value []byte, obj int) (inner *scanner, end int) {
	inner = s.nested(unquote(value))
	if s.notes == maxNotes {
		return inner, stop
	}
	if end = inner.whole(); end >= 0 {
		inner.objs[0].plan = s.noted(inner, obj)
	}
	return inner, end
}

// nested returns a scanner for a text inside of this one. It is the same each time.
func (s *scanner) nested(text []byte) *scanner {
	if s.inner == nil {
		s.inner = &scanner{m: s.m, notes: s.notes + 1}
	}
	s.inner.reset(text)
	return s.inner
}

// hideNote appends an annotation that is an object as text, with the same fields hidden as in the object that has it.
func (s *scanner) hideNote(dst, value []byte, h *hit) (out []byte, name string, masked bool) {
	inner, end := s.inside(value, h.obj)
	if end < 0 {
		if !h.kept || s.m.root == nil {
			return dst, "", false
		}
		return append(dst, `"`+mask.Redacted+`"`...), noteName, true
	}
	changed := inner.write(nil, end, counts{})
	if bytes.Equal(changed, inner.b) {
		return dst, "", false
	}
	return appendQuoted(dst, changed), noteName, true
}

// noteName is what annotations are reported under.
const noteName = "metadata.annotations"

// noted returns what becomes of the fields of an object in an annotation of another: the same, and if it says that it
// is yet another kind, all of that kind is hidden.
func (s *scanner) noted(inner *scanner, obj int) plan {
	p := plan{made: true, kinds: slices.Clone(s.plan(obj).kinds)}
	for _, kind := range inner.kinds(&inner.objs[0]) {
		if !slices.ContainsFunc(p.kinds, func(k kindPlan) bool { return k.kind == kind }) {
			p.kinds = append(p.kinds, kindPlan{kind: kind})
		}
	}
	return p
}

// whole reads a text that is one object and nothing else.
func (s *scanner) whole() int {
	i := s.space(0)
	if i < 0 || s.b[i] != '{' {
		return stop
	}
	if i, _ = s.thing(i, roleThing, ""); i < 0 || s.why != "" {
		return stop
	}
	end := i
	if s.space(i) >= 0 {
		return stop
	}
	return max(end, len(s.b))
}

// look notes a string in which the detector finds something.
func (s *scanner) look(start, end int) {
	var room [4]mask.Hit
	if len(s.m.cfg.Detector.Scan(room[:0], unquote(s.b[start:end]))) > 0 {
		s.hits = append(s.hits, hit{span: span{start, end}, obj: s.obj, what: hitString})
	}
}

// hideFound appends a string with what the detector finds in it hidden.
func (s *scanner) hideFound(dst, value []byte) (out []byte, name string, masked bool) {
	var room [4]mask.Hit
	det, text := s.m.cfg.Detector, unquote(value)
	hits := det.Scan(room[:0], text)
	return appendQuoted(dst, det.Redact(nil, text)), det.Name(hits[0].Class), true
}
