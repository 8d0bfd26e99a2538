package replay

import (
	"io"
	"strings"
	"unicode/utf8"
)

// screen shows on a person's terminal what another terminal showed. It passes text and the control sequences (ECMA-48,
// and xterm's) that draw. It leaves out what makes a terminal answer, print, change its title, its keys or the clipboard:
// what a recorded program wrote must not act on whoever looks at it.
type screen struct {
	w     io.Writer
	state func(*screen, rune) // what the next character is part of
	seq   []byte              // the control sequence so far, from its ESC
	part  []byte              // bytes of a character that is not complete
	out   []byte
	other bool // the alternate screen is shown
}

func newScreen(w io.Writer) *screen { return &screen{w: w, state: (*screen).plain} }

const esc = 0x1b

// Write implements io.Writer. Sequences and characters may be split anywhere.
func (s *screen) Write(p []byte) (int, error) {
	s.out = s.out[:0]
	all := append(s.part, p...)
	for len(all) > 0 && (utf8.FullRune(all) || all[0] < utf8.RuneSelf) {
		r, n := utf8.DecodeRune(all)
		all = all[n:]
		s.state(s, r)
	}
	s.part = append(s.part[:0], all...)
	if _, err := s.w.Write(s.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close puts back what the recorded program may have left as it is: margins, colours, the cursor, the main screen.
func (s *screen) Close() error {
	back := "\x1b7\x1b[r\x1b8\x1b[0m\x1b[4l\x1b[?5l\x1b[?7h\x1b[?25h\x1b(B\x0f\r\n"
	if s.other {
		back = "\x1b[?1049l" + back
	}
	_, err := io.WriteString(s.w, back)
	return err
}

func (s *screen) plain(r rune) {
	switch {
	case r == esc:
		s.seq, s.state = append(s.seq[:0], esc), (*screen).escape
	case r == '\b', r == '\t', r == '\n', r == '\r', r == '\v', r == '\f', r == 0x0e, r == 0x0f:
		s.out = append(s.out, byte(r))
	case r >= ' ' && r < 0x7f, r > 0x9f:
		s.out = utf8.AppendRune(s.out, r)
	}
}

func (s *screen) escape(r rune) {
	s.state = (*screen).plain
	switch {
	case r == '[':
		s.seq, s.state = append(s.seq, '['), (*screen).control
	case strings.ContainsRune("]PX^_", r):
		s.seq, s.state = s.seq[:0], (*screen).text
	case r == '(' || r == ')':
		s.seq, s.state = append(s.seq, byte(r)), (*screen).charset
	case r >= ' ' && r <= '/':
		s.state = (*screen).skip
	case r == esc:
		s.plain(r)
	case strings.ContainsRune("78DEMH", r):
		s.out = append(append(s.out, s.seq...), byte(r))
	}
}

// skip drops one more character.
func (s *screen) skip(rune) { s.state = (*screen).plain }

func (s *screen) charset(r rune) {
	s.state = (*screen).plain
	if r == '0' || r == 'A' || r == 'B' {
		s.out = append(append(s.out, s.seq...), byte(r))
	}
}

// maxText bounds what a title, a hyperlink or the like may swallow.
const maxText = 4 << 10

// text drops an OSC, DCS, SOS, PM or APC string, which BEL or ST ends.
func (s *screen) text(r rune) {
	s.seq = append(s.seq, 0)
	switch {
	case r == esc:
		s.state = (*screen).skip
	case r == 0x07, r == 0x9c, len(s.seq) > maxText:
		s.state = (*screen).plain
	}
}

// control gathers ESC [ parameters final.
func (s *screen) control(r rune) {
	const longest = 64
	switch {
	case r == esc:
		s.state = (*screen).plain
		s.plain(r)
	case r < ' ' || r > '~' || len(s.seq) == longest:
		s.state = (*screen).plain
	case r >= '@':
		s.state = (*screen).plain
		if seq := append(s.seq, byte(r)); s.draws(string(seq[2:len(seq)-1]), byte(r)) {
			s.out = append(s.out, seq...)
		}
	default:
		s.seq = append(s.seq, byte(r))
	}
}

// draws reports whether a control sequence only draws.
func (s *screen) draws(params string, final byte) bool {
	if mode, ok := strings.CutPrefix(params, "?"); ok {
		switch final {
		case 'J', 'K':
			return numbers(mode)
		case 'h', 'l':
			return s.mode(mode, final == 'h')
		}
		return false
	}
	switch final {
	case 'h', 'l':
		return params == "4" // insert
	}
	return strings.IndexByte("@ABCDEFGHIJKLMPSTXZ`abdefgmrsu", final) >= 0 && numbers(params)
}

// mode reports whether a private mode changes only what is shown.
func (s *screen) mode(mode string, on bool) bool {
	switch mode {
	case "47", "1047", "1049":
		s.other = on
		return true
	case "5", "7", "12", "25", "2026":
		return true
	}
	return false
}

// numbers reports whether params are numbers of a size that a terminal draws in no time.
func numbers(params string) bool {
	digits := 0
	for _, c := range params {
		switch {
		case c == ';' || c == ':':
			digits = 0
		case c < '0' || c > '9' || digits == 4:
			return false
		default:
			digits++
		}
	}
	return true
}
