package kubeapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/writhq/writ/pkg/kubeapi/protobody"
)

// fromYAML turns one YAML document into JSON, with the API server's own library. JSON is YAML too, and is left as it is.
func fromYAML(doc []byte) ([]byte, error) {
	if bytes.HasPrefix(bytes.TrimLeft(doc, " \t\r\n"), []byte("{")) && json.Valid(doc) {
		return doc, nil
	}
	if !utf8.Valid(doc) || bytes.HasPrefix(doc, []byte("\ufeff")) {
		return nil, badBody("not UTF-8 without a byte order mark")
	}
	if err := checkDocuments(string(doc)); err != nil {
		return nil, err
	}
	out, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return nil, badBody("not one YAML document in which each key stands once")
	}
	return out, nil
}

// fromProtobuf turns an object of Kubernetes itself into JSON.
func fromProtobuf(body []byte) ([]byte, error) {
	o, err := protobody.Decode(body)
	if errors.Is(err, protobody.ErrUnknown) {
		return nil, refuse(ErrMediaType, "body", err.Error(), "send JSON")
	}
	if err != nil {
		return nil, badBody(err.Error())
	}
	return encode(o)
}

// checkDocuments refuses more than one document: the library reads the first and drops the rest.
func checkDocuments(doc string) error {
	begun := false
	for line := range strings.FieldsFuncSeq(doc, isBreak) {
		mark, _, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		comment := strings.HasPrefix(strings.TrimLeft(line, " \t"), "#")
		switch {
		case mark == "..." || mark == "---" && begun:
			return refuse(ErrBody, "body", "several YAML documents", "send one")
		case strings.TrimSpace(line) != "" && !comment && line[0] != '%':
			begun = true
		}
	}
	return nil
}

// isBreak reports what ends a line in YAML 1.1.
func isBreak(c rune) bool {
	return c == '\n' || c == '\r' || c == '\u0085' || c == '\u2028' || c == '\u2029'
}

// encode writes a document as JSON that a YAML parser reads in the same way: what YAML takes for a line break or does not
// take at all is escaped.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, badBody("a value that JSON has no word for")
	}
	escaped := make([]byte, 0, out.Len())
	for _, c := range string(bytes.TrimSuffix(out.Bytes(), []byte("\n"))) {
		if c >= 0x7f && c <= 0x9f || isBreak(c) || c == '\ufeff' || c == '\ufffe' || c == '\uffff' {
			escaped = fmt.Appendf(escaped, `\u%04x`, c)
			continue
		}
		escaped = utf8.AppendRune(escaped, c)
	}
	return escaped, nil
}
