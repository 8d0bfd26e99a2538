package config

import (
	"errors"
	"fmt"
	"strings"

	yaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxBrackets = 4096
	maxMarks    = 32
)

// file is a parsed configuration file; root is nil when it is empty.
type file struct {
	path string
	root *ast.MappingNode
}

func parseFile(path string, data []byte) (*file, error) {
	f := &file{path: path}
	if err := f.checkDepth(data); err != nil {
		return nil, err
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, f.syntax(err)
	}
	var bodies []ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			bodies = append(bodies, doc.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		return f, nil
	case len(bodies) > 1:
		return nil, f.fault(bodies[1], "a second document", "a configuration is one YAML document")
	}
	root, ok := bodies[0].(*ast.MappingNode)
	if !ok {
		return nil, f.fault(bodies[0], "not a mapping", "write settings as \"name: value\"")
	}
	f.root = root
	return f, f.checkPlain(root)
}

// checkDepth bounds how deep the parser, which recurses, can go: the brackets
// of all, and the list marks that begin one line. (Indentation bounds itself
// by the size of the file.)
func (f *file) checkDepth(data []byte) error {
	text := string(data)
	if open := strings.Count(text, "[") + strings.Count(text, "{"); open > maxBrackets {
		return &Error{File: f.path, Message: fmt.Sprintf("%d opening brackets, limit %d", open, maxBrackets)}
	}
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		marks := 0
		for word := range strings.FieldsSeq(line) {
			if word != "-" && word != "?" && word != ":" {
				break
			}
			if marks++; marks > maxMarks {
				return &Error{File: f.path, Line: number, Column: 1, Message: "nested too deeply"}
			}
		}
	}
	return nil
}

// checkPlain refuses what makes a file mean something else than it shows:
// anchors, aliases, merges and tags.
func (f *file) checkPlain(root ast.Node) error {
	v := &plainVisitor{file: f}
	ast.Walk(v, root)
	return errors.Join(v.errs...)
}

type plainVisitor struct {
	file *file
	errs []error
}

// Visit implements ast.Visitor.
func (v *plainVisitor) Visit(node ast.Node) ast.Visitor {
	switch node.Type() {
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType, ast.TagType, ast.DirectiveType:
		v.errs = append(v.errs, v.file.fault(node, fmt.Sprintf("a YAML %s", strings.ToLower(node.Type().String())),
			"write the value out in full"))
		return nil
	}
	return v
}

// syntax gives a parser's error its place. The parser's message names tokens
// of YAML, not values.
func (f *file) syntax(err error) error {
	var located yaml.Error
	if errors.As(err, &located) {
		return f.at(located.GetToken(), located.GetMessage(), "")
	}
	return &Error{File: f.path, Message: "not YAML"}
}

func (f *file) fault(node ast.Node, message, hint string) error {
	return f.at(node.GetToken(), message, hint)
}

func (f *file) at(t *token.Token, message, hint string) error {
	e := &Error{File: f.path, Message: message, Hint: hint}
	if t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	return e
}
