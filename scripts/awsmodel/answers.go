package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// answers adds the shapes of what an operation answers.
func (b *builder) answers(s *service, shapes *shaper, op operation, o *modelfile.Operation) error {
	for _, a := range []struct {
		name string
		into *int
	}{{outputOf(op), &o.Output}, {faultOf(s, op), &o.Fault}} {
		if a.name == "" {
			continue
		}
		i, err := shapes.add(a.name)
		if err != nil {
			return err
		}
		*a.into = i + 1
	}
	return nil
}

func outputOf(op operation) string {
	if op.Output == nil {
		return ""
	}
	return op.Output.Shape
}

// faultOf names a shape with the members of all errors of an operation that hold more than plain texts and numbers, or
// something sensitive. It is added to the model, and empty where there are none.
func faultOf(s *service, op operation) string {
	var of []string
	members := map[string]ref{}
	for _, e := range op.Errors {
		sh := s.model.Shapes[e.Shape]
		for _, name := range slices.Sorted(maps.Keys(sh.Members)) {
			m := sh.Members[name]
			if to := s.model.Shapes[m.Shape]; !to.Sensitive && !compound[to.Type] {
				continue
			}
			if _, there := members[name]; !there {
				of = append(of, e.Shape+"."+name)
				members[name] = m
			}
		}
	}
	if len(of) == 0 {
		return ""
	}
	slices.Sort(of)
	name := "errors: " + strings.Join(of, " ")
	s.model.Shapes[name] = shape{Type: "structure", Members: members}
	return name
}

var compound = map[string]bool{"structure": true, "list": true, "map": true, "blob": true}
