package output

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Line returns s as one line that is safe to show: what a terminal would act on, what cannot be seen and what
// looks like another character is written as \u{hex}, a byte that is not UTF-8 as \x{hex}. Different strings
// never come out the same.
func Line(s string) string { return escape(s, false) }

// Block is Line for text of several lines: line feeds and tabs stay. Whoever prints it sets each line apart.
func Block(s string) string { return escape(s, true) }

// Altered says whether Block shows s differently from what it is.
func Altered(s string) bool { return Block(s) != s }

func escape(s string, lines bool) string {
	if plain(s, lines) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		if n := wordLen(s); n > 0 {
			writeWord(&b, s[:n])
			s = s[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			writeHex(&b, 'x', rune(s[0]))
		case lines && (r == '\n' || r == '\t'):
			b.WriteRune(r)
		case hidden(r), lookalike(r), strings.HasPrefix(s, `\u{`), strings.HasPrefix(s, `\x{`):
			writeHex(&b, 'u', r)
		default:
			b.WriteRune(r)
		}
		s = s[n:]
	}
	return b.String()
}

// plain is the quick way out for printable ASCII that cannot be taken for an escape.
func plain(s string, lines bool) bool {
	for i := range len(s) {
		c := s[i]
		if (c < ' ' && !(lines && (c == '\n' || c == '\t'))) || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// wordLen is the length in bytes of the word s starts with: letters, digits and underscores.
func wordLen(s string) int {
	for i, r := range s {
		if r == utf8.RuneError || !(r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)) || hidden(r) {
			return i
		}
	}
	return len(s)
}

// writeWord escapes a word's look-alikes, except in a word of another script that has letters of its own: such a
// word cannot be read as an ASCII one. In a word with Latin letters too, letters of the related scripts are escaped
// whatever they look like.
func writeWord(b *strings.Builder, word string) {
	latin, own := false, false
	for _, r := range word {
		latin = latin || unicode.Is(unicode.Latin, r)
		own = own || unicode.IsLetter(r) && !lookalike(r)
	}
	for _, r := range word {
		if latin && unicode.In(r, related...) || (latin || !own) && lookalike(r) {
			writeHex(b, 'u', r)
		} else {
			b.WriteRune(r)
		}
	}
}

// related are the scripts that share letter forms with Latin.
var related = []*unicode.RangeTable{unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee}

// hidden says whether r is not simply a visible mark: controls, formats (bidirectional ones among them), spaces
// other than the ASCII one, combining marks, variation selectors, private and unassigned code points.
func hidden(r rune) bool {
	switch {
	case r >= ' ' && r <= '~':
		return false
	case r == utf8.RuneError, blank[r]:
		return true
	}
	return !unicode.IsGraphic(r) || unicode.Is(unicode.M, r) || unicode.Is(unicode.Z, r) ||
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r)
}

// blank are letters and symbols that fonts draw as nothing.
var blank = map[rune]bool{'\u2800': true, '\u3164': true, '\uffa0': true, '\u115f': true, '\u1160': true}

// lookalike says whether r, outside ASCII, is drawn like ASCII: compatibility forms (full width, mathematical,
// ligatures) and letters and punctuation listed in mimics.
func lookalike(r rune) bool {
	if r < utf8.RuneSelf {
		return false
	}
	if strings.ContainsRune(mimics, r) {
		return true
	}
	folded := norm.NFKC.String(string(r))
	return folded != string(r) && strings.IndexFunc(folded, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// mimics are the letters of other scripts and the punctuation that common fonts draw like an ASCII character.
// Source: the confusables data of Unicode Technical Standard 39, its single characters with ASCII prototypes.
const mimics = "аеорсухіјѕһԁԛԝӏьгАВЕКМНОРСТУХІЈЅҮԌԚԜӀ" + // Cyrillic
	"αινορυκχϲϳγηΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ" + // Greek
	"աօոսցհզյԱՕՍԼ" + // Armenian
	"ᎪᏴᏟᎠᎬᎻᎫᏦᏞᎷᏢᏒᏚᎢᏙᎳᏃ" + // Cherokee
	"ıɑɡɩʋꞌǀƖſ" + // Latin that is read as another letter or sign
	"‘’‚‛“”„‟′″‵‶ʹʺʻʼʽˈˊˋ`´¨" + "ꞌ׳״" + // quotes
	"‐‑‒–—―−⁃➖ー" + // dashes
	"∗⁎٭" + "∕⁄⧸╱" + "∖⧵" + "꞉∶ː׃" + ";⁏" + "․·‧∙⋅٠۰" + "‹›❬❭❰❱" + "⟨⟩" + "❨❩❲❳❴❵" + "＝═᐀꓿" + "¦❘∣" + "‚¸٫،" + "ⅼ" + "ⵏ" + "ǃⵑ" + "ʔ"

func writeHex(b *strings.Builder, kind byte, r rune) {
	const digits = "0123456789abcdef"
	var hex [8]byte
	i := len(hex)
	for ok := true; ok; ok = r > 0 {
		i--
		hex[i] = digits[r&15]
		r >>= 4
	}
	b.WriteByte('\\')
	b.WriteByte(kind)
	b.WriteByte('{')
	b.Write(hex[i:])
	b.WriteByte('}')
}
