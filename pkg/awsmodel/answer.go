package awsmodel

import "github.com/writhq/writ/pkg/awsmodel/modelfile"

// Answer is the form of what an operation answers.
type Answer struct {
	Protocol Protocol
	// Shapes are the service's. They are not to be changed.
	Shapes []modelfile.Shape
	// Output is the index of what a success answers, plus one, and Fault that of what errors hold besides a code and a
	// text; 0 is nothing.
	Output, Fault int
}

// Answer returns the form of what the call's operation answers. That of no call is empty.
func (c Call) Answer() Answer {
	if c.IsZero() {
		return Answer{}
	}
	return Answer{Protocol: c.Protocol, Shapes: c.api.Shapes, Output: c.op.Output, Fault: c.op.Fault}
}

// Services lists the ids of all services.
func (m *Model) Services() []string {
	ids := make([]string, len(m.services))
	for i, s := range m.services {
		ids[i] = s.ID
	}
	return ids
}

// Operations lists the names of a service's operations, of which an unknown service has none.
func (m *Model) Operations(service string) ([]string, error) {
	s := m.byID[service]
	if s == nil {
		return nil, nil
	}
	a, err := s.unpack()
	if err != nil {
		return nil, err
	}
	names := make([]string, len(a.Operations))
	for i := range a.Operations {
		names[i] = a.Operations[i].Name
	}
	return names, nil
}

// Answers returns a call of an operation as far as it tells of the answer, in the first of the service's protocols. That
// of what AWS does not have is no call.
func (m *Model) Answers(service, operation string) (Call, error) {
	s := m.byID[service]
	if s == nil {
		return Call{}, nil
	}
	a, err := s.unpack()
	if err != nil || a.byName[operation] == nil {
		return Call{}, err
	}
	return newCall(a, a.byName[operation], a.Protocols[0], input{}), nil
}
