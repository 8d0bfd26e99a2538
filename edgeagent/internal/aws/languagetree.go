package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

type treeKind uint8

const (
	scalar treeKind = iota + 1
	sequence
	mapping
)

// tree is a document of JSON or YAML. A tag of YAML's, such as CloudFormation's !Ref, stands at what it is on.
type tree struct {
	kind  treeKind
	tag   string
	text  string // of a scalar
	keys  []string
	items []*tree
}

// get returns the value of a key, or nil.
func (t *tree) get(key string) *tree {
	if t == nil || t.kind != mapping {
		return nil
	}
	for i, k := range t.keys {
		if k == key {
			return t.items[i]
		}
	}
	return nil
}

// walk visits everything below t with the key that it stands at; elements of a list have that of the list.
func (t *tree) walk(visit func(key string, v *tree)) { t.below("", visit) }

func (t *tree) below(key string, visit func(string, *tree)) {
	for i, v := range t.items {
		if t.kind == mapping {
			key = t.keys[i]
		}
		visit(key, v)
		v.below(key, visit)
	}
}

const (
	maxTree     = 1 << 20   // bytes, as the definition of a state machine may have
	maxYAML     = 128 << 10 // bytes; templates in calls have 51,200 at most
	maxTreeDeep = 100
)

var (
	errTreeSize  = errors.New("too long")
	errTreeDeep  = errors.New("nested too deeply")
	errTreeTwice = errors.New("a key stands there twice")
	errTreeForm  = errors.New("it is neither JSON nor YAML, or has anchors, aliases or keys that are no text")
)

// readTree reads a document of JSON, which begins with a brace, or of YAML.
func readTree(text string) (*tree, error) {
	switch trimmed := strings.TrimLeft(text, " \t\r\n"); {
	case len(text) > maxTree:
		return nil, errTreeSize
	case !utf8.ValidString(text), !plainLines(text):
		return nil, errTreeForm
	case strings.HasPrefix(trimmed, "{"), strings.HasPrefix(trimmed, "["):
		return readJSON(trimmed)
	}
	return readYAML(text)
}

// plainLines says that all readers divide the text into the same lines.
func plainLines(text string) bool {
	return !strings.ContainsFunc(strings.ReplaceAll(text, "\r\n", "\n"), func(c rune) bool {
		return c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff
	})
}

func readJSON(text string) (*tree, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	t, err := jsonValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errTreeForm
	}
	return t, nil
}

func jsonValue(d *json.Decoder, depth int) (*tree, error) {
	if depth > maxTreeDeep {
		return nil, errTreeDeep
	}
	token, err := d.Token()
	if err != nil {
		return nil, errTreeForm
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return &tree{kind: scalar, text: fmt.Sprint(token)}, nil
	}
	t := &tree{kind: sequence}
	if delim == '{' {
		t.kind = mapping
	}
	seen := map[string]bool{}
	for d.More() {
		if t.kind == mapping {
			key, err := d.Token()
			name, ok := key.(string)
			if err != nil || !ok {
				return nil, errTreeForm
			}
			if seen[name] {
				return nil, errTreeTwice
			}
			seen[name] = true
			t.keys = append(t.keys, name)
		}
		v, err := jsonValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		t.items = append(t.items, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, errTreeForm
	}
	return t, nil
}

func readYAML(text string) (t *tree, err error) {
	defer func() {
		if recover() != nil { // the parser is not ours
			t, err = nil, errTreeForm
		}
	}()
	if len(text) > maxYAML {
		return nil, errTreeSize
	}
	if depthOf(text) > maxTreeDeep {
		return nil, errTreeDeep
	}
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil || len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, errTreeForm
	}
	return yamlValue(file.Docs[0].Body, 0)
}

// depthOf bounds how deep YAML can nest: by brackets, and by the indentation of a line together with the dashes and colons that open blocks in it.
func depthOf(text string) (deepest int) {
	brackets := 0
	for line := range strings.SplitSeq(text, "\n") {
		brackets += strings.Count(line, "[") + strings.Count(line, "{") - strings.Count(line, "]") - strings.Count(line, "}")
		brackets = max(brackets, 0)
		indent := len(line) - len(strings.TrimLeft(line, " "))
		deepest = max(deepest, brackets+strings.Count(line, "[")+strings.Count(line, "{"), indent/2+strings.Count(line, "- ")+strings.Count(line, "? "))
	}
	return deepest
}

func yamlValue(n ast.Node, depth int) (*tree, error) {
	if depth > maxTreeDeep {
		return nil, errTreeDeep
	}
	switch n := n.(type) {
	case *ast.TagNode:
		t, err := yamlValue(n.Value, depth+1)
		if err == nil && t.tag != "" {
			err = errTreeForm
		}
		if err == nil {
			t.tag = n.Start.Value
		}
		return t, err
	case *ast.MappingNode:
		return yamlMapping(n.Values, depth)
	case *ast.MappingValueNode:
		return yamlMapping([]*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		t := &tree{kind: sequence}
		for _, item := range n.Values {
			v, err := yamlValue(item, depth+1)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, v)
		}
		return t, nil
	case *ast.NullNode:
		return &tree{kind: scalar}, nil
	}
	text, ok := yamlText(n)
	if !ok {
		return nil, errTreeForm
	}
	return &tree{kind: scalar, text: text}, nil
}

// yamlText is the text of a scalar. Of what is neither quoted nor a block it is as written.
func yamlText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// yamlMapping takes a mapping; the parser has refused keys that stand there twice.
func yamlMapping(values []*ast.MappingValueNode, depth int) (*tree, error) {
	t := &tree{kind: mapping}
	for _, pair := range values {
		key, ok := yamlText(pair.Key)
		if !ok {
			return nil, errTreeForm
		}
		v, err := yamlValue(pair.Value, depth+1)
		if err != nil {
			return nil, err
		}
		t.keys, t.items = append(t.keys, key), append(t.items, v)
	}
	return t, nil
}
