package protobody

import (
	"encoding/json"
	"time"
)

// plain turns a message into what JSON has in its place.
func plain(m *message, o map[string]any) (any, error) {
	switch m.name {
	case "envelope", "json":
	default:
		encodeBytes(o)
	}
	number := func(name string) int64 { n, _ := o[name].(int64); return n }
	switch m.name {
	case "time", "microtime":
		return moment(m, number("seconds"), number("nanos"))
	case "duration":
		return time.Duration(number("duration")).String(), nil
	case "quantity":
		if s, ok := o["string"].(string); ok {
			return s, nil
		}
		return nil, nil
	case "intorstring":
		return intOrString(m, o)
	case "json":
		return document(m, o)
	}
	if bare, ok := m.fields[1]; ok && bare.name == "." && bare.list {
		all, _ := o["."].([]any)
		return append([]any{}, all...), nil
	}
	return o, nil
}

// encodeBytes writes the bytes in an object, and in its lists and maps, as base64.
func encodeBytes(o map[string]any) {
	for key, v := range o {
		switch v := v.(type) {
		case []byte:
			o[key] = base64Of(v)
		case []any:
			for i, e := range v {
				if b, ok := e.([]byte); ok {
					v[i] = base64Of(b)
				}
			}
		}
	}
}

// moment writes a time as metav1.Time and metav1.MicroTime do; the zero time is null.
func moment(m *message, seconds, nanos int64) (any, error) {
	if seconds == 0 && nanos == 0 {
		return nil, nil
	}
	if nanos < 0 || nanos > 999_999_999 {
		return nil, malformed(m, "is no time")
	}
	t := time.Unix(seconds, nanos).UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return nil, malformed(m, "is no time of this era")
	}
	if m.name == "microtime" {
		return t.Format("2006-01-02T15:04:05.000000Z07:00"), nil
	}
	return t.Format(time.RFC3339), nil
}

func intOrString(m *message, o map[string]any) (any, error) {
	n, _ := o["intVal"].(int64)
	s, _ := o["strVal"].(string)
	switch o["type"] {
	case nil, int64(0):
		return n, nil
	case int64(1):
		return s, nil
	}
	return nil, malformed(m, "is neither a number nor text")
}

// document returns JSON that stands in a message as it is.
func document(m *message, o map[string]any) (any, error) {
	raw, _ := o["raw"].([]byte)
	if len(raw) == 0 {
		return nil, nil
	}
	if !json.Valid(raw) {
		return nil, malformed(m, "holds something other than JSON")
	}
	return json.RawMessage(raw), nil
}
