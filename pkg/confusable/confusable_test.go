package confusable_test

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/confusable"
)

func TestScan(t *testing.T) {
	for text, want := range map[string][]confusable.Flag{
		"": nil,
		"DELETE FROM orders WHERE note = 'naïve café, don’t' -- ok\r\n\t":             nil,
		"SELECT 'Привет мир', 'Καλημέρα', '日本語', 'שלום', 'مرحبا', '한국어' FROM таблица": nil,
		"ord\u0435rs": {{3, 2, confusable.Confusable, "U+0435, a Cyrillic letter, looks like 'e'"}},
		"ord\u0436rs": {{3, 2, confusable.Confusable, "U+0436, a Cyrillic letter, stands among Latin letters"}},
		"\u0441\u043e\u0440\u0435": {
			{0, 2, confusable.Confusable, "U+0441, a Cyrillic letter, looks like 'c'"}, {2, 2, confusable.Confusable, "U+043E, a Cyrillic letter, looks like 'o'"},
			{4, 2, confusable.Confusable, "U+0440, a Cyrillic letter, looks like 'p'"}, {6, 2, confusable.Confusable, "U+0435, a Cyrillic letter, looks like 'e'"},
		},
		"a\u03bf":            {{1, 2, confusable.Confusable, "U+03BF, a Greek letter, looks like 'o'"}},
		"a\u0585":            {{1, 2, confusable.Confusable, "U+0585, an Armenian letter, looks like 'o'"}},
		"X\u13aa":            {{1, 3, confusable.Confusable, "U+13AA, a Cherokee letter, looks like 'A'"}},
		"\uff34":             {{0, 3, confusable.Confusable, "U+FF34, a styled form, looks like 'T'"}},
		"\U0001d41a":         {{0, 4, confusable.Confusable, "U+1D41A, a styled form, looks like 'a'"}},
		"\U0001d7d9":         {{0, 4, confusable.Confusable, "U+1D7D9, a styled form, looks like '1'"}},
		"l\u0131mit":         {{1, 2, confusable.Confusable, "U+0131 looks like 'i'"}},
		"id = 1\u037e":       {{6, 2, confusable.Confusable, "U+037E looks like ';'"}},
		"\u2014 gone":        {{0, 3, confusable.Confusable, "U+2014 looks like '-'"}},
		"\u2018x\u2019":      {{0, 3, confusable.Confusable, "U+2018 looks like '\\''"}, {4, 3, confusable.Confusable, "U+2019 looks like '\\''"}},
		"a\u00a0b":           {{1, 2, confusable.Confusable, "U+00A0 looks like a space"}},
		"or\u200bders":       {{2, 3, confusable.Invisible, "U+200B is shown as nothing"}},
		"a\u00ad":            {{1, 2, confusable.Invisible, "U+00AD is shown as nothing"}},
		"\U000e0041":         {{0, 4, confusable.Invisible, "U+E0041 is shown as nothing"}},
		"x\ufe0f\U000e0100":  {{1, 3, confusable.Invisible, "U+FE0F is shown as nothing"}, {4, 4, confusable.Invisible, "U+E0100 is shown as nothing"}},
		"\u3164 \u115f":      {{0, 3, confusable.Invisible, "U+3164 is shown as nothing"}, {4, 3, confusable.Invisible, "U+115F is shown as nothing"}},
		"a\u202eb":           {{1, 3, confusable.Bidi, "U+202E changes the direction in which text is shown"}},
		"\u2066":             {{0, 3, confusable.Bidi, "U+2066 changes the direction in which text is shown"}},
		"a\x00\x1b[2K":       {{1, 1, confusable.Control, "U+0000, a control character"}, {2, 1, confusable.Control, "U+001B, a control character"}},
		"DROP\rSELECT":       {{4, 1, confusable.Control, "U+000D, a carriage return, can overwrite what stands before it"}},
		"a\u2028":            {{1, 3, confusable.Control, "U+2028, a control character"}},
		"a\xffb":             {{1, 1, confusable.Control, "byte 0xFF is no UTF-8"}},
		"\u200b\u0430\u0430": {{0, 3, confusable.Invisible, "U+200B is shown as nothing"}, {3, 2, confusable.Confusable, "U+0430, a Cyrillic letter, looks like 'a'"}, {5, 2, confusable.Confusable, "U+0430, a Cyrillic letter, looks like 'a'"}},
	} {
		if got := confusable.Scan(text, 100); !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %+v\nwant %+v", text, got, want)
		}
	}
}

// TestScanKeepsWhatComesLate has a word whose many letters turn out to be harmless before what is not.
func TestScanKeepsWhatComesLate(t *testing.T) {
	text := strings.Repeat("\u0430", 5000) + "\u0436\u200b"
	if got := confusable.Scan(text, 3); len(got) != 1 || got[0].Kind != confusable.Invisible {
		t.Fatalf("got %+v", got)
	}
}

func TestScanIsBounded(t *testing.T) {
	if got := confusable.Scan(strings.Repeat("\u200b", 1000), 7); len(got) != 7 {
		t.Fatalf("%d flags", len(got))
	}
	if got := confusable.Scan("\u200b", 0); got != nil {
		t.Fatalf("got %+v", got)
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{"DELETE FROM ord\u0435rs", "a\u200b\u202e\xff\uff34", "\u0441\u043e\u0440\u0435 \r\n", "\U0001d7d9\U000e0041’s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		flags := confusable.Scan(text, 50)
		if len(flags) > 50 {
			t.Fatalf("%d flags", len(flags))
		}
		end := 0
		for _, g := range flags {
			if g.Offset < end || g.Length < 1 || g.Offset+g.Length > len(text) {
				t.Fatalf("%+v is out of order in %q", g, text)
			}
			end = g.Offset + g.Length
			r, n := utf8.DecodeRuneInString(text[g.Offset:])
			if n != g.Length || g.Detail == "" || !utf8.ValidString(g.Detail) {
				t.Fatalf("%+v does not cover %q", g, r)
			}
			if r < utf8.RuneSelf && g.Kind != confusable.Control {
				t.Fatalf("ASCII %q is flagged as %s", r, g.Kind)
			}
		}
	})
}
