package spdyframe

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/moby/spdystream/spdy"
)

// Reader reads the frames of one peer. It is for one goroutine.
type Reader struct {
	r       *bufio.Reader
	left    int // of the current payload
	control bytes.Reader
	framer  *spdy.Framer // of a server: it decompresses what clients send
}

// NewServerReader returns a Reader of what a client sends.
func NewServerReader(r *bufio.Reader) (*Reader, error) {
	s := &Reader{r: r}
	framer, err := spdy.NewFramerWithOptions(io.Discard, &s.control,
		spdy.WithMaxControlFramePayloadSize(maxControl), spdy.WithMaxHeaderCount(maxHeaders), spdy.WithMaxHeaderFieldSize(maxHeaderField))
	if err != nil {
		return nil, fmt.Errorf("make a decompressor of headers: %w", err)
	}
	s.framer = framer
	return s, nil
}

// NewClientReader returns a Reader of what a server sends. A server may not open streams; the headers of its replies are
// not looked at.
func NewClientReader(r *bufio.Reader) *Reader { return &Reader{r: r} }

// Next returns the next frame, without what was left of the one before. It returns io.EOF only between frames, and
// ErrProtocol for everything that breaks the protocol.
func (r *Reader) Next() (Frame, error) {
	for {
		if err := r.skip(); err != nil {
			return Frame{}, err
		}
		head, err := r.r.Peek(frameHeader)
		if err != nil {
			if len(head) > 0 {
				err = cutShort(err)
			}
			return Frame{}, err
		}
		word, second := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
		flags, size := byte(second>>24), int(second&lengthMask)
		if word&controlBit == 0 {
			return r.begin(word, flags, size)
		}
		f, err := r.readControl(word, flags, size)
		if err != nil || f.Kind != 0 {
			return f, err
		}
	}
}

func (r *Reader) skip() error {
	for r.left > 0 {
		n, err := r.r.Discard(r.left)
		r.left -= n
		if err != nil {
			return cutShort(err)
		}
	}
	return nil
}

func (r *Reader) begin(stream uint32, flags byte, size int) (Frame, error) {
	if stream == 0 || flags&^flagFin != 0 {
		return Frame{}, broken("a malformed data frame")
	}
	if _, err := r.r.Discard(frameHeader); err != nil {
		return Frame{}, cutShort(err)
	}
	r.left = size
	return Frame{Kind: Data, Stream: stream, Fin: flags&flagFin != 0, Size: size}, nil
}

// readControl reads a control frame. One that is passed over has Kind 0.
func (r *Reader) readControl(word uint32, flags byte, size int) (Frame, error) {
	if word&^controlBit>>16 != version {
		return Frame{}, broken("another version")
	}
	if size > maxControl {
		return Frame{}, broken("a long control frame")
	}
	raw := make([]byte, frameHeader+size)
	if _, err := io.ReadFull(r.r, raw); err != nil {
		return Frame{}, cutShort(err)
	}
	switch kind := word & 0xFFFF; kind {
	case typeOpen:
		return r.readOpen(raw, flags)
	case typeReply:
		if size < 4 || flags&^flagFin != 0 {
			return Frame{}, broken("a malformed reply")
		}
		return checkStream(Frame{Kind: Reply, Stream: id(raw[frameHeader:]), Fin: flags&flagFin != 0})
	case typeReset, typePing, typeGoAway, typeWindowUpdate:
		return readShort(kind, raw[frameHeader:], flags)
	case typeSettings:
		return Frame{}, nil
	case typeHeaders:
		return Frame{}, broken("headers in mid-stream")
	}
	return Frame{}, broken("an unknown kind of frame")
}

// readShort reads control frames of fixed length.
func readShort(kind uint32, p []byte, flags byte) (Frame, error) {
	want := 8
	if kind == typePing {
		want = 4
	}
	if len(p) != want || flags != 0 {
		return Frame{}, broken("a malformed control frame")
	}
	switch kind {
	case typePing:
		return Frame{Kind: Ping, Code: binary.BigEndian.Uint32(p)}, nil
	case typeGoAway:
		return Frame{Kind: GoAway, Stream: id(p), Code: binary.BigEndian.Uint32(p[4:])}, nil
	case typeReset:
		return checkStream(Frame{Kind: Reset, Stream: id(p), Code: binary.BigEndian.Uint32(p[4:])})
	}
	return Frame{}, nil
}

func (r *Reader) readOpen(raw []byte, flags byte) (Frame, error) {
	switch {
	case r.framer == nil:
		return Frame{}, broken("a server opens a stream")
	case len(raw) < frameHeader+openFixed || flags&^(flagFin|flagOneWay) != 0:
		return Frame{}, broken("a malformed stream")
	case flags&flagOneWay != 0 || id(raw[frameHeader+4:]) != 0:
		return Frame{}, broken("a stream of a kind that is not used")
	}
	r.control.Reset(raw)
	parsed, err := r.framer.ReadFrame()
	if err != nil {
		return Frame{}, broken("malformed headers of a stream")
	}
	open, ok := parsed.(*spdy.SynStreamFrame)
	if !ok || r.control.Len() != 0 {
		return Frame{}, broken("more than the headers of a stream")
	}
	return checkStream(Frame{Kind: Open, Stream: uint32(open.StreamId), Fin: flags&flagFin != 0, Header: open.Headers})
}

func checkStream(f Frame) (Frame, error) {
	if f.Stream == 0 {
		return Frame{}, broken("stream zero")
	}
	return f, nil
}

func id(p []byte) uint32 { return binary.BigEndian.Uint32(p) & maxID }

// Read reads the payload of the current Data frame. It returns io.EOF at its end.
func (r *Reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	if n > 0 {
		err = nil
	}
	return n, cutShort(err)
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
