package pgwire

// Execute runs a portal. MaxRows of 0 or less means all rows, as for the server.
type Execute struct {
	Portal  string
	MaxRows int32
}

// Decode reads a frame's body.
func (m *Execute) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Portal, m.MaxRows = c.string(), int32(c.uint32())
	return c.end("Execute")
}

// Append appends the whole frame.
func (m *Execute) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeExecute, "Execute")
	e.string(m.Portal)
	e.uint32(uint32(m.MaxRows))
	return e.end()
}
