package awsmodel

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// rest reads the members of a REST request: those of the path, the query, the headers, then the body.
func (d *decoder) rest(c Call, body func() ([]byte, error)) error {
	d.root.Kind = Struct
	inBody := false
	var payload *modelfile.Member
	for i := range c.op.input.Members {
		m := &c.op.input.Members[i]
		var v Value
		var err error
		switch m.At {
		case modelfile.InURI:
			v, err = d.label(c, m)
		case modelfile.InQuery:
			v, err = d.parameter(c, m)
		case modelfile.InHeader:
			v, err = d.header(c, m)
		case modelfile.InHeaders:
			v, err = d.headers(c, m)
		case modelfile.InPayload:
			payload = m
		default:
			inBody = true
		}
		if err != nil {
			return err
		}
		if v.Kind != NoValue {
			d.root.Fields = append(d.root.Fields, Field{m.Name, sensitive(v, d.shape(m.Shape))})
		}
	}
	switch {
	case c.InputBlob || c.InputEvents:
		return nil
	case payload != nil:
		return d.payload(c, payload, body)
	case inBody:
		return d.document(c, c.op.Input-1, body, func(v Value) { d.root.Fields = append(d.root.Fields, v.Fields...) })
	}
	return d.noBody(c, body)
}

func (d *decoder) label(c Call, m *modelfile.Member) (Value, error) {
	n := 0
	for _, s := range c.op.route.segments {
		if !s.label {
			continue
		}
		if s.literal == wireName(*m) {
			return text(c.input.labels[n], d.shape(m.Shape).Kind, m.Name)
		}
		n++
	}
	return Value{}, nil
}

func (d *decoder) parameter(c Call, m *modelfile.Member) (Value, error) {
	sh := d.shape(m.Shape)
	if sh.Kind == modelfile.MapOf {
		return d.others(c, sh)
	}
	var v Value
	for _, p := range c.input.query {
		if p.name != wireName(*m) {
			continue
		}
		if err := d.value(0); err != nil {
			return v, err
		}
		kind := sh.Kind
		if kind == modelfile.ListOf {
			kind = d.shape(sh.Elem).Kind
		}
		x, err := text(p.value, kind, m.Name)
		if err != nil {
			return v, err
		}
		if sh.Kind != modelfile.ListOf {
			return x, nil
		}
		v.Kind = Array
		v.Items = append(v.Items, x)
	}
	return v, nil
}

// others are the parameters of a map: all that are no other member's.
func (d *decoder) others(c Call, sh *modelfile.Shape) (Value, error) {
	v := Value{Kind: Map}
	for _, p := range c.input.query {
		_, known := c.op.route.queries[p.name]
		if known || p.name == "x-id" || slices.ContainsFunc(c.op.route.fixed, func(f pair) bool { return f.name == p.name }) {
			continue
		}
		x := Value{Kind: Text, Text: p.value}
		if d.shape(sh.Elem).Kind != modelfile.ListOf {
			v.Fields = append(v.Fields, Field{p.name, x})
			continue
		}
		i := slices.IndexFunc(v.Fields, func(f Field) bool { return f.Name == p.name })
		if i < 0 {
			i = len(v.Fields)
			v.Fields = append(v.Fields, Field{p.name, Value{Kind: Array}})
		}
		v.Fields[i].Value.Items = append(v.Fields[i].Value.Items, x)
	}
	if len(v.Fields) == 0 {
		return Value{}, nil
	}
	return v, nil
}

// one returns a header, from where it stands or from where presigning put it.
func (c Call) one(name string) (string, bool, error) {
	switch values := c.input.header[canonical(name)]; len(values) {
	case 0:
	case 1:
		return values[0], true, nil
	default:
		return "", false, refuse(ErrHeader, "header "+name, "it stands there twice", "")
	}
	for _, p := range c.input.hoist {
		if strings.EqualFold(p.name, name) {
			return p.value, true, nil
		}
	}
	return "", false, nil
}

func (d *decoder) header(c Call, m *modelfile.Member) (Value, error) {
	s, ok, err := c.one(wireName(*m))
	if err != nil || !ok {
		return Value{}, err
	}
	sh := d.shape(m.Shape)
	if m.Flags&modelfile.JSONValue != 0 {
		raw, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return Value{}, malformed(m.Name, "it is not base64")
		}
		return Value{Kind: Text, Text: string(raw)}, nil
	}
	if sh.Kind != modelfile.ListOf {
		return text(s, sh.Kind, m.Name)
	}
	v := Value{Kind: Array}
	for _, part := range strings.Split(s, ",") {
		v.Items = append(v.Items, Value{Kind: Text, Text: strings.TrimSpace(part)})
	}
	return v, nil
}

// headers are those with a prefix, such as x-amz-meta-; their names are in lower case.
func (d *decoder) headers(c Call, m *modelfile.Member) (Value, error) {
	v := Value{Kind: Map}
	prefix := strings.ToLower(wireName(*m))
	for name := range c.input.header {
		key, ok := strings.CutPrefix(strings.ToLower(name), prefix)
		if !ok || key == "" {
			continue
		}
		s, _, err := c.one(name)
		if err != nil {
			return v, err
		}
		v.Fields = append(v.Fields, Field{key, Value{Kind: Text, Text: s}})
	}
	for _, p := range c.input.hoist {
		if key, ok := strings.CutPrefix(p.name, prefix); ok && key != "" {
			v.Fields = append(v.Fields, Field{key, Value{Kind: Text, Text: p.value}})
		}
	}
	if len(v.Fields) == 0 {
		return Value{}, nil
	}
	sortFields(v.Fields)
	return v, nil
}

// payload reads the member that is the whole body.
func (d *decoder) payload(c Call, m *modelfile.Member, body func() ([]byte, error)) error {
	sh := d.shape(m.Shape)
	add := func(v Value) { d.root.Fields = append(d.root.Fields, Field{m.Name, sensitive(v, sh)}) }
	if sh.Kind != modelfile.Blob && sh.Kind != modelfile.String {
		return d.document(c, m.Shape, body, add)
	}
	raw, err := readBody(Request{Header: c.input.header, Body: body})
	if err != nil || len(raw) == 0 {
		return err
	}
	if sh.Kind == modelfile.Blob {
		add(Value{Kind: Bytes, Text: string(raw)})
	} else {
		add(Value{Kind: Text, Text: string(raw)})
	}
	return nil
}

// document reads a body of JSON or XML.
func (d *decoder) document(c Call, shape int, body func() ([]byte, error), add func(Value)) error {
	raw, err := readBody(Request{Header: c.input.header, Body: body})
	if err != nil || len(raw) == 0 {
		return err
	}
	if !documentType(c) {
		return refuse(ErrBody, "header Content-Type", "it is not that of the protocol", "")
	}
	parse := d.parseJSON
	if c.Protocol == RESTXML {
		parse = d.parseXML
	}
	v, err := parse(raw, shape)
	if err == nil && v.Kind != NoValue {
		add(v)
	}
	return err
}

// documentType takes what clients send with a document; many send none.
func documentType(c Call) bool {
	switch mediaType(Request{Header: c.input.header}) {
	case "", "application/octet-stream", "binary/octet-stream":
		return true
	case "application/json", "application/x-amz-json-1.0", "application/x-amz-json-1.1":
		return c.Protocol == RESTJSON
	case "application/xml", "text/xml":
		return c.Protocol == RESTXML
	}
	return false
}
