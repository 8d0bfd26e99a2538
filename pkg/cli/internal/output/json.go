package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// marshaler fixes the JSON form: the field names of the proto files, and fields there even when empty.
var marshaler = protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}

// jsonOf returns v indented, a proto message by its field names.
func jsonOf(v any) ([]byte, error) {
	raw, err := rawJSON(v)
	if err != nil {
		return nil, fmt.Errorf("write json: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("write json: %w", err)
	}
	return append(safeJSON(b.Bytes()), '\n'), nil
}

func rawJSON(v any) ([]byte, error) {
	switch v := v.(type) {
	case proto.Message:
		return marshaler.Marshal(v)
	case json.RawMessage:
		return v, nil
	}
	return json.Marshal(v)
}

// safeJSON writes what a terminal acts on or does not show as \uXXXX. Such characters stand inside JSON strings
// only, so the value stays what it is.
func safeJSON(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		r, n := utf8.DecodeRune(in)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...)
		case r == '\n' || !hidden(r):
			out = append(out, in[:n]...)
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		in = in[n:]
	}
	return out
}
