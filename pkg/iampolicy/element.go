package iampolicy

import "slices"

// element is an object of which every key is known.
type element struct {
	name string // how errors call it
	node node
}

func newElement(n node, name string, known ...string) (element, error) {
	e := element{name, n}
	if n.kind != jsonObject {
		return e, &SyntaxError{name, n.start, "not an object"}
	}
	for _, m := range n.members {
		if !slices.Contains(known, m.key) {
			return e, &SyntaxError{name, m.start, "an element that the grammar does not know"}
		}
	}
	return e, nil
}

func (e element) get(key string) (node, bool) {
	for _, m := range e.node.members {
		if m.key == key {
			return m.value, true
		}
	}
	return node{}, false
}

func (e element) refuse(key, why string) error {
	at := e.node.start
	if n, ok := e.get(key); ok {
		at = n.start
	}
	return &SyntaxError{e.name + ": " + key, at, why}
}

// text reads a string into *into, which stays as it is when there is none.
func (e element) text(key string, into *string) error {
	n, ok := e.get(key)
	if !ok {
		return nil
	}
	if n.kind != jsonString {
		return e.refuse(key, "not text")
	}
	*into = n.text
	return nil
}

// texts reads a string or a list of at least one.
func (e element) texts(key string) ([]string, error) {
	n, _ := e.get(key)
	list := n.list()
	if len(list) == 0 {
		return nil, e.refuse(key, "empty")
	}
	texts := make([]string, len(list))
	for i, item := range list {
		if item.kind != jsonString || item.text == "" {
			return nil, e.refuse(key, "not text")
		}
		texts[i] = item.text
	}
	return texts, nil
}

// oneOf returns which of two elements is there, "" for none, and refuses both.
func (e element) oneOf(a, b string) (string, error) {
	_, first := e.get(a)
	_, second := e.get(b)
	switch {
	case first && second:
		return "", e.refuse(b, "beside "+a)
	case first:
		return a, nil
	case second:
		return b, nil
	}
	return "", nil
}
