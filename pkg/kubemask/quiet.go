package kubemask

import "bytes"

// quietPaths are the texts of a Status that quote values.
var quietPaths = [][]step{
	{{name: "message"}},
	{{name: "details"}, {name: "causes"}, {any: true, element: true}, {name: "message"}},
}

// quoting are the words before a value in the errors of the API's validation (field.Error in k8s.io/apimachinery), of
// its merging and its decoding.
var quoting = [][]byte{
	[]byte("Invalid value:"), []byte("Unsupported value:"), []byte("Duplicate value:"), []byte("Not found:"),
	[]byte("valueUnstructured{Value:"), []byte("cannot unmarshal number "),
}

// appendQuiet appends a string up to the first value that it quotes.
func appendQuiet(dst, value []byte) (out []byte, changed bool) {
	text := unquote(value)
	end := -1
	for _, words := range quoting {
		if i := bytes.Index(text, words); i >= 0 && (end < 0 || i+len(words) < end) {
			end = i + len(words)
		}
	}
	if end < 0 {
		return dst, false
	}
	kept := append(bytes.Clone(bytes.TrimRight(text[:end], " ")), " ***"...)
	return appendQuoted(dst, kept), true
}
