package awsmodel

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
	"github.com/writhq/writ/pkg/jsontext"
)

// jsonDecoder reads one document of JSON by a shape. Texts of values are parts of the document.
type jsonDecoder struct {
	*decoder
	b        jsontext.Text
	s        string          // b
	at       int             // how much of it is read
	wire     bool            // members go by their wire names
	path     []step          // to the value that is read
	document modelfile.Shape // of any form
}

// step leads from a value to one in it.
type step struct {
	name string
	item bool // of a list, and has no name
}

func (d *decoder) parseJSON(raw []byte, shape int) (Value, error) {
	if !utf8.Valid(raw) {
		return Value{}, refuse(ErrBody, "body", "it is not UTF-8", "")
	}
	if halfCharacter(raw) {
		return Value{}, refuse(ErrBody, "body", "half of a character is escaped, for which each reader puts another", "")
	}
	j := &jsonDecoder{decoder: d, b: raw, s: string(raw), wire: d.api.rest != 0, document: modelfile.Shape{Kind: modelfile.Document}}
	v, err := j.read(d.shape(shape), 0)
	if err != nil {
		return Value{}, err
	}
	if j.b.Space(j.at) != len(j.b) {
		return Value{}, refuse(ErrBody, "body", "something follows the document", "")
	}
	return v, nil
}

// halfCharacter says that a document has an escape of one surrogate without the other of its pair.
func halfCharacter(raw []byte) bool {
	for i := bytes.IndexByte(raw, '\\'); i >= 0 && i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		r := escaped(raw[i:])
		if !utf16.IsSurrogate(r) {
			i++ // what is escaped
			continue
		}
		if i += len(`\u0000`); utf16.DecodeRune(r, escaped(raw[min(i, len(raw)):])) == utf8.RuneError {
			return true
		}
		i += len(`\u0000`) - 1
	}
	return false
}

// escaped is the character of an escape \u0000 at the start of s, or 0.
func escaped(s []byte) rune {
	if len(s) < len(`\u0000`) || s[0] != '\\' || s[1] != 'u' {
		return 0
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}

func notJSON() error { return refuse(ErrBody, "body", "it is not JSON", "") }

// malformed refuses the value that is read.
func (j *jsonDecoder) malformed(why string) error { return malformed(j.where(), why) }

// where is the path of the value that is read.
func (j *jsonDecoder) where() (path string) {
	for _, s := range j.path {
		if s.item {
			path += "[]"
		} else {
			path = join(path, s.name)
		}
	}
	return path
}

// next passes over white space, and returns what comes then; 0 is the end.
func (j *jsonDecoder) next() byte {
	if j.at = j.b.Space(j.at); j.at < len(j.b) {
		return j.b[j.at]
	}
	return 0
}

// read reads a value of a shape. Null is a Value of no kind, which is left out.
func (j *jsonDecoder) read(sh *modelfile.Shape, depth int) (Value, error) {
	if err := j.value(depth); err != nil {
		return Value{}, err
	}
	var v Value
	var err error
	switch c := j.next(); {
	case c == '"':
		var s string
		if s, err = j.text(); err == nil {
			v, err = j.textOf(s, sh.Kind)
		}
	case c != '{' && c != '[':
		v, err = j.scalar(sh.Kind)
	case c == '{' && (sh.Kind == modelfile.Structure || sh.Kind == modelfile.MapOf || sh.Kind == modelfile.Document):
		v, err = j.fields(sh, depth)
	case c == '[' && sh.Kind == modelfile.ListOf:
		v, err = j.items(j.shape(sh.Elem), depth)
	case c == '[' && sh.Kind == modelfile.Document:
		v, err = j.items(&j.document, depth)
	default:
		err = j.malformed("it is of another type")
	}
	if v.Kind == NoValue {
		return Value{}, err
	}
	return sensitive(v, sh), err
}

// fields reads an object: a structure, a map or a document.
func (j *jsonDecoder) fields(sh *modelfile.Shape, depth int) (Value, error) {
	v := Value{Kind: Map}
	if sh.Kind == modelfile.Structure {
		v.Kind = Struct
	}
	var seen names
	j.at++
	for more := j.next() != '}'; more; {
		name, err := j.name()
		if err != nil {
			return v, err
		}
		if !seen.add(name) {
			return v, malformed(join(j.where(), name), "it stands there twice")
		}
		of, member, keep := j.member(sh, name)
		j.path = append(j.path, step{name: member})
		x, err := j.read(of, depth+1)
		if err != nil {
			return v, err
		}
		j.path = j.path[:len(j.path)-1]
		if keep && x.Kind != NoValue {
			v.Fields = append(v.Fields, Field{member, x})
		}
		if more, err = j.more('}'); err != nil {
			return v, err
		}
	}
	j.at++
	return v, nil
}

// member says the shape and the model's name of a member, and whether it is kept.
func (j *jsonDecoder) member(sh *modelfile.Shape, name string) (of *modelfile.Shape, member string, keep bool) {
	switch sh.Kind {
	case modelfile.MapOf:
		return j.shape(sh.Elem), name, true
	case modelfile.Document:
		return &j.document, name, true
	}
	m := j.field(sh, name, j.wire)
	if m == nil {
		if len(j.unknown) < maxUnknown { // paths are only as long as who asks wants them
			j.report(join(j.where(), name))
		}
		return &j.document, name, false
	}
	return j.shape(m.Shape), m.Name, true
}

func (j *jsonDecoder) items(sh *modelfile.Shape, depth int) (Value, error) {
	v := Value{Kind: Array}
	j.at++
	j.path = append(j.path, step{item: true})
	for more := j.next() != ']'; more; {
		x, err := j.read(sh, depth+1)
		if err != nil {
			return v, err
		}
		if x.Kind != NoValue {
			v.Items = append(v.Items, x)
		}
		if more, err = j.more(']'); err != nil {
			return v, err
		}
	}
	j.path = j.path[:len(j.path)-1]
	j.at++
	return v, nil
}

// more reads the comma before another part of an object or array, or stops before its end.
func (j *jsonDecoder) more(end byte) (bool, error) {
	switch j.next() {
	case end:
		return false, nil
	case ',':
		j.at++
		return true, nil
	}
	return false, notJSON()
}

// name reads the name of a member, and its colon.
func (j *jsonDecoder) name() (string, error) {
	if j.next() != '"' {
		return "", notJSON()
	}
	name, err := j.text()
	if err != nil || j.next() != ':' {
		return "", notJSON()
	}
	j.at++
	return name, nil
}

// text reads a string.
func (j *jsonDecoder) text() (string, error) {
	start := j.at
	end, plain := j.b.Quoted(start)
	if end < 0 {
		return "", notJSON()
	}
	j.at = end
	if plain {
		return j.s[start+1 : end-1], nil
	}
	return unescaped(j.b[start:end])
}

func unescaped(quoted []byte) (s string, err error) {
	if json.Unmarshal(quoted, &s) != nil {
		return "", notJSON()
	}
	return s, nil
}

// textOf takes a string for a value.
func (j *jsonDecoder) textOf(s string, kind modelfile.Kind) (Value, error) {
	switch kind {
	case modelfile.String, modelfile.Timestamp, modelfile.Document:
		return Value{Kind: Text, Text: s}, nil
	case modelfile.Blob:
		v, err := blob(s, "")
		if err != nil {
			err = j.malformed("it is not base64")
		}
		return v, err
	case modelfile.Float:
		if s == "NaN" || s == "Infinity" || s == "-Infinity" {
			return Value{Kind: Number, Text: s}, nil
		}
	}
	return Value{}, j.malformed("it is of another type")
}

// scalar reads what is no string.
func (j *jsonDecoder) scalar(kind modelfile.Kind) (Value, error) {
	start := j.at
	if j.at = j.b.Scalar(start); j.at < 0 {
		return Value{}, notJSON()
	}
	switch s := j.s[start:j.at]; s[0] {
	case 'n':
		return Value{}, nil
	case 't', 'f':
		if kind == modelfile.Boolean || kind == modelfile.Document {
			return boolean(s[0] == 't'), nil
		}
	default:
		switch kind {
		case modelfile.Integer, modelfile.Float, modelfile.Timestamp, modelfile.Document:
			return Value{Kind: Number, Text: s}, nil
		}
	}
	return Value{}, j.malformed("it is of another type")
}

func boolean(b bool) Value {
	if b {
		return Value{Kind: Bool, Text: "true"}
	}
	return Value{Kind: Bool, Text: "false"}
}

func blob(s, path string) (Value, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return Value{}, malformed(path, "it is not base64")
	}
	return Value{Kind: Bytes, Text: string(b)}, nil
}

// names are those of the members of one object.
type names struct {
	few   [8]string
	count int
	many  map[string]bool // the others
}

// add reports whether a name is a new one.
func (n *names) add(name string) bool {
	if slices.Contains(n.few[:n.count], name) || n.many[name] {
		return false
	}
	if n.count < len(n.few) {
		n.few[n.count] = name
		n.count++
		return true
	}
	if n.many == nil {
		n.many = map[string]bool{}
	}
	n.many[name] = true
	return true
}
