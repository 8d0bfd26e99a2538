package kubemask

import (
	"bytes"

	"github.com/writhq/writ/pkg/mask"
)

// quietPaths are the texts of a Status that quote values.
var quietPaths = [][]step{
	{{name: "message"}},
	{{name: "details"}, {name: "causes"}, {any: true, element: true}, {name: "message"}},
	{{name: "details"}, {name: "causes"}, {any: true, element: true}, {name: "field"}},
}

// quoting are the words before a value in the errors of the API's validation (field.Error in k8s.io/apimachinery), of
// its merging and its decoding.
var quoting = [][]byte{
	[]byte("Invalid value:"), []byte("Unsupported value:"), []byte("Duplicate value:"), []byte("Not found:"),
	[]byte("valueUnstructured{Value:"), []byte("cannot unmarshal number "),
}

// appendQuiet appends a string up to the first value that it quotes, and without the values that select elements of
// lists, as in .spec.users[email="a@b.cc"].
func appendQuiet(dst, value []byte) (out []byte, changed bool) {
	text := unquote(value)
	kept := len(text)
	for _, words := range quoting {
		if i := bytes.Index(text[:kept], words); i >= 0 {
			kept = i + len(words)
		}
	}
	said := appendUnselected(nil, text[:kept])
	if kept < len(text) {
		said = append(append(said, ' '), mask.Redacted...)
	}
	if bytes.Equal(said, text) {
		return dst, false
	}
	return appendQuoted(dst, said), true
}

// appendUnselected appends a text with selectors in brackets (fieldpath.PathElement in structured-merge-diff) and
// without the values in them.
func appendUnselected(dst, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '[') + 1
		if i == 0 {
			return append(dst, text...)
		}
		dst, text = appendSelector(append(dst, text[:i]...), text[i:])
	}
}

// appendSelector appends what a selector is, if text begins with one, and returns what is behind it.
func appendSelector(dst, text []byte) (out, rest []byte) {
	out, rest = dst, text
	for first := true; ; first = false {
		name := 0
		for name < len(rest) && isNameByte(rest[name]) {
			name++
		}
		switch {
		case name < len(rest) && rest[name] == '=':
		case first:
			return dst, text
		default:
			return out, nil // the rest may be of a value
		}
		out = append(append(out, rest[:name+1]...), `"***"`...)
		rest = rest[name+1:]
		if rest = rest[selected(rest):]; len(rest) == 0 || rest[0] != ',' {
			return out, rest
		}
		out, rest = append(out, ','), rest[1:]
	}
}

func isNameByte(c byte) bool {
	return c-'0' < 10 || c|0x20-'a' < 26 || c == '_' || c == '-' || c == '.' || c == '/'
}

// selected returns the length of the value that rest begins with.
func selected(rest []byte) int {
	if len(rest) > 0 && rest[0] == '"' {
		for i := 1; i < len(rest); i++ {
			switch rest[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(rest)
	}
	if i := bytes.IndexAny(rest, ",]"); i >= 0 {
		return i
	}
	return len(rest)
}
