package pgwire

// FunctionCall calls a function by its OID, past all SQL. Args alias the frame; nil
// is NULL.
type FunctionCall struct {
	Function     uint32
	ArgFormats   []Format
	Args         [][]byte
	ResultFormat Format
}

// FunctionCallResponse carries the result, which aliases the frame; nil is NULL.
type FunctionCallResponse struct{ Result []byte }

// Decode reads a frame's body and reuses the slices' space.
func (m *FunctionCall) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Function = c.uint32()
	m.ArgFormats = c.formats(m.ArgFormats[:0])
	m.Args = m.Args[:0]
	for range c.count(4) {
		m.Args = append(m.Args, c.value())
	}
	if n := len(m.ArgFormats); n > 1 && n != len(m.Args) {
		c.fail("argument formats do not match the arguments")
	}
	m.ResultFormat = c.format()
	return c.end("FunctionCall")
}

// Append appends the whole frame.
func (m *FunctionCall) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeFunctionCall, "FunctionCall")
	e.uint32(m.Function)
	e.formats(m.ArgFormats)
	e.count(len(m.Args))
	for _, a := range m.Args {
		e.value(a)
	}
	e.uint16(uint16(m.ResultFormat))
	return e.end()
}

// Decode reads a frame's body.
func (m *FunctionCallResponse) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Result = c.value()
	return c.end("FunctionCallResponse")
}

// Append appends the whole frame.
func (m *FunctionCallResponse) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeFunctionCallResponse, "FunctionCallResponse")
	e.value(m.Result)
	return e.end()
}
