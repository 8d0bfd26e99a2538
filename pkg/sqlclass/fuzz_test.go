package sqlclass

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func seeds(f *testing.F) {
	for _, tt := range lineageTests {
		f.Add(tt.sql)
	}
	for _, tt := range accessTests {
		f.Add(tt.sql)
	}
	for _, s := range []string{"", "'", `"`, "$$", "$a$", "/*", "--", "E'\\", "U&'\\", "$1$2", "select 1;;", "\x00", "\xff", starBomb(3)} {
		f.Add(s)
	}
}

// FuzzGuard holds that every token ends after it starts, that tokens cover the text in order, and that
// neither Redact nor Normalize shows a string constant.
func FuzzGuard(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := scanner{text: text}
		last := 0
		for tok, ok := s.next(); ok; tok, ok = s.next() {
			if tok.start < last || tok.end <= tok.start || tok.end > len(text) {
				t.Fatalf("token %+v after %d of %d", tok, last, len(text))
			}
			last = tok.end
		}
		red := Redact(text)
		in := scanner{text: red}
		for tok, ok := in.next(); ok; tok, ok = in.next() {
			if tok.kind == tokString && !strings.Contains(red[tok.start:tok.end], "***") {
				t.Fatalf("redacted text %q still has a constant", red)
			}
		}
		if norm := Normalize(text); utf8.ValidString(text) && !utf8.ValidString(norm) {
			t.Fatalf("normalized %q", norm)
		}
		cfg := Config{MaxBytes: 1 << 16, MaxTokens: 1000, MaxDepth: 50}
		if err := cfg.guard(text); err == nil && (len(text) > 1<<16 || strings.Contains(text, "\x00")) {
			t.Fatal("the guard let it pass")
		}
	})
}

// FuzzClassify holds that no text makes the analysis panic, run long or lie about itself.
func FuzzClassify(f *testing.F) {
	seeds(f)
	c, cat := classifier(f), shop(f)
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		b, err := c.Classify(text, cat, publicSession())
		var u *Unparsed
		if err != nil && (!errors.As(err, &u) || u.Reason == ReasonInternal) {
			t.Fatalf("error %v", err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Fatalf("took %v", d)
		}
		if err != nil {
			return
		}
		for _, st := range b.Statements {
			if st.Offset < 0 || st.Offset > len(text) || !strings.Contains(text, st.Text) {
				t.Fatalf("statement %q at %d is not in the text", st.Text, st.Offset)
			}
			if !st.OutputKnown && len(st.Output) > 0 {
				t.Fatal("an unknown output has columns")
			}
			for _, a := range st.Accesses {
				if a.Action.writes() && !st.Write {
					t.Fatalf("%s without a write", a.Action)
				}
			}
		}
	})
}

// FuzzBody holds the same of PL/pgSQL bodies, and that one which cannot be read is opaque.
func FuzzBody(f *testing.F) {
	for _, s := range []string{"begin null; end", "begin delete from orders; end", "begin execute 'x'; end", "declare v text; begin v := (select ssn from customers); raise notice '%', v; end",
		"begin for r in select 1 loop perform py(r); end loop; end", "begin if exists(select 1 from notes) then return; end if; end", "x"} {
		f.Add(s)
	}
	c, cat := classifier(f), shop(f)
	f.Fuzz(func(t *testing.T, body string) {
		b, err := c.Classify("do "+dollarQuote(body), cat, publicSession())
		var u *Unparsed
		if err != nil {
			if !errors.As(err, &u) || u.Reason == ReasonInternal {
				t.Fatalf("error %v", err)
			}
			return
		}
		if len(b.Statements) != 1 || b.Statements[0].Kind != KindDo || !b.Statements[0].Write {
			t.Fatalf("a DO of %q became %+v", body, b.Statements)
		}
	})
}
