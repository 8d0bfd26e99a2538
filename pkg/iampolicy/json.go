package iampolicy

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// kind is the sort of a JSON value.
type kind uint8

const (
	jsonNull kind = iota
	jsonScalar
	jsonString
	jsonArray
	jsonObject
)

// node is a JSON value with its place in the document.
type node struct {
	kind       kind
	text       string // of a string, its value; of numbers and booleans, how they are written
	members    []member
	items      []node
	start, end int
}

type member struct {
	key   string
	start int
	value node
}

// list returns the values of an array, and of anything else the value itself.
func (n *node) list() []node {
	if n.kind == jsonArray {
		return n.items
	}
	return []node{*n}
}

// readJSON reads one document that programs cannot read in two ways: it refuses a key given twice in one object, text
// that is not UTF-8, escapes of half a character, and anything after the document.
func readJSON(doc string) (node, error) {
	if !utf8.ValidString(doc) {
		return node{}, &SyntaxError{"document", 0, "not UTF-8"}
	}
	if !json.Valid([]byte(doc)) {
		return node{}, &SyntaxError{"document", 0, "not one JSON document"}
	}
	r := reader{doc: doc}
	return r.value(1)
}

// reader takes apart what is known to be valid JSON.
type reader struct {
	doc        string
	at, values int
}

func (r *reader) refuse(why string) error { return &SyntaxError{"document", r.at, why} }

// skip takes white space and the given mark, if it is there.
func (r *reader) skip(mark byte) bool {
	for r.at < len(r.doc) && strings.IndexByte(" \t\r\n", r.doc[r.at]) >= 0 {
		r.at++
	}
	if mark == 0 || r.at == len(r.doc) || r.doc[r.at] != mark {
		return false
	}
	r.at++
	return true
}

func (r *reader) value(depth int) (node, error) {
	if r.values++; r.values > maxValues {
		return node{}, r.refuse(fmt.Sprintf("over %d values", maxValues))
	}
	if depth > maxDepth {
		return node{}, r.refuse(fmt.Sprintf("nested over %d deep", maxDepth))
	}
	r.skip(0)
	n := node{start: r.at}
	var err error
	switch r.doc[r.at] {
	case '{':
		n.kind = jsonObject
		n.members, err = r.object(depth)
	case '[':
		n.kind = jsonArray
		n.items, err = r.array(depth)
	case '"':
		n.kind = jsonString
		n.text, err = r.text()
	default:
		n.kind, n.text = r.word()
	}
	n.end = r.at
	return n, err
}

func (r *reader) word() (kind, string) {
	start := r.at
	for r.at < len(r.doc) && strings.IndexByte(" \t\r\n,]}", r.doc[r.at]) < 0 {
		r.at++
	}
	if word := r.doc[start:r.at]; word != "null" {
		return jsonScalar, word
	}
	return jsonNull, ""
}

func (r *reader) object(depth int) ([]member, error) {
	members := []member{}
	seen := map[string]bool{}
	r.skip('{')
	for !r.skip('}') {
		r.skip(',')
		r.skip(0)
		m := member{start: r.at}
		var err error
		if m.key, err = r.text(); err != nil {
			return nil, err
		}
		if seen[m.key] {
			return nil, r.refuse("a key stands twice in one object")
		}
		seen[m.key] = true
		r.skip(':')
		if m.value, err = r.value(depth + 1); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

func (r *reader) array(depth int) ([]node, error) {
	items := []node{}
	r.skip('[')
	for !r.skip(']') {
		r.skip(',')
		n, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, n)
	}
	return items, nil
}

// text reads the string that begins here.
func (r *reader) text() (string, error) {
	end, plain := r.at+1, true
	for ; r.doc[end] != '"'; end++ {
		if r.doc[end] == '\\' {
			plain = false
			end++
		}
	}
	raw := r.doc[r.at : end+1]
	r.at = end + 1
	if plain {
		return raw[1 : len(raw)-1], nil
	}
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return "", r.refuse("a broken string")
	}
	if strings.Count(s, "\ufffd") > strings.Count(raw, "\ufffd")+strings.Count(strings.ToLower(raw), `\ufffd`) {
		return "", r.refuse("an escape of half a character")
	}
	return s, nil
}
