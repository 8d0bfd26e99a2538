package awsmodel

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// slowDecoder reads as jsonDecoder does, by the tokens of encoding/json: what both refuse and make of a document is the same.
type slowDecoder struct {
	*decoder
	in   *json.Decoder
	wire bool // members go by their wire names
}

func (d *decoder) parseJSONSlowly(raw []byte, shape int) (Value, error) {
	if !utf8.Valid(raw) {
		return Value{}, refuse(ErrBody, "body", "it is not UTF-8", "")
	}
	if halfCharacter(raw) {
		return Value{}, refuse(ErrBody, "body", "half of a character is escaped, for which each reader puts another", "")
	}
	j := &slowDecoder{decoder: d, in: json.NewDecoder(bytes.NewReader(raw)), wire: d.api.rest != 0}
	j.in.UseNumber()
	v, err := j.read(d.shape(shape), "", 0)
	if err != nil {
		return Value{}, err
	}
	if _, err := j.in.Token(); err != io.EOF {
		return Value{}, refuse(ErrBody, "body", "something follows the document", "")
	}
	return v, nil
}

func (j *slowDecoder) token() (json.Token, error) {
	t, err := j.in.Token()
	if err != nil {
		return nil, refuse(ErrBody, "body", "it is not JSON", "")
	}
	return t, nil
}

// read reads a value of a shape. Null is a Value of no kind, which is left out.
func (j *slowDecoder) read(sh *modelfile.Shape, path string, depth int) (Value, error) {
	if err := j.value(depth); err != nil {
		return Value{}, err
	}
	t, err := j.token()
	if err != nil || t == nil {
		return Value{}, err
	}
	var v Value
	switch delim, _ := t.(json.Delim); {
	case sh.Kind == modelfile.Document:
		v, err = j.free(t, path, depth)
	case delim == '{' && sh.Kind == modelfile.Structure:
		v, err = j.structure(sh, path, depth)
	case delim == '{' && sh.Kind == modelfile.MapOf:
		v, err = j.fields(Map, path, func(name string) (*modelfile.Shape, string, bool) { return j.shape(sh.Elem), name, true }, depth)
	case delim == '[' && sh.Kind == modelfile.ListOf:
		v, err = j.items(j.shape(sh.Elem), path, depth)
	default:
		v, err = j.scalar(t, sh.Kind, path)
	}
	return sensitive(v, sh), err
}

func (j *slowDecoder) structure(sh *modelfile.Shape, path string, depth int) (Value, error) {
	return j.fields(Struct, path, func(name string) (*modelfile.Shape, string, bool) {
		m := j.field(sh, name, j.wire)
		if m == nil {
			j.report(join(path, name))
			return &modelfile.Shape{Kind: modelfile.Document}, name, false
		}
		return j.shape(m.Shape), m.Name, true
	}, depth)
}

// fields reads an object. of says the shape and the model's name of each, and whether it is kept.
func (j *slowDecoder) fields(kind ValueKind, path string, of func(string) (*modelfile.Shape, string, bool), depth int) (Value, error) {
	v := Value{Kind: kind}
	seen := map[string]bool{}
	for {
		t, err := j.token()
		if err != nil {
			return v, err
		}
		name, ok := t.(string)
		if !ok {
			return v, nil // the end: the decoder allows nothing else
		}
		if seen[name] {
			return v, malformed(join(path, name), "it stands there twice")
		}
		seen[name] = true
		sh, member, keep := of(name)
		x, err := j.read(sh, join(path, member), depth+1)
		if err != nil {
			return v, err
		}
		if keep && x.Kind != NoValue {
			v.Fields = append(v.Fields, Field{member, x})
		}
	}
}

func (j *slowDecoder) items(sh *modelfile.Shape, path string, depth int) (Value, error) {
	v := Value{Kind: Array}
	for j.in.More() {
		x, err := j.read(sh, path+"[]", depth+1)
		if err != nil {
			return v, err
		}
		if x.Kind != NoValue {
			v.Items = append(v.Items, x)
		}
	}
	_, err := j.token()
	return v, err
}

// free reads a document of any form.
func (j *slowDecoder) free(t json.Token, path string, depth int) (Value, error) {
	document := &modelfile.Shape{Kind: modelfile.Document}
	switch t {
	case json.Delim('{'):
		return j.fields(Map, path, func(name string) (*modelfile.Shape, string, bool) { return document, name, true }, depth)
	case json.Delim('['):
		return j.items(document, path, depth)
	}
	switch x := t.(type) {
	case string:
		return Value{Kind: Text, Text: x}, nil
	case json.Number:
		return Value{Kind: Number, Text: x.String()}, nil
	case bool:
		return boolean(x), nil
	}
	return Value{}, malformed(path, "it is malformed")
}

func (j *slowDecoder) scalar(t json.Token, kind modelfile.Kind, path string) (Value, error) {
	switch x := t.(type) {
	case string:
		switch kind {
		case modelfile.String, modelfile.Timestamp:
			return Value{Kind: Text, Text: x}, nil
		case modelfile.Blob:
			return blob(x, path)
		case modelfile.Float:
			if x == "NaN" || x == "Infinity" || x == "-Infinity" {
				return Value{Kind: Number, Text: x}, nil
			}
		}
	case json.Number:
		if kind == modelfile.Integer || kind == modelfile.Float || kind == modelfile.Timestamp {
			return Value{Kind: Number, Text: x.String()}, nil
		}
	case bool:
		if kind == modelfile.Boolean {
			return boolean(x), nil
		}
	}
	return Value{}, malformed(path, "it is of another type")
}
