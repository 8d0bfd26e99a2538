package awsmodel

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// element is a document of XML as a tree, without namespaces.
type element struct {
	name     string
	attrs    map[string]string
	children []*element
	text     strings.Builder
}

// parseXML reads a document by a shape. Document types, entities of their own, comments and a second namespace are refused.
func (d *decoder) parseXML(raw []byte, shape int) (Value, error) {
	root, err := d.elements(raw)
	if err != nil {
		return Value{}, err
	}
	return d.fromXML(root, d.shape(shape), "", 0)
}

func (d *decoder) elements(raw []byte) (*element, error) {
	in := xml.NewDecoder(bytes.NewReader(raw))
	bad := refuse(ErrBody, "body", "it is not XML", "")
	top := &element{}
	stack := []*element{top}
	var space *string
	for {
		t, err := in.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, bad
		}
		at := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if err := d.value(len(stack)); err != nil {
				return nil, err
			}
			if space == nil {
				space = &t.Name.Space
			}
			if t.Name.Space != *space {
				return nil, refuse(ErrBody, "element "+clip(t.Name.Local), "it is in another namespace than the document", "")
			}
			e := &element{name: t.Name.Local}
			if e.attrs, err = attributes(t.Attr); err != nil {
				return nil, err
			}
			at.children = append(at.children, e)
			stack = append(stack, e)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			at.text.Write(t)
		case xml.ProcInst:
			if t.Target != "xml" || len(top.children) > 0 {
				return nil, bad
			}
		case xml.Comment:
			return nil, refuse(ErrBody, "body", "it has a comment, which readers take for the end of a text or for nothing", "")
		case xml.Directive:
			return nil, refuse(ErrBody, "body", "it has a document type", "")
		}
	}
	if len(top.children) != 1 || strings.TrimSpace(top.text.String()) != "" {
		return nil, bad
	}
	return top.children[0], nil
}

// attributes returns them by local name, without declarations of namespaces.
func attributes(in []xml.Attr) (map[string]string, error) {
	var out map[string]string
	for _, a := range in {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
			continue
		}
		if _, twice := out[a.Name.Local]; twice {
			return nil, malformed(a.Name.Local, "it stands there twice")
		}
		if out == nil {
			out = map[string]string{}
		}
		out[a.Name.Local] = a.Value
	}
	return out, nil
}

func (d *decoder) fromXML(e *element, sh *modelfile.Shape, path string, depth int) (v Value, err error) {
	if err := d.value(depth); err != nil {
		return Value{}, err
	}
	if sh.Kind != modelfile.Structure {
		for name := range e.attrs {
			d.report(join(path, name))
		}
	}
	switch sh.Kind {
	case modelfile.Structure:
		v, err = d.xmlStructure(e, sh, path, depth)
	case modelfile.ListOf:
		if err = blank(e, path); err == nil {
			v, err = d.xmlList(e.children, sh, path, depth, or(sh.Wire, "member"))
		}
	case modelfile.MapOf:
		if err = blank(e, path); err == nil {
			v, err = d.xmlMap(e.children, sh, path, depth, "entry")
		}
	default:
		if len(e.children) > 0 {
			return v, malformed(path, "it is of another type")
		}
		v, err = text(e.text.String(), sh.Kind, path)
	}
	return sensitive(v, sh), err
}

// blank refuses text where elements are meant.
func blank(e *element, path string) error {
	if strings.TrimSpace(e.text.String()) != "" {
		return malformed(path, "it is of another type")
	}
	return nil
}

func (d *decoder) xmlStructure(e *element, sh *modelfile.Shape, path string, depth int) (Value, error) {
	v := Value{Kind: Struct}
	if err := blank(e, path); err != nil {
		return v, err
	}
	groups := map[string][]*element{}
	for _, c := range e.children {
		groups[c.name] = append(groups[c.name], c)
	}
	attrs := len(e.attrs)
	for i := range sh.Members {
		m := &sh.Members[i]
		if m.Flags&modelfile.Attribute != 0 {
			if s, ok := e.attrs[localName(wireName(*m))]; ok {
				attrs--
				v.Fields = append(v.Fields, Field{m.Name, Value{Kind: Text, Text: s}})
			}
			continue
		}
		if m.At != modelfile.InBody {
			continue
		}
		x, err := d.xmlMember(m, groups, join(path, m.Name), depth)
		if err != nil {
			return v, err
		}
		if x.Kind != NoValue {
			v.Fields = append(v.Fields, Field{m.Name, x})
		}
	}
	for name := range groups {
		d.report(join(path, name))
	}
	if attrs > 0 {
		d.report(join(path, "@"))
	}
	return v, nil
}

// xmlMember takes a member's elements out of groups.
func (d *decoder) xmlMember(m *modelfile.Member, groups map[string][]*element, path string, depth int) (Value, error) {
	sh := d.shape(m.Shape)
	flat := (m.Flags|sh.Flags)&modelfile.Flattened != 0
	name := wireName(*m)
	if flat && sh.Kind == modelfile.ListOf && m.Wire == "" && sh.Wire != "" {
		name = sh.Wire
	}
	found := groups[name]
	delete(groups, name)
	switch {
	case len(found) == 0:
		return Value{}, nil
	case flat && sh.Kind == modelfile.ListOf:
		return d.xmlList(found, sh, path, depth, name)
	case flat && sh.Kind == modelfile.MapOf:
		return d.xmlMap(found, sh, path, depth, name)
	case len(found) > 1:
		return Value{}, malformed(path, "it stands there twice")
	}
	return d.fromXML(found[0], sh, path, depth+1)
}

func (d *decoder) xmlList(children []*element, sh *modelfile.Shape, path string, depth int, name string) (Value, error) {
	v := Value{Kind: Array}
	for _, c := range children {
		if c.name != name {
			d.report(join(path, c.name))
			continue
		}
		x, err := d.fromXML(c, d.shape(sh.Elem), path+"[]", depth+1)
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, x)
	}
	return v, nil
}

func (d *decoder) xmlMap(children []*element, sh *modelfile.Shape, path string, depth int, name string) (Value, error) {
	v := Value{Kind: Map}
	seen := map[string]bool{}
	for _, c := range children {
		if c.name != name || len(c.children) != 2 || c.children[0].name != or(sh.KeyWire, "key") || c.children[1].name != or(sh.Wire, "value") {
			return v, malformed(path, "an entry is malformed")
		}
		key := c.children[0].text.String()
		if seen[key] {
			return v, malformed(path, "a key stands there twice")
		}
		seen[key] = true
		x, err := d.fromXML(c.children[1], d.shape(sh.Elem), path+"{}", depth+1)
		if err != nil {
			return v, err
		}
		v.Fields = append(v.Fields, Field{key, x})
	}
	return v, nil
}

func localName(s string) string {
	if _, after, ok := strings.Cut(s, ":"); ok {
		return after
	}
	return s
}
