package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// shaper turns the shapes that a service's requests and answers reach into those of a model file.
type shaper struct {
	model *model
	index map[string]int
	out   []modelfile.Shape
}

var kinds = map[string]modelfile.Kind{
	"structure": modelfile.Structure, "list": modelfile.ListOf, "map": modelfile.MapOf, "string": modelfile.String,
	"integer": modelfile.Integer, "long": modelfile.Integer, "double": modelfile.Float, "float": modelfile.Float,
	"boolean": modelfile.Boolean, "timestamp": modelfile.Timestamp, "blob": modelfile.Blob,
}

var locations = map[string]modelfile.Location{
	"": modelfile.InBody, "uri": modelfile.InURI, "querystring": modelfile.InQuery, "header": modelfile.InHeader, "headers": modelfile.InHeaders,
	"statusCode": modelfile.InStatus,
}

// add returns the index of a shape, and adds what it reaches. Scalars that are alike share one.
func (s *shaper) add(name string) (int, error) { return s.shape(name, 0) }

// shape adds flags to those of the model.
func (s *shaper) shape(name string, flags uint) (int, error) {
	sh, ok := s.model.Shapes[name]
	if !ok {
		return 0, fmt.Errorf("no shape %s", name)
	}
	kind := kinds[sh.Type]
	if sh.Document {
		kind = modelfile.Document
	}
	if kind == modelfile.NoKind {
		return 0, fmt.Errorf("shape %s is of the unknown type %s", name, sh.Type)
	}
	out := modelfile.Shape{Kind: kind, Flags: shapeFlags(sh) | flags, Format: sh.TimestampFormat}
	key := name
	switch kind {
	case modelfile.Structure, modelfile.ListOf, modelfile.MapOf:
	default:
		key = fmt.Sprintf("=%d.%d.%s", out.Kind, out.Flags, out.Format)
	}
	if i, ok := s.index[key]; ok {
		return i, nil
	}
	i := len(s.out)
	s.index[key] = i
	s.out = append(s.out, out)
	if err := s.fill(&out, sh); err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	s.out[i] = out
	return i, nil
}

func (s *shaper) fill(out *modelfile.Shape, sh shape) (err error) {
	switch out.Kind {
	case modelfile.ListOf:
		out.Wire = sh.Member.LocationName
		out.Elem, err = s.add(sh.Member.Shape)
	case modelfile.MapOf:
		out.KeyWire, out.Wire = sh.Key.LocationName, sh.Value.LocationName
		if out.Key, err = s.add(sh.Key.Shape); err == nil {
			out.Elem, err = s.add(sh.Value.Shape)
		}
	case modelfile.Structure:
		for _, name := range slices.Sorted(maps.Keys(sh.Members)) {
			m, err := s.member(name, sh)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			out.Members = append(out.Members, m)
		}
	}
	return err
}

func (s *shaper) member(name string, of shape) (modelfile.Member, error) {
	r := of.Members[name]
	at, ok := locations[r.Location]
	if !ok {
		return modelfile.Member{}, fmt.Errorf("unknown location %s", r.Location)
	}
	m := modelfile.Member{Name: name, Query: r.QueryName, At: at}
	if r.LocationName != name {
		m.Wire = r.LocationName
	}
	if of.Payload == name {
		m.At = modelfile.InPayload
	}
	for flag, set := range map[uint]bool{
		modelfile.Required: slices.Contains(of.Required, name), modelfile.HostLabel: r.HostLabel, modelfile.Flattened: r.Flattened,
		modelfile.Attribute: r.XMLAttribute, modelfile.JSONValue: r.JSONValue, modelfile.Token: r.Token, modelfile.Streaming: r.Streaming,
		modelfile.EventHeader: r.EventHeader, modelfile.EventPayload: r.EventPayload,
	} {
		if set {
			m.Flags |= flag
		}
	}
	var flags uint
	if secretName(name, s.model.Shapes[r.Shape]) {
		flags = modelfile.Sensitive
	}
	var err error
	m.Shape, err = s.shape(r.Shape, flags)
	return m, err
}

func shapeFlags(sh shape) uint {
	var f uint
	for flag, set := range map[uint]bool{
		modelfile.Sensitive: sh.Sensitive, modelfile.Union: sh.Union, modelfile.EventStream: sh.EventStream,
		modelfile.Streaming: sh.Streaming, modelfile.Flattened: sh.Flattened,
	} {
		if set {
			f |= flag
		}
	}
	return f
}
