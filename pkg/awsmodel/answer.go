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
