package pgwire

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Version is a protocol version, major in the upper 16 bits and minor in the lower.
type Version uint32

// Versions and the request codes that stand in a version's place
// (libpq/pqcomm.h).
const (
	Version30 Version = 3 << 16
	Version32 Version = 3<<16 | 2

	codeCancel Version = 1234<<16 | 5678
	codeSSL    Version = 1234<<16 | 5679
	codeGSS    Version = 1234<<16 | 5680
)

// Major returns the major version.
func (v Version) Major() int { return int(v >> 16) }

// Minor returns the minor version.
func (v Version) Minor() int { return int(v & 0xffff) }

func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major(), v.Minor()) }

// Startup is the first message of a connection, one of [SSLRequest],
// [GSSENCRequest], [DirectTLS], [*CancelRequest] and [*StartupMessage].
type Startup interface{ startup() }

// SSLRequest asks for TLS. It is answered with the one byte 'S' or 'N'. After 'S'
// the TLS handshake must read from the very reader that [ReadStartup] had.
type SSLRequest struct{}

// GSSENCRequest asks for GSSAPI encryption. It is answered with the one byte 'G' or
// 'N'.
type GSSENCRequest struct{}

// DirectTLS says that the client began a TLS handshake without asking
// (sslnegotiation=direct, PostgreSQL 17). Prefix is what was read of it.
type DirectTLS struct{ Prefix [4]byte }

// CancelRequest asks to cancel what another session runs. SecretKey has 4 bytes
// under protocol 3.0 and up to 256 under 3.2.
type CancelRequest struct {
	ProcessID uint32
	SecretKey []byte
}

// Param is one name and value of a [StartupMessage].
type Param struct{ Name, Value string }

// StartupMessage opens a session. Params are in the order of the message.
type StartupMessage struct {
	Version Version
	Params  []Param
}

func (SSLRequest) startup()      {}
func (GSSENCRequest) startup()   {}
func (DirectTLS) startup()       {}
func (*CancelRequest) startup()  {}
func (*StartupMessage) startup() {}

// tlsHandshake is the first byte of a TLS record that carries a ClientHello.
const tlsHandshake = 0x16

// ReadStartup reads one startup message and not a byte beyond it: r must not be
// buffered. What a client, or somebody in between, sent in the clear behind an
// SSLRequest thus stays in r and becomes the first bytes of the TLS handshake, which
// fails; it can never be taken for something said inside TLS (CVE-2021-23214).
//
// Errors wrap [ErrFrame], [ErrMalformed], [ErrUnsupportedVersion] or those of r.
func ReadStartup(r io.Reader) (Startup, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if head[0] == tlsHandshake {
		return DirectTLS{Prefix: head}, nil
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < 8 || length > MaxStartupPacketLength {
		return nil, fmt.Errorf("%w: startup packet claims %d bytes", ErrFrame, length)
	}
	body := make([]byte, length-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, noEOF(err)
	}
	return decodeStartup(body)
}

func decodeStartup(body []byte) (Startup, error) {
	switch code := Version(binary.BigEndian.Uint32(body)); code {
	case codeSSL:
		return SSLRequest{}, mustBeBare(body, "SSLRequest")
	case codeGSS:
		return GSSENCRequest{}, mustBeBare(body, "GSSENCRequest")
	case codeCancel:
		m := new(CancelRequest)
		return m, m.Decode(body)
	default:
		m := new(StartupMessage)
		return m, m.Decode(body)
	}
}

// Append appends the whole packet.
func (SSLRequest) Append(dst []byte) []byte { return appendRequest(dst, codeSSL) }

// Append appends the whole packet.
func (GSSENCRequest) Append(dst []byte) []byte { return appendRequest(dst, codeGSS) }

func appendRequest(dst []byte, code Version) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 8), uint32(code))
}

func mustBeBare(body []byte, name string) error {
	if len(body) != 4 {
		return malformed(name, "trailing bytes")
	}
	return nil
}

// Decode reads the message's body, which begins with the request code. SecretKey
// aliases it.
func (m *CancelRequest) Decode(body []byte) error {
	c := cursor{rest: body}
	if Version(c.uint32()) != codeCancel {
		c.fail("not a cancel request")
	}
	m.ProcessID = c.uint32()
	m.SecretKey = cancelKey(&c)
	return c.end("CancelRequest")
}

// Append appends the whole packet.
func (m *CancelRequest) Append(dst []byte) ([]byte, error) {
	if n := len(m.SecretKey); n < MinCancelKeyLength || n > MaxCancelKeyLength {
		return dst, fmt.Errorf("encode CancelRequest: %w: key of %d bytes", ErrMalformed, n)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(12+len(m.SecretKey)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(codeCancel))
	dst = binary.BigEndian.AppendUint32(dst, m.ProcessID)
	return append(dst, m.SecretKey...), nil
}

// cancelKey takes the rest of the body as a key.
func cancelKey(c *cursor) []byte {
	n := len(c.rest)
	if n < MinCancelKeyLength || n > MaxCancelKeyLength {
		c.fail("cancel key of a wrong size")
		return nil
	}
	return c.take(n)
}

// Get returns the value of a parameter, or "". Of repeated names the last counts,
// as for the server.
func (m *StartupMessage) Get(name string) string {
	for i := len(m.Params) - 1; i >= 0; i-- {
		if m.Params[i].Name == name {
			return m.Params[i].Value
		}
	}
	return ""
}

// Repeated returns the first name that occurs twice, or "". The server takes the
// last value; no known client sends one, so that a proxy may refuse it.
func (m *StartupMessage) Repeated() string {
	seen := make(map[string]bool, len(m.Params))
	for _, p := range m.Params {
		if seen[p.Name] {
			return p.Name
		}
		seen[p.Name] = true
	}
	return ""
}

// Decode reads the message's body, which begins with the version. It follows
// ProcessStartupPacket of the server (tcop/backend_startup.c): any 3.x is read, and
// the list must end exactly with the packet.
func (m *StartupMessage) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Version, m.Params = Version(c.uint32()), nil
	if c.bad == "" && m.Version.Major() != 3 {
		return fmt.Errorf("%w: %v", ErrUnsupportedVersion, m.Version)
	}
	for {
		name := c.string()
		if name == "" {
			break
		}
		m.Params = append(m.Params, Param{Name: name, Value: c.string()})
	}
	return c.end("StartupMessage")
}

// Append appends the whole packet.
func (m *StartupMessage) Append(dst []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(m.Version))
	for _, p := range m.Params {
		if p.Name == "" || strings.IndexByte(p.Name, 0) >= 0 || strings.IndexByte(p.Value, 0) >= 0 {
			return dst[:start], fmt.Errorf("encode StartupMessage: %w: parameter name or value", ErrMalformed)
		}
		dst = append(append(dst, p.Name...), 0)
		dst = append(append(dst, p.Value...), 0)
	}
	dst = append(dst, 0)
	size := len(dst) - start
	if size > MaxStartupPacketLength {
		return dst[:start], fmt.Errorf("encode StartupMessage: %w", ErrTooLarge)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(size))
	return dst, nil
}
