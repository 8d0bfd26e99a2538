// Package confusable finds what in a text deceives the eye: characters that look like others, like nothing, or that
// change the order in which the text is read. It is pure, and takes time linear in the text.
package confusable

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Kind is why a piece of text is flagged.
type Kind string

// The kinds.
const (
	Invisible  Kind = "invisible"  // shown as nothing, or as mere space
	Bidi       Kind = "bidi"       // changes the direction in which text is shown
	Control    Kind = "control"    // a control character, a line separator, or no UTF-8 at all
	Confusable Kind = "confusable" // looks like an ASCII character that it is not
)

// Flag marks one character. Offset and Length are bytes of UTF-8.
type Flag struct {
	Offset, Length int
	Kind           Kind
	Detail         string // for people
}

// Scan returns what deceives in text, in order, at most limit flags. Letters count as confusable where they would be
// taken for others: in a word that mixes alphabets, in a word that could be read as ASCII from end to end, and always
// where they are styled forms of ASCII, such as full-width ones, or Latin letters like the dotless i. Other words of one
// alphabet have none.
func Scan(text string, limit int) []Flag {
	var flags []Flag
	for at := 0; at < len(text) && len(flags) < limit; {
		w, end := wordAt(text, at)
		if end == at { // it stands between words
			_, n := utf8.DecodeRuneInString(text[at:])
			end = at + n
		} else if w.plain {
			at = end
			continue
		}
		flags = w.flag(flags, text, at, end, limit)
		at = end
	}
	return flags
}

// word is what is known of a run of letters, digits and what is shown as nothing.
type word struct {
	plain bool // ASCII only
	latin bool // has an ASCII letter
	own   bool // has a letter or digit that looks like no ASCII character
}

// wordAt returns the word that begins at a place in text, and where it ends.
func wordAt(text string, at int) (word, int) {
	w := word{plain: true}
	for at < len(text) {
		r, n := utf8.DecodeRuneInString(text[at:])
		if !w.add(r, n) {
			break
		}
		at += n
	}
	return w, at
}

// add takes a character in, unless it ends the word.
func (w *word) add(r rune, size int) bool {
	switch {
	case r == '_' || '0' <= r && r <= '9':
		return true
	case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
		w.latin = true
		return true
	case r < utf8.RuneSelf || r == utf8.RuneError && size == 1:
		return false
	case hidden(r) || bidi(r):
		w.plain = false
		return true
	case !spells(r) && variant(r) == 0:
		return false
	}
	w.own = w.own || resembles(r) == 0 && !unicode.Is(unicode.M, r)
	w.plain = false
	return true
}

// spells reports letters, the marks on them, and numbers.
func spells(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.N) }

// flag appends what deceives in text[at:end], which is the word or a character that belongs to none.
func (w word) flag(flags []Flag, text string, at, end, limit int) []Flag {
	for at < end && len(flags) < limit {
		r, n := utf8.DecodeRuneInString(text[at:])
		kind, why := w.judge(r, n, text, at)
		if kind != "" {
			flags = append(flags, Flag{Offset: at, Length: n, Kind: kind, Detail: name(r, text[at], n) + why})
		}
		at += n
	}
	return flags
}

func name(r rune, first byte, size int) string {
	if r == utf8.RuneError && size == 1 {
		return fmt.Sprintf("byte 0x%02X", first)
	}
	return fmt.Sprintf("U+%04X", r)
}

// judge says what is wrong with the character at a place of this word.
func (w word) judge(r rune, size int, text string, at int) (Kind, string) {
	switch {
	case r == utf8.RuneError && size == 1:
		return Control, " is no UTF-8"
	case r == '\n' || r == '\t' || r == '\r' && at+1 < len(text) && text[at+1] == '\n':
		return "", ""
	case r == '\r':
		return Control, ", a carriage return, can overwrite what stands before it"
	case unicode.Is(unicode.Cc, r), r == 0x2028, r == 0x2029:
		return Control, ", a control character"
	case r < utf8.RuneSelf:
		return "", ""
	case bidi(r):
		return Bidi, " changes the direction in which text is shown"
	case hidden(r):
		return Invisible, " is shown as nothing"
	case unicode.Is(unicode.Zs, r), r == 0x2800: // a Braille pattern without dots
		return Confusable, " looks like a space"
	case r == 0x2019 && apostrophe(text[:at], text[at+size:]):
		return "", ""
	}
	return w.judgeShape(r)
}

// apostrophe reports whether a closing quote stands within a word, as in don’t.
func apostrophe(before, after string) bool {
	b, _ := utf8.DecodeLastRuneInString(before)
	a, _ := utf8.DecodeRuneInString(after)
	return unicode.IsLetter(b) && unicode.IsLetter(a)
}

func (w word) judgeShape(r rune) (Kind, string) {
	like, from := resembles(r), alphabet(r)
	switch {
	case variant(r) != 0:
		return Confusable, fmt.Sprintf(", a styled form, looks like %q", like)
	case like != 0 && (!spells(r) || unicode.In(r, unicode.Latin, unicode.Common)):
		return Confusable, fmt.Sprintf(" looks like %q", like)
	case like != 0 && (w.latin || !w.own):
		return Confusable, fmt.Sprintf("%s looks like %q", from, like)
	case from != "" && w.latin:
		return Confusable, from + " stands among Latin letters"
	}
	return "", ""
}
