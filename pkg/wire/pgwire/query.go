package pgwire

// Query runs one string of statements.
type Query struct{ SQL string }

// Decode reads a frame's body.
func (m *Query) Decode(body []byte) error {
	c := cursor{rest: body}
	m.SQL = c.string()
	return c.end("Query")
}

// Append appends the whole frame.
func (m *Query) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeQuery, "Query")
	e.string(m.SQL)
	return e.end()
}
