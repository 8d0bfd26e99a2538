package replay

import (
	"bytes"
	"regexp"
	"testing"
	"unicode/utf8"
)

func drawn(t testing.TB, pieces ...string) string {
	t.Helper()
	var out bytes.Buffer
	s := newScreen(&out)
	for _, p := range pieces {
		if n, err := s.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatalf("wrote %d of %d bytes, error %v", n, len(p), err)
		}
	}
	return out.String()
}

func TestScreen(t *testing.T) {
	for in, want := range map[string]string{
		"ls\r\n\tx\b": "ls\r\n\tx\b",
		"\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mx":   "\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mx",
		"\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[?25l":   "\x1b[2J\x1b[H\x1b[10;20H\x1b[K\x1b[?25l",
		"\x1b[?1049h\x1b[3;4r\x1b7\x1b8\x1bM\x1b(0": "\x1b[?1049h\x1b[3;4r\x1b7\x1b8\x1bM\x1b(0",
		"grüß 東京 🙂":                                 "grüß 東京 🙂",
		"a\xffb\xc3":                                "a\uFFFDb",
		"\x07\x05\x00\x7f":                          "",

		"a\x1b]0;title\x07b":                                        "ab", // title
		"a\x1b]52;c;aHVudGVyMg==\x1b\\b":                            "ab", // clipboard
		"a\x1b]8;;http://x\x1b\\b\x1b]8;;\x07":                      "ab", // link
		"a\x1bP$qm\x1b\\b":                                          "ab", // asks for a setting
		"a\x1b_x\x1b\\b\x1b^y\x1b\\c":                               "abc",
		"\x1b[c\x1b[>c\x1b[=c\x1b[5n\x1b[6n\x1b[?6n":                "", // asks who and where it is
		"\x1b[18t\x1b[21t\x1b[8;1;1t":                               "", // asks for and sets the size of the window
		"\x1b[5i\x1b[?5i":                                           "", // prints
		"\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?1h\x1b[?1049;1000h": "", // mouse, paste, keys
		"\x1b=\x1b>\x1bc\x1bZ\x1b#8":                                "",
		"\x1b[1$p\x1b[!p\x1b[1 q\x1b[>4;1m\x1b[?1q":                 "",
		"\x1b[99999b\x1b[1;99999H":                                  "",        // endless work
		"a\u009b2Jb\u009d0;x\u009c":                                 "a2Jb0;x", // controls of one character
		"\x1b[\x1b[1m\x1b\x1b[0m":                                   "\x1b[1m\x1b[0m",
	} {
		if got := drawn(t, in); got != want {
			t.Errorf("%q is drawn as %q, want %q", in, got, want)
		}
	}
}

func TestScreenGivesBack(t *testing.T) {
	var out bytes.Buffer
	s := newScreen(&out)
	if _, err := s.Write([]byte("\x1b[?1049h")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil || !bytes.HasPrefix(out.Bytes(), []byte("\x1b[?1049h\x1b[?1049l")) {
		t.Errorf("error %v, wrote %q", err, out.String())
	}
	out.Reset()
	if err := newScreen(&out).Close(); err != nil || bytes.Contains(out.Bytes(), []byte("1049")) {
		t.Errorf("error %v, wrote %q", err, out.String())
	}
}

// A title that never ends hides no more than its bound.
func TestScreenGoesOn(t *testing.T) {
	in := "\x1b]0;" + string(bytes.Repeat([]byte("x"), maxText+100)) + "after"
	if got := drawn(t, in); !bytes.HasSuffix([]byte(got), []byte("after")) {
		t.Errorf("%d characters are left", len(got))
	}
}

// harmless is what may reach a terminal: text, a few controls, and sequences that draw.
var harmless = regexp.MustCompile("^(?:[^\\x00-\\x1f\\x7f-\\x{9f}]|[\\x08-\\x0f]|\x1b\\[[0-9;:]{0,60}[@A-MPSTXZ`abd-gmrsu]|\x1b\\[(?:4|\\?(?:5|7|12|25|47|1047|1049|2026))[hl]|" +
	"\x1b\\[\\?[0-9;:]{0,60}[JK]|\x1b[78DEMH]|\x1b[()][0AB])*$")

func FuzzScreen(f *testing.F) {
	f.Add([]byte("a\x1b[1;31mred\x1b]0;x\x07\xc3\xbc\xff\x1b[?1049h\x1b(0\u009b2J"), 3)
	f.Fuzz(func(t *testing.T, in []byte, at int) {
		whole := drawn(t, string(in))
		if !utf8.ValidString(whole) || !harmless.MatchString(whole) {
			t.Fatalf("%q is drawn as %q", in, whole)
		}
		if len(in) == 0 {
			return
		}
		cut := (at%len(in) + len(in)) % len(in)
		if split := drawn(t, string(in[:cut]), string(in[cut:])); split != whole {
			t.Fatalf("split at %d: %q, whole: %q", cut, split, whole)
		}
	})
}
