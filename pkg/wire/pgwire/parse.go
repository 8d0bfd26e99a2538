package pgwire

// Parse makes a prepared statement; the empty name is the unnamed one. ParamOIDs
// may be shorter than the statement's parameters, and 0 leaves a type open.
type Parse struct {
	Name      string
	SQL       string
	ParamOIDs []uint32
}

// Decode reads a frame's body and reuses ParamOIDs' space.
func (m *Parse) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Name, m.SQL = c.string(), c.string()
	m.ParamOIDs = c.oids(m.ParamOIDs[:0])
	return c.end("Parse")
}

// Append appends the whole frame.
func (m *Parse) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeParse, "Parse")
	e.string(m.Name)
	e.string(m.SQL)
	e.oids(m.ParamOIDs)
	return e.end()
}

// ParameterDescription answers Describe of a statement with its parameters' types.
type ParameterDescription struct{ OIDs []uint32 }

// Decode reads a frame's body and reuses OIDs' space.
func (m *ParameterDescription) Decode(body []byte) error {
	c := cursor{rest: body}
	m.OIDs = c.oids(m.OIDs[:0])
	return c.end("ParameterDescription")
}

// Append appends the whole frame.
func (m *ParameterDescription) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeParameterDescription, "ParameterDescription")
	e.oids(m.OIDs)
	return e.end()
}
