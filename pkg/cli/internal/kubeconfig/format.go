package kubeconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits that keep the YAML parser's work small.
const (
	maxFile = 4 << 20 // bytes
	maxNest = 64
)

// parse reads a kubeconfig, in YAML or JSON; nothing is an empty one. Anchors, tags and keys that are not text are not
// kept by writing it again, and refused.
func parse(content []byte) (f *File, err error) {
	defer func() {
		if recover() != nil { // the parser is not ours
			f, err = nil, fmt.Errorf("%w: cannot be read as YAML", ErrFormat)
		}
	}()
	if len(content) > maxFile || nesting(content) > maxNest {
		return nil, fmt.Errorf("%w: too large or nested too deeply", ErrFormat)
	}
	file, err := parser.ParseBytes(content, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: cannot be read as YAML", ErrFormat) // the parser's text could quote a secret
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType {
			continue
		}
		if body != nil {
			return nil, fmt.Errorf("%w: it holds several documents", ErrFormat)
		}
		body = doc.Body
	}
	f = new(File)
	if body == nil {
		f.top = yaml.MapSlice{{Key: "apiVersion", Value: "v1"}, {Key: "kind", Value: "Config"}}
		return f, nil
	}
	if bent(body) {
		return nil, fmt.Errorf("%w: it has anchors or tags", ErrFormat)
	}
	if err := yaml.NodeToValue(body, &f.top, yaml.UseOrderedMap()); err != nil || !keyed(f.top) {
		return nil, fmt.Errorf("%w: it is no object", ErrFormat)
	}
	return f, nil
}

// nesting is how deep brackets go, those in strings included.
func nesting(content []byte) int {
	depth, deepest := 0, 0
	for _, c := range content {
		switch c {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		}
	}
	return deepest
}

type visitor func(ast.Node) ast.Visitor

// Visit implements ast.Visitor.
func (v visitor) Visit(n ast.Node) ast.Visitor { return v(n) }

// bent says whether there are anchors, aliases, merge keys or tags.
func bent(body ast.Node) (found bool) {
	var visit visitor
	visit = func(n ast.Node) ast.Visitor {
		switch n.(type) {
		case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
			found = true
		}
		return visit
	}
	ast.Walk(visit, body)
	return found
}

// keyed says whether all keys are text.
func keyed(v any) bool {
	switch v := v.(type) {
	case yaml.MapSlice:
		for _, item := range v {
			if _, ok := item.Key.(string); !ok || !keyed(item.Value) {
				return false
			}
		}
	case []any:
		for _, e := range v {
			if !keyed(e) {
				return false
			}
		}
	}
	return true
}

// format writes the file, and makes sure that what it wrote reads the same.
func (f *File) format() ([]byte, error) {
	var b bytes.Buffer
	if len(f.top) == 0 {
		return []byte("{}\n"), nil
	}
	if err := write(&b, f.top, 0); err != nil {
		return nil, err
	}
	again, err := parse(b.Bytes())
	if err != nil || !reflect.DeepEqual(again.top, f.top) {
		return nil, fmt.Errorf("%w: it would not read the same afterwards", ErrFormat)
	}
	return b.Bytes(), nil
}

// write writes a value that is no scalar in block style. An object within a list begins on the line of its dash.
func write(b *bytes.Buffer, v any, indent int) error {
	switch v := v.(type) {
	case yaml.MapSlice:
		for i, item := range v {
			if i > 0 {
				b.WriteString(strings.Repeat("  ", indent))
			}
			b.WriteString(quoted(item.Key.(string)) + ":")
			if err := writeValue(b, item.Value, indent); err != nil {
				return err
			}
		}
	case []any:
		for i, e := range v {
			if i > 0 {
				b.WriteString(strings.Repeat("  ", indent))
			}
			b.WriteString("-")
			if m, ok := e.(yaml.MapSlice); ok && len(m) > 0 {
				b.WriteString(" ")
				if err := write(b, m, indent+1); err != nil {
					return err
				}
			} else if err := writeValue(b, e, indent); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeValue writes what follows a key or a dash.
func writeValue(b *bytes.Buffer, v any, indent int) error {
	switch v := v.(type) {
	case yaml.MapSlice:
		if len(v) > 0 {
			b.WriteString("\n" + strings.Repeat("  ", indent+1))
			return write(b, v, indent+1)
		}
		b.WriteString(" {}\n")
	case []any:
		if len(v) > 0 {
			b.WriteString("\n" + strings.Repeat("  ", indent+1))
			return write(b, v, indent+1)
		}
		b.WriteString(" []\n")
	default:
		s, err := scalar(v)
		if err != nil {
			return err
		}
		b.WriteString(" " + s + "\n")
	}
	return nil
}

func scalar(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "null", nil
	case string:
		return quoted(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64, uint64, int, float64:
		raw, err := json.Marshal(v)
		return string(raw), err
	}
	return "", fmt.Errorf("%w: it holds a %T", ErrFormat, v)
}

// plainForm is text that no reader of YAML takes for anything else; the words it may not be are in reserved.
var plainForm = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./:@=+-]*$`)

var reserved = map[string]bool{"true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "null": true, "y": true, "n": true}

// quoted is a string as a YAML scalar; a JSON string is one too.
func quoted(s string) string {
	if plainForm.MatchString(s) && !strings.HasSuffix(s, ":") && !reserved[strings.ToLower(s)] {
		return s
	}
	raw, _ := json.Marshal(s) // a string can always be written
	return string(raw)
}
