package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"select 1":                 "select 1",
		"\x1b[31mred\x07":          `\u{1b}[31mred\u{7}`,
		"a\r\nb\tc":                `a\u{d}\u{a}b\u{9}c`,
		"\u009b2J":                 `\u{9b}2J`,
		"\x7f":                     `\u{7f}`,
		"\xff":                     `\x{ff}`,
		"user\u202egnp":            `user\u{202e}gnp`,
		"a\u200bb":                 `a\u{200b}b`,
		"a\u00a0b":                 `a\u{a0}b`,
		"ord\u0435rs":              `ord\u{435}rs`, // Cyrillic in a Latin word
		"\u0441\u043e\u0440\u0443": `\u{441}\u{43e}\u{440}\u{443}`,
		"\u043aey":                 `\u{43a}ey`,
		"Москва":                   "Москва",
		"Zürich 東京":                "Zürich 東京",
		"\uff44rop":                `\u{ff44}rop`,
		"it\u2019s":                `it\u{2019}s`,
		"e\u0301":                  `e\u{301}`,
		"\u3164":                   `\u{3164}`,
		"x\ufe0f":                  `x\u{fe0f}`,
		`\d \u{41}`:                `\d \u{5c}u{41}`,
		"\U000e0041":               `\u{e0041}`,
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Block("a\n\tb\r\n\x1b"); got != "a\n\tb\\u{d}\n\\u{1b}" {
		t.Errorf("Block gave %q", got)
	}
}

func TestTextStaysBehindItsPrefix(t *testing.T) {
	for name, tt := range map[string]struct {
		width        int
		prefix, text string
		want         string
	}{
		"no terminal":       {0, "  | ", strings.Repeat("x", 50) + "\ny\n", "  | " + strings.Repeat("x", 50) + "\n  | y\n"},
		"fits":              {20, "  | ", "0123456789abcdef", "  | 0123456789abcdef\n"},
		"one too long":      {20, "  | ", "0123456789abcdefg\n-h", "  | 0123456789abcdef\n  : g\n  | -h\n"},
		"pads to fake":      {20, "  | ", strings.Repeat(" ", 16) + "digest: 00", "  |                 \n  : digest: 00\n"},
		"wide":              {20, "  | ", strings.Repeat("東", 9), "  | 東東東東東東東東\n  : 東\n"},
		"tabs":              {20, "  | ", "\t\tx", "  | \t\t\n  : x\n"},
		"escapes":           {20, "  | ", strings.Repeat("\x1b", 3), "  | \\u{1b}\\u{1b}\\u{1\n  : b}\n"},
		"narrow terminal":   {5, "  | ", "0123456789abcdef", "  | 0123456789ab\n  : cdef\n"},
		"without a prefix":  {20, "", strings.Repeat("x", 50), strings.Repeat("x", 50) + "\n"},
		"an empty line":     {20, "  | ", "a\n\nb", "  | a\n  | \n  | b\n"},
		"no bar to replace": {20, "      ", strings.Repeat("x", 15), "      " + strings.Repeat("x", 14) + "\n      x\n"},
	} {
		var b bytes.Buffer
		p, err := New(&b, tt.width)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Text(tt.prefix, tt.text); err != nil || b.String() != tt.want {
			t.Errorf("%s: got %q, want %q", name, b.String(), tt.want)
		}
	}
}

// unsafeRune is what must never reach a terminal from elsewhere.
func unsafeRune(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"a", "\x1b]0;x\x07", `\u{1b}`, "о\u0301", "\xc3\x28"} {
		f.Add(s, s+"x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if i := strings.IndexFunc(Line(a), unsafeRune); i >= 0 {
			t.Fatalf("Line(%q) = %q", a, Line(a))
		}
		block := strings.NewReplacer("\n", "", "\t", "").Replace(Block(a))
		if i := strings.IndexFunc(block, unsafeRune); i >= 0 {
			t.Fatalf("Block(%q) = %q", a, Block(a))
		}
		if a != b && Line(a) == Line(b) {
			t.Fatalf("%q and %q look the same: %q", a, b, Line(a))
		}
	})
}

func FuzzJSONLine(f *testing.F) {
	f.Add(`{"a": "\u001b[31m", "b": "` + "\u202e\U000e0041" + `"}`)
	f.Fuzz(func(t *testing.T, in string) {
		var out bytes.Buffer
		p, err := New(&out, 0)
		if err != nil {
			t.Fatal(err)
		}
		if p.JSONLine([]byte(in)) != nil || !utf8.ValidString(in) {
			return
		}
		text := strings.TrimSuffix(out.String(), "\n")
		if strings.IndexFunc(text, unsafeRune) >= 0 {
			t.Fatalf("wrote %q", text)
		}
		w, g := canonical(in), canonical(text)
		if w == nil || g == nil {
			t.Fatalf("%q became %q", in, text)
		}
		if !bytes.Equal(w, g) {
			t.Fatalf("%s became %s", w, g)
		}
	})
}

func printed(t *testing.T, width int, f func(*Printer) error) string {
	t.Helper()
	var out bytes.Buffer
	p, err := New(&out, width)
	if err == nil {
		err = f(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTableFits(t *testing.T) {
	table := NewTable("ID", "WHY~", "STATE")
	table.Add("req-0001", strings.Repeat("long ", 30), "pending")
	table.Add("req-0002", "東京東京東京東京東京東京東京東京東京東京東京東京東京東京", "ok")
	for _, width := range []int{40, 60, 100} {
		out := printed(t, width, func(p *Printer) error { return p.Table("", table, "") })
		for line := range strings.Lines(out) {
			if n := columns(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("at width %d a line has %d columns: %q", width, n, line)
			}
		}
		if !strings.Contains(out, "req-0001") || !strings.Contains(out, "…") {
			t.Errorf("at width %d:\n%s", width, out)
		}
	}
	if out := printed(t, 20, func(p *Printer) error { return p.Table("", table, "") }); !strings.Contains(out, "id:    req-0001\n") {
		t.Errorf("what does not fit is not a list:\n%s", out)
	}
	if out := printed(t, 0, func(p *Printer) error { return p.Table("", table, "") }); strings.Contains(out, "…") {
		t.Errorf("cut without a terminal:\n%s", out)
	}
	if out := printed(t, 0, func(p *Printer) error { return p.Table("", NewTable("A"), "nothing") }); out != "nothing\n" {
		t.Errorf("empty table: %q", out)
	}
}

// TestNothingPassesForAField has a value that tries to add lines of its own.
func TestNothingPassesForAField(t *testing.T) {
	out := printed(t, 0, func(p *Printer) error {
		return p.Fields(Field{"reason", "fine\ndigest: 00\n\x1b[2Kx"}, Field{"empty", ""}, Field{"digest", "ff"})
	})
	want := "reason:\n  | fine\n  | digest: 00\n  | \\u{1b}[2Kx\ndigest: ff\n"
	if out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestJSONIsStable(t *testing.T) {
	got := printed(t, 0, func(p *Printer) error {
		return p.JSON(&accessv1.Grant{Id: "grant-1", Reason: "a\u202eb\x1b"})
	})
	for _, want := range []string{`"id": "grant-1"`, `"revoke_reason": ""`, `"active": false`, `"reason": "a\u202eb\u001b"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 45500 * time.Millisecond: "45s", 29*time.Minute + 30*time.Second: "29m30s", 3 * time.Hour: "3h",
		3*time.Hour + 5*time.Minute: "3h5m", 52 * time.Hour: "2d4h",
	} {
		if got := Span(d); got != want {
			t.Errorf("Span(%v) = %q, want %q", d, got, want)
		}
	}
}

// canonical is a JSON text in one form, with numbers as they are written; nil for what is none.
func canonical(text string) []byte {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return out
}
