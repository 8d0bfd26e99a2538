package main

import (
	"strings"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// schemasOf describes the messages and enums of a file as protojson writes them
// (protobuf.dev/programming-guides/json).
func schemasOf(f *protogen.File) dict {
	var out dict
	for _, e := range f.Enums {
		out = append(out, enumSchema(e))
	}
	for _, m := range f.Messages {
		out = append(out, messageSchemas(m)...)
	}
	return out
}

func messageSchemas(m *protogen.Message) dict {
	if m.Desc.IsMapEntry() {
		return nil
	}
	var properties dict
	var alternatives []string
	for _, f := range m.Fields {
		properties = append(properties, entry(f.Desc.JSONName(), described(fieldSchema(f), comment(f.Comments))))
	}
	for _, o := range m.Oneofs {
		if !o.Desc.IsSynthetic() {
			var names []string
			for _, f := range o.Fields {
				names = append(names, f.Desc.JSONName())
			}
			alternatives = append(alternatives, "At most one of "+strings.Join(names, ", ")+" is set.")
		}
	}
	schema := dict{entry("type", "object")}
	if len(properties) > 0 {
		schema = append(schema, entry("properties", properties))
	}
	text := strings.TrimSpace(comment(m.Comments) + " " + strings.Join(alternatives, " "))
	out := dict{entry(string(m.Desc.FullName()), described(schema, text))}
	for _, e := range m.Enums {
		out = append(out, enumSchema(e))
	}
	for _, nested := range m.Messages {
		out = append(out, messageSchemas(nested)...)
	}
	return out
}

func enumSchema(e *protogen.Enum) yaml.MapItem {
	var names, notes []string
	for _, v := range e.Values {
		names = append(names, string(v.Desc.Name()))
		if text := comment(v.Comments); text != "" {
			notes = append(notes, string(v.Desc.Name())+": "+text)
		}
	}
	text := strings.Join(append([]string{comment(e.Comments)}, notes...), "\n\n")
	return entry(string(e.Desc.FullName()), described(dict{entry("type", "string"), entry("enum", names)}, strings.TrimSpace(text)))
}

// described adds a description. Beside a reference it is allowed since OpenAPI 3.1.
func described(schema dict, text string) dict {
	if text == "" {
		return schema
	}
	return append(schema, entry("description", text))
}

func fieldSchema(f *protogen.Field) dict {
	switch {
	case f.Desc.IsMap():
		return dict{entry("type", "object"), entry("additionalProperties", valueSchema(f.Message.Fields[1]))}
	case f.Desc.IsList():
		return dict{entry("type", "array"), entry("items", valueSchema(f))}
	}
	return valueSchema(f)
}

// valueSchema describes one value of the field.
func valueSchema(f *protogen.Field) dict {
	typed := func(name, format string) dict { return dict{entry("type", name), entry("format", format)} }
	switch f.Desc.Kind() {
	case protoreflect.BoolKind:
		return dict{entry("type", "boolean")}
	case protoreflect.EnumKind:
		return ref(string(f.Enum.Desc.FullName()))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return typed("integer", "int32")
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return typed("integer", "uint32")
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return typed("string", "int64")
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return typed("string", "uint64")
	case protoreflect.FloatKind:
		return typed("number", "float")
	case protoreflect.DoubleKind:
		return typed("number", "double")
	case protoreflect.BytesKind:
		return dict{entry("type", "string"), entry("contentEncoding", "base64")}
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageValue(f.Message)
	}
	return dict{entry("type", "string")}
}

func messageValue(m *protogen.Message) dict {
	switch m.Desc.FullName() {
	case "google.protobuf.Timestamp":
		return dict{entry("type", "string"), entry("format", "date-time")}
	case "google.protobuf.Duration":
		return dict{entry("type", "string"), entry("pattern", `^-?[0-9]+(\.[0-9]{1,9})?s$`), entry("examples", []string{"1800s"})}
	}
	return ref(string(m.Desc.FullName()))
}
