package pgwire

import "fmt"

// AuthKind is what an Authentication message asks for or says (AUTH_REQ_* in
// libpq/protocol.h).
type AuthKind uint32

// The kinds of Authentication messages.
const (
	AuthOK           AuthKind = 0
	AuthKerberosV5   AuthKind = 2
	AuthCleartext    AuthKind = 3
	AuthMD5          AuthKind = 5
	AuthGSS          AuthKind = 7
	AuthGSSContinue  AuthKind = 8
	AuthSSPI         AuthKind = 9
	AuthSASL         AuthKind = 10
	AuthSASLContinue AuthKind = 11
	AuthSASLFinal    AuthKind = 12
)

// Authentication is every message of type 'R'. Salt belongs to MD5, Mechanisms to
// SASL, and Data to the Continue and Final kinds, where it aliases the frame.
type Authentication struct {
	Kind       AuthKind
	Salt       [4]byte
	Mechanisms []string
	Data       []byte
}

// Decode reads a frame's body.
func (m *Authentication) Decode(body []byte) error {
	c := cursor{rest: body}
	*m = Authentication{Kind: AuthKind(c.uint32())}
	switch m.Kind {
	case AuthOK, AuthKerberosV5, AuthCleartext, AuthGSS, AuthSSPI:
	case AuthMD5:
		copy(m.Salt[:], c.take(4))
	case AuthGSSContinue, AuthSASLContinue, AuthSASLFinal:
		m.Data = c.take(len(c.rest))
	case AuthSASL:
		for {
			name := c.string()
			if name == "" {
				break
			}
			m.Mechanisms = append(m.Mechanisms, name)
		}
	default:
		c.fail("unknown kind")
	}
	return c.end("Authentication")
}

// Append appends the whole frame.
func (m *Authentication) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeAuthentication, "Authentication")
	e.uint32(uint32(m.Kind))
	switch m.Kind {
	case AuthOK, AuthKerberosV5, AuthCleartext, AuthGSS, AuthSSPI:
	case AuthMD5:
		e.bytes(m.Salt[:])
	case AuthGSSContinue, AuthSASLContinue, AuthSASLFinal:
		e.bytes(m.Data)
	case AuthSASL:
		for _, name := range m.Mechanisms {
			if name == "" {
				e.bad = "empty mechanism"
			}
			e.string(name)
		}
		e.uint8(0)
	default:
		e.bad = fmt.Sprintf("unknown kind %d", m.Kind)
	}
	return e.end()
}
