package awsmask

import (
	"strings"
)

// header is a header, or with prefix all whose names begin so.
type header struct {
	name   string // in canonical form
	prefix bool
	node   *node
}

func (m *Masker) addHeader(name string, prefix bool, apply func(*node)) {
	for _, h := range m.headers {
		if h.name == name && h.prefix == prefix {
			apply(h.node)
			return
		}
	}
	n := &node{shape: noShape}
	apply(n)
	m.headers = append(m.headers, header{name, prefix, n})
}

// Headers masks the headers of an answer, by their canonical names, and returns what was masked. What is hidden is taken
// out.
func (m *Masker) Headers(h map[string][]string) []string {
	f := found{}
	for _, of := range m.headers {
		for name, values := range h {
			if name == of.name || of.prefix && len(name) >= len(of.name) && strings.EqualFold(name[:len(of.name)], of.name) {
				m.header(h, name, values, of.node, f)
			}
		}
	}
	return f.names()
}

func (m *Masker) header(h map[string][]string, name string, values []string, n *node, f found) {
	a := m.enter(n)
	if a.hide != nil {
		delete(h, name)
		f.add(a.hide.name)
		return
	}
	if !a.look {
		return
	}
	for i, v := range values {
		if out, changed := m.looked([]byte(v), a, f); changed {
			values[i] = string(out)
		}
	}
}
