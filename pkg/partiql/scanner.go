package partiql

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	end    tokenKind = iota
	word             // a keyword or a name; text is in lower case
	quoted           // a name in double quotes
	str              // a literal in single quotes
	number
	sign // one of signs
)

type token struct {
	kind tokenKind
	text string // of a name in quotes, without them; of literals, nothing
	raw  string // of a word, as written
	at   int
}

// signs are operators and brackets, the longer ones first.
var signs = []string{"<<", ">>", "<=", ">=", "<>", "!=", "||", "(", ")", "[", "]", "{", "}", ",", ".", ":", "=", "<", ">", "+", "-", "*", "?", ";"}

// scanner splits a text into tokens. After an error all tokens are the end.
type scanner struct {
	text string
	pos  int
	err  error
}

func (s *scanner) fail(at int, why string) token {
	if s.err == nil {
		s.err = &Error{at, why}
	}
	s.pos = len(s.text)
	return token{at: at}
}

func (s *scanner) scan() token {
	if s.err != nil || !s.skip() || s.pos >= len(s.text) {
		return token{at: s.pos}
	}
	at, c := s.pos, s.text[s.pos]
	switch {
	case c == '"':
		text, ok := s.until('"')
		if !ok || text == "" {
			return s.fail(at, "a name without its closing quote, or an empty one")
		}
		return token{kind: quoted, text: text, at: at}
	case c == '\'':
		if _, ok := s.until('\''); !ok {
			return s.fail(at, "a literal that does not end, or has a backslash before a quote")
		}
		return token{kind: str, at: at}
	case letter(c):
		for s.pos < len(s.text) && (letter(s.text[s.pos]) || digit(s.text[s.pos])) {
			s.pos++
		}
		raw := s.text[at:s.pos]
		return token{kind: word, text: strings.ToLower(raw), raw: raw, at: at}
	case digit(c) || c == '.' && at+1 < len(s.text) && digit(s.text[at+1]):
		return s.number()
	}
	for _, sg := range signs {
		if strings.HasPrefix(s.text[at:], sg) {
			s.pos += len(sg)
			return token{kind: sign, text: sg, at: at}
		}
	}
	return s.fail(at, "a character that has no meaning here")
}

// skip passes white space and comments. It reports false after an error.
func (s *scanner) skip() bool {
	for s.pos < len(s.text) {
		rest := s.text[s.pos:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			s.pos++
		case strings.HasPrefix(rest, "--"):
			// Whether a carriage return ends a comment is not the same for all readers.
			line, _, _ := strings.Cut(rest, "\n")
			if i := strings.IndexByte(line, '\r'); i >= 0 && i != len(line)-1 {
				s.fail(s.pos, "a comment with a carriage return in it")
				return false
			}
			s.pos += len(line)
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 || strings.Contains(rest[2:2+n], "/*") {
				s.fail(s.pos, "a comment that does not end, or holds another")
				return false
			}
			s.pos += n + 4
		default:
			return true
		}
	}
	return true
}

// until reads what is in quotes; the quote is written in it as two.
func (s *scanner) until(quote byte) (string, bool) {
	var out strings.Builder
	for i := s.pos + 1; i < len(s.text); i++ {
		c := s.text[i]
		switch {
		case c == quote && i+1 < len(s.text) && s.text[i+1] == quote:
			i++
		case c == quote:
			s.pos = i + 1
			return out.String(), utf8.ValidString(out.String())
		case c == '\\' && i+1 < len(s.text) && s.text[i+1] == quote, c == 0:
			return "", false
		}
		out.WriteByte(c)
	}
	return "", false
}

// number reads digits with a point and an exponent.
func (s *scanner) number() token {
	at := s.pos
	digits := func() {
		for s.pos < len(s.text) && digit(s.text[s.pos]) {
			s.pos++
		}
	}
	digits()
	if s.pos < len(s.text) && s.text[s.pos] == '.' {
		s.pos++
		digits()
	}
	if s.pos < len(s.text) && s.text[s.pos]|0x20 == 'e' {
		s.pos++
		if s.pos < len(s.text) && strings.IndexByte("+-", s.text[s.pos]) >= 0 {
			s.pos++
		}
		before := s.pos
		if digits(); s.pos == before {
			return s.fail(at, "a number without its exponent")
		}
	}
	if s.pos < len(s.text) && letter(s.text[s.pos]) {
		return s.fail(at, "a number that runs into a name")
	}
	return token{kind: number, at: at}
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '$' }

func digit(c byte) bool { return '0' <= c && c <= '9' }
