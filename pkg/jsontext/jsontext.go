// Package jsontext finds where the values of a text in JSON (RFC 8259) begin and end, and holds them to its grammar. It allocates nothing, and does
// not look at how values are put together: its callers do. Whether strings are UTF-8 is theirs too.
package jsontext

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// Text is a text in JSON. Its methods take where something begins and return where it ends, or Stop when it is malformed.
type Text []byte

// Stop is where nothing ends.
const Stop = -1

// Space passes over white space.
func (b Text) Space(i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// ends marks quotes, backslashes and control characters in eight bytes; the lowest mark is exact.
func ends(w uint64) uint64 {
	quote, slash := w^ones*'"', w^ones*'\\'
	return ((quote-ones) & ^quote | (slash-ones) & ^slash | (w-ones*' ') & ^w) & tops
}

// Quoted reads a string from its opening quote on; plain says that it has no escapes.
func (b Text) Quoted(i int) (end int, plain bool) {
	plain = true
	for i++; i < len(b); {
		for i+8 <= len(b) {
			if x := ends(binary.LittleEndian.Uint64(b[i:])); x != 0 {
				i += bits.TrailingZeros64(x) >> 3
				break
			}
			i += 8
		}
		if i == len(b) {
			break
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, plain
		case c == '\\':
			plain = false
			if i = b.escape(i + 1); i < 0 {
				return Stop, false
			}
		case c < ' ':
			return Stop, false
		default:
			i++
		}
	}
	return Stop, false
}

// escape reads an escape from behind its backslash.
func (b Text) escape(i int) int {
	if i >= len(b) {
		return Stop
	}
	if b[i] != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), b[i]) < 0 {
			return Stop
		}
		return i + 1
	}
	if i+4 >= len(b) {
		return Stop
	}
	for _, c := range b[i+1 : i+5] {
		if c-'0' > 9 && c|0x20-'a' > 5 {
			return Stop
		}
	}
	return i + 5
}

// Scalar reads a literal or number.
func (b Text) Scalar(i int) int {
	end := i
	for end < len(b) && bytes.IndexByte([]byte(" \t\r\n,]}"), b[end]) < 0 {
		end++
	}
	switch string(b[i:end]) {
	case "true", "false", "null":
		return end
	}
	if !number(b[i:end]) {
		return Stop
	}
	return end
}

// number tells whether b is a number of JSON (RFC 8259, section 6).
func number(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("-"))
	whole := digits(b)
	if whole == 0 || whole > 1 && b[0] == '0' {
		return false
	}
	b = b[whole:]
	if len(b) > 0 && b[0] == '.' {
		n := digits(b[1:])
		if n == 0 {
			return false
		}
		b = b[1+n:]
	}
	if len(b) > 0 && b[0]|0x20 == 'e' {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		n := digits(b)
		return n > 0 && n == len(b)
	}
	return len(b) == 0
}

func digits(b []byte) (n int) {
	for n < len(b) && b[n]-'0' <= 9 {
		n++
	}
	return n
}
