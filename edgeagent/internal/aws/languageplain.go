package aws

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// plain takes text that every engine splits into the same tokens, and returns it with parameters as PostgreSQL writes them. It returns why
// it does not: comments, backslashes, and quotes of other sorts begin and end in other places from one engine to the next.
func (d dialect) plain(text string) (out, why string) {
	if !utf8.ValidString(text) {
		return "", "it is not UTF-8"
	}
	text = strings.TrimRight(text, " \t\r\n")
	text = strings.TrimRight(strings.TrimSuffix(text, ";"), " \t\r\n")
	s := plainText{dialect: d, text: text}
	for s.pos < len(text) && s.why == "" {
		s.step()
	}
	return s.out.String(), s.why
}

// plainText goes through a text.
type plainText struct {
	dialect
	text   string
	pos    int
	out    strings.Builder
	params int
	name   bool // a name, number or quoted text stands directly before pos
	dots   int  // of the name that stands before pos, white space between or not
	dotted bool // a dot stands before pos
	why    string
}

// step takes one token.
func (s *plainText) step() {
	rest := s.text[s.pos:]
	c, next := rest[0], byte(0)
	if len(rest) > 1 {
		next = rest[1]
	}
	switch {
	case (c == '\'' || c == '"') && (s.name || s.pos > 0 && s.text[s.pos-1] == '&'):
		s.why = "a literal stands directly behind something else"
	case c == '\'', c == '"' && s.quotes:
		s.quoted(c)
	case isWord(c):
		s.word()
	case c == ':' && next == ':':
		s.pass(2)
	case c == ':' && s.named && isWord(next) && !isDigit(next):
		s.param(1 + wordLen(rest[1:]))
	case c == '?' && s.marks:
		s.param(1)
	case c == '.':
		s.dot()
	case c == '-' && next == '-', c == '/' && next == '*', c == '#':
		s.why = "it has a comment"
	case strings.IndexByte(" \t\r\n", c) >= 0:
		s.out.WriteByte(c)
		s.pos, s.name = s.pos+1, false
	case strings.IndexByte("()+-*/<>=,%|[]!~&^", c) >= 0:
		s.pass(1)
	case c == ';':
		s.why = "it has more than one statement"
	default:
		s.why = "it has a character that not every engine reads alike: " + strconv.QuoteToASCII(rest[:sizeOf(rest)])
	}
}

// pass takes n bytes that end a name.
func (s *plainText) pass(n int) {
	s.out.WriteString(s.text[s.pos : s.pos+n])
	s.pos += n
	s.dots, s.dotted, s.name = 0, false, false
}

// part takes n bytes that are a name, or a part of one behind a dot.
func (s *plainText) part(n int) {
	s.out.WriteString(s.text[s.pos : s.pos+n])
	s.pos += n
	if !s.dotted {
		s.dots = 0
	}
	s.dotted, s.name = false, true
}

func (s *plainText) word() {
	if s.name {
		s.why = "two names stand without a space between them"
		return
	}
	n := wordLen(s.text[s.pos:])
	if strings.EqualFold(s.text[s.pos:s.pos+n], "operator") {
		s.why = "it names an operator, which may be anybody's function"
		return
	}
	s.part(n)
}

// dot divides the parts of a name, of which there are two at most: where there are three the first is another database.
func (s *plainText) dot() {
	if s.dots++; s.dots > 1 {
		s.why = "a name has more than two parts"
		return
	}
	s.out.WriteByte('.')
	s.pos++
	s.dotted, s.name = true, false
}

// quoted takes a literal or a name in quotes; the quote is written in it as two.
func (s *plainText) quoted(quote byte) {
	for i := s.pos + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '\\' || c == 0:
			s.why = "a literal has a backslash"
			return
		case c != quote:
		case i+1 < len(s.text) && s.text[i+1] == quote:
			i++
		default:
			s.part(i + 1 - s.pos)
			return
		}
	}
	s.why = "a literal does not end"
}

// param writes "$1" for a parameter of n bytes.
func (s *plainText) param(n int) {
	if s.name {
		s.why = "a parameter stands directly behind something else"
		return
	}
	s.params++
	s.out.WriteString("$" + strconv.Itoa(s.params))
	s.pos += n
	s.dots, s.dotted, s.name = 0, false, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool { return c == '_' || isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'z' }

func wordLen(s string) (n int) {
	for n < len(s) && isWord(s[n]) {
		n++
	}
	return n
}

func sizeOf(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}
