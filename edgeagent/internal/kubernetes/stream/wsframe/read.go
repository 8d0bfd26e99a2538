package wsframe

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"
)

// Frame is one frame. The payload of a Binary frame is read with [Reader.Read].
type Frame struct {
	Op Op
	// First and Last say whether a Binary frame begins and ends its message.
	First, Last bool
	// Size is the length of a Binary frame's payload, in bytes.
	Size int
	// Payload is that of a Ping or Pong, and the reason of a Close. It is valid until the next call.
	Payload []byte
	// Code is that of a Close; NoCode when there was none.
	Code int
}

// Reader reads the frames of one peer. It is for one goroutine.
type Reader struct {
	r       *bufio.Reader
	masked  bool
	within  bool // a message that has begun and not ended
	left    int  // of the current payload
	key     [4]byte
	offset  int
	control [maxControl]byte
}

// NewServerReader returns a Reader of what a client sends, whose frames must be masked.
func NewServerReader(r *bufio.Reader) *Reader { return &Reader{r: r, masked: true} }

// NewClientReader returns a Reader of what a server sends, whose frames must not be masked.
func NewClientReader(r *bufio.Reader) *Reader { return &Reader{r: r} }

// Next returns the next frame, without what was left of the one before. It returns io.EOF only between frames, and
// ErrProtocol for text and for everything that breaks the protocol.
func (r *Reader) Next() (Frame, error) {
	for r.left > 0 {
		n, err := r.r.Discard(r.left)
		r.left -= n
		if err != nil {
			return Frame{}, cutShort(err)
		}
	}
	first, err := r.r.ReadByte()
	if err != nil {
		return Frame{}, err
	}
	if first&0x70 != 0 {
		return Frame{}, broken("a reserved bit is set")
	}
	op, last := Op(first&0x0F), first&finBit != 0
	size, err := r.readSize(op)
	if err != nil {
		return Frame{}, err
	}
	if op.control() {
		return r.readControl(op, last, size)
	}
	return r.begin(op, last, size)
}

// begin checks a data frame against the message it belongs to (section 5.4).
func (r *Reader) begin(op Op, last bool, size int) (Frame, error) {
	f := Frame{Op: Binary, First: op != continuation, Last: last, Size: size}
	switch {
	case op == Text:
		return Frame{}, broken("text")
	case op != Binary && op != continuation:
		return Frame{}, broken("an unknown kind of frame")
	case f.First == r.within:
		return Frame{}, broken("fragments out of order")
	}
	r.within = !last
	r.left, r.offset = size, 0
	return f, nil
}

// readSize reads the rest of a header: the payload's length, in the shortest form, and the masking key.
func (r *Reader) readSize(op Op) (int, error) {
	second, err := r.r.ReadByte()
	if err != nil {
		return 0, cutShort(err)
	}
	if (second&maskBit != 0) != r.masked {
		return 0, broken("masked where it must not be, or the reverse")
	}
	size := uint64(second &^ maskBit)
	if op.control() && size > maxControl {
		return 0, broken("a long control frame")
	}
	if size > maxControl {
		if size, err = r.readLongSize(size); err != nil {
			return 0, err
		}
	}
	if r.masked {
		if _, err := io.ReadFull(r.r, r.key[:]); err != nil {
			return 0, cutShort(err)
		}
	}
	return int(size), nil
}

func (r *Reader) readLongSize(short uint64) (uint64, error) {
	var b [8]byte
	wide, least := b[6:], uint64(maxControl+1)
	if short == 127 {
		wide, least = b[:], 1<<16
	}
	if _, err := io.ReadFull(r.r, wide); err != nil {
		return 0, cutShort(err)
	}
	size := binary.BigEndian.Uint64(b[:])
	switch {
	case size < least:
		return 0, broken("a length that is not in its shortest form")
	case size > MaxData:
		return 0, broken("a frame that is too long")
	}
	return size, nil
}

func (r *Reader) readControl(op Op, last bool, size int) (Frame, error) {
	if !last || op > Pong {
		return Frame{}, broken("a control frame in fragments, or an unknown one")
	}
	p := r.control[:size]
	if _, err := io.ReadFull(r.r, p); err != nil {
		return Frame{}, cutShort(err)
	}
	if r.masked {
		mask(p, r.key, 0)
	}
	f := Frame{Op: op, First: true, Last: true, Payload: p}
	if op != Close {
		return f, nil
	}
	f.Code = NoCode
	if size > 0 {
		if size < 2 || !validCode(int(binary.BigEndian.Uint16(p))) || !utf8.Valid(p[2:]) {
			return Frame{}, broken("a malformed close")
		}
		f.Code, f.Payload = int(binary.BigEndian.Uint16(p)), p[2:]
	}
	return f, nil
}

// validCode reports codes that may be sent (section 7.4).
func validCode(code int) bool {
	switch {
	case code == 1004 || code == NoCode || code == 1006 || code == 1015:
		return false
	case code >= 1000 && code <= 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}

// Read reads the payload of the current Binary frame. It returns io.EOF at its end.
func (r *Reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	if r.masked {
		mask(p[:n], r.key, r.offset)
		r.offset = (r.offset + n) & 3
	}
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
