package kubeapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of a document. The API server's own are wider; no real object comes near these.
const (
	MaxDepth  = 200
	MaxValues = 500_000
)

// decode reads one JSON document into nil, bool, string, json.Number, []any and map[string]any. Programs must not be
// able to read it in two ways: it refuses a key given twice in one object, text that is not UTF-8, escapes of half a
// character, and anything after the document.
func decode(doc []byte) (any, error) {
	if !utf8.Valid(doc) {
		return nil, badBody("not UTF-8")
	}
	if !json.Valid(doc) {
		return nil, badBody("not one JSON document")
	}
	d := decoder{rest: doc}
	return d.value(1)
}

func badBody(why string) error { return refuse(ErrBody, "body", why, "") }

// decoder takes apart what is known to be valid JSON.
type decoder struct {
	rest   []byte
	values int
}

// skip takes white space and the given mark, if it is there.
func (d *decoder) skip(mark byte) bool {
	i := 0
	for i < len(d.rest) && (d.rest[i] == ' ' || d.rest[i] == '\t' || d.rest[i] == '\n' || d.rest[i] == '\r') {
		i++
	}
	d.rest = d.rest[i:]
	if mark == 0 || len(d.rest) == 0 || d.rest[0] != mark {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

func (d *decoder) value(depth int) (any, error) {
	if d.values++; d.values > MaxValues {
		return nil, badBody(fmt.Sprintf("over %d values", MaxValues))
	}
	if depth > MaxDepth {
		return nil, badBody(fmt.Sprintf("nested over %d deep", MaxDepth))
	}
	d.skip(0)
	switch d.rest[0] {
	case '{':
		return d.object(depth)
	case '[':
		return d.array(depth)
	case '"':
		return d.text()
	}
	n := 0
	for n < len(d.rest) && !strings.ContainsRune(" \t\r\n,]}", rune(d.rest[n])) {
		n++
	}
	word := string(d.rest[:n])
	d.rest = d.rest[n:]
	switch word {
	case "null":
		return nil, nil
	case "true", "false":
		return word == "true", nil
	}
	return json.Number(word), nil
}

func (d *decoder) object(depth int) (any, error) {
	o := map[string]any{}
	d.skip('{')
	for !d.skip('}') {
		d.skip(',')
		d.skip(0)
		key, err := d.text()
		if err != nil {
			return nil, err
		}
		if _, twice := o[key]; twice {
			return nil, badBody("a key stands twice in one object")
		}
		d.skip(':')
		if o[key], err = d.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (d *decoder) array(depth int) (any, error) {
	a := []any{}
	d.skip('[')
	for !d.skip(']') {
		d.skip(',')
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	return a, nil
}

// text reads the string that begins here.
func (d *decoder) text() (string, error) {
	end, plain := 1, true
	for ; d.rest[end] != '"'; end++ {
		if d.rest[end] == '\\' {
			plain = false
			end++
		}
	}
	raw := d.rest[:end+1]
	d.rest = d.rest[end+1:]
	if plain {
		return string(raw[1:end]), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", badBody("a broken string")
	}
	if strings.Count(s, "\ufffd") > strings.Count(string(raw), "\ufffd")+strings.Count(strings.ToLower(string(raw)), `\ufffd`) {
		return "", badBody("an escape of half a character")
	}
	return s, nil
}
