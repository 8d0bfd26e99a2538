package confusable

import (
	"sync"
	"unicode"
)

// bidi reports the characters that steer the bidirectional algorithm (Unicode Standard Annex 9, section 2).
func bidi(r rune) bool {
	return r == 0x061C || r == 0x200E || r == 0x200F || 0x202A <= r && r <= 0x202E || 0x2066 <= r && r <= 0x2069
}

// hidden reports characters that are shown as nothing: those that the standard calls default ignorable (section 5.21),
// with the fillers that count as letters. Tag characters and variation selectors are among them.
func hidden(r rune) bool {
	switch {
	case bidi(r) || unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	case r == 0x3164 || r == 0xFFA0 || r == 0x115F || r == 0x1160: // Hangul fillers
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// alphabets are those whose letters are like Latin ones in shape, named as in the middle of a sentence.
var alphabets = [...]struct {
	name  string
	table *unicode.RangeTable
}{
	{", a Cyrillic letter,", unicode.Cyrillic}, {", a Greek letter,", unicode.Greek}, {", an Armenian letter,", unicode.Armenian}, {", a Cherokee letter,", unicode.Cherokee},
	{", a Coptic letter,", unicode.Coptic}, {", a Lisu letter,", unicode.Lisu}, {", a Georgian letter,", unicode.Georgian}, {", a Deseret letter,", unicode.Deseret},
	{", an Osage letter,", unicode.Osage}, {", a Gothic letter,", unicode.Gothic}, {", a Glagolitic letter,", unicode.Glagolitic}, {", a Carian letter,", unicode.Carian},
	{", a Lycian letter,", unicode.Lycian}, {", an Old Italic letter,", unicode.Old_Italic}, {", a Tifinagh letter,", unicode.Tifinagh}, {", a Runic letter,", unicode.Runic},
	{", a Canadian syllabic letter,", unicode.Canadian_Aboriginal},
}

// alphabet names the one that r is a letter of, "" for none of them.
func alphabet(r rune) string {
	if r < 0x370 || !unicode.IsLetter(r) {
		return ""
	}
	for i := range alphabets {
		if unicode.Is(alphabets[i].table, r) {
			return alphabets[i].name
		}
	}
	return ""
}

// resembles returns the ASCII character that r looks like, 0 for none.
func resembles(r rune) rune {
	if v := variant(r); v != 0 {
		return v
	}
	return lookalikes()[r]
}

// span is a run of variants of consecutive ASCII characters.
type span struct {
	first, last rune
	like        rune // of first
}

// spans are forms of ASCII characters that differ in style only. Mathematical alphabets are apart.
var spans = [...]span{
	{0x249C, 0x24B5, 'a'}, {0x24B6, 0x24CF, 'A'}, {0x24D0, 0x24E9, 'a'}, // in brackets and circles
	{0xFF01, 0xFF5E, '!'},   // full width
	{0x1F110, 0x1F129, 'A'}, // in brackets
	{0x1F130, 0x1F149, 'A'}, // in squares and circles
	{0x1F150, 0x1F169, 'A'}, //
	{0x1F170, 0x1F189, 'A'}, //
	{0x1F1E6, 0x1F1FF, 'A'}, // regional indicators
	{0x1FBF0, 0x1FBF9, '0'}, // segmented digits
	{0x24EA, 0x24EA, '0'},   // circled digits
	{0x2460, 0x2468, '1'},   //
	{0x1CCD6, 0x1CCEF, 'A'}, // outlined
	{0x1CCF0, 0x1CCF9, '0'}, //
	{0x1D7CE, 0x1D7D7, '0'}, // mathematical digits, in five styles
	{0x1D7D8, 0x1D7E1, '0'}, //
	{0x1D7E2, 0x1D7EB, '0'}, //
	{0x1D7EC, 0x1D7F5, '0'}, //
	{0x1D7F6, 0x1D7FF, '0'}, //
	{0x1D6A4, 0x1D6A5, 'i'}, // dotless
}

// variant returns the ASCII character of which r is a styled form, 0 for none.
func variant(r rune) rune {
	switch {
	case r < 0x2100:
		return 0
	case 0x1D400 <= r && r <= 0x1D6A3: // 13 mathematical alphabets
		if i := (r - 0x1D400) % 52; i < 26 {
			return 'A' + i
		} else {
			return 'a' + i - 26
		}
	}
	for _, s := range spans {
		if s.first <= r && r <= s.last && s.like != 0 {
			return s.like + r - s.first
		}
	}
	return letterlike[r]
}

// letterlike are the styled letters of the block of that name.
var letterlike = map[rune]rune{
	0x2102: 'C', 0x210A: 'g', 0x210B: 'H', 0x210C: 'H', 0x210D: 'H', 0x210E: 'h', 0x210F: 'h', 0x2110: 'I', 0x2111: 'I',
	0x2112: 'L', 0x2113: 'l', 0x2115: 'N', 0x2119: 'P', 0x211A: 'Q', 0x211B: 'R', 0x211C: 'R', 0x211D: 'R', 0x2124: 'Z',
	0x2128: 'Z', 0x212A: 'K', 0x212C: 'B', 0x212D: 'C', 0x212E: 'e', 0x212F: 'e', 0x2130: 'E', 0x2131: 'F', 0x2133: 'M',
	0x2134: 'o', 0x2139: 'i', 0x213C: 'n', 0x2145: 'D', 0x2146: 'd', 0x2147: 'e', 0x2148: 'i', 0x2149: 'j',
	0x2160: 'I', 0x2164: 'V', 0x2169: 'X', 0x216C: 'L', 0x216D: 'C', 0x216E: 'D', 0x216F: 'M',
	0x2170: 'i', 0x2174: 'v', 0x2179: 'x', 0x217C: 'l', 0x217D: 'c', 0x217E: 'd', 0x217F: 'm',
}

// shapes lists, for ASCII characters, letters and signs of other alphabets that common fonts draw the same or nearly so.
// Unicode's own list (Technical Standard 39, confusables.txt) is longer by rare scripts; this one was made by hand from
// the code charts.
var shapes = map[rune]string{
	'a': "\u0251\u0430\u237A",
	'b': "\u0184\u042C\u13CF\u15AF",
	'c': "\u03F2\u0441\u1D04\u2CA5\uABAF\U0001043D",
	'd': "\u0501\u13E7\u146F\uA4D2",
	'e': "\u0435\u04BD\uAB32",
	'f': "\u0192\u0584\u1E9D\uA799\uAB35",
	'g': "\u018D\u0261\u0581\u1D83",
	'h': "\u04BB\u0570\u13C2",
	'i': "\u0131\u0269\u026A\u02DB\u037A\u03B9\u0456\u04CF\u1FBE\u2373\uA647\uAB75",
	'j': "\u03F3\u0458\u0575",
	'k': "\u1D0B\u2C95\uABB6",
	'l': "\u01C0\u0406\u04C0\u05C0\u05D5\u05DF\u07CA\u16C1\u2223\u23FD\u2C92\u2D4F\uA4F2",
	'm': "\u1D0D",
	'n': "\u0274\u0578\u057C",
	'o': "\u03BF\u043E\u0585\u05E1\u0665\u06F5\u0966\u0A66\u0AE6\u0B66\u0BE6\u0C66\u0CE6\u0D66\u0E50\u0ED0\u101D\u1040\u10FF\u1D0F\u1D11\u2C9F\uAB3D\U0001042C",
	'p': "\u03C1\u03F1\u0440\u1D18\u2374\u2CA3",
	'q': "\u051B\u0563\u0566",
	'r': "\u1D26\u2C85\uAB47\uAB48\uAB81",
	's': "\u01BD\u0455\uA731\uABAA\U00010448",
	't': "\u1D1B",
	'u': "\u028B\u03C5\u057D\u1D1C\uA79F\uAB4E\uAB52",
	'v': "\u03BD\u0475\u05D8\u1D20\u2228\u22C1\uABA9",
	'w': "\u026F\u0461\u051D\u0561\u1D21\uAB83",
	'x': "\u0445\u04B3\u1541\u157D\u166E\u2573\u292B\u292C\u2A2F",
	'y': "\u0263\u028F\u0443\u04AF\u10E7\u1D8C\u1EFF\u213D\uAB5A",
	'z': "\u1D22\uAB93",
	'A': "\u0391\u0410\u13AA\u15C5\u1D00\uA4EE\U000102A0",
	'B': "\u0392\u0412\u13F4\u15F7\u16D2\uA4D0\uA7B4\U00010282\U000102A1\U00010301",
	'C': "\u03F9\u0421\u13DF\u2CA4\uA4DA\U000102A2\U00010302\U00010415",
	'D': "\u13A0\u15DE\u15EA\uA4D3",
	'E': "\u0395\u0415\u13AC\u22FF\u2D39\uA4F0\U00010286",
	'F': "\u03DC\u15B4\uA4DD\uA798\U00010287\U000102A5",
	'G': "\u050C\u13C0\u13F3\uA4D6",
	'H': "\u0397\u041D\u13BB\u157C\u2C8E\uA4E7\U000102CF",
	'I': "\u0399\u0406\u04C0\u0196\u2160\uA4F2",
	'J': "\u037F\u0408\u13AB\u148D\uA4D9\uA7B2",
	'K': "\u039A\u041A\u13E6\u16D5\u2C94\uA4D7",
	'L': "\u13DE\u14AA\u2CD0\uA4E1\U0001041B",
	'M': "\u039C\u03FA\u041C\u13B7\u15F0\u16D6\u2C98\uA4DF\U000102B0",
	'N': "\u039D\u2C9A\uA4E0",
	'O': "\u039F\u041E\u0555\u07C0\u0B20\u12D0\u2C9E\u2D54\uA4F3\U00010292\U000102AB\U00010404",
	'P': "\u03A1\u0420\u13E2\u146D\u2CA2\uA4D1\U00010295",
	'Q': "\u2D55",
	'R': "\u01A6\u13A1\u13D2\u1587\uA4E3",
	'S': "\u0405\u054F\u13D5\u13DA\uA4E2\U00010296\U00010420",
	'T': "\u03A4\u0422\u13A2\u22A4\u27D9\u2CA6\uA4D4\U00010297\U000102B1\U00010315",
	'U': "\u054D\u1200\u144C\u222A\u22C3\uA4F4",
	'V': "\u0474\u13D9\u142F\u2D38\uA4E6",
	'W': "\u051C\u13B3\u13D4\uA4EA",
	'X': "\u03A7\u0425\u16B7\u2CAC\u2D5D\uA4EB\uA7B3\U00010290\U000102B4\U00010317",
	'Y': "\u03A5\u03D2\u0423\u04AE\u13A9\u13BD\u2CA8\uA4EC\U000102B2",
	'Z': "\u0396\u13C3\uA4DC",
	'0': "\u0660\u06F0",
	'1': "\u0661\u06F1",
	'2': "\u01A7\u03E8\u14BF\uA644\uA6EF",
	'3': "\u01B7\u021C\u0417\u04E0\u2CCC\uA76A\uA7AB",
	'4': "\u13CE",
	'5': "\u01BC",
	'6': "\u13EE\u2CD2",
	'7': "\U000104D2",
	'8': "\u0222\u0223\u09EA\u0A6A\u0B03\U0001031A",
	'9': "\u09ED\u0A67\u0B68\u0D6D\u2CCA\uA76E",

	'\'': "\u02B9\u02BB\u02BC\u02BD\u02C8\u02CA\u02CB\u02F4\u0374\u0384\u055A\u055D\u05D9\u05F3\u07F4\u07F5\u144A\u2018\u2019\u201A\u201B\u2032\u2035\uA78C",
	'"':  "\u02BA\u02DD\u02EE\u02F6\u05F2\u05F4\u201C\u201D\u201E\u201F\u2033\u2036\u3003",
	'-':  "\u02D7\u06D4\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u207B\u208B\u2212\u2500\u2796\u2CBA\u2E3A\u2E3B\uFE58\uFE63",
	';':  "\u037E\u061B\u204F\uFE14\uFE54",
	':':  "\u02D0\u02F8\u0589\u05C3\u0703\u0704\u0903\u0A83\u16EC\u1803\u205A\u2236\uA4FD\uA789\uFE30\uFE55",
	',':  "\u060D\u066B\u02CC\u201A\uA4F9\uFE50",
	'.':  "\u0660\u06F0\u0701\u0702\u2024\uA4F8\uA60E\uFE52",
	'*':  "\u066D\u204E\u2217\u2731\uFE61\U0001031F",
	'/':  "\u1735\u2041\u2044\u2215\u2571\u27CB\u29F8\u2CC6",
	'\\': "\u2216\u27CD\u29F5\u29F9\uFE68",
	'(':  "\u2768\u2772\u207D\u208D\u3014\uFD3E\uFE59",
	')':  "\u2769\u2773\u207E\u208E\u3015\uFD3F\uFE5A",
	'[':  "\u2045",
	']':  "\u2046",
	'{':  "\u2774\uFE5B\U0001D114",
	'}':  "\u2775\uFE5C",
	'<':  "\u02C2\u1438\u16B2\u2039\u276E\uFE64\U0001D236",
	'>':  "\u02C3\u1433\u203A\u276F\uFE65\U0001D237",
	'=':  "\u1400\u2E40\u30A0\uA4FF\uFE66",
	'+':  "\u16ED\u2795\uFB29\uFE62",
	'%':  "\u066A\u2052\uFE6A",
	'!':  "\u01C3\u2D51\uFE57",
	'|':  "\u01C1\u05C0\u2223\u23D0\u2502\u2758\uFFE8",
	'$':  "\uFE69",
	'&':  "\uA778\uFE60",
	'#':  "\uFE5F",
	'@':  "\uFE6B",
	'?':  "\u0241\u0294\u097D\u13AE\uA6EB\uFE56",
	'~':  "\u02DC\u1FC0\u2053\u223C",
	'^':  "\u02C4\u02C6",
	'_':  "\u07FA\uFE4D\uFE4E\uFE4F",
	'`':  "\u02CB\u1FEF\u2035",
}

// lookalikes is shapes by look-alike.
var lookalikes = sync.OnceValue(func() map[rune]rune {
	m := map[rune]rune{}
	for like, set := range shapes {
		for _, r := range set {
			if old, twice := m[r]; !twice || like < old {
				m[r] = like
			}
		}
	}
	return m
})
