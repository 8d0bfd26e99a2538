package awsmodel

import (
	"slices"
	"strings"
)

// ValueKind is what a Value holds. The zero value is nothing.
type ValueKind uint8

// The kinds of values.
const (
	NoValue ValueKind = iota
	Struct            // Fields, by the model's names
	Map               // Fields, by the request's keys
	Array             // Items
	Text              // Text
	Number            // Text, as it was written
	Bool              // Text: true or false
	Bytes             // Text, decoded
)

// Value is one member of a request, or the whole request.
type Value struct {
	Kind   ValueKind
	Text   string
	Fields []Field
	Items  []Value
	// Sensitive says that AWS calls the value sensitive, with all below it.
	Sensitive bool
}

// Field is a named part of a structure or map.
type Field struct {
	Name  string
	Value Value
}

// Params are the members of a request.
type Params struct {
	Value
	// Unknown are the paths of what is in the request and not in the model, at most 20 of them.
	Unknown []string
}

// Get returns a field, or a Value of no kind.
func (v Value) Get(name string) Value {
	for _, f := range v.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return Value{}
}

// All returns the values at a path of members: names joined with dots, "[]" behind a list for each element, "{}" behind a
// map for each value and "{@}", at the end, for each key. What is absent is left out.
func (v Value) All(path string) []Value {
	if v.Kind == NoValue {
		return nil
	}
	if path == "" {
		return []Value{v}
	}
	part, rest, _ := strings.Cut(path, ".")
	name := strings.TrimRight(part, "[]{@}")
	here := []Value{v}
	if name != "" {
		here = []Value{v.Get(name)}
	}
	steps := part[len(name):]
	if steps == "{@}" {
		return v.Get(name).keys()
	}
	for ; len(steps) >= 2; steps = steps[2:] {
		var next []Value
		for _, h := range here {
			next = append(next, h.children()...)
		}
		here = next
	}
	var out []Value
	for _, h := range here {
		out = append(out, h.All(rest)...)
	}
	return out
}

func (v Value) keys() []Value {
	var out []Value
	for _, f := range v.Fields {
		out = append(out, Value{Kind: Text, Text: f.Name})
	}
	return out
}

func (v Value) children() []Value {
	if v.Kind != Map {
		return v.Items
	}
	out := make([]Value, len(v.Fields))
	for i, f := range v.Fields {
		out[i] = f.Value
	}
	return out
}

// Strings returns the texts at a path.
func (v Value) Strings(path string) []string {
	var out []string
	for _, x := range v.All(path) {
		if x.Kind >= Text {
			out = append(out, x.Text)
		}
	}
	return out
}

func sortFields(f []Field) {
	slices.SortFunc(f, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
}
