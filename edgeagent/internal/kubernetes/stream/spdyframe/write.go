package spdyframe

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Writer writes frames, each whole and with one call of the underlying Write. It is for one goroutine.
//
// Headers go out uncompressed: as stored blocks of one zlib stream without the dictionary, which every inflater reads.
// A compressor would take most of a megabyte for each connection, to save some tens of bytes.
type Writer struct {
	w       io.Writer
	started bool // the zlib stream has its header
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Room is how many bytes a Data frame's header takes.
const Room = frameHeader

// Data writes p, of at most 16 MiB - 1 byte, and with fin the end of what is sent on the stream. It is put together in
// buf, when that has room for it and for a header.
func (w *Writer) Data(buf []byte, stream uint32, p []byte, fin bool) error {
	if len(p) > int(lengthMask) {
		return fmt.Errorf("a payload of %d bytes is too long for a frame", len(p))
	}
	b := binary.BigEndian.AppendUint32(buf[:0], stream&maxID)
	b = binary.BigEndian.AppendUint32(b, flagIf(fin)<<24|uint32(len(p)))
	return w.write(append(b, p...))
}

// Header is a name and a value of an Open. Names are in lower case.
type Header struct{ Name, Value string }

// Open opens a stream.
func (w *Writer) Open(stream uint32, headers ...Header) error {
	fixed := binary.BigEndian.AppendUint32(nil, stream&maxID)
	fixed = append(fixed, 0, 0, 0, 0, 0, 0) // no parent, highest priority, no slot
	return w.control(typeOpen, append(fixed, w.headerBlock(headers)...))
}

// Reply takes a stream that the peer has opened.
func (w *Writer) Reply(stream uint32) error {
	return w.control(typeReply, append(binary.BigEndian.AppendUint32(nil, stream&maxID), w.headerBlock(nil)...))
}

// Reset ends a stream in both directions. A code of 0, which the protocol does not have, is sent as Cancel.
func (w *Writer) Reset(stream, code uint32) error {
	if code == 0 {
		code = Cancel
	}
	return w.control(typeReset, pair(stream, code))
}

// Ping writes a ping or answers one.
func (w *Writer) Ping(number uint32) error {
	return w.control(typePing, binary.BigEndian.AppendUint32(nil, number))
}

// GoAway says that no stream after last was taken, and none will be.
func (w *Writer) GoAway(last, code uint32) error { return w.control(typeGoAway, pair(last, code)) }

func pair(stream, code uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, stream&maxID), code)
}

func (w *Writer) control(kind uint32, payload []byte) error {
	b := binary.BigEndian.AppendUint32(nil, controlBit|version<<16|kind)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return w.write(append(b, payload...))
}

func (w *Writer) write(b []byte) error {
	_, err := w.w.Write(b)
	return err
}

// headerBlock returns a name/value block (section 2.6.10) as a stored block of deflate (RFC 1951, section 3.2.4) and an
// empty one, at which an inflater gives out what it has.
func (w *Writer) headerBlock(headers []Header) []byte {
	plain := binary.BigEndian.AppendUint32(nil, uint32(len(headers)))
	for _, h := range headers {
		for _, s := range []string{strings.ToLower(h.Name), h.Value} {
			plain = append(binary.BigEndian.AppendUint32(plain, uint32(len(s))), s...)
		}
	}
	var b []byte
	if !w.started {
		w.started = true
		b = []byte{0x78, 0x01} // deflate with a window of 32 KiB, no dictionary (RFC 1950, section 2.2)
	}
	for part := range slices.Chunk(plain, 1<<15) {
		b = appendStored(b, part)
	}
	return appendStored(b, nil)
}

func appendStored(b, p []byte) []byte {
	b = binary.LittleEndian.AppendUint16(append(b, 0), uint16(len(p)))
	return append(binary.LittleEndian.AppendUint16(b, ^uint16(len(p))), p...)
}

func flagIf(fin bool) uint32 {
	if fin {
		return flagFin
	}
	return 0
}
