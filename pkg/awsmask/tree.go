package awsmask

import (
	"fmt"
	"net/textproto"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
	"github.com/writhq/writ/pkg/mask"
)

// noShape is the shape of what the model does not know.
const noShape = -1

var unknownShape modelfile.Shape

func (m *Masker) shapeOf(i int) *modelfile.Shape {
	if i < 0 || i >= len(m.shapes) {
		return &unknownShape
	}
	return &m.shapes[i]
}

// node is a place in an answer that a path leads to or through.
type node struct {
	shape  int
	names  map[string]*node // members by their names on the wire, and values of maps by their keys
	each   *node            // all others
	hide   *hidden
	clear  bool
	look   bool
	name   string // of what is looked at
	base64 bool
}

// hidden is how a field is hidden.
type hidden struct {
	rule mask.Rule
	name string
}

// and returns how what two fields hide is hidden: by the stricter rule.
func (h *hidden) and(other *hidden) *hidden {
	switch {
	case h == nil:
		return other
	case other == nil || mask.Stricter(h.rule, other.rule) == h.rule:
		return h
	}
	return &hidden{other.rule, h.name}
}

func (n *node) classify(f *Field) {
	if f.Clear {
		n.clear = true
		return
	}
	n.hide = n.hide.and(&hidden{f.Rule, strings.TrimSuffix(f.Path, base64Suffix)})
}

// active reports whether there is something to do at a node or below, where clear says that nothing is looked at.
func (n *node) active(clear bool) bool {
	if n == nil {
		return false
	}
	clear = clear || n.clear
	if n.hide != nil || n.look && !clear || n.each.active(clear) {
		return true
	}
	for _, c := range n.names {
		if c.active(clear) {
			return true
		}
	}
	return false
}

func (n *node) child(name string, shape int) *node {
	if c := n.names[name]; c != nil {
		return c
	}
	if n.names == nil {
		n.names = map[string]*node{}
	}
	c := n.each.clone()
	if c == nil {
		c = &node{shape: shape}
	}
	n.names[name] = c
	return c
}

// others returns the nodes of all children that a map or list may have.
func (n *node) others(shape int) []*node {
	if n.each == nil {
		n.each = &node{shape: shape}
	}
	all := []*node{n.each}
	for _, c := range n.names {
		all = append(all, c)
	}
	return all
}

func (n *node) clone() *node {
	if n == nil {
		return nil
	}
	c := *n
	c.each, c.names = n.each.clone(), nil
	for name, child := range n.names {
		if c.names == nil {
			c.names = map[string]*node{}
		}
		c.names[name] = child.clone()
	}
	return &c
}

// add applies what is said of a path to all that it leads to.
func (m *Masker) add(text string, apply func(*node)) error {
	p, err := parse(text)
	if err != nil {
		return err
	}
	set := func(n *node) {
		n.base64 = n.base64 || p.base64
		apply(n)
	}
	if p.header != "" {
		m.addHeader(textproto.CanonicalMIMEHeaderKey(p.header), false, set)
		return nil
	}
	if m.walk(m.output, p.steps, set)+m.walk(m.fault, p.steps, set) == 0 {
		return fmt.Errorf("%w: %q", ErrPath, text)
	}
	return nil
}

// walk follows steps from a node on, and returns how many places they lead to.
func (m *Masker) walk(n *node, steps []step, apply func(*node)) (places int) {
	if len(steps) == 0 {
		apply(n)
		return 1
	}
	st, sh := steps[0], m.shapeOf(n.shape)
	switch sh.Kind {
	case modelfile.Structure:
		for i := range sh.Members {
			if member := &sh.Members[i]; st.each || st.name == member.Name || st.name == member.Wire {
				places += m.walkMember(n, member, steps[1:], apply)
			}
		}
	case modelfile.ListOf, modelfile.MapOf, modelfile.Document:
		elem := sh.Elem
		if sh.Kind == modelfile.Document {
			elem = n.shape
		}
		switch {
		case st.each:
			for _, c := range n.others(elem) {
				places += m.walk(c, steps[1:], apply)
			}
		case sh.Kind != modelfile.ListOf:
			places = m.walk(n.child(st.name, elem), steps[1:], apply)
		}
	}
	return places
}

func (m *Masker) walkMember(n *node, member *modelfile.Member, steps []step, apply func(*node)) int {
	switch member.At {
	case modelfile.InHeader:
		if len(steps) > 0 {
			return 0
		}
		m.addHeader(textproto.CanonicalMIMEHeaderKey(wireName(member)), false, apply)
		return 1
	case modelfile.InHeaders:
		if len(steps) > 1 || len(steps) == 1 && steps[0].each {
			steps = nil
		}
		name := wireName(member)
		if len(steps) == 1 {
			name += steps[0].name
		}
		m.addHeader(textproto.CanonicalMIMEHeaderKey(name), len(steps) == 0, apply)
		return 1
	case modelfile.InStatus:
		return 0
	}
	return m.walk(n.child(m.key(member), member.Shape), steps, apply)
}

// key is the name of a member on the wire: JSON and CBOR of the RPC protocols have the model's.
func (m *Masker) key(member *modelfile.Member) string {
	if p := m.cfg.Answer.Protocol; p == modelfile.JSON || p == modelfile.CBOR {
		return member.Name
	}
	return wireName(member)
}

func wireName(member *modelfile.Member) string {
	if member.Wire != "" {
		return member.Wire
	}
	return member.Name
}
