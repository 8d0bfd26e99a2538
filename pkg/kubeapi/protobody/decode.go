package protobody

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

var (
	// ErrUnknown says that a kind, or a field of it, is not in the table, or that the body is not the plain form.
	ErrUnknown = errors.New("unknown kind or field")
	// ErrMalformed says that the body is no message of its kind, or has one field twice.
	ErrMalformed = errors.New("malformed protobuf")
)

// MaxValues is how many values are read of one body. Depth needs no limit: no type of the table holds itself.
const MaxValues = 500_000

// magic begins every body: recognise it by these four bytes.
var magic = []byte("k8s\x00")

// Decode reads one object. The result is fit for encoding/json, has kind and apiVersion, and shares no memory with body.
// Errors wrap [ErrUnknown] or [ErrMalformed].
func Decode(body []byte) (map[string]any, error) {
	t := load()
	raw, found := bytes.CutPrefix(body, magic)
	if !found {
		return nil, fmt.Errorf("%w: it does not begin as one of Kubernetes", ErrMalformed)
	}
	d := decoder{}
	v, err := d.message(t.messages["envelope"], raw)
	if err != nil {
		return nil, err
	}
	envelope := v.(map[string]any)
	if envelope["contentEncoding"] != nil || envelope["contentType"] != nil {
		return nil, fmt.Errorf("%w: the content is encoded once more", ErrUnknown)
	}
	meta, _ := envelope["typeMeta"].(map[string]any)
	version, _ := meta["apiVersion"].(string)
	kind, _ := meta["kind"].(string)
	m := t.kinds[version+" "+kind]
	if m == nil {
		m = t.kinds["* "+kind]
	}
	if m == nil {
		return nil, fmt.Errorf("%w: kind %.64q of %.64q", ErrUnknown, kind, version)
	}
	content, _ := envelope["raw"].([]byte)
	v, err = d.message(m, content)
	if err != nil {
		return nil, err
	}
	object := v.(map[string]any)
	object["apiVersion"], object["kind"] = version, kind
	return object, nil
}

type decoder struct{ values int }

func malformed(m *message, why string) error {
	return fmt.Errorf("%w: %s %s", ErrMalformed, m.name, why)
}

// message reads the fields of one message, and returns it as JSON has it.
func (d *decoder) message(m *message, data []byte) (any, error) {
	out := map[string]any{}
	for len(data) > 0 {
		if d.values++; d.values > MaxValues {
			return nil, malformed(m, "has too many values")
		}
		number, wire, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil, malformed(m, "has a broken tag")
		}
		f, ok := m.fields[int32(number)]
		if !ok {
			return nil, fmt.Errorf("%w: %s has no field %d", ErrUnknown, m.name, number)
		}
		v, used, err := d.value(m, f, wire, data[n:])
		if err != nil {
			return nil, err
		}
		data = data[n+used:]
		if err := put(m, f, out, v); err != nil {
			return nil, err
		}
	}
	return plain(m, out)
}

// put adds a value to the object, in the way of its field.
func put(m *message, f field, out map[string]any, v any) error {
	if f.list {
		all, _ := out[f.name].([]any)
		out[f.name] = append(all, v)
		return nil
	}
	into, from := out, map[string]any{f.name: v}
	switch {
	case f.mapped:
		if into, _ = out[f.name].(map[string]any); into == nil {
			into = map[string]any{}
			out[f.name] = into
		}
		from = v.(map[string]any)
	case f.name == ".":
		from = v.(map[string]any)
	case f.omit && zero(v):
		return nil
	}
	for key, v := range from {
		if _, twice := into[key]; twice {
			return malformed(m, "has a field twice")
		}
		into[key] = v
	}
	return nil
}

// zero reports what encoding/json leaves out where it is told to.
func zero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case int64:
		return v == 0
	case float64:
		return v == 0
	case []byte:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// value reads what follows a tag, and returns how many bytes it took.
func (d *decoder) value(m *message, f field, wire protowire.Type, data []byte) (any, int, error) {
	switch {
	case f.mapped:
		content, n := protowire.ConsumeBytes(data)
		if wire != protowire.BytesType || n < 0 {
			return nil, 0, malformed(m, "has a broken map")
		}
		v, err := d.entry(m, f, content)
		return v, n, err
	case f.message != nil:
		content, n := protowire.ConsumeBytes(data)
		if wire != protowire.BytesType || n < 0 {
			return nil, 0, malformed(m, "has a broken message")
		}
		v, err := d.message(f.message, content)
		return v, n, err
	}
	v, n, ok := scalar(f.scalar, wire, data)
	if !ok {
		return nil, 0, malformed(m, "has a value that is not of its field's type")
	}
	return v, n, nil
}

// entry reads one entry of a map.
func (d *decoder) entry(m *message, f field, data []byte) (any, error) {
	within := f
	within.mapped, within.name = false, "value"
	pair := &message{name: m.name, fields: map[int32]field{1: {name: "key", scalar: "string"}, 2: within}}
	v, err := d.message(pair, data)
	if err != nil {
		return nil, err
	}
	o := v.(map[string]any)
	key, _ := o["key"].(string)
	value, has := o["value"]
	switch {
	case !has && f.scalar == "bytes":
		value = "" // how the API's own code writes no bytes
	case !has:
		return nil, malformed(m, "has a key without a value")
	}
	return map[string]any{key: value}, nil
}

func scalar(typ string, wire protowire.Type, data []byte) (any, int, bool) {
	switch typ {
	case "string", "bytes":
		b, n := protowire.ConsumeBytes(data)
		if wire != protowire.BytesType || n < 0 || typ == "string" && !utf8.Valid(b) {
			return nil, 0, false
		}
		if typ == "bytes" {
			return bytes.Clone(b), n, true
		}
		return string(b), n, true
	case "float64":
		bits, n := protowire.ConsumeFixed64(data)
		return math.Float64frombits(bits), n, wire == protowire.Fixed64Type && n >= 0
	}
	u, n := protowire.ConsumeVarint(data)
	if wire != protowire.VarintType || n < 0 {
		return nil, 0, false
	}
	i := int64(u)
	switch typ {
	case "bool":
		return u == 1, n, u <= 1
	case "int32":
		return i, n, i >= math.MinInt32 && i <= math.MaxInt32
	}
	return i, n, true
}

// base64Of writes bytes as JSON does.
func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
