package pgwire

import "bytes"

// PasswordMessage answers a cleartext or MD5 question. Password aliases the frame,
// so that clearing it leaves no copy behind.
type PasswordMessage struct{ Password []byte }

// SASLInitialResponse answers AuthenticationSASL with the chosen mechanism. Data
// aliases the frame; nil means that there is none.
type SASLInitialResponse struct {
	Mechanism string
	Data      []byte
}

// SASLResponse answers AuthenticationSASLContinue. Data aliases the frame.
type SASLResponse struct{ Data []byte }

// Decode reads a frame's body.
func (m *PasswordMessage) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Password = c.text()
	return c.end("PasswordMessage")
}

// Append appends the whole frame.
func (m *PasswordMessage) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypePassword, "PasswordMessage")
	if bytes.IndexByte(m.Password, 0) >= 0 {
		e.bad = "a string contains a NUL byte"
	}
	e.bytes(m.Password)
	e.uint8(0)
	return e.end()
}

// Decode reads a frame's body.
func (m *SASLInitialResponse) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Mechanism, m.Data = c.string(), c.value()
	return c.end("SASLInitialResponse")
}

// Append appends the whole frame.
func (m *SASLInitialResponse) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypePassword, "SASLInitialResponse")
	e.string(m.Mechanism)
	e.value(m.Data)
	return e.end()
}

// Decode takes a frame's body, whatever it is.
func (m *SASLResponse) Decode(body []byte) error {
	m.Data = body
	return nil
}

// Append appends the whole frame.
func (m *SASLResponse) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypePassword, "SASLResponse")
	e.bytes(m.Data)
	return e.end()
}
