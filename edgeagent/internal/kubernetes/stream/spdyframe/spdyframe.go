// Package spdyframe reads and writes the frames of SPDY/3.1 that Kubernetes uses for streams: bytes and io in, frames
// out. Payloads are read as they come, so that a frame of 16 MiB takes no more memory than a short one. As in the
// implementation that kubectl and the kubelet use, there is no flow control: windows are ignored.
package spdyframe

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrProtocol says that the peer broke SPDY/3.1, or this package's limits. The connection is of no further use.
var ErrProtocol = errors.New("SPDY protocol broken")

func broken(why string) error { return fmt.Errorf("%w: %s", ErrProtocol, why) }

// Kind says what a frame is.
type Kind uint8

// The kinds of frames (SPDY/3.1, section 2.6). SETTINGS and WINDOW_UPDATE are passed over; HEADERS is refused.
const (
	Data  Kind = iota + 1
	Open       // SYN_STREAM
	Reply      // SYN_REPLY
	Reset      // RST_STREAM
	Ping
	GoAway
)

// Frame is one frame. The payload of a Data frame is read with [Reader.Read].
type Frame struct {
	Kind Kind
	// Stream is the stream's number; for GoAway the last that the peer took.
	Stream uint32
	// Fin says that the peer sends nothing more on the stream.
	Fin bool
	// Header is that of an Open: names in canonical form. What a name stands for more than once has several values.
	Header http.Header
	// Code is the status of a Reset or GoAway, and the number of a Ping.
	Code uint32
	// Size is the length of a Data frame's payload, in bytes.
	Size int
}

// Status codes of a Reset (section 2.6.3).
const (
	ProtocolError = 1
	InvalidStream = 2
	RefusedStream = 3
	Cancel        = 5
	InternalError = 6
)

// Status codes of a GoAway (section 2.6.6).
const (
	GoAwayOK       = 0
	GoAwayProtocol = 1
)

// Limits of what is read.
const (
	maxControl     = 16 << 10 // bytes of a control frame
	maxHeaders     = 16       // names and values in one frame
	maxHeaderField = 1 << 10  // bytes of a name or value
)

const (
	version                 = 3
	maxID                   = 1<<31 - 1
	flagFin                 = 0x1
	flagOneWay              = 0x2
	typeOpen                = 1
	typeReply               = 2
	typeReset               = 3
	typeSettings            = 4
	typePing                = 6
	typeGoAway              = 7
	typeHeaders             = 8
	typeWindowUpdate        = 9
	frameHeader             = 8
	openFixed               = 10
	controlBit              = 1 << 31
	lengthMask       uint32 = 1<<24 - 1
)
