package wsframe

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Writer writes frames, each whole and with one call of the underlying Write. It is for one goroutine.
type Writer struct {
	w    io.Writer
	rand io.Reader // nil for a server
	key  [4]byte
}

// NewServerWriter returns a Writer of what a server sends.
func NewServerWriter(w io.Writer) *Writer { return &Writer{w: w} }

// NewClientWriter returns a Writer of what a client sends, with masking keys from rand.
func NewClientWriter(w io.Writer, rand io.Reader) *Writer { return &Writer{w: w, rand: rand} }

// Room is how many bytes a frame's header takes at most.
const Room = 14

// Write writes one unfragmented frame, whose payload is head and then body. It is put together in buf, when that has
// room for it and for a header; neither head nor body is changed.
func (w *Writer) Write(buf []byte, op Op, head, body []byte) error {
	size := len(head) + len(body)
	if size > MaxData || op.control() && size > maxControl {
		return fmt.Errorf("a payload of %d bytes is too long for a frame", size)
	}
	b := w.appendSize(append(buf[:0], finBit|byte(op)), size)
	if w.rand != nil {
		if _, err := io.ReadFull(w.rand, w.key[:]); err != nil {
			return fmt.Errorf("make a masking key: %w", err)
		}
		b = append(b, w.key[:]...)
	}
	start := len(b)
	b = append(append(b, head...), body...)
	if w.rand != nil {
		mask(b[start:], w.key, 0)
	}
	_, err := w.w.Write(b)
	return err
}

// WriteClose writes a Close; NoCode stands for none.
func (w *Writer) WriteClose(code int, reason []byte) error {
	if code == NoCode {
		return w.Write(nil, Close, nil, nil)
	}
	return w.Write(nil, Close, binary.BigEndian.AppendUint16(nil, uint16(code)), reason)
}

func (w *Writer) appendSize(b []byte, size int) []byte {
	var masked byte
	if w.rand != nil {
		masked = maskBit
	}
	switch {
	case size <= maxControl:
		return append(b, masked|byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, masked|126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(b, masked|127), uint64(size))
}

func xor8(p []byte, key [8]byte) {
	binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^binary.LittleEndian.Uint64(key[:]))
}
