package awsmask

import (
	"maps"
	"slices"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// at is where a walk through an answer stands. The zero value is where nothing is to be done.
type at struct {
	n      *node
	shape  int32
	hide   *hidden // not nil: everything here and below is hidden
	look   bool    // texts here and below are looked at
	clear  bool    // ... and are not, whatever is said below
	base64 bool    // a text holds bytes
	number bool    // a text holds a number
}

// idle says that nothing is to be done here and below.
func (a at) idle() bool { return a.n == nil && a.hide == nil && !a.look }

// enter is where a walk stands at a node.
func (m *Masker) enter(n *node) at {
	a := at{shape: int32(n.shape)}
	return a.with(n)
}

func (a at) with(n *node) at {
	a.n = n
	if n == nil {
		return a
	}
	a.hide = a.hide.and(n.hide)
	a.clear = a.clear || n.clear
	a.look = (a.look || n.look) && !a.clear
	a.base64 = n.base64
	return a
}

// member is where the member or value of a name is.
func (m *Masker) member(a at, name []byte) at {
	if a.idle() {
		return at{}
	}
	next := at{shape: noShape, hide: a.hide, look: a.look, clear: a.clear}
	switch sh := m.shapeOf(int(a.shape)); sh.Kind {
	case modelfile.Structure:
		for i := range sh.Members {
			if of := &sh.Members[i]; m.key(of) == string(name) {
				next.shape = int32(of.Shape)
				next.number = (of.Name == "N" || of.Name == "NS") && isAttribute(sh)
				break
			}
		}
	case modelfile.MapOf:
		next.shape = int32(sh.Elem)
	case modelfile.Document:
		next.shape = a.shape
	}
	if a.n == nil {
		return next
	}
	n := a.n.names[string(name)]
	if n == nil {
		n = a.n.each
	}
	return next.with(n)
}

// element is where the elements of a list are.
func (m *Masker) element(a at) at {
	if a.idle() {
		return at{}
	}
	next := at{shape: noShape, hide: a.hide, look: a.look, clear: a.clear, number: a.number}
	switch sh := m.shapeOf(int(a.shape)); sh.Kind {
	case modelfile.ListOf:
		next.shape = int32(sh.Elem)
	case modelfile.Document:
		next.shape = a.shape
	}
	switch {
	case a.n == nil:
		return next
	case a.n.each == nil:
		next.hide = a.lost().hide // a list where none is meant
		return next
	}
	return next.with(a.n.each)
}

// isAttribute tells DynamoDB's values, whose numbers are texts.
func isAttribute(sh *modelfile.Shape) bool {
	n := 0
	for i := range sh.Members {
		switch sh.Members[i].Name {
		case "S", "N", "B", "SS", "NS", "BS":
			n++
		}
	}
	return n == 6
}

func (m *Masker) kind(a at) modelfile.Kind { return m.shapeOf(int(a.shape)).Kind }

// lost says that what stands where a list, map or structure is meant is none. On the way to something hidden it is hidden
// then, since nobody knows what it is.
func (a at) lost() at {
	if a.hide == nil {
		a.hide = a.n.below()
	}
	return a
}

// below returns how what is hidden at or below a node is hidden, nil if nothing is.
func (n *node) below() *hidden {
	if n == nil {
		return nil
	}
	if n.hide != nil {
		return n.hide
	}
	if h := n.each.below(); h != nil {
		return h
	}
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		if h := n.names[name].below(); h != nil {
			return h
		}
	}
	return nil
}
