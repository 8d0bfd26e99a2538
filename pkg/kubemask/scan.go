package kubemask

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth is how deeply values may be nested. Kubernetes' own schemas stay far below.
const maxDepth = 1000

// stop is what a scan function returns instead of where a value ends: the text is malformed, or ends too early.
const stop = -1

// scanner reads one unit of an answer, which begins at b[0], and notes what may have to be hidden. Its functions take
// where something begins and return where it ends, or stop.
type scanner struct {
	m     *Masker
	b     []byte
	short bool   // the text ended
	why   string // what is wrong with it

	depth    int
	brackets [maxDepth + 1]byte // of skip
	scratch  []byte             // the last name that had escapes

	notes    int      // how many annotations the text is inside of
	inner    *scanner // of texts inside of this one
	obj      int      // the object at hand
	objs     []object
	hits     []hit
	unsorted bool
	top      bool // stop at the lists of the object at hand
	list     role // where a top scan stopped
}

func (s *scanner) fail(why string) int {
	if s.why == "" {
		s.why = why
	}
	return stop
}

func (s *scanner) cut() int {
	s.short = true
	return stop
}

// space skips white space. It stops if nothing follows.
func (s *scanner) space(i int) int {
	for ; i < len(s.b); i++ {
		if c := s.b[i]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return i
		}
	}
	return s.cut()
}

const (
	low  = 0x0101010101010101
	high = 0x8080808080808080
)

// special marks the bytes of w that end a string or are special in one. Only the lowest mark is right for certain.
func special(w uint64) uint64 {
	quote := w ^ low*'"'
	slash := w ^ low*'\\'
	return ((quote-low)&^quote | (slash-low)&^slash | (w-low*' ')&^w) & high
}

// text reads the rest of a string whose content begins at i, and returns where it ends, before the quote.
func (s *scanner) text(i int) (end int, escapes bool) {
	b := s.b
	for {
		for i+8 <= len(b) {
			if x := special(binary.LittleEndian.Uint64(b[i:])); x != 0 {
				i += bits.TrailingZeros64(x) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
			i++
		}
		switch {
		case i >= len(b):
			return s.cut(), false
		case b[i] == '"':
			return i, escapes
		case b[i] < ' ':
			return s.fail("a control character in a string"), false
		}
		escapes = true
		if i = s.escape(i + 1); i < 0 {
			return stop, false
		}
	}
}

// escape reads an escape from behind its backslash.
func (s *scanner) escape(i int) int {
	if i >= len(s.b) {
		return s.cut()
	}
	switch s.b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
	default:
		return s.fail("an unknown escape")
	}
	for range 4 {
		if i++; i >= len(s.b) {
			return s.cut()
		}
		if hexDigit(s.b[i]) < 0 {
			return s.fail("an unknown escape")
		}
	}
	return i + 1
}

func hexDigit(c byte) int {
	switch {
	case c-'0' < 10:
		return int(c - '0')
	case c|0x20-'a' < 6:
		return int(c|0x20-'a') + 10
	}
	return -1
}

// name reads a member's name, its colon and the space behind it. The name is valid until the next call.
func (s *scanner) name(i int) (name []byte, value int) {
	if s.b[i] != '"' {
		return nil, s.fail("no name of a member")
	}
	end, escapes := s.text(i + 1)
	if end < 0 {
		return nil, stop
	}
	name = s.b[i+1 : end]
	if escapes {
		s.scratch = appendUnescaped(s.scratch[:0], name)
		name = s.scratch
	}
	return name, s.colon(end + 1)
}

// colon reads what stands between a name and its value.
func (s *scanner) colon(i int) int {
	if i = s.space(i); i < 0 {
		return stop
	}
	if s.b[i] != ':' {
		return s.fail("no colon behind a name")
	}
	return s.space(i + 1)
}

// skip reads a whole value without looking at what it is.
func (s *scanner) skip(i int) int {
	open := 0
	for {
		var entered bool
		if i, entered = s.enter(i); i < 0 {
			return stop
		}
		if entered {
			s.brackets[open] = s.b[i-1]
			if open++; open+s.depth > maxDepth {
				return s.fail("nested too deeply")
			}
			if i = s.space(i); i < 0 {
				return stop
			}
			if s.b[i] != closing(s.brackets[open-1]) {
				if s.brackets[open-1] == '{' {
					i = s.skipName(i)
				}
				if i < 0 {
					return stop
				}
				continue
			}
			open--
			i++
		}
		var more bool
		if i, open, more = s.leave(i, open); i < 0 || !more {
			return i
		}
	}
}

// enter reads a scalar, or the opening bracket of a value.
func (s *scanner) enter(i int) (end int, entered bool) {
	switch s.b[i] {
	case '"':
		if end, _ = s.text(i + 1); end >= 0 {
			end++
		}
		return end, false
	case '{', '[':
		return i + 1, true
	}
	return s.scalar(i), false
}

// leave reads what follows a value, closing brackets too, up to where the next value begins.
func (s *scanner) leave(i, open int) (next, stillOpen int, more bool) {
	for open > 0 {
		if i = s.space(i); i < 0 {
			return stop, open, false
		}
		inObject := s.brackets[open-1] == '{'
		switch c := s.b[i]; {
		case c == ',':
			if i = s.space(i + 1); i >= 0 && inObject {
				i = s.skipName(i)
			}
			return i, open, true
		case c == closing(s.brackets[open-1]):
			i++
			open--
		default:
			return s.fail("no comma behind a value"), open, false
		}
	}
	return i, open, false
}

func closing(c byte) byte { return c + 2 } // { } and [ ] are two apart

func (s *scanner) skipName(i int) int {
	if s.b[i] != '"' {
		return s.fail("no name of a member")
	}
	end, _ := s.text(i + 1)
	if end < 0 {
		return stop
	}
	return s.colon(end + 1)
}

// scalar reads a literal or a number.
func (s *scanner) scalar(i int) int {
	switch s.b[i] {
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	}
	return s.number(i)
}

func (s *scanner) literal(i int, want string) int {
	n := min(len(s.b)-i, len(want))
	if string(s.b[i:i+n]) != want[:n] {
		return s.fail("an unknown literal")
	}
	if n < len(want) {
		return s.cut()
	}
	return i + n
}

// number reads a number (RFC 8259, section 6). One at the end of the text is cut, as more of it may come.
func (s *scanner) number(i int) int {
	if s.b[i] == '-' {
		i++
	}
	from := i
	if i = s.digits(i); i < 0 {
		return stop
	}
	if s.b[from] == '0' && i > from+1 {
		return s.fail("a number with a leading zero")
	}
	if s.b[i] == '.' {
		if i = s.digits(i + 1); i < 0 {
			return stop
		}
	}
	if s.b[i]|0x20 == 'e' {
		if i++; i < len(s.b) && (s.b[i] == '+' || s.b[i] == '-') {
			i++
		}
		i = s.digits(i)
	}
	return i
}

// digits reads one digit or more, and what follows them is there.
func (s *scanner) digits(i int) int {
	from := i
	for i < len(s.b) && s.b[i]-'0' < 10 {
		i++
	}
	switch {
	case i >= len(s.b):
		return s.cut()
	case i == from:
		return s.fail("no value")
	}
	return i
}
