package awsmodel

import (
	"slices"

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

func wireName(m modelfile.Member) string {
	if m.Wire != "" {
		return m.Wire
	}
	return m.Name
}
