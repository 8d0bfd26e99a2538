package pgwire

import (
	"bytes"
	"encoding/binary"
)

// cursor walks a message's body. The first failure sticks, later reads return
// zeros, so that a decoder checks once at its end.
type cursor struct {
	rest []byte
	bad  string // what is wrong; empty while all is well
}

func (c *cursor) fail(what string) {
	if c.bad == "" {
		c.bad = what
	}
	c.rest = nil
}

// take returns the next n bytes, aliasing the body.
func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.fail("body too short")
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) uint8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// text returns the bytes up to the next NUL, which it steps over.
func (c *cursor) text() []byte {
	i := bytes.IndexByte(c.rest, 0)
	if i < 0 {
		c.fail("string without end")
		return nil
	}
	b := c.rest[:i:i]
	c.rest = c.rest[i+1:]
	return b
}

func (c *cursor) string() string { return string(c.text()) }

// value returns a counted value: a signed 32-bit size and so many bytes, or nil for
// the size -1, which stands for NULL. An empty value is not nil.
func (c *cursor) value() []byte {
	size := int32(c.uint32())
	switch {
	case size == -1 && c.bad == "":
		return nil
	case size < 0:
		c.fail("negative value size")
		return nil
	}
	return c.take(int(size))
}

// count returns a 16-bit count whose elements take at least size bytes each, so
// that a body cannot make a decoder reserve more than its own length allows.
func (c *cursor) count(size int) int {
	n := int(c.uint16())
	if n*size > len(c.rest) {
		c.fail("count exceeds the body")
		return 0
	}
	return n
}

// formats appends a counted list of format codes, each 0 (text) or 1 (binary).
func (c *cursor) formats(dst []Format) []Format {
	for range c.count(2) {
		dst = append(dst, c.format())
	}
	return dst
}

func (c *cursor) format() Format {
	f := Format(c.uint16())
	if f > FormatBinary {
		c.fail("unknown format code")
	}
	return f
}

func (c *cursor) oids(dst []uint32) []uint32 {
	for range c.count(4) {
		dst = append(dst, c.uint32())
	}
	return dst
}

// end reports what was wrong, trailing bytes included.
func (c *cursor) end(message string) error {
	if c.bad == "" && len(c.rest) > 0 {
		c.bad = "trailing bytes"
	}
	if c.bad != "" {
		return malformed(message, c.bad)
	}
	return nil
}
