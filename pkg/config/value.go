package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml/ast"
)

// try parses text as the flag's type.
func try(flag *kong.Flag, text string) error {
	scan := kong.Scan().PushTyped(text, kong.FlagValueToken)
	ctx := &kong.DecodeContext{Value: flag.Value, Scan: scan}
	scratch := reflect.New(flag.Target.Type()).Elem()
	err := flag.Mapper.Decode(ctx, scratch)
	switch {
	case err != nil && flag.Tag.Has("secret"):
		return errors.New("invalid value (not shown)")
	case err != nil:
		return err
	case flag.Enum != "" && scratch.Kind() == reflect.String && !flag.EnumMap()[scratch.String()]:
		return fmt.Errorf("must be one of %s but is %q", strings.Join(flag.EnumSlice(), ", "), text)
	}
	return nil
}

// flatten writes a node as it would be written in an argument.
func flatten(flag *kong.Flag, node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.SequenceNode:
		if !flag.IsSlice() {
			return "", errors.New("takes one value, not a list")
		}
		return flattenList(flag, n)
	case *ast.MappingNode:
		if !flag.IsMap() {
			return "", errors.New("takes a value, not a mapping")
		}
		return flattenMap(flag, n)
	}
	text, err := scalar(node)
	if err == nil && flag.IsSlice() && flag.Tag.Sep != -1 {
		text = kong.JoinEscaped([]string{text}, flag.Tag.Sep)
	}
	return text, err
}

func flattenList(flag *kong.Flag, list *ast.SequenceNode) (string, error) {
	var parts []string
	for _, item := range list.Values {
		text, err := scalar(item)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	if flag.Tag.Sep == -1 {
		return "", errors.New("takes one value in a file")
	}
	return kong.JoinEscaped(parts, flag.Tag.Sep), nil
}

func flattenMap(flag *kong.Flag, mapping *ast.MappingNode) (string, error) {
	var parts []string
	for _, pair := range mapping.Values {
		text, err := scalar(pair.Value)
		if err != nil {
			return "", err
		}
		key := pair.Key.GetToken().Value
		if strings.Contains(key, "=") {
			return "", errors.New("a key here must not contain \"=\"")
		}
		parts = append(parts, key+"="+text)
	}
	return kong.JoinEscaped(parts, flag.Tag.MapSep), nil
}

// scalar returns a single value as it is spelled.
func scalar(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return node.GetToken().Value, nil
	case *ast.NullNode:
		return "", errors.New("has no value; leave the key out to use the default")
	}
	return "", errors.New("takes a single value")
}
