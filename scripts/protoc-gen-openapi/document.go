package main

import (
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/compiler/protogen"
)

// dict keeps the order in which it was written.
type dict = yaml.MapSlice

func entry(key string, value any) yaml.MapItem { return yaml.MapItem{Key: key, Value: value} }

const about = `What people, agents, CI jobs, the command line and the console ask of the control plane.

Every call is a POST of JSON. Fields at their zero value are left out of answers and may be left out of requests; unknown
fields of a request are ignored. The same paths speak gRPC and gRPC-Web. docs/api.md says more.`

func document(files []*protogen.File, open public) dict {
	var tags []any
	var paths, schemas dict
	for _, f := range files {
		for _, s := range f.Services {
			tags = append(tags, dict{entry("name", string(s.Desc.Name())), entry("description", comment(s.Comments))})
			for _, m := range s.Methods {
				path := "/" + string(s.Desc.FullName()) + "/" + string(m.Desc.Name())
				paths = append(paths, entry(path, dict{entry("post", operation(s, m, open))}))
			}
		}
		schemas = append(schemas, schemasOf(f)...)
	}
	slices.SortFunc(schemas, func(a, b yaml.MapItem) int { return strings.Compare(a.Key.(string), b.Key.(string)) })
	return dict{
		entry("openapi", "3.1.0"),
		entry("info", dict{
			entry("title", "Writ access API"), entry("version", string(files[0].Desc.Package())), entry("description", about),
			entry("license", dict{entry("name", "Apache-2.0"), entry("identifier", "Apache-2.0")}),
		}),
		entry("servers", []any{dict{
			entry("url", "https://{address}"),
			entry("variables", dict{entry("address", dict{entry("default", "localhost:8443"), entry("description", "host:port of the people's listener")})}),
		}}),
		entry("security", []any{dict{entry("token", []any{})}}),
		entry("tags", tags),
		entry("paths", paths),
		entry("components", dict{
			entry("securitySchemes", dict{entry("token", dict{
				entry("type", "http"), entry("scheme", "bearer"),
				entry("description", "A login token from IdentityService/Login, or an ID token of a configured issuer."),
			})}),
			entry("responses", dict{entry("Error", dict{
				entry("description", "The call failed. The HTTP status follows from the code."),
				entry("content", dict{entry("application/json", dict{entry("schema", ref("connect.Error"))})}),
			})}),
			entry("schemas", append(schemas, errorSchema())),
		}),
	}
}

func operation(s *protogen.Service, m *protogen.Method, open public) dict {
	name := string(s.Desc.Name()) + "." + string(m.Desc.Name())
	text := comment(m.Comments)
	media := "application/json"
	if m.Desc.IsStreamingServer() {
		media = "application/connect+json"
		text = strings.TrimSpace(text + "\n\nThe answer is a stream: each message, and the one request, is preceded by a byte of flags and its " +
			"length in four bytes, and the last one, with flag 2, holds the error, if any (connectrpc.com/docs/protocol).")
	}
	op := dict{entry("operationId", strings.ReplaceAll(name, ".", "_")), entry("tags", []string{string(s.Desc.Name())})}
	if text != "" {
		op = append(op, entry("description", text))
	}
	if open[name] {
		op = append(op, entry("security", []any{}))
	}
	body := func(message *protogen.Message) dict {
		return dict{entry(media, dict{entry("schema", ref(string(message.Desc.FullName())))})}
	}
	return append(op,
		entry("requestBody", dict{entry("required", true), entry("content", body(m.Input))}),
		entry("responses", dict{
			entry("200", dict{entry("description", "Done."), entry("content", body(m.Output))}),
			entry("default", dict{entry("$ref", "#/components/responses/Error")}),
		}))
}

func ref(name string) dict { return dict{entry("$ref", "#/components/schemas/"+name)} }

// codes are Connect's (connectrpc.com/docs/protocol#error-codes).
var codes = []string{
	"canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists", "permission_denied",
	"resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented", "internal", "unavailable",
	"data_loss", "unauthenticated",
}

func errorSchema() yaml.MapItem {
	text := func(of string) dict { return dict{entry("type", "string"), entry("description", of)} }
	return entry("connect.Error", dict{
		entry("type", "object"), entry("required", []string{"code"}),
		entry("properties", dict{
			entry("code", dict{entry("type", "string"), entry("enum", codes)}),
			entry("message", text("What is wrong and what to do, for people.")),
			entry("details", dict{entry("type", "array"), entry("items", dict{
				entry("type", "object"), entry("required", []string{"type", "value"}),
				entry("properties", dict{
					entry("type", text(`Name of the message, for example "access.v1.Refusal".`)),
					entry("value", text("The message in binary form, in base64 without padding.")),
					entry("debug", dict{entry("type", "object"), entry("description", "The message as JSON.")}),
				}),
			})}),
		}),
	})
}

// comment is what the proto says, without the breaks of its lines.
func comment(c protogen.CommentSet) string {
	text := string(c.Leading)
	if c.Trailing != "" {
		text += "\n" + string(c.Trailing)
	}
	var paragraphs []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if words := strings.Fields(paragraph); len(words) > 0 {
			paragraphs = append(paragraphs, strings.Join(words, " "))
		}
	}
	return strings.Join(paragraphs, "\n\n")
}
