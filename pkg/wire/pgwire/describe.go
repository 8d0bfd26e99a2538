package pgwire

// Kind says whether a name is a prepared statement's or a portal's.
type Kind byte

// The two kinds.
const (
	KindStatement Kind = 'S'
	KindPortal    Kind = 'P'
)

// Describe asks for the parameters and columns of a statement or portal.
type Describe struct {
	Kind Kind
	Name string
}

// Close drops a statement or portal.
type Close struct {
	Kind Kind
	Name string
}

// Decode reads a frame's body.
func (m *Describe) Decode(body []byte) (err error) {
	m.Kind, m.Name, err = decodeNamed(body, "Describe")
	return err
}

// Append appends the whole frame.
func (m *Describe) Append(dst []byte) ([]byte, error) {
	return appendNamed(dst, TypeDescribe, "Describe", m.Kind, m.Name)
}

// Decode reads a frame's body.
func (m *Close) Decode(body []byte) (err error) {
	m.Kind, m.Name, err = decodeNamed(body, "Close")
	return err
}

// Append appends the whole frame.
func (m *Close) Append(dst []byte) ([]byte, error) {
	return appendNamed(dst, TypeClose, "Close", m.Kind, m.Name)
}

func decodeNamed(body []byte, message string) (Kind, string, error) {
	c := cursor{rest: body}
	kind, name := Kind(c.uint8()), c.string()
	if kind != KindStatement && kind != KindPortal {
		c.fail("unknown kind")
	}
	return kind, name, c.end(message)
}

func appendNamed(dst []byte, typ byte, message string, kind Kind, name string) ([]byte, error) {
	e := begin(dst, typ, message)
	if kind != KindStatement && kind != KindPortal {
		e.bad = "unknown kind"
	}
	e.uint8(byte(kind))
	e.string(name)
	return e.end()
}
