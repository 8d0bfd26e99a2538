package awsmodel

import (
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// Bounds of what Members reads.
const (
	maxDepth   = 64
	maxValues  = 200_000
	maxUnknown = 20
)

// Members reads the request's members by the model. A member that stands there twice, a malformed value and a value of
// another type are errors; a member that the model does not know is reported. body is called when the operation has a
// body that is no streaming blob. Names are compared with their case.
func (m *Model) Members(c Call, body func() ([]byte, error)) (Params, error) {
	if c.IsZero() {
		return Params{}, refuse(ErrOperation, "call", "nothing was identified", "")
	}
	d := &decoder{call: c, api: c.api, left: maxValues}
	if c.op.input == nil {
		d.root.Kind = Struct
		return d.finish(d.noBody(c, body))
	}
	switch c.Protocol {
	case Query, EC2:
		return d.finish(d.form(c))
	case JSON:
		return d.finish(d.whole(c, body, d.parseJSON))
	case CBOR:
		return d.finish(d.whole(c, body, d.parseCBOR))
	default:
		return d.finish(d.rest(c, body))
	}
}

// decoder reads one request.
type decoder struct {
	call    Call
	api     *api
	root    Value
	unknown []string
	left    int // values that may still be read
}

func (d *decoder) finish(err error) (Params, error) {
	if err != nil {
		return Params{}, err
	}
	p := Params{Value: d.root, Unknown: d.unknown}
	if err := d.call.agrees(p); err != nil {
		return Params{}, err
	}
	return p, nil
}

// value counts one value.
func (d *decoder) value(depth int) error {
	if d.left--; d.left < 0 {
		return refuse(ErrTooLarge, "body", "it has too many values", "")
	}
	if depth > maxDepth {
		return refuse(ErrTooLarge, "body", "it is too deep", "")
	}
	return nil
}

func (d *decoder) report(path string) {
	if len(d.unknown) < maxUnknown {
		d.unknown = append(d.unknown, clip(path))
	}
}

func (d *decoder) shape(i int) *modelfile.Shape { return &d.api.Shapes[i] }

func malformed(path, why string) error { return refuse(ErrBody, "member "+clip(path), why, "") }

// join makes the path of a member, for people: it is not as long as a long name over many values could make it.
func join(path, name string) string {
	switch {
	case path == "":
		return clip(name)
	case len(path) > maxPathShown:
		return path
	}
	return path + "." + clip(name)
}

// noBody refuses a body where none is meant, but for the empty document of JSON.
func (d *decoder) noBody(c Call, body func() ([]byte, error)) error {
	if c.Protocol == Query || c.Protocol == EC2 {
		d.checkForm(c.input.form, &modelfile.Shape{})
		return nil
	}
	raw, err := readBody(Request{Header: c.input.header, Body: body})
	if err != nil {
		return err
	}
	switch s := strings.TrimSpace(string(raw)); {
	case s == "" || s == "{}":
	case c.Protocol == CBOR && (s == "\xa0" || s == "\xbf\xff"):
	default:
		return refuse(ErrBody, "body", "the operation takes none", "")
	}
	return nil
}

// whole reads a body that holds all members.
func (d *decoder) whole(c Call, body func() ([]byte, error), parse func([]byte, int) (Value, error)) error {
	raw, err := readBody(Request{Header: c.input.header, Body: body})
	if err != nil {
		return err
	}
	d.root.Kind = Struct
	if len(raw) == 0 {
		return nil
	}
	v, err := parse(raw, c.op.Input-1)
	if err != nil {
		return err
	}
	if v.Kind != Struct {
		return refuse(ErrBody, "body", "it is no structure", "")
	}
	d.root = v
	return nil
}

// field finds a member by its name in JSON or CBOR, which is the wire name in rest-json and the model's in the others.
func (d *decoder) field(sh *modelfile.Shape, name string, wire bool) *modelfile.Member {
	for i := range sh.Members {
		m := &sh.Members[i]
		if n := m.Name; m.At == modelfile.InBody && (!wire && n == name || wire && wireName(*m) == name) {
			return m
		}
	}
	return nil
}

// sensitive marks a value by its shape.
func sensitive(v Value, sh *modelfile.Shape) Value {
	v.Sensitive = sh.Flags&modelfile.Sensitive != 0
	return v
}
