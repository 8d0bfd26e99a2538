package awsmodel

import (
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// api is an unpacked service.
type api struct {
	modelfile.Service
	byName map[string]*operation
	routes routes
	rest   Protocol // RESTJSON, RESTXML or none
}

type operation struct {
	*modelfile.Operation
	input *modelfile.Shape // nil is no input
	route *route           // nil is no REST operation
}

func newAPI(s modelfile.Service) (*api, error) {
	a := &api{Service: s, byName: make(map[string]*operation, len(s.Operations))}
	for _, p := range s.Protocols {
		if p == RESTJSON || p == RESTXML {
			a.rest = p
		}
	}
	for i := range s.Operations {
		op := &operation{Operation: &s.Operations[i]}
		if op.Input > 0 {
			op.input = &s.Shapes[op.Input-1]
		}
		a.byName[op.Name] = op
		if a.rest != 0 {
			op.route = newRoute(a, op)
		}
	}
	if a.rest != 0 {
		a.routes = newRoutes(a)
	}
	return a, nil
}

func (a *api) speaks(p Protocol) bool { return slices.Contains(a.Protocols, p) }

// has says whether an operation's input has a member with one of the locations and a wire name.
func (a *api) member(op *operation, at modelfile.Location, wire string) *modelfile.Member {
	if op.input == nil {
		return nil
	}
	for i, m := range op.input.Members {
		if m.At != at {
			continue
		}
		if name := wireName(m); name == wire || at == modelfile.InHeader && strings.EqualFold(name, wire) {
			return &op.input.Members[i]
		}
	}
	return nil
}

func wireName(m modelfile.Member) string {
	if m.Wire != "" {
		return m.Wire
	}
	return m.Name
}
