// Package wsframe reads and writes WebSocket frames (RFC 6455, section 5): bytes and io in, frames out. It holds no
// payload but those of control frames, and refuses what the RFC says fails the connection.
package wsframe

import (
	"errors"
	"fmt"
)

// ErrProtocol says that the peer broke RFC 6455, or this package's limits. The connection is of no further use.
var ErrProtocol = errors.New("WebSocket protocol broken")

func broken(why string) error { return fmt.Errorf("%w: %s", ErrProtocol, why) }

// MaxData is the longest payload of a data frame, in bytes: the limit of golang.org/x/net/websocket, with which the API
// server reads.
const MaxData = 32 << 20

// maxControl is the longest payload of a control frame (section 5.5).
const maxControl = 125

// Op says what a frame is (section 11.8).
type Op byte

// The kinds of frames. A continuation is told as what it continues.
const (
	continuation Op = 0x0
	Text         Op = 0x1
	Binary       Op = 0x2
	Close        Op = 0x8
	Ping         Op = 0x9
	Pong         Op = 0xA
)

func (o Op) control() bool { return o&0x8 != 0 }

// Codes of a Close (section 7.4.1).
const (
	Normal          = 1000
	ProtocolBroken  = 1002
	NoCode          = 1005 // never sent: the Close had none
	PolicyViolation = 1008
	InternalError   = 1011
)

const (
	finBit  = 0x80
	maskBit = 0x80
)

// mask applies a masking key, of which offset bytes are used up, to p (section 5.3).
func mask(p []byte, key [4]byte, offset int) {
	var wide [8]byte
	for i := range wide {
		wide[i] = key[(offset+i)&3]
	}
	for len(p) >= len(wide) {
		xor8(p, wide)
		p = p[len(wide):]
	}
	for i := range p {
		p[i] ^= wide[i]
	}
}
