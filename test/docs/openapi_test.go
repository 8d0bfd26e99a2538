package docs

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/writhq/writ/proto/access/v1" // registers the messages
)

func openapi(t *testing.T) map[string]any {
	t.Helper()
	text, err := os.ReadFile(root + "/proto/access/v1/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.UnmarshalWithOptions(text, &doc, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at follows names into maps.
func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// Each call and each message of access.v1 is in the document, in the form in which it is served, and nothing else is.
func TestOpenAPIHasEveryCall(t *testing.T) {
	doc := openapi(t)
	if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1.") || at(doc, "info", "title") == nil || at(doc, "info", "version") == nil {
		t.Errorf("openapi %v, info %v", doc["openapi"], doc["info"])
	}
	paths := doc["paths"].(map[string]any)
	ids := map[any]bool{}
	calls, streams := 0, 0
	protoregistry.GlobalFiles.RangeFilesByPackage("access.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				calls++
				media := "application/json"
				if m.IsStreamingServer() {
					media = "application/connect+json"
					streams++
				}
				path := fmt.Sprintf("/%s/%s", s.FullName(), m.Name())
				post := at(paths[path], "post")
				in := at(post, "requestBody", "content", media, "schema", "$ref")
				out := at(post, "responses", "200", "content", media, "schema", "$ref")
				if in != "#/components/schemas/"+string(m.Input().FullName()) || out != "#/components/schemas/"+string(m.Output().FullName()) {
					t.Errorf("%s takes %v and returns %v", path, in, out)
				}
				id := at(post, "operationId")
				if id == nil || ids[id] || at(post, "responses", "200", "description") == nil || at(post, "responses", "default") == nil {
					t.Errorf("%s: operation %v lacks something", path, id)
				}
				ids[id] = true
			}
		}
		for i := range f.Messages().Len() {
			checkMessage(t, doc, f.Messages().Get(i))
		}
		return true
	})
	if calls < 40 || streams < 2 || len(paths) != calls {
		t.Errorf("%d calls, %d of them streams, in %d paths", calls, streams, len(paths))
	}
	if at(doc, "components", "securitySchemes", "token", "scheme") != "bearer" {
		t.Error("how to sign in is not described")
	}
}

func checkMessage(t *testing.T, doc map[string]any, m protoreflect.MessageDescriptor) {
	t.Helper()
	schema := at(doc, "components", "schemas", string(m.FullName()))
	if schema == nil {
		t.Errorf("%s has no schema", m.FullName())
	}
	properties, _ := at(schema, "properties").(map[string]any)
	if len(properties) != m.Fields().Len() {
		t.Errorf("%s has %d fields and %d properties", m.FullName(), m.Fields().Len(), len(properties))
	}
	for i := range m.Fields().Len() {
		if name := m.Fields().Get(i).JSONName(); properties[name] == nil {
			t.Errorf("%s.%s is not described", m.FullName(), name)
		}
	}
}

// Each reference leads to something, and each schema is of a type that there is.
func TestOpenAPIHoldsTogether(t *testing.T) {
	doc := openapi(t)
	types := map[any]bool{"object": true, "array": true, "string": true, "integer": true, "number": true, "boolean": true}
	refs := 0
	var walk func(where string, v any)
	walk = func(where string, v any) {
		switch v := v.(type) {
		case []any:
			for i, item := range v {
				walk(fmt.Sprintf("%s[%d]", where, i), item)
			}
		case map[string]any:
			if target, ok := v["$ref"].(string); ok {
				refs++
				if at(doc, strings.Split(strings.TrimPrefix(target, "#/"), "/")...) == nil {
					t.Errorf("%s leads to %s, which is not there", where, target)
				}
			}
			for name, item := range v {
				walk(where+"."+name, item)
			}
		}
	}
	walk("", doc)
	for name, schema := range at(doc, "components", "schemas").(map[string]any) {
		if !types[at(schema, "type")] {
			t.Errorf("%s is of type %v", name, at(schema, "type"))
		}
		properties, _ := at(schema, "properties").(map[string]any)
		for field, p := range properties {
			if at(p, "$ref") == nil && !types[at(p, "type")] || at(p, "type") == "array" && at(p, "items") == nil {
				t.Errorf("%s.%s is of type %v", name, field, at(p, "type"))
			}
		}
	}
	if refs < 100 {
		t.Errorf("%d references", refs)
	}
}
