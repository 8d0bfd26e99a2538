package awsmodel

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// maker makes values for shapes, and requests from them by the serialization rules of the protocols. It shares nothing
// with the decoders.
type maker struct {
	s        modelfile.Service
	required bool // only what must be there
	n        int
}

func (g *maker) next() string {
	g.n++
	return "v" + strconv.Itoa(g.n) + "x"
}

func (g *maker) make(shape int, depth int, textual bool) Value {
	sh := g.s.Shapes[shape]
	switch sh.Kind {
	case modelfile.Structure:
		v := Value{Kind: Struct}
		for _, m := range sh.Members {
			must := m.Flags&modelfile.Required != 0
			if !must && (g.required || depth > 3) || depth > 12 {
				continue
			}
			if m.At == modelfile.InHeader && m.Wire == "Content-Type" {
				v.Fields = append(v.Fields, Field{m.Name, Value{Kind: Text, Text: "application/json"}})
				continue
			}
			v.Fields = append(v.Fields, Field{m.Name, g.make(m.Shape, depth+1, textual || m.At == modelfile.InHeader || m.At == modelfile.InURI || m.At == modelfile.InQuery)})
			if sh.Flags&modelfile.Union != 0 {
				break
			}
		}
		return v
	case modelfile.ListOf:
		if depth > 12 {
			return Value{Kind: Array}
		}
		return Value{Kind: Array, Items: []Value{g.make(sh.Elem, depth+1, textual), g.make(sh.Elem, depth+1, textual)}}
	case modelfile.MapOf:
		if depth > 12 {
			return Value{Kind: Map}
		}
		return Value{Kind: Map, Fields: []Field{{"k" + g.next(), g.make(sh.Elem, depth+1, textual)}}}
	case modelfile.Integer, modelfile.Float:
		return Value{Kind: Number, Text: "7"}
	case modelfile.Boolean:
		return Value{Kind: Bool, Text: "true"}
	case modelfile.Blob:
		return Value{Kind: Bytes, Text: g.next()}
	case modelfile.Timestamp:
		if textual {
			return Value{Kind: Text, Text: "2026-01-02T03:04:05Z"}
		}
		return Value{Kind: Number, Text: "1700000000"}
	}
	return Value{Kind: Text, Text: g.next()}
}

// request makes the request of an operation in a protocol.
func (g *maker) request(op modelfile.Operation, p Protocol) (Request, Value) {
	r := Request{Method: "POST", Path: "/", Service: g.s.SigningName, Region: "us-east-1", Header: map[string][]string{}}
	v := Value{Kind: Struct}
	textual := p == Query || p == EC2 || p == RESTXML
	if op.Input > 0 {
		v = g.make(op.Input-1, 0, textual)
		if p == Query || p == EC2 {
			v = prune(v)
		}
	}
	switch p {
	case JSON:
		r.Header["X-Amz-Target"] = []string{g.s.Target + "." + op.Name}
		r.Header["Content-Type"] = []string{"application/x-amz-json-1.1"}
		g.body(&r, g.json(v, op.Input-1, false))
	case CBOR:
		r.Path = "/service/" + g.s.Target + "/operation/" + op.Name
		r.Header["Smithy-Protocol"] = []string{"rpc-v2-cbor"}
		r.Header["Content-Type"] = []string{"application/cbor"}
		g.body(&r, string(g.cbor(v, op.Input-1)))
	case Query, EC2:
		r.Header["Content-Type"] = []string{form}
		form := []string{"Action=" + op.Name, "Version=" + g.s.Version}
		if op.Input > 0 {
			form = append(form, g.form("", v, op.Input-1, p == EC2, false)...)
		}
		g.body(&r, strings.Join(form, "&"))
	default:
		g.rest(&r, op, v, p)
	}
	return r, v
}

// prune takes away structures without members, which a form cannot write.
func prune(v Value) Value {
	var fields []Field
	for _, f := range v.Fields {
		if f.Value = prune(f.Value); f.Value.Kind >= Text || len(f.Value.Fields) > 0 || len(f.Value.Items) > 0 {
			fields = append(fields, f)
		}
	}
	var items []Value
	for _, x := range v.Items {
		if x = prune(x); x.Kind >= Text || len(x.Fields) > 0 || len(x.Items) > 0 {
			items = append(items, x)
		}
	}
	v.Fields, v.Items = fields, items
	return v
}

func (g *maker) body(r *Request, s string) {
	r.Body = body(s)
}

func (g *maker) json(v Value, shape int, wire bool) string {
	switch v.Kind {
	case Struct, Map:
		parts := []string{}
		for _, f := range v.Fields {
			name, elem := f.Name, 0
			if v.Kind == Map {
				elem = g.s.Shapes[shape].Elem
			} else {
				m := memberOf(g.s.Shapes[shape], f.Name)
				if m.At != modelfile.InBody {
					continue
				}
				elem = m.Shape
				if wire && m.Wire != "" {
					name = m.Wire
				}
			}
			parts = append(parts, strconv.Quote(name)+":"+g.json(f.Value, elem, wire))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case Array:
		parts := []string{}
		for _, x := range v.Items {
			parts = append(parts, g.json(x, g.s.Shapes[shape].Elem, wire))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case Number, Bool:
		return v.Text
	case Bytes:
		return strconv.Quote(base64.StdEncoding.EncodeToString([]byte(v.Text)))
	}
	return strconv.Quote(v.Text)
}

func memberOf(sh modelfile.Shape, name string) modelfile.Member {
	for _, m := range sh.Members {
		if m.Name == name {
			return m
		}
	}
	panic("no member " + name)
}

func (g *maker) cbor(v Value, shape int) []byte {
	text := func(s string, major byte) []byte {
		return append([]byte{major<<5 | 25, byte(len(s) >> 8), byte(len(s))}, s...)
	}
	switch v.Kind {
	case Struct, Map:
		out := []byte{5<<5 | 31}
		for _, f := range v.Fields {
			elem := g.s.Shapes[shape].Elem
			if v.Kind == Struct {
				elem = memberOf(g.s.Shapes[shape], f.Name).Shape
			}
			out = append(out, text(f.Name, 3)...)
			out = append(out, g.cbor(f.Value, elem)...)
		}
		return append(out, 0xff)
	case Array:
		out := []byte{4<<5 | byte(len(v.Items))}
		for _, x := range v.Items {
			out = append(out, g.cbor(x, g.s.Shapes[shape].Elem)...)
		}
		return out
	case Number:
		n, _ := strconv.ParseUint(v.Text, 10, 32)
		out := []byte{26, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		if g.s.Shapes[shape].Kind == modelfile.Timestamp {
			out = append([]byte{0xc1}, out...)
		}
		return out
	case Bool:
		return []byte{0xf5}
	case Bytes:
		return text(v.Text, 2)
	}
	return text(v.Text, 3)
}

// form follows "query" and "ec2" of the AWS protocol documents.
func (g *maker) form(prefix string, v Value, shape int, ec2, flat bool) []string {
	sh := g.s.Shapes[shape]
	flat = flat || sh.Flags&modelfile.Flattened != 0
	switch v.Kind {
	case Struct:
		var out []string
		for _, f := range v.Fields {
			m := memberOf(sh, f.Name)
			name := m.Name
			if m.Wire != "" {
				name = m.Wire
				if ec2 {
					name = strings.ToUpper(name[:1]) + name[1:]
				}
			}
			if ec2 && m.Query != "" {
				name = m.Query
			}
			out = append(out, g.form(dotted(prefix, name), f.Value, m.Shape, ec2, m.Flags&modelfile.Flattened != 0)...)
		}
		return out
	case Array:
		switch {
		case ec2:
		case !flat:
			prefix = dotted(prefix, or(sh.Wire, "member"))
		case sh.Wire != "":
			prefix = dotted(prefix[:max(strings.LastIndex(prefix, "."), 0)], sh.Wire)
		}
		var out []string
		for i, x := range v.Items {
			out = append(out, g.form(dotted(prefix, strconv.Itoa(i+1)), x, sh.Elem, ec2, false)...)
		}
		return out
	case Map:
		if !flat {
			prefix = dotted(prefix, "entry")
		}
		var out []string
		for i, f := range v.Fields {
			at := dotted(prefix, strconv.Itoa(i+1))
			out = append(out, at+"."+or(sh.KeyWire, "key")+"="+f.Name)
			out = append(out, g.form(at+"."+or(sh.Wire, "value"), f.Value, sh.Elem, ec2, false)...)
		}
		return out
	}
	s := v.Text
	if v.Kind == Bytes {
		s = base64.StdEncoding.EncodeToString([]byte(s))
	}
	return []string{prefix + "=" + url.QueryEscape(s)}
}

func dotted(a, b string) string {
	if a == "" {
		return b
	}
	return a + "." + b
}

func (g *maker) rest(r *Request, op modelfile.Operation, v Value, p Protocol) {
	path, query, _ := strings.Cut(op.URI, "?")
	r.Method = op.Method
	var parts []string
	if query != "" {
		parts = append(parts, query)
	}
	inBody := false
	var sh modelfile.Shape
	if op.Input > 0 {
		sh = g.s.Shapes[op.Input-1]
	}
	for _, f := range v.Fields {
		m := memberOf(sh, f.Name)
		name := m.Name
		if m.Wire != "" {
			name = m.Wire
		}
		switch m.At {
		case modelfile.InURI:
			path = strings.NewReplacer("{"+name+"}", url.PathEscape(f.Value.Text), "{"+name+"+}", url.PathEscape(f.Value.Text)).Replace(path)
		case modelfile.InQuery:
			parts = append(parts, queryOf(name, f.Value)...)
		case modelfile.InHeader:
			r.Header[canonical(name)] = []string{headerOf(m, f.Value)}
		case modelfile.InHeaders:
			for _, x := range f.Value.Fields {
				r.Header[canonical(name+x.Name)] = []string{x.Value.Text}
			}
		case modelfile.InPayload:
			switch {
			case f.Value.Kind != Struct && f.Value.Kind != Array && f.Value.Kind != Map && g.s.Shapes[m.Shape].Kind != modelfile.Document:
				g.body(r, f.Value.Text)
			case p == RESTXML:
				g.body(r, g.xml(name, f.Value, m.Shape, false))
			default:
				g.body(r, g.json(f.Value, m.Shape, true))
			}
		default:
			inBody = true
		}
	}
	r.Path, r.Query = path, strings.Join(parts, "&")
	if inBody && p == RESTXML {
		g.body(r, g.xml("Request", v, op.Input-1, false))
	} else if inBody {
		g.body(r, g.json(v, op.Input-1, true))
	}
}

func queryOf(name string, v Value) []string {
	switch v.Kind {
	case Map:
		var out []string
		for _, f := range v.Fields {
			out = append(out, queryOf(f.Name, f.Value)...)
		}
		return out
	case Array:
		var out []string
		for _, x := range v.Items {
			out = append(out, queryOf(name, x)...)
		}
		return out
	}
	return []string{name + "=" + url.QueryEscape(v.Text)}
}

func headerOf(m modelfile.Member, v Value) string {
	if m.Flags&modelfile.JSONValue != 0 {
		return base64.StdEncoding.EncodeToString([]byte(v.Text))
	}
	if v.Kind == Array {
		var out []string
		for _, x := range v.Items {
			out = append(out, x.Text)
		}
		return strings.Join(out, ",")
	}
	return v.Text
}

func (g *maker) xml(name string, v Value, shape int, flat bool) string {
	sh := g.s.Shapes[shape]
	flat = flat || sh.Flags&modelfile.Flattened != 0
	switch v.Kind {
	case Struct:
		var in, attrs strings.Builder
		for _, f := range v.Fields {
			m := memberOf(sh, f.Name)
			if m.At != modelfile.InBody {
				continue
			}
			child := or(m.Wire, m.Name)
			if m.Flags&modelfile.Attribute != 0 {
				fmt.Fprintf(&attrs, " xmlns:xsi=%q %s=%q", "http://www.w3.org/2001/XMLSchema-instance", child, f.Value.Text)
				continue
			}
			if c := g.s.Shapes[m.Shape]; c.Kind == modelfile.ListOf && (m.Flags|c.Flags)&modelfile.Flattened != 0 && c.Wire != "" && m.Wire == "" {
				child = c.Wire
			}
			in.WriteString(g.xml(child, f.Value, m.Shape, m.Flags&modelfile.Flattened != 0))
		}
		return "<" + name + attrs.String() + ">" + in.String() + "</" + name + ">"
	case Array:
		var out strings.Builder
		for _, x := range v.Items {
			if flat {
				out.WriteString(g.xml(name, x, sh.Elem, false))
			} else {
				out.WriteString(g.xml(or(sh.Wire, "member"), x, sh.Elem, false))
			}
		}
		if flat {
			return out.String()
		}
		return "<" + name + ">" + out.String() + "</" + name + ">"
	case Map:
		var out strings.Builder
		for _, f := range v.Fields {
			out.WriteString("<entry><key>" + f.Name + "</key>" + g.xml("value", f.Value, sh.Elem, false) + "</entry>")
		}
		return "<" + name + ">" + out.String() + "</" + name + ">"
	case Bytes:
		return "<" + name + ">" + base64.StdEncoding.EncodeToString([]byte(v.Text)) + "</" + name + ">"
	}
	return "<" + name + ">" + v.Text + "</" + name + ">"
}
