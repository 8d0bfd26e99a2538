package kubemask

import (
	"cmp"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/mask"
)

// plan is what becomes of one object's classified fields.
type plan struct {
	made  bool
	kinds []kindPlan
}

type kindPlan struct {
	kind    int
	choices []Choice
}

// counts are masked values by the name they are reported under.
type counts map[string]int

// string returns what the string at a span says.
func (s *scanner) string(at span) []byte {
	if at.end == 0 || s.b[at.start] != '"' {
		return nil
	}
	end, _ := s.text(at.start + 1)
	return unquote(s.b[at.start : end+1])
}

// write appends the unit, which ends at end, with what is to be hidden hidden.
func (s *scanner) write(dst []byte, end int, count counts) []byte {
	if s.unsorted {
		slices.SortStableFunc(s.hits, func(a, b hit) int {
			return cmp.Or(a.start-b.start, b.end-a.end)
		})
	}
	done := 0
	for i := range s.hits {
		h := &s.hits[i]
		if h.start < done {
			continue
		}
		from := len(dst)
		dst = append(dst, s.b[done:h.start]...)
		out, name, masked := s.hide(dst, h)
		if !masked {
			dst = dst[:from]
			continue
		}
		dst = out
		done = h.end
		if name != "" {
			count[name]++
		}
	}
	return append(dst, s.b[done:end]...)
}

// hide appends what stands for a hit. An annotation's own fields are counted in count.
func (s *scanner) hide(dst []byte, h *hit) (out []byte, name string, masked bool) {
	value := s.b[h.start:h.end]
	switch h.what {
	case hitNote:
		return s.hideNote(dst, value, h)
	case hitCell:
		if !s.hidesCells(h.obj) {
			return dst, "", false
		}
		return append(dst, `"`+mask.Redacted+`"`...), "cells", true
	case hitString:
		return s.hideFound(dst, value)
	}
	rule, f := s.rule(h)
	if f == nil {
		return dst, "", false
	}
	switch {
	case h.what == hitSet:
		return appendMaskedStep(dst, value), f.name, true
	case f.quiet:
		out, masked = appendQuiet(dst, value)
		return out, f.name, masked
	}
	return appendMasked(dst, value, rule, f.bytes, s.m.cfg.Key), f.name, true
}

// rule returns the strictest rule of the fields at a hit that are hidden, and the first of these fields. What stands
// around the object of a row or an event is the server's own.
func (s *scanner) rule(h *hit) (rule mask.Rule, first *field) {
	if s.objs[h.obj].inner > 0 {
		return rule, nil
	}
	p := s.plan(h.obj)
	for _, id := range h.node.fields {
		f := &s.m.fields[id]
		for _, k := range p.kinds {
			if k.kind != f.kind {
				continue
			}
			c := choiceAt(k.choices, f.index)
			switch {
			case c.Reveal:
			case first == nil:
				rule, first = c.Rule, f
			default:
				rule = mask.Stricter(rule, c.Rule)
			}
		}
	}
	return rule, first
}

func choiceAt(choices []Choice, i int) Choice {
	if i >= len(choices) {
		return Choice{}
	}
	return choices[i]
}

// plan returns what becomes of an object's fields, and asks for it when it is needed first.
func (s *scanner) plan(obj int) *plan {
	o := &s.objs[obj]
	if o.made {
		return &o.plan
	}
	o.made = true
	for _, kind := range s.kinds(o) {
		p := kindPlan{kind: kind}
		switch {
		case kind == 0:
			p.choices = s.choose(o, s.m.cfg.Group, s.m.cfg.Resource)
		case kind > 0:
			p.choices = s.choose(o, s.m.cfg.Others[kind-1].Group, s.m.cfg.Others[kind-1].Resource)
		}
		o.plan.kinds = append(o.plan.kinds, p)
	}
	return &o.plan
}

// kinds returns whose fields apply to an object: those of what was asked for and of what it says it is, and of all
// kinds to what is around objects, where nothing is classified in answers as they are.
func (s *scanner) kinds(o *object) []int {
	kinds := []int{0}
	group, kind := s.groupKind(o)
	if o.shell || kind == "Status" && group == "" {
		kinds = append(kinds, statusKind)
	}
	for i, k := range s.m.cfg.Others {
		if o.shell || k.Kind == kind && k.Group == group {
			kinds = append(kinds, i+1)
		}
	}
	return kinds
}

// choose asks for the choices for an object. Those inside of an annotation say of themselves what they like.
func (s *scanner) choose(o *object, group, resource string) []Choice {
	if o.shell || s.notes > 0 || s.m.cfg.Choose == nil {
		return nil
	}
	say := func(i int) string { return string(s.string(o.said[i])) }
	return s.m.cfg.Choose(Object{Group: group, Resource: resource, Namespace: say(saidNamespace), Name: say(saidName), Type: say(saidType)})
}

// groupKind returns what an object says it is, or its list says of it.
func (s *scanner) groupKind(o *object) (group, kind string) {
	version, name := string(s.string(o.said[saidVersion])), string(s.string(o.said[saidKind]))
	if name == "" {
		version, name, _ = strings.Cut(o.listKind, " ")
	}
	if i := strings.IndexByte(version, '/'); i >= 0 {
		group = version[:i]
	}
	return group, name
}

// hidesCells tells whether the cells of a row may show a field that is hidden.
func (s *scanner) hidesCells(row int) bool {
	o := &s.objs[row]
	i := row
	if o.inner > 0 {
		i = o.inner
	}
	choices := s.plan(i).kinds[0].choices
	for k := range s.m.cfg.Fields {
		if !choiceAt(choices, k).Reveal {
			return true
		}
	}
	return false
}
