package kubemask

import (
	"bytes"
	"slices"
)

// role is what the members of an object are looked at for.
type role uint8

const (
	noRole    role = iota
	roleThing      // an object of the API, or a list or Table of them
	roleRow        // a row of a Table
	roleEvent      // an event of a watch
)

// lastApplied is where kubectl apply keeps the whole object as text.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// span is a part of the text at hand. The zero span is none.
type span struct{ start, end int }

// object is what is known of one object.
type object struct {
	role                                role
	shell                               bool // a list, Table, row or event: what is classified in itself is always hidden
	inner                               int  // of a row or event: the object in it
	listKind                            string
	kind, version, name, namespace, typ span
	plan
}

// hit is a value that may have to be hidden.
type hit struct {
	span
	obj  int
	node *node
	what hitKind
	kept bool // of an annotation: it is hidden unless it can be read
}

type hitKind uint8

const (
	hitField  hitKind = iota
	hitNote           // an annotation that is or may be an object as text
	hitCell           // of a Table
	hitString         // in which the detector found something
)

// begin notes an object and makes it the one at hand.
func (s *scanner) begin(r role, listKind string) {
	s.objs = append(s.objs, object{role: r, listKind: listKind, shell: r != roleThing})
	s.obj = len(s.objs) - 1
}

// thing reads an object of the API, a row or an event, and returns which object it is.
func (s *scanner) thing(i int, r role, listKind string) (end, obj int) {
	before := s.obj
	s.begin(r, listKind)
	obj = s.obj
	if i = s.open(i); i >= 0 {
		i = s.members(i, true)
	}
	s.depth--
	s.obj = before
	return i, obj
}

// open reads an opening bracket and the space behind it.
func (s *scanner) open(i int) int {
	if s.depth++; s.depth > maxDepth {
		return s.fail("nested too deeply")
	}
	return s.space(i + 1)
}

// members reads the members of the object at hand and its closing bracket; first says that none was read yet.
func (s *scanner) members(i int, first bool) int {
	for {
		var more bool
		if i, more = s.separator(i, '}', first); !more {
			return i
		}
		first = false
		name, at := s.name(i)
		if at < 0 {
			return stop
		}
		if i = s.member(name, at); i < 0 || s.list != noRole {
			return i
		}
	}
}

// separator reads what stands before a member or element, or the bracket that ends them.
func (s *scanner) separator(i int, end byte, first bool) (next int, more bool) {
	if i = s.space(i); i < 0 {
		return stop, false
	}
	switch c := s.b[i]; {
	case c == end:
		return i + 1, false
	case first:
		return i, true
	case c != ',':
		return s.fail("no comma behind a value"), false
	}
	i = s.space(i + 1)
	return i, i >= 0
}

// member reads the value of a member of the object at hand.
func (s *scanner) member(name []byte, i int) int {
	o := &s.objs[s.obj]
	n := s.m.root.next(name)
	looked := true
	switch string(name) {
	case "kind":
		looked = false
		s.identify(&o.kind, i)
	case "apiVersion":
		looked = false
		s.identify(&o.version, i)
	case "type":
		s.identify(&o.typ, i)
	case "metadata":
		if s.b[i] == '{' {
			return s.metadata(i, n)
		}
	case "items", "rows":
		if s.b[i] == '[' && o.role != roleRow {
			return s.things(i, n, name[0] == 'r')
		}
	case "object":
		if s.b[i] == '{' && o.role != roleThing {
			end, inner := s.thing(i, roleThing, "")
			s.objs[s.obj].inner = inner
			return end
		}
	case "cells":
		if s.b[i] == '[' && o.role == roleRow && s.m.cfg.Cells {
			return s.cells(i)
		}
	}
	return s.value(i, n, looked && s.m.cfg.Detector != nil)
}

// identify notes a member that says what an object is. One that is there twice means something else to each reader.
func (s *scanner) identify(at *span, i int) {
	if at.end != 0 {
		s.fail("it says twice what it is")
	}
	at.start, at.end = i, i+1
}

// things reads the elements of items or rows, each an object of its own.
func (s *scanner) things(i int, n *node, rows bool) int {
	r := roleThing
	if rows {
		r = roleRow
	}
	s.objs[s.obj].shell = true
	if s.top && s.depth == 1 {
		s.list = r
		return i + 1
	}
	if n != nil {
		if s.value(i, n, false) < 0 {
			return stop
		}
		s.unsorted = true
	}
	kind := s.listKind()
	if i = s.open(i); i < 0 {
		return stop
	}
	for first := true; ; first = false {
		var more bool
		if i, more = s.separator(i, ']', first); !more {
			s.depth--
			return i
		}
		if i = s.element(i, r, kind); i < 0 {
			return stop
		}
	}
}

// element reads an element of items or rows.
func (s *scanner) element(i int, r role, listKind string) int {
	if s.b[i] != '{' {
		return s.value(i, nil, s.m.cfg.Detector != nil)
	}
	end, _ := s.thing(i, r, listKind)
	return end
}

// listKind returns the kind of the elements of the list at hand, as far as the list has said its own.
func (s *scanner) listKind() string {
	o := &s.objs[s.obj]
	kind, ok := bytes.CutSuffix(s.string(o.kind), []byte("List"))
	if !ok {
		return ""
	}
	version := s.string(o.version)
	return string(version) + " " + string(kind)
}

// value reads any value and notes what is classified in it; look says that strings are shown to the detector.
func (s *scanner) value(i int, n *node, look bool) int {
	if n == nil && !look {
		return s.skip(i)
	}
	at := -1
	if n != nil && len(n.fields) > 0 {
		at, look = len(s.hits), false
		s.hits = append(s.hits, hit{span: span{start: i}, obj: s.obj, node: n})
	}
	end := stop
	switch s.b[i] {
	case '{':
		end = s.plain(i, n, look)
	case '[':
		end = s.array(i, n, look)
	case '"':
		if end, _ = s.text(i + 1); end >= 0 {
			end++
			if look {
				s.look(i, end)
			}
		}
	default:
		end = s.scalar(i)
	}
	if at >= 0 && end >= 0 {
		s.hits[at].end = end
	}
	return end
}

// plain reads an object that is part of another.
func (s *scanner) plain(i int, n *node, look bool) int {
	if i = s.open(i); i < 0 {
		return stop
	}
	for first := true; ; first = false {
		var more bool
		if i, more = s.separator(i, '}', first); !more {
			s.depth--
			return i
		}
		name, at := s.name(i)
		if at < 0 {
			return stop
		}
		if i = s.value(at, n.next(name), look); i < 0 {
			return stop
		}
	}
}

// array reads a list that is part of an object.
func (s *scanner) array(i int, n *node, look bool) int {
	n = n.elements()
	if i = s.open(i); i < 0 {
		return stop
	}
	for first := true; ; first = false {
		var more bool
		if i, more = s.separator(i, ']', first); !more {
			s.depth--
			return i
		}
		if i = s.value(i, n, look); i < 0 {
			return stop
		}
	}
}

// metadata reads the metadata of the object at hand.
func (s *scanner) metadata(i int, n *node) int {
	if i = s.open(i); i < 0 {
		return stop
	}
	for first := true; ; first = false {
		var more bool
		if i, more = s.separator(i, '}', first); !more {
			s.depth--
			return i
		}
		name, at := s.name(i)
		if at < 0 {
			return stop
		}
		o := &s.objs[s.obj]
		switch string(name) {
		case "name":
			s.identify(&o.name, at)
		case "namespace":
			s.identify(&o.namespace, at)
		case "annotations":
			if s.b[at] == '{' {
				if i = s.annotations(at, n.next(name)); i < 0 {
					return stop
				}
				continue
			}
		}
		if i = s.value(at, n.next(name), false); i < 0 {
			return stop
		}
	}
}

// annotations reads the annotations of the object at hand.
func (s *scanner) annotations(i int, n *node) int {
	if i = s.open(i); i < 0 {
		return stop
	}
	for first := true; ; first = false {
		var more bool
		if i, more = s.separator(i, '}', first); !more {
			s.depth--
			return i
		}
		name, at := s.name(i)
		if at < 0 {
			return stop
		}
		kept, before := string(name) == lastApplied, len(s.hits)
		if i = s.value(at, n.next(name), s.m.cfg.Detector != nil); i < 0 {
			return stop
		}
		if kept || s.b[at] == '"' && startsObject(s.b[at+1:i]) {
			if before < len(s.hits) && s.hits[before].what == hitField {
				before++
			}
			s.hits = slices.Insert(s.hits, before, hit{span: span{at, i}, obj: s.obj, what: hitNote, kept: kept})
		}
	}
}
