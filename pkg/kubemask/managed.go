package kubemask

import "bytes"

// managed reads metadata.managedFields. It says who set which fields, by name; but the elements of sets and the keys of
// keyed lists are values.
func (s *scanner) managed(i int) int {
	return s.elements(i, func(i int) int {
		if s.b[i] != '{' {
			return s.skip(i)
		}
		return s.each(i, func(name []byte, _, i int) int {
			if string(name) == "fieldsV1" && s.b[i] == '{' {
				return s.fieldSet(i, s.m.root, nil)
			}
			return s.skip(i)
		})
	})
}

// fieldSet reads a set of fields (fieldpath.Set in sigs.k8s.io/structured-merge-diff): members f:name, v:value, k:key
// and i:index. n is where it stands among the paths; within is a classified field that it is part of.
func (s *scanner) fieldSet(i int, n, within *node) int {
	if n != nil && len(n.fields) > 0 {
		within = n
	}
	return s.each(i, func(name []byte, at, i int) int {
		to := n.elements()
		if field, ok := bytes.CutPrefix(name, []byte("f:")); ok {
			to = n.next(field)
		} else if to != nil || within != nil {
			s.setMember(name, at, to, within)
		}
		if s.b[i] != '{' || to == nil && within == nil {
			return s.skip(i)
		}
		return s.fieldSet(i, to, within)
	})
}

// setMember notes the name, at at, of a member that may hold a classified value: of a set, v:"a", or of a list with keys,
// k:{"name":"a"}.
func (s *scanner) setMember(name []byte, at int, to, within *node) {
	value, isKey := bytes.CutPrefix(name, []byte("k:"))
	if !isKey {
		var isValue bool
		if value, isValue = bytes.CutPrefix(name, []byte("v:")); !isValue {
			return
		}
	}
	end, _ := s.text(at + 1)
	found := hit{span: span{at, end + 1}, obj: s.obj, node: within, what: hitSet}
	if within != nil {
		s.hits = append(s.hits, found)
	}
	inner := s.nested(append(bytes.Clone(value), '\n'))
	inner.begin(roleThing, "")
	if i := inner.space(0); i < 0 || inner.value(i, to, false) < 0 {
		s.fail("a member of managedFields that is no JSON")
	}
	for _, h := range inner.hits {
		found.node = h.node
		s.hits = append(s.hits, found)
	}
}

// appendMaskedStep appends the name of a member of a set without its value.
func appendMaskedStep(dst, name []byte) []byte {
	if bytes.HasPrefix(unquote(name), []byte("k:")) {
		return append(dst, `"k:{}"`...)
	}
	return append(dst, `"v:\"***\""`...)
}
