// Command protoc-gen-openapi writes one OpenAPI 3.1 document of a package's calls as Connect serves them over JSON: POST
// /<package>.<Service>/<Method>. buf runs it with -public=<Service.Method>, once for each call without a token.
package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/pluginpb"
)

// public is the set of calls that need no token, as "Service.Method".
type public map[string]bool

func (p public) String() string { return "" }

func (p public) Set(name string) error {
	p[name] = true
	return nil
}

func main() {
	open := public{}
	var flags flag.FlagSet
	flags.Var(open, "public", "a call that needs no token")
	protogen.Options{ParamFunc: flags.Set}.Run(func(p *protogen.Plugin) error {
		p.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
		return generate(p, open)
	})
}

func generate(p *protogen.Plugin, open public) error {
	var files []*protogen.File
	for _, f := range p.Files {
		if f.Generate {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b *protogen.File) int { return strings.Compare(a.Desc.Path(), b.Desc.Path()) })
	if len(files) == 0 {
		return nil
	}
	for name := range open {
		if !known(files, name) {
			return fmt.Errorf("-public=%s: no such call", name)
		}
	}
	text, err := yaml.MarshalWithOptions(document(files, open), yaml.Indent(2), yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return fmt.Errorf("encode document: %w", err)
	}
	name := files[0].GeneratedFilenamePrefix
	out := p.NewGeneratedFile(name[:strings.LastIndexByte(name, '/')+1]+"openapi.yaml", "")
	_, err = out.Write(append([]byte("# Generated from the protos beside it by scripts/protoc-gen-openapi. Do not edit.\n"), text...))
	return err
}

func known(files []*protogen.File, name string) bool {
	for _, f := range files {
		for _, s := range f.Services {
			for _, m := range s.Methods {
				if name == string(s.Desc.Name())+"."+string(m.Desc.Name()) {
					return true
				}
			}
		}
	}
	return false
}
