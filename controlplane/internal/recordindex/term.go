package recordindex

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Term is something that a record has: three bytes of its text in its lowest three bytes, or a name under a dimension in its highest. A
// name is kept as a hash, so that two may share a Term: what is found by Terms may have what was asked for.
type Term uint64

// Range is every Term from First to Last.
type Range struct{ First, Last Term }

// One is the Range of one Term.
func One(t Term) Range { return Range{t, t} }

// Name is the Term of a value under a dimension, which is not 0.
func Name(dimension byte, value string) Term {
	sum := sha256.Sum256([]byte(value))
	return Term(dimension)<<56 | Term(binary.BigEndian.Uint64(sum[:])>>8)
}

// Fold returns what all strings have in common that strings.EqualFold holds for equal.
func Fold(s string) string { return strings.Map(least, s) }

// least is the smallest of the characters that differ from r in case only.
func least(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	low := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		low = min(low, next)
	}
	return low
}

// gramBytes is how long the pieces of texts are. A text ends with zeros, so that each of its bytes begins a piece.
const gramBytes = 3

// Text appends the Terms of a text: of each three bytes in a row.
func Text(dst []Term, text string) []Term {
	for i := range len(text) {
		dst = append(dst, gram(text[i:]))
	}
	return dst
}

func gram(s string) Term {
	var t Term
	for i := range gramBytes {
		t <<= 8
		if i < len(s) {
			t |= Term(s[i])
		}
	}
	return t
}

// Containing returns Ranges of all of which a text has a Term that contains part.
func Containing(part string) []Range {
	if len(part) == 0 {
		return nil
	}
	if missing := gramBytes - len(part); missing > 0 {
		return []Range{{gram(part), gram(part) | (1<<(8*missing) - 1)}}
	}
	var all []Range
	for i := 0; i+gramBytes <= len(part); i++ {
		all = append(all, One(gram(part[i:])))
	}
	return all
}
