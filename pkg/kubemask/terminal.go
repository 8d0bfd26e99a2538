package kubemask

import (
	"bytes"
	"errors"

	"github.com/writhq/writ/pkg/mask"
)

// maxHeld is the longest word or secret that a terminal waits for the end of.
const maxHeld = 64 << 10

// Terminal masks what a terminal shows. It keeps back only what may be the beginning of something to hide, mostly the
// last word; Flush lets that go, when nothing has come for a while. Something that comes with longer pauses in it is
// not recognised. Colours and other control sequences may stand inside of what is hidden. Not safe for concurrent use.
type Terminal struct {
	det   *mask.Detector
	text  []byte // what came, without control sequences
	codes []code
	bytes []byte // of codes, one behind the other
	open  []byte // a control sequence that has not ended
	hits  []mask.Hit
	drop  func(byte) bool // what goes on being dropped, after a hit that had to be let go before its end
}

// code is control sequences of n bytes that stand before text[at].
type code struct{ at, n int }

// NewTerminal returns a terminal. det is required.
func NewTerminal(det *mask.Detector) (*Terminal, error) {
	if det == nil {
		return nil, errors.New("kubemask: a terminal without a detector")
	}
	return &Terminal{det: det}, nil
}

// Write takes a chunk, cut anywhere, and appends what is certain by now to dst. A word of over 64 KiB is hidden.
func (t *Terminal) Write(dst, chunk []byte) []byte {
	for len(chunk) > 0 {
		if n := t.plain(chunk); n > 0 {
			t.text = append(t.text, chunk[:n]...)
			chunk = chunk[n:]
			continue
		}
		t.take(chunk[0])
		chunk = chunk[1:]
	}
	t.hits = t.det.Scan(t.hits[:0], t.text)
	n := t.det.Settled(t.text, t.hits)
	if len(t.text)-n > maxHeld {
		return t.hideRest(dst, n)
	}
	return t.release(dst, n)
}

// plain returns how much of a chunk is text without control sequences.
func (t *Terminal) plain(chunk []byte) int {
	if len(t.open) > 0 || t.drop != nil {
		return 0
	}
	if n := bytes.IndexByte(chunk, esc); n >= 0 {
		return n
	}
	return len(chunk)
}

// Held returns how many bytes are kept back, which Flush would let go.
func (t *Terminal) Held() int { return len(t.text) + len(t.bytes) + len(t.open) }

// Flush appends all that was kept back to dst, masked. A private key that has not ended stays hidden up to its end.
func (t *Terminal) Flush(dst []byte) []byte {
	t.hits = t.det.Scan(t.hits[:0], t.text)
	if n := len(t.hits); n > 0 && t.hits[n-1].Class == mask.PEM && t.hits[n-1].End == len(t.text) {
		t.drop = isKeyBody
	}
	dst = append(t.release(dst, len(t.text)), t.open...)
	t.open = t.open[:0]
	return dst
}

// hideRest hides what is too long, and what follows of it.
func (t *Terminal) hideRest(dst []byte, n int) []byte {
	t.drop = isLong
	if h := t.hits; len(h) > 0 && h[len(h)-1].Class == mask.PEM {
		t.drop = isKeyBody
	}
	dst = append(t.release(dst, n), mask.Redacted...)
	t.hits = t.hits[:0]
	t.text = t.text[:0]
	return t.release(dst, 0)
}

// release appends text[:n], in which hits lie, with the control sequences in it; those in a hit come behind it.
func (t *Terminal) release(dst []byte, n int) []byte {
	at, codes, seq := 0, t.codes, t.bytes
	upTo := func(end int, show bool) {
		for len(codes) > 0 && codes[0].at <= end {
			if show {
				dst = append(dst, t.text[at:codes[0].at]...)
				at = codes[0].at
			}
			dst = append(dst, seq[:codes[0].n]...)
			codes, seq = codes[1:], seq[codes[0].n:]
		}
		if show {
			dst = append(dst, t.text[at:end]...)
		}
		at = end
	}
	for _, h := range t.hits {
		if h.End > n {
			break
		}
		upTo(h.Start, true)
		dst = t.det.AppendHit(dst, t.text, h)
		upTo(h.End, false)
	}
	upTo(n, true)
	t.text = t.text[:copy(t.text, t.text[n:])]
	t.codes = t.codes[:copy(t.codes, codes)]
	t.bytes = t.bytes[:copy(t.bytes, seq)]
	for i := range t.codes {
		t.codes[i].at -= n
	}
	return dst
}

// take sorts a byte to the text or to a control sequence.
func (t *Terminal) take(c byte) {
	if len(t.open) == 0 && c != esc {
		if t.drop != nil && t.drop(c) {
			return
		}
		t.drop = nil
		t.text = append(t.text, c)
		return
	}
	t.open = append(t.open, c)
	switch ends, is := sequence(t.open); {
	case !is && c == esc:
		t.text = append(t.text, t.open[:len(t.open)-1]...)
		t.open = append(t.open[:0], esc)
	case !is:
		t.text = append(t.text, t.open...)
		t.open = t.open[:0]
	case ends:
		t.bytes = append(t.bytes, t.open...)
		if last := len(t.codes) - 1; last >= 0 && t.codes[last].at == len(t.text) {
			t.codes[last].n += len(t.open)
		} else {
			t.codes = append(t.codes, code{at: len(t.text), n: len(t.open)})
		}
		t.open = t.open[:0]
	}
}

const (
	esc = 0x1b
	// maxSequence and maxParameter keep a text from passing for a control sequence.
	maxSequence  = 32
	maxParameter = 5
)

// sequence tells whether b, which begins with ESC, is or may become a control sequence that shows no text (ECMA-48,
// 5.4), and whether it is one.
func sequence(b []byte) (ends, is bool) {
	switch {
	case len(b) == 1:
		return false, true
	case len(b) > maxSequence:
		return false, false
	case b[1] != '[':
		return len(b) == 2 && b[1] >= 0x30 && b[1] < 0x7f || len(b) == 3, b[1] >= 0x20 && b[1] < 0x7f
	}
	digits := 0
	for i, c := range b[2:] {
		switch {
		case c-'0' < 10:
			if digits++; digits > maxParameter {
				return false, false
			}
		case c >= 0x40 && c < 0x7f:
			return true, i == len(b)-3
		case c < 0x20 || c >= 0x7f:
			return false, false
		default:
			digits = 0
		}
	}
	return false, true
}

func isKeyBody(c byte) bool {
	return c-'0' < 10 || c|0x20-'a' < 26 || c == '+' || c == '/' || c == '=' || c == '\r' || c == '\n'
}

// isLong tells whether a byte belongs to a long word.
func isLong(c byte) bool {
	return c > ' ' && c != '"' && c != '\'' && c != ',' && c != 0x7f
}
