package awsmodel

import (
	"cmp"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// Identify says which operation a request asks for. The operation belongs to the service of the credential scope, is
// written in one of that service's protocols, and to its host where there is one; nothing else is in the request that
// could make AWS understand another. With ErrUnsupported the call may be filled.
func (m *Model) Identify(r Request) (Call, error) {
	if len(r.Path) > MaxPath || len(r.Query) > MaxQuery {
		return Call{}, refuse(ErrTooLarge, "path and query", "they are too long", "")
	}
	services, at, err := m.candidates(r)
	if err != nil {
		return Call{}, err
	}
	in, err := readInput(r)
	if err != nil {
		return Call{}, err
	}
	var found []Call
	var why error
	for _, s := range services {
		a, err := s.unpack()
		if err != nil {
			return Call{}, err
		}
		c, err := a.identify(r, in, at, at.prefix[s])
		if err == nil {
			found = append(found, c)
		} else {
			why = worse(why, err)
		}
	}
	switch len(found) {
	case 0:
		return Call{}, why
	case 1:
	default:
		if !same(found, r.Host != "") {
			return Call{}, ambiguous(found)
		}
		found = preferred(found)
	}
	return finish(found[0], r, at)
}

func finish(c Call, r Request, at location) (Call, error) {
	c.Region = r.Region
	if r.Service == "" {
		if !c.NoAuth {
			return Call{}, refuse(ErrService, "signature", "the operation is not taken unsigned", "sign the request")
		}
		c.Region = at.region
	}
	if c.InputEvents {
		return c, refuse(ErrUnsupported, "body", "a stream of events is signed event by event, which is not passed on", "")
	}
	return c, nil
}

// candidates are the services that the scope and the host agree on.
func (m *Model) candidates(r Request) ([]*service, location, error) {
	var at location
	services := m.byScope[r.Service]
	if r.Service == "" && r.Host == "" {
		return nil, at, refuse(ErrService, "signature", "an unsigned request says its service by its host alone", "sign the request")
	}
	if r.Service != "" && len(services) == 0 {
		return nil, at, refuse(ErrService, "credential scope", "no service signs with this name", "")
	}
	if r.Host == "" {
		return services, at, nil
	}
	at, ok := m.hosts.find(r.Host)
	if !ok {
		return nil, at, refuse(ErrHost, "host "+r.Host, "it is none of the hosts of AWS's services", "use a service and region that exist, at its public host")
	}
	if r.Service == "" {
		return at.services, at, nil
	}
	if at.region != "" && at.region != r.Region {
		return nil, at, refuse(ErrHost, "host", "it is of another region than the signature", "")
	}
	var both []*service
	for _, s := range services {
		if slices.Contains(at.services, s) {
			both = append(both, s)
		}
	}
	if len(both) == 0 {
		return nil, at, refuse(ErrHost, "host", "it is not of the service that the request is signed for", "")
	}
	return both, at, nil
}

// readInput reads what does not depend on the service.
func readInput(r Request) (input, error) {
	in := input{header: r.Header}
	var err error
	if in.query, in.hoist, err = splitQuery(r.Query); err != nil {
		return in, err
	}
	for _, p := range in.hoist {
		if len(r.Header[canonical(p.name)]) > 0 {
			return in, refuse(ErrQuery, "query parameter "+p.name, "it is a header too", "send it once")
		}
	}
	return in, nil
}

// identify finds the request's operation in one service.
func (a *api) identify(r Request, in input, at location, prefix string) (Call, error) {
	c, err := a.operate(r, in, at)
	if err == nil {
		err = checkHeaders(c)
	}
	if err == nil {
		err = c.bindHost(prefix)
	}
	return c, err
}

func (a *api) operate(r Request, in input, at location) (Call, error) {
	p, err := a.protocol(r)
	if err != nil {
		return Call{}, err
	}
	switch p {
	case JSON:
		return a.identifyJSON(r, in)
	case CBOR:
		return a.identifyCBOR(r, in)
	case Query, EC2:
		return a.identifyForm(r, in, p)
	default:
		return a.identifyREST(r, in, at)
	}
}

// protocol tells in which of its protocols a service is spoken to, by what only one of them has.
func (a *api) protocol(r Request) (Protocol, error) {
	target, smithy := len(r.Header["X-Amz-Target"]) > 0, len(r.Header["Smithy-Protocol"]) > 0
	switch {
	case target && smithy:
		return 0, refuse(ErrProtocol, "header X-Amz-Target", "the request is in two protocols", "")
	case target && !a.speaks(JSON):
		return 0, refuse(ErrProtocol, "header X-Amz-Target", "the service takes none", "")
	case target:
		return JSON, nil
	case smithy && !a.speaks(CBOR):
		return 0, refuse(ErrProtocol, "header Smithy-Protocol", "the service takes none", "")
	case smithy:
		return CBOR, nil
	case a.speaks(Query):
		return Query, nil
	case a.speaks(EC2):
		return EC2, nil
	case a.rest != 0:
		return a.rest, nil
	}
	return 0, refuse(ErrProtocol, "request", "it is in none of the service's protocols", "")
}

// worse keeps the error that says the most: that an operation is unknown says the least.
func worse(a, b error) error {
	if a == nil || kindOf(a) == ErrOperation || kindOf(a) == ErrProtocol && kindOf(b) != ErrOperation {
		return b
	}
	return a
}

func kindOf(err error) error {
	if e, ok := err.(*Error); ok {
		return e.Kind
	}
	return nil
}

// same says whether calls are one operation of services that share an API: the same name, protocol, actions and address.
func same(calls []Call, byHost bool) bool {
	first := calls[0]
	for _, c := range calls[1:] {
		if c.Operation != first.Operation || c.Protocol != first.Protocol || c.Path != first.Path || !sameActions(c.op.Actions, first.op.Actions) {
			return false
		}
		if c.HostPrefix != first.HostPrefix && !byHost {
			return false
		}
	}
	return len(first.op.Actions) > 0
}

func sameActions(a, b []modelfile.Action) bool {
	return slices.EqualFunc(a, b, func(x, y modelfile.Action) bool {
		return x.Name == y.Name && x.When == y.When
	})
}

// preferred is the call of the service with the most operations: that of which the others are parts.
func preferred(calls []Call) []Call {
	slices.SortStableFunc(calls, func(a, b Call) int {
		return cmp.Or(cmp.Compare(len(b.api.Operations), len(a.api.Operations)), cmp.Compare(a.Service, b.Service))
	})
	for _, c := range calls[1:] {
		calls[0].Siblings = append(calls[0].Siblings, c.Service)
	}
	return calls[:1]
}

func ambiguous(calls []Call) error {
	var names []string
	for _, c := range calls {
		names = append(names, c.Service+":"+c.Operation)
	}
	return refuse(ErrAmbiguous, "request", "it could be "+strings.Join(names, " or "), "reach the service by its own host")
}
