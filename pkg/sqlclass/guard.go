package sqlclass

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Reason is why a text could not be classified.
type Reason string

// Reasons of Unparsed.
const (
	ReasonTooLarge   Reason = "statement too large"
	ReasonTooMany    Reason = "too many tokens"
	ReasonTooDeep    Reason = "nested too deeply"
	ReasonEncoding   Reason = "invalid UTF-8 or a NUL byte"
	ReasonSyntax     Reason = "syntax error"
	ReasonTooComplex Reason = "too complex to analyse"
	ReasonInternal   Reason = "analysis failed"
)

// Unparsed is the error for a text that could not be classified. It never quotes the text.
type Unparsed struct {
	Reason   Reason
	Position int // byte offset in the text, -1 when unknown
}

// Error implements error.
func (e *Unparsed) Error() string {
	if e.Position < 0 {
		return "unparsed statement: " + string(e.Reason)
	}
	return fmt.Sprintf("unparsed statement: %s at byte %d", e.Reason, e.Position)
}

// Near returns the word, sign or operator of the text at which parsing stopped, for a message in the
// server's words, or "" where that is a constant or a quoted name, which could be a secret. end says
// that the text ended too early.
func (e *Unparsed) Near(text string) (token string, end bool) {
	if e.Reason != ReasonSyntax || e.Position < 0 || e.Position > len(text) {
		return "", false
	}
	s := scanner{text: text, pos: e.Position}
	t, ok := s.next()
	switch {
	case !ok:
		return "", true
	case t.kind == tokWord || t.kind == tokPunct || t.kind == tokOp:
		return text[t.start:t.end], false
	}
	return "", false
}

// SQLSTATE returns the class the server would use for such a text.
func (e *Unparsed) SQLSTATE() string {
	switch e.Reason {
	case ReasonSyntax:
		return "42601"
	case ReasonEncoding:
		return "22021"
	case ReasonInternal:
		return "XX000"
	}
	return "54001"
}

// guard refuses texts that could exhaust the parser: too long, too many tokens, nested too deeply, not
// UTF-8.
func (c *Config) guard(text string) error {
	if len(text) > c.MaxBytes {
		return &Unparsed{Reason: ReasonTooLarge, Position: -1}
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return &Unparsed{Reason: ReasonEncoding, Position: i}
	}
	if !utf8.ValidString(text) {
		return &Unparsed{Reason: ReasonEncoding, Position: -1}
	}
	s := scanner{text: text}
	var tokens int
	var depth nesting
	for t, ok := s.next(); ok; t, ok = s.next() {
		if t.kind == tokComment {
			continue
		}
		if t.kind == tokBroken {
			return &Unparsed{Reason: ReasonSyntax, Position: t.start}
		}
		if tokens++; tokens > c.MaxTokens {
			return &Unparsed{Reason: ReasonTooMany, Position: t.start}
		}
		if depth.add(t.kind, text[t.start:t.end]) > c.MaxDepth {
			return &Unparsed{Reason: ReasonTooDeep, Position: t.start}
		}
	}
	return nil
}

// nesting counts open brackets and CASE, and the length of the present run of prefix operators.
// Brackets and CASE are kept apart, so that an END which is a column label cannot offset a bracket.
type nesting struct{ brackets, cases, run int }

// add takes one token and returns the depth after it.
func (n *nesting) add(kind tokenKind, word string) int {
	switch {
	case word == "(" || word == "[":
		n.brackets++
		return n.sum()
	case word == ")" || word == "]":
		n.brackets = max(0, n.brackets-1)
	case kind == tokWord && strings.EqualFold(word, "case"):
		n.cases++
	case kind == tokWord && strings.EqualFold(word, "end"):
		n.cases = max(0, n.cases-1)
	case kind == tokOp || kind == tokWord && strings.EqualFold(word, "not"):
		n.run++
		return n.sum()
	}
	n.run = 0
	return n.sum()
}

func (n *nesting) sum() int { return n.brackets + n.cases + n.run }
