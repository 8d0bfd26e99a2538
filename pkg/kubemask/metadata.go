package kubemask

import (
	"bytes"
	"slices"
)

// metadata reads the metadata of the object at hand. It is not shown to the detector: clients need it as it is.
func (s *scanner) metadata(i int, n *node) int {
	return s.each(i, func(name []byte, _, i int) int {
		o := &s.objs[s.obj]
		switch string(name) {
		case "name":
			s.identify(&o.said[saidName], i)
		case "namespace":
			s.identify(&o.said[saidNamespace], i)
		case "managedFields":
			if s.b[i] == '[' && s.m.root != nil {
				return s.managed(i)
			}
		case "annotations":
			if s.b[i] == '{' {
				return s.annotations(i, n.next(name))
			}
		}
		return s.value(i, n.next(name), false)
	})
}

// annotations reads the annotations of the object at hand.
func (s *scanner) annotations(i int, n *node) int {
	return s.each(i, func(name []byte, _, i int) int {
		kept, before := string(name) == lastApplied, len(s.hits)
		end := s.value(i, n.next(name), s.looks())
		if end < 0 {
			return stop
		}
		if kept || s.b[i] == '"' && startsObject(s.b[i+1:end-1]) {
			if before < len(s.hits) && s.hits[before].what == hitField {
				before++
			}
			s.hits = slices.Insert(s.hits, before, hit{span: span{i, end}, obj: s.obj, what: hitNote, kept: kept})
		}
		return end
	})
}

// startsObject tells whether a string's content may be an object as text.
func startsObject(content []byte) bool {
	for len(content) > 1 && content[0] == '\\' && bytes.IndexByte([]byte("nrt"), content[1]) >= 0 {
		content = content[2:]
	}
	content = bytes.TrimLeft(content, " ")
	return len(content) > 0 && (content[0] == '{' || content[0] == '\\')
}
