package kubemask

import (
	"bytes"
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
	role     role
	shell    bool       // a list, Table, row or event: in itself, fields of all kinds are hidden
	inner    int        // of a row or event: the object in it
	listKind string     // what its list says that it is
	said     [said]span // what it says of itself
	plan
}

// What an object says of itself.
const (
	saidKind = iota
	saidVersion
	saidType
	saidName
	saidNamespace
	said
)

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
	hitSet            // the name of a member in managedFields that holds a value
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

// each reads the members of an object, from its opening bracket on, by f, which takes where the name and the value
// begin and returns where the value ends.
func (s *scanner) each(i int, f func(name []byte, at, value int) int) int {
	if i = s.open(i); i < 0 {
		return stop
	}
	i = s.eachFrom(i, true, f)
	s.depth--
	return i
}

// eachFrom is each behind the opening bracket, or if not first behind a member.
func (s *scanner) eachFrom(i int, first bool, f func(name []byte, at, value int) int) int {
	for ; ; first = false {
		at, more := s.separator(i, '}', first)
		if !more {
			return at
		}
		name, value := s.name(at)
		if value < 0 {
			return stop
		}
		if i = f(name, at, value); i < 0 || s.list != noRole {
			return i
		}
	}
}

// elements reads the elements of a list by f.
func (s *scanner) elements(i int, f func(int) int) int {
	if i = s.open(i); i < 0 {
		return stop
	}
	for first := true; ; first = false {
		at, more := s.separator(i, ']', first)
		if !more {
			s.depth--
			return at
		}
		if i = f(at); i < 0 {
			return stop
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

// members reads the members of the object at hand and its closing bracket; first says that none was read yet.
func (s *scanner) members(i int, first bool) int {
	return s.eachFrom(i, first, func(name []byte, _, value int) int { return s.member(name, value) })
}

// member reads the value of a member of the object at hand.
func (s *scanner) member(name []byte, i int) int {
	o := &s.objs[s.obj]
	n := s.m.root.next(name)
	switch c := s.b[i]; string(name) {
	case "kind":
		s.identify(&o.said[saidKind], i)
		return s.value(i, n, false)
	case "apiVersion":
		s.identify(&o.said[saidVersion], i)
		return s.value(i, n, false)
	case "type":
		s.identify(&o.said[saidType], i)
	case "metadata":
		if c == '{' {
			return s.metadata(i, n)
		}
	case "items", "rows":
		if c == '[' && o.role != roleRow {
			return s.things(i, n, name[0] == 'r')
		}
	case "object":
		if c == '{' && o.role != roleThing {
			return s.innerThing(i)
		}
	case "cells":
		if c == '[' && o.role == roleRow && s.m.cfg.Cells {
			return s.cells(i)
		}
	}
	return s.value(i, n, s.looks())
}

// looks tells whether strings are shown to the detector.
func (s *scanner) looks() bool { return s.m.cfg.Detector != nil }

const saidTwice = "it says twice what it is"

// identify notes a member that says what an object is. One that is there twice means something else to each reader.
func (s *scanner) identify(at *span, i int) {
	if at.end != 0 {
		s.fail(saidTwice)
	}
	at.start, at.end = i, i+1
}

// innerThing reads the object in a row or an event.
func (s *scanner) innerThing(i int) int {
	if s.objs[s.obj].inner > 0 {
		return s.fail("two objects in one")
	}
	end, inner := s.thing(i, roleThing, "")
	s.objs[s.obj].inner = inner
	return end
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
	return s.elements(i, func(i int) int { return s.element(i, r, kind) })
}

// element reads an element of items or rows.
func (s *scanner) element(i int, r role, listKind string) int {
	if s.b[i] != '{' {
		return s.value(i, nil, s.looks())
	}
	end, _ := s.thing(i, r, listKind)
	return end
}

// listKind returns the kind of the elements of the list at hand, as far as the list has said its own.
func (s *scanner) listKind() string {
	o := &s.objs[s.obj]
	return elementKind(s.string(o.said[saidVersion]), s.string(o.said[saidKind]))
}

// elementKind returns version and kind of the elements of a list, empty if it is none.
func elementKind(version, kind []byte) string {
	kind, ok := bytes.CutSuffix(kind, []byte("List"))
	if !ok {
		return ""
	}
	return string(version) + " " + string(kind)
}

// cells notes all cells of a row but the first, which names the object.
func (s *scanner) cells(i int) int {
	first := true
	return s.elements(i, func(i int) int {
		end := s.skip(i)
		if end >= 0 && !first && s.b[i] != 'n' {
			s.hits = append(s.hits, hit{span: span{i, end}, obj: s.obj, what: hitCell})
		}
		first = false
		return end
	})
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
		end = s.each(i, func(name []byte, _, i int) int { return s.value(i, n.next(name), look) })
	case '[':
		end = s.elements(i, func(i int) int { return s.value(i, n.elements(), look) })
	case '"':
		end = s.skip(i)
		if look && end >= 0 {
			s.look(i, end)
		}
	default:
		end = s.scalar(i)
	}
	if at >= 0 && end >= 0 {
		s.hits[at].end = end
	}
	return end
}
