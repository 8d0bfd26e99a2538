package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml/ast"
)

// source gives kong the values of the environment and the file.
type source struct {
	spec  Spec
	env   map[string]string
	file  *file
	nodes map[string]entry // by setting, after check
}

// entry is a setting's place in the file.
type entry struct {
	key   ast.Node
	value ast.Node
}

// check refuses names that are neither a flag nor a structured field.
func (s *source) check(flags []*kong.Flag, fields []field) error {
	byName := map[string]*kong.Flag{}
	for _, flag := range flags {
		if flag.Name != "help" && flag.Name != "version" {
			byName[flag.Name] = flag
		}
	}
	errs := []error{s.checkEnvironment(byName)}
	if s.file != nil && s.file.root != nil {
		delete(byName, "config") // a file does not name another
		s.nodes = map[string]entry{}
		errs = append(errs, s.collect("", s.file.root, byName, fields)...)
	}
	return errors.Join(errs...)
}

// collect walks a mapping and files its values under the settings' names.
func (s *source) collect(prefix string, mapping *ast.MappingNode, flags map[string]*kong.Flag, fields []field) (errs []error) {
	for _, pair := range mapping.Values {
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			errs = append(errs, s.file.fault(pair.Key, "a key that is not a plain word", ""))
			continue
		}
		name := prefix + key.Value
		_, isFlag := flags[name]
		isField := slices.ContainsFunc(fields, func(f field) bool { return f.name == name })
		inner, isMapping := pair.Value.(*ast.MappingNode)
		switch {
		case isFlag || isField:
			if earlier, ok := s.nodes[name]; ok {
				errs = append(errs, s.file.fault(key, fmt.Sprintf("%q is set twice", name),
					fmt.Sprintf("first in line %d", earlier.key.GetToken().Position.Line)))
				continue
			}
			s.nodes[name] = entry{key: key, value: pair.Value}
		case isMapping && hasPrefix(flags, name+"-"):
			errs = append(errs, s.collect(name+"-", inner, flags, fields)...)
		default:
			errs = append(errs, s.file.fault(key, fmt.Sprintf("unknown key %q", key.Value),
				suggest(key.Value, namesUnder(prefix, flags, fields))))
		}
	}
	return errs
}

func hasPrefix(flags map[string]*kong.Flag, prefix string) bool {
	for name := range flags {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func namesUnder(prefix string, flags map[string]*kong.Flag, fields []field) (names []string) {
	for name := range flags {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			names = append(names, rest)
		}
	}
	for _, f := range fields {
		if rest, ok := strings.CutPrefix(f.name, prefix); ok {
			names = append(names, rest)
		}
	}
	return names
}

// Validate implements kong.Resolver; check has done its work.
func (s *source) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver: kong asks for each flag that no argument
// sets. The value is tried here, where its place is known.
func (s *source) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if text, ok := s.env[s.spec.variable(flag.Name)]; ok && flag.Name != "config" {
		if err := try(flag, text); err != nil {
			return nil, &Error{Message: s.spec.variable(flag.Name) + ": " + err.Error()}
		}
		return text, nil
	}
	e, ok := s.nodes[flag.Name]
	if !ok {
		return nil, nil
	}
	text, err := flatten(flag, e.value)
	if err == nil {
		err = try(flag, text)
	}
	if err != nil {
		return nil, s.file.fault(e.value, fmt.Sprintf("%s: %v", flag.Name, err), "")
	}
	return text, nil
}

// explain makes one of kong's own errors ours.
func (s *source) explain(err error) error {
	var located *Error
	if errors.As(err, &located) {
		return located // without kong's prefix, which repeats the flag
	}
	return &Error{Message: err.Error(), Hint: "see --help"}
}
