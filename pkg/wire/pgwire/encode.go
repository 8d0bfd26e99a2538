package pgwire

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Format is how a value is written.
type Format uint16

// The two formats of the protocol.
const (
	FormatText   Format = 0
	FormatBinary Format = 1
)

// encoder appends one frame to a slice. The first failure sticks and the slice
// comes back without the frame.
type encoder struct {
	buf   []byte
	start int // of the frame in buf
	name  string
	bad   string
	large bool // something did not fit and was left out
}

func begin(dst []byte, typ byte, name string) encoder {
	return encoder{buf: append(dst, typ, 0, 0, 0, 0), start: len(dst), name: name}
}

func (e *encoder) uint8(v byte)    { e.buf = append(e.buf, v) }
func (e *encoder) uint16(v uint16) { e.buf = binary.BigEndian.AppendUint16(e.buf, v) }
func (e *encoder) uint32(v uint32) { e.buf = binary.BigEndian.AppendUint32(e.buf, v) }

// fits checks before anything is copied: a length that no longer fits its 32 bits is
// how one message becomes two (CVE-2024-27304).
func (e *encoder) fits(n int) bool {
	if n > LargeMessageLimit-(len(e.buf)-e.start) {
		e.large = true
	}
	return !e.large
}

func (e *encoder) bytes(b []byte) {
	if e.fits(len(b)) {
		e.buf = append(e.buf, b...)
	}
}

func (e *encoder) string(s string) {
	if strings.IndexByte(s, 0) >= 0 {
		e.bad = "a string contains a NUL byte"
	}
	if e.fits(len(s)) {
		e.buf = append(append(e.buf, s...), 0)
	}
}

func (e *encoder) count(n int) {
	if n > 65535 {
		e.bad = "more than 65535 elements"
	}
	e.uint16(uint16(n))
}

func (e *encoder) value(v []byte) {
	if v == nil {
		e.uint32(^uint32(0))
		return
	}
	e.uint32(uint32(len(v)))
	e.bytes(v)
}

func (e *encoder) formats(list []Format) {
	e.count(len(list))
	for _, f := range list {
		e.uint16(uint16(f))
	}
}

func (e *encoder) oids(list []uint32) {
	e.count(len(list))
	for _, oid := range list {
		e.uint32(oid)
	}
}

// end writes the frame's length.
func (e *encoder) end() ([]byte, error) {
	size := len(e.buf) - e.start - 1
	if e.bad != "" {
		return e.buf[:e.start], fmt.Errorf("encode %s: %w: %s", e.name, ErrMalformed, e.bad)
	}
	if e.large || size > LargeMessageLimit {
		return e.buf[:e.start], fmt.Errorf("encode %s: %w", e.name, ErrTooLarge)
	}
	binary.BigEndian.PutUint32(e.buf[e.start+1:], uint32(size))
	return e.buf, nil
}
