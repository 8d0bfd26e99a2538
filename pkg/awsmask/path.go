package awsmask

import (
	"encoding/json"
	"fmt"
	"strings"
)

const (
	inHeader     = "header:"
	base64Suffix = "|base64"
	maxPathSteps = 32
)

// step is one part of a path: a name, or with each every element of a list, value of a map or member of a structure.
type step struct {
	name string
	each bool
}

// path is a parsed path.
type path struct {
	steps  []step
	header string // the name of a header, instead of steps
	base64 bool
}

// parse reads a path of a class or of the model.
func parse(text string) (path, error) {
	rest, isBase64 := strings.CutSuffix(text, base64Suffix)
	p := path{base64: isBase64}
	if name, ok := strings.CutPrefix(rest, inHeader); ok {
		p.header = name
		if name == "" {
			return p, fmt.Errorf("%w: %q", ErrPath, text)
		}
		return p, nil
	}
	for rest != "" {
		st, after, ok := cut(rest, len(p.steps) == 0)
		if !ok || len(p.steps) == maxPathSteps {
			return p, fmt.Errorf("%w: %q is not understood", ErrPath, text)
		}
		p.steps, rest = append(p.steps, st), after
	}
	if len(p.steps) == 0 {
		return p, fmt.Errorf("%w: it is empty", ErrPath)
	}
	return p, nil
}

// cut takes one step off a path.
func cut(s string, first bool) (step, string, bool) {
	for _, each := range []string{"[*]", "[]", "{}"} {
		if after, ok := strings.CutPrefix(s, each); ok {
			return step{each: true}, after, true
		}
	}
	if strings.HasPrefix(s, `["`) {
		return quoted(s[1:])
	}
	if after, ok := strings.CutPrefix(s, "."); ok != first {
		s = after
	} else {
		return step{}, "", false
	}
	end := strings.IndexAny(s, ".[{")
	if end < 0 {
		end = len(s)
	}
	return step{name: s[:end], each: s[:end] == "*"}, s[end:], end > 0
}

// quoted reads a name in quotes and the bracket behind it.
func quoted(s string) (step, string, bool) {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			var name string
			after, ok := strings.CutPrefix(s[i+1:], "]")
			ok = ok && json.Unmarshal([]byte(s[:i+1]), &name) == nil && name != ""
			return step{name: name}, after, ok
		}
	}
	return step{}, "", false
}

// CheckPath says whether a path is well formed, whatever operation it is for.
func CheckPath(text string) error {
	_, err := parse(text)
	return err
}
