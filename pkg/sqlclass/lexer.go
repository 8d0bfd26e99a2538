package sqlclass

import (
	"strings"
)

// tokenKind tells what a token is.
type tokenKind uint8

const (
	tokWord    tokenKind = iota + 1 // keyword or unquoted identifier
	tokQuoted                       // "identifier", U&"..."
	tokString                       // any string or bit-string constant, dollar quotes included
	tokNumber                       // 1, 1.5, 0x1f
	tokParam                        // $1
	tokPunct                        // one of ( ) [ ] , ; : .
	tokOp                           // operator
	tokComment                      // either form, and unterminated at the end of the text
	tokBroken                       // unterminated constant or comment, stray byte
)

// token is a span of the text.
type token struct {
	kind       tokenKind
	start, end int
}

// scanner splits SQL into tokens after the rules of the server's scanner (parser/scan.l) with
// standard_conforming_strings on.
type scanner struct {
	text string
	pos  int
}

// next returns the next token; ok is false at the end.
func (s *scanner) next() (t token, ok bool) {
	for s.pos < len(s.text) && isSpace(s.text[s.pos]) {
		s.pos++
	}
	if s.pos >= len(s.text) {
		return token{}, false
	}
	start := s.pos
	kind := s.scan(s.text[s.pos])
	return token{kind: kind, start: start, end: s.pos}, true
}

func (s *scanner) scan(c byte) tokenKind {
	switch {
	case c == '\'':
		return s.quoted('\'', false, tokString)
	case c == '"':
		return s.quoted('"', false, tokQuoted)
	case c == '$':
		return s.dollar()
	case c == '-' && s.at(1) == '-':
		return s.lineComment()
	case c == '/' && s.at(1) == '*':
		return s.blockComment()
	case isDigit(c) || c == '.' && isDigit(s.at(1)):
		return s.number()
	case isIdentStart(c):
		return s.word(c)
	case strings.IndexByte("()[],;:.", c) >= 0:
		return s.punct(c)
	case isOperator(c):
		return s.operator()
	}
	s.pos++
	return tokBroken
}

func (s *scanner) at(n int) byte {
	if s.pos+n < len(s.text) {
		return s.text[s.pos+n]
	}
	return 0
}

// word scans an identifier, or a constant that a letter introduces: E, B, X, N, U& and U& before a double quote.
func (s *scanner) word(c byte) tokenKind {
	switch c | 0x20 {
	case 'e':
		if s.at(1) == '\'' {
			s.pos++
			return s.quoted('\'', true, tokString)
		}
	case 'b', 'x', 'n':
		if s.at(1) == '\'' {
			s.pos++
			return s.quoted('\'', false, tokString)
		}
	case 'u':
		if s.at(1) == '&' && s.at(2) == '\'' {
			s.pos += 2
			return s.quoted('\'', false, tokString)
		}
		if s.at(1) == '&' && s.at(2) == '"' {
			s.pos += 2
			return s.quoted('"', false, tokQuoted)
		}
	}
	for s.pos < len(s.text) && isIdentPart(s.text[s.pos]) {
		s.pos++
	}
	return tokWord
}

// quoted scans from the opening quote q to the closing one. String constants go on after white space
// that holds a newline, in the same mode.
func (s *scanner) quoted(q byte, escapes bool, kind tokenKind) tokenKind {
	for {
		s.pos++
		if !s.closeQuote(q, escapes) {
			return tokBroken
		}
		if q != '\'' || !s.continues() {
			return kind
		}
	}
}

// closeQuote moves past the closing quote.
func (s *scanner) closeQuote(q byte, escapes bool) bool {
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		s.pos++
		switch {
		case c == q && s.pos < len(s.text) && s.text[s.pos] == q:
			s.pos++
		case c == q:
			return true
		case c == '\\' && escapes:
			s.pos++
		}
	}
	s.pos = len(s.text)
	return false
}

// continues moves to the next quote when only white space with a newline, or line comments after one,
// stand between (quotecontinue in scan.l).
func (s *scanner) continues() bool {
	newline := false
	for i := s.pos; i < len(s.text); i++ {
		c := s.text[i]
		switch {
		case c == '\n' || c == '\r':
			newline = true
		case isSpace(c):
		case c == '-' && i+1 < len(s.text) && s.text[i+1] == '-':
			for i+1 < len(s.text) && s.text[i+1] != '\n' && s.text[i+1] != '\r' {
				i++
			}
		case c == '\'' && newline:
			s.pos = i
			return true
		default:
			return false
		}
	}
	return false
}

// dollar scans $1, $$...$$ and $tag$...$tag$.
func (s *scanner) dollar() tokenKind {
	if isDigit(s.at(1)) {
		s.pos++
		for s.pos < len(s.text) && isDigit(s.text[s.pos]) {
			s.pos++
		}
		return tokParam
	}
	end := s.pos + 1
	if end < len(s.text) && isIdentStart(s.text[end]) {
		for end < len(s.text) && isIdentPart(s.text[end]) && s.text[end] != '$' {
			end++
		}
	}
	if end >= len(s.text) || s.text[end] != '$' {
		s.pos++
		return tokBroken
	}
	tag := s.text[s.pos : end+1]
	body := strings.Index(s.text[end+1:], tag)
	if body < 0 {
		s.pos = len(s.text)
		return tokBroken
	}
	s.pos = end + 1 + body + len(tag)
	return tokString
}

func (s *scanner) lineComment() tokenKind {
	for s.pos < len(s.text) && s.text[s.pos] != '\n' && s.text[s.pos] != '\r' {
		s.pos++
	}
	return tokComment
}

// blockComment scans a comment that may hold further ones.
func (s *scanner) blockComment() tokenKind {
	depth := 0
	for s.pos < len(s.text) {
		switch {
		case s.text[s.pos] == '/' && s.at(1) == '*':
			depth++
			s.pos += 2
		case s.text[s.pos] == '*' && s.at(1) == '/':
			depth--
			s.pos += 2
			if depth == 0 {
				return tokComment
			}
		default:
			s.pos++
		}
	}
	return tokBroken
}

// number scans digits, letters, underscores and one exponent sign: broad, as only its extent matters.
func (s *scanner) number() tokenKind {
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		switch {
		case isDigit(c) || isIdentStart(c):
		case c == '.' && s.at(1) != '.':
		case (c == '+' || c == '-') && s.text[s.pos-1]|0x20 == 'e' && isDigit(s.at(1)):
		default:
			return tokNumber
		}
		s.pos++
	}
	return tokNumber
}

func (s *scanner) punct(c byte) tokenKind {
	s.pos++
	if c == ':' && (s.at(0) == ':' || s.at(0) == '=') {
		s.pos++
	}
	return tokPunct
}

// operator scans the longest run of operator characters; a comment inside the run ends it.
func (s *scanner) operator() tokenKind {
	for s.pos < len(s.text) && isOperator(s.text[s.pos]) {
		c := s.text[s.pos]
		if c == '-' && s.at(1) == '-' || c == '/' && s.at(1) == '*' {
			break
		}
		s.pos++
	}
	return tokOp
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isIdentStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func isIdentPart(c byte) bool { return isIdentStart(c) || isDigit(c) || c == '$' }

func isOperator(c byte) bool { return strings.IndexByte("~!@#^&|`?+-*/%<>=", c) >= 0 }
