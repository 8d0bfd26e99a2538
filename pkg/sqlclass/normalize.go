package sqlclass

import "strings"

// Normalize returns text with every constant replaced by ?, comments dropped and white space collapsed,
// so that statements which differ only in their values look the same and no value is shown. Unquoted
// words are folded to lower case as the server folds them. It works on any text, parsable or not.
func Normalize(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	s := scanner{text: text}
	prev := token{}
	for t, ok := s.next(); ok; t, ok = s.next() {
		if t.kind == tokComment {
			continue
		}
		word := text[t.start:t.end]
		if prev.kind != 0 && spaced(text, prev, t) {
			b.WriteByte(' ')
		}
		switch t.kind {
		case tokString, tokNumber, tokBroken:
			b.WriteByte('?')
		case tokWord:
			b.WriteString(lowerASCII(word))
		default:
			b.WriteString(word)
		}
		prev = t
	}
	return b.String()
}

// spaced tells whether a space belongs between two tokens.
func spaced(text string, a, b token) bool {
	x, y := text[a.start:a.end], text[b.start:b.end]
	switch {
	case x == "(" || x == "[" || x == "." || x == "::" || y == "::":
		return false
	case y == ")" || y == "]" || y == "[" || y == "," || y == ";" || y == ".":
		return false
	case y == "(":
		return b.start > a.end || a.kind == tokOp
	}
	return true
}

// Redact returns text with every string constant, dollar-quoted bodies included, replaced by '***', and
// so what stands behind the word PASSWORD, quoted or not. An unterminated constant or a stray byte
// ends the text. It works on any text, parsable or not.
func Redact(text string) string {
	var b strings.Builder
	s := scanner{text: text}
	last, secret := 0, false
	for t, ok := s.next(); ok; t, ok = s.next() {
		word := text[t.start:t.end]
		bare := secret && (t.kind == tokWord || t.kind == tokQuoted || t.kind == tokNumber) && !strings.EqualFold(word, "null")
		switch {
		case t.kind == tokComment:
			b.WriteString(text[last:t.start])
			last = t.end
			continue
		case bare || t.kind == tokString || t.kind == tokBroken:
			b.WriteString(text[last:t.start])
			b.WriteString("'***'")
			last = t.end
		}
		secret = t.kind == tokWord && strings.EqualFold(word, "password")
		if t.kind == tokBroken {
			return b.String()
		}
	}
	b.WriteString(text[last:])
	return b.String()
}

// paramCount returns the highest $n of the text.
func paramCount(text string) int {
	high := 0
	s := scanner{text: text}
	for t, ok := s.next(); ok; t, ok = s.next() {
		if t.kind != tokParam {
			continue
		}
		n := 0
		for _, c := range text[t.start+1 : t.end] {
			if n = n*10 + int(c-'0'); n > 1<<16 {
				n = 1 << 16
			}
		}
		high = max(high, n)
	}
	return high
}

// hasWord tells whether one of the words stands in text as an unquoted word.
func hasWord(text string, words ...string) bool {
	s := scanner{text: text}
	for t, ok := s.next(); ok; t, ok = s.next() {
		if t.kind != tokWord {
			continue
		}
		for _, w := range words {
			if strings.EqualFold(text[t.start:t.end], w) {
				return true
			}
		}
	}
	return false
}

// lowerASCII folds A-Z only, as the server does for multi-byte encodings (downcase_identifier).
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}
