package terminal

// event is what one byte of output does to a terminal, as far as it matters here.
type event uint8

const (
	printed event = iota // a character, or a part of one
	moved                // the cursor went somewhere else on the screen
	newline
)

// screen follows a terminal's output: it tells text from control sequences (ECMA-48) and knows the line the cursor is on.
type screen struct {
	state  state
	cr     bool   // a carriage return, of which the next byte says what it was
	line   []byte // the end of the current line, at most maxLine bytes
	before []byte // the line before it
}

type state uint8

const (
	ground state = iota
	escape
	control   // CSI ... final byte
	text      // OSC, DCS, SOS, PM, APC ... ST or BEL
	textLast  // an ESC inside text
	charset   // ESC ( and the like: one more byte
	maxLine   = 256
	bell      = 0x07
	backspace = 0x08
	esc       = 0x1b
	del       = 0x7f
)

// show reads output and reports what it does.
func (s *screen) show(p []byte, report func(event, byte)) {
	for _, b := range p {
		switch s.state {
		case ground:
			s.plain(b, report)
		case escape:
			s.escaped(b, report)
		case control:
			s.controlled(b, report)
		case text:
			s.inText(b, report)
		case textLast, charset:
			s.state = ground
		}
	}
}

func (s *screen) plain(b byte, report func(event, byte)) {
	if s.cr && b != '\n' && b != '\r' {
		s.cr = false
		s.line = s.line[:0]
		report(moved, 0)
	}
	switch {
	case b == esc:
		s.state = escape
	case b == '\r':
		s.cr = true
	case b == '\n':
		s.cr = false
		report(newline, 0)
		s.before, s.line = s.line, s.before[:0]
	case b == backspace:
		s.line = s.line[:max(0, len(s.line)-1)]
		report(moved, 0)
	case b >= ' ' && b != del:
		s.put(b)
		report(printed, b)
	}
}

// inText ends with the text, which a new line ends too, so that a broken sequence hides nothing from view.
func (s *screen) inText(b byte, report func(event, byte)) {
	switch b {
	case esc:
		s.state = textLast
	case bell:
		s.state = ground
	case '\n':
		s.state = ground
		s.plain(b, report)
	}
}

// skip returns the end of p, where only the line that the cursor is left on matters.
func (s *screen) skip(p []byte) []byte {
	if len(p) <= 2*maxLine {
		return p
	}
	s.state = ground
	return p[len(p)-2*maxLine:]
}

// put adds to the current line, of which the end matters.
func (s *screen) put(b byte) {
	if len(s.line) == maxLine {
		s.line = append(s.line[:0], s.line[maxLine/2:]...)
	}
	s.line = append(s.line, b)
}

func (s *screen) escaped(b byte, report func(event, byte)) {
	switch b {
	case '[':
		s.state = control
	case ']', 'P', 'X', '^', '_':
		s.state = text
	case '(', ')', '*', '+', '-', '.', '/', '#', '%', ' ':
		s.state = charset
	case esc:
	case '8', 'M', 'D', 'E':
		s.state = ground
		report(moved, 0)
	default:
		s.state = ground
	}
}

func (s *screen) controlled(b byte, report func(event, byte)) {
	switch {
	case b == esc:
		s.state = escape
	case b >= '@' && b <= '~':
		s.state = ground
		if b <= 'H' || b == 'd' || b == 'f' || b == 'u' || b == '`' {
			report(moved, 0)
		}
	case b < ' ' && b != bell: // C0 controls work inside a sequence
		if b == '\n' {
			s.state = ground
			s.plain(b, report)
		}
	}
}

// answered forgets the line, because what it asked for was given.
func (s *screen) answered() { s.line, s.before = s.line[:0], s.before[:0] }

// asks reports whether the terminal is asking for a secret.
func (s *screen) asks() bool {
	if len(s.line) == 0 {
		return asks(s.before)
	}
	return asks(s.line)
}

// asked reports whether the current line asks, or has asked, for a secret.
func (s *screen) asked() bool { return asked(s.line) || s.asks() }
