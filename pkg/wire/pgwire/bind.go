package pgwire

// Bind makes a portal of a prepared statement. ParamFormats and ResultFormats have
// no element (all text), one (for all) or one per value. Params alias the frame; nil
// is NULL.
type Bind struct {
	Portal        string
	Statement     string
	ParamFormats  []Format
	Params        [][]byte
	ResultFormats []Format
}

// Decode reads a frame's body and reuses the slices' space.
func (m *Bind) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Portal, m.Statement = c.string(), c.string()
	m.ParamFormats = c.formats(m.ParamFormats[:0])
	m.Params = m.Params[:0]
	for range c.count(4) {
		m.Params = append(m.Params, c.value())
	}
	if n := len(m.ParamFormats); n > 1 && n != len(m.Params) {
		c.fail("parameter formats do not match the parameters")
	}
	m.ResultFormats = c.formats(m.ResultFormats[:0])
	return c.end("Bind")
}

// ParamFormat returns the format of parameter i, counted from 0.
func (m *Bind) ParamFormat(i int) Format { return formatOf(m.ParamFormats, i) }

// ResultFormat returns the format asked for result column i, counted from 0.
func (m *Bind) ResultFormat(i int) Format { return formatOf(m.ResultFormats, i) }

func formatOf(formats []Format, i int) Format {
	switch {
	case len(formats) == 1:
		return formats[0]
	case i < len(formats):
		return formats[i]
	}
	return FormatText
}

// Append appends the whole frame.
func (m *Bind) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeBind, "Bind")
	e.string(m.Portal)
	e.string(m.Statement)
	e.formats(m.ParamFormats)
	e.count(len(m.Params))
	for _, p := range m.Params {
		e.value(p)
	}
	e.formats(m.ResultFormats)
	return e.end()
}
