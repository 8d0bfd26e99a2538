package pgwire

import (
	"errors"
	"strings"
)

// ErrUnsupportedVersion says that a client asked for a major version other than 3.
var ErrUnsupportedVersion = errors.New("unsupported frontend protocol")

// protocolOption is the prefix of startup parameters that are protocol extensions
// and not settings.
const protocolOption = "_pq_."

// NegotiateProtocolVersion tells a client the newest version that is spoken with it
// and which of its protocol options are unknown.
type NegotiateProtocolVersion struct {
	Version Version
	Options []string
}

// Negotiate returns the version to speak with the client of m, and the message to
// send it first, or nil if it asked for nothing more than 3.2. As with the server,
// the session goes on at the lower version, 3.1 means 3.0, and every protocol option
// is unknown.
func Negotiate(m *StartupMessage) (Version, *NegotiateProtocolVersion) {
	version := Version30
	if m.Version >= Version32 {
		version = Version32
	}
	var options []string
	for _, p := range m.Params {
		if strings.HasPrefix(p.Name, protocolOption) {
			options = append(options, p.Name)
		}
	}
	if m.Version <= Version32 && options == nil {
		return version, nil
	}
	return version, &NegotiateProtocolVersion{Version: min(m.Version, Version32), Options: options}
}

// Decode reads a frame's body.
func (m *NegotiateProtocolVersion) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Version = Version(c.uint32())
	n := int(c.uint32())
	if n > len(c.rest) {
		c.fail("count exceeds the body")
		n = 0
	}
	m.Options = m.Options[:0]
	for range n {
		m.Options = append(m.Options, c.string())
	}
	return c.end("NegotiateProtocolVersion")
}

// Append appends the whole frame.
func (m *NegotiateProtocolVersion) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeNegotiateProtocolVersion, "NegotiateProtocolVersion")
	e.uint32(uint32(m.Version))
	e.uint32(uint32(len(m.Options)))
	for _, o := range m.Options {
		e.string(o)
	}
	return e.end()
}
