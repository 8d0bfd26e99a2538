// Package manifest reads the YAML in which people write resources. It is strict: an unknown or repeated key is an
// error with its place, and a secret never stands in the file itself.
package manifest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// Limits that keep the YAML parser's work small.
const (
	maxFile   = 1 << 20 // bytes
	maxSecret = 64 << 10
	maxNest   = 32 // brackets within brackets
)

// ErrManifest is a manifest that cannot be read. Its text says where and why.
var ErrManifest = errors.New("bad manifest")

// Error is one fault and what to do about it.
type Error struct {
	File         string
	Line, Column int // from 1; 0 is the file or document as a whole
	Message      string
	Hint         string
}

// Error is "file:line:column: message".
func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return e.File + ": " + e.Message
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Unwrap returns ErrManifest.
func (e *Error) Unwrap() error { return ErrManifest }

// Source is where a manifest comes from, and where what it names comes from.
type Source struct {
	// Name is shown in errors.
	Name string
	// Dir is what file names in the manifest are relative to.
	Dir string
	// Getenv looks up password_env; nil finds nothing.
	Getenv func(string) string
}

// Read returns the resources of one manifest, at most 1 MiB of it. Errors of its content are *Error.
func Read(r io.Reader, src Source) ([]*accessv1.Resource, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", src.Name, err)
	}
	if len(text) > maxFile {
		return nil, &Error{File: src.Name, Message: fmt.Sprintf("larger than %d bytes", maxFile)}
	}
	return Parse(text, src)
}

// Parse is Read for text that is there already.
func Parse(text []byte, src Source) (out []*accessv1.Resource, err error) {
	defer func() {
		if recover() != nil { // the parser is not ours
			out, err = nil, &Error{File: src.Name, Message: "cannot be read as YAML"}
		}
	}()
	if line := tooDeep(text); line > 0 {
		return nil, &Error{File: src.Name, Line: line, Message: "nested too deeply"}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, src.fault(err)
	}
	names := map[string]bool{}
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType {
			continue
		}
		if n := reference(doc.Body); n != nil {
			return nil, src.at(n, "anchors, aliases and tags are not used here")
		}
		res, err := src.document(doc.Body)
		if err != nil {
			return nil, err
		}
		if names[res.Name] {
			return nil, src.at(doc.Body, fmt.Sprintf("resource %q is there twice", res.Name))
		}
		names[res.Name] = true
		out = append(out, res)
	}
	if len(out) == 0 {
		return nil, &Error{File: src.Name, Message: "no resources"}
	}
	return out, nil
}

// tooDeep returns the line on which brackets nest too deeply, or 0. It counts brackets in strings too, as no
// manifest has so many.
func tooDeep(text []byte) int {
	depth, line := 0, 1
	for _, c := range text {
		switch c {
		case '\n':
			line++
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		if depth > maxNest {
			return line
		}
	}
	return 0
}

type visitor func(ast.Node) ast.Visitor

// Visit implements ast.Visitor.
func (v visitor) Visit(n ast.Node) ast.Visitor { return v(n) }

// reference returns the first anchor, alias, merge key or tag: an alias may stand for itself, and without end.
func reference(body ast.Node) (found ast.Node) {
	var visit visitor
	visit = func(n ast.Node) ast.Visitor {
		switch n.(type) {
		case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
			if found == nil {
				found = n
			}
		}
		return visit
	}
	ast.Walk(visit, body)
	return found
}

// fault gives an error of the YAML package its place and, for a secret in the file, the way to do it right.
func (s Source) fault(err error) error {
	e := &Error{File: s.Name, Message: "cannot be read as YAML"}
	y, ok := errors.AsType[yaml.Error](err)
	if !ok {
		return e
	}
	e.Message = y.GetMessage()
	tok := y.GetToken()
	if tok == nil || tok.Position == nil {
		return e
	}
	e.Line, e.Column = tok.Position.Line, tok.Position.Column
	if _, unknown := errors.AsType[*yaml.UnknownFieldError](err); unknown {
		e.Message = fmt.Sprintf("unknown key %q", tok.Value)
		if what, secret := secrets[tok.Value]; secret {
			e.Message = "a " + what + " does not belong in a manifest"
			e.Hint = "put it in a file and name that with " + tok.Value + "_file, or in a variable and name that with " + tok.Value + "_env"
		}
	}
	return e
}

// secrets are the keys that people may write for what is kept elsewhere.
var secrets = map[string]string{"password": "password", "admin_password": "password", "token": "token", "key": "key"}

// at is an error at a node.
func (s Source) at(n ast.Node, message string) error {
	e := &Error{File: s.Name, Message: message}
	if tok := n.GetToken(); tok != nil && tok.Position != nil {
		e.Line, e.Column = tok.Position.Line, tok.Position.Column
	}
	return e
}

// file reads a file that the manifest names.
func (s Source) file(name string, limit int64) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.Dir, name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%s: larger than %d bytes", name, limit)
	}
	return raw, nil
}

// secret reads a password, token or key from exactly one of a file, whose last line end does not count, and a variable.
func (s Source) secret(key, fileName, variable string) (string, error) {
	switch {
	case (fileName == "") == (variable == ""):
		return "", fmt.Errorf("needs one of %s_file and %s_env", key, key)
	case fileName != "":
		raw, err := s.file(fileName, maxSecret)
		if err != nil {
			return "", fmt.Errorf("read %s_file: %w", key, err)
		}
		value := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
		if value == "" {
			return "", fmt.Errorf("%s_file %s is empty", key, fileName)
		}
		return value, nil
	}
	if s.Getenv != nil {
		if value := s.Getenv(variable); value != "" {
			return value, nil
		}
	}
	return "", fmt.Errorf("%s_env: the variable %s is not set", key, variable)
}
