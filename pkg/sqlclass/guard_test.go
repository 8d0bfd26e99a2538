package sqlclass

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestGuardRefuses(t *testing.T) {
	tests := map[string]struct {
		text string
		want Reason
	}{
		"long":             {"select '" + strings.Repeat("x", DefaultMaxBytes) + "'", ReasonTooLarge},
		"tokens":           {"select 1" + strings.Repeat("+1", DefaultMaxTokens), ReasonTooMany},
		"parens":           {"select " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300), ReasonTooDeep},
		"brackets":         {"select " + strings.Repeat("array[", 300) + "1" + strings.Repeat("]", 300), ReasonTooDeep},
		"case":             {"select " + strings.Repeat("case when true then ", 300) + "1" + strings.Repeat(" end", 300), ReasonTooDeep},
		"prefix operators": {"select " + strings.Repeat("- ", 300) + "1", ReasonTooDeep},
		"not":              {"select " + strings.Repeat("not ", 300) + "true", ReasonTooDeep},
		"mixed":            {"select " + strings.Repeat("(- ", 150) + "1" + strings.Repeat(")", 150), ReasonTooDeep},
		"end as a label":   {"select " + strings.Repeat("(select 1 as end, ", 300) + "1" + strings.Repeat(")", 300), ReasonTooDeep},
		"nul":              {"select 'a\x00b'", ReasonEncoding},
		"utf8":             {"select '\xff'", ReasonEncoding},
		"quote":            {"select 'abc", ReasonSyntax},
		"comment":          {"select 1 /* /* */", ReasonSyntax},
		"dollar":           {"select $a$ $b$", ReasonSyntax},
		"nonsense":         {"drop tables please", ReasonSyntax},
		"star bomb":        {starBomb(40), ReasonTooComplex},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := classifier(t).Classify(tt.text, shop(t), publicSession())
			var u *Unparsed
			if !errors.As(err, &u) || u.Reason != tt.want {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if u.SQLSTATE() == "" || strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "please") {
				t.Errorf("error %q (%s) quotes the text", err, u.SQLSTATE())
			}
		})
	}
}

// starBomb doubles its columns at each level.
func starBomb(levels int) string {
	return strings.Repeat("select *, * from (", levels) + "select 1 as a" + strings.Repeat(") x", levels)
}

// TestWorstCases runs texts within the limits that once made parsers slow.
func TestWorstCases(t *testing.T) {
	tests := map[string]string{
		"terms":      "select 1" + strings.Repeat("+1", 24000),
		"columns":    "select ssn" + strings.Repeat("||ssn", 20000) + " from customers",
		"unions":     "select 1" + strings.Repeat(" union select 1", 10000),
		"joins":      "select * from customers c" + strings.Repeat(" cross join orders", 4000),
		"commas":     "select 1 from customers" + strings.Repeat(", orders", 20000),
		"ins":        "select 1 from customers where id in (1" + strings.Repeat(",1", 20000) + ")",
		"ors":        "delete from orders where id = 1" + strings.Repeat(" or id = 1", 8000),
		"cases":      "select " + strings.Repeat("case when x.end then ", 5000) + "1" + strings.Repeat(" end", 5000),
		"nested":     "select " + strings.Repeat("(select ", 190) + "1" + strings.Repeat(")", 190),
		"lateral":    "select 1 from " + strings.Repeat("(select * from ", 190) + "customers" + strings.Repeat(") x", 190),
		"ctes":       "with " + strings.TrimSuffix(strings.Repeat("a as (select 1), ", 5000), ", ") + " select 1",
		"blocks":     "do $$ " + strings.Repeat("begin ", 20000) + strings.Repeat("end; ", 20000) + "$$",
		"ifs":        "do $$ begin " + strings.Repeat("if true then ", 8000) + strings.Repeat("end if; ", 8000) + " end $$",
		"body":       "do $$ begin perform " + strings.Repeat("(", 100000) + "; end $$",
		"many":       "do $$ begin " + strings.Repeat("delete from orders; ", 10000) + " end $$",
		"statements": strings.Repeat("select 1;", 15000),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := classifier(t).Classify(text, shop(t), publicSession())
			t.Logf("%d bytes: %v, %v", len(text), time.Since(start).Round(time.Millisecond), err)
			var u *Unparsed
			if errors.As(err, &u) && u.Reason == ReasonInternal {
				t.Error("analysis failed")
			}
		})
	}
}

func TestBatch(t *testing.T) {
	text := " select 1 ; /* x */ ; delete from orders where id = 1; -- end"
	b, err := classifier(t).Classify(text, shop(t), publicSession())
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Statements) != 2 || b.Statements[0].Text != "select 1" || b.Statements[1].Kind != KindDelete {
		t.Fatalf("%+v", b.Statements)
	}
	if !strings.HasSuffix(b.Statements[1].Text, "delete from orders where id = 1") {
		t.Errorf("text %q", b.Statements[1].Text)
	}
	for _, empty := range []string{"", "  ", "-- x", "/* x */", ";", ";;"} {
		if b, err := classifier(t).Classify(empty, shop(t), publicSession()); err != nil || len(b.Statements) != 0 {
			t.Errorf("%q: %v %v", empty, b, err)
		}
	}
}

func TestNilCatalogKnowsNothing(t *testing.T) {
	b, err := classifier(t).Classify(`select upper(ssn) from customers`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := b.Statements[0]
	if len(f.Unresolved) == 0 || !f.Output[0].Opaque || f.ReadOnly() {
		t.Errorf("%+v", f)
	}
}

func TestNormalize(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT  *\n FROM \"T\" WHERE a = 'x''y' AND b=1.5e3 -- c": `select * from "T" where a = ? and b = ?`,
		"insert into t(a) values ($1, E'\\'', U&'x')":              "insert into t(a) values ($1, ?, ?)",
		"do $x$ secret $x$":    "do ?",
		"select 'unterminated": "select ?",
		"select a.b[1]::text":  "select a.b[?]::text",
	} {
		if got := Normalize(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"alter role x password 'a''b' -- s3cret": "alter role x password '***' ",
		"select E'a\\'b' 'c', $q$x$q$, \"id\"":   "select '***' '***', '***', \"id\"",
		"select 'open":                           "select '***'",
		"select E'a'\n  'b\\'c' as x":            "select '***' as x",
	} {
		if got := Redact(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestCache(t *testing.T) {
	c, cat, s := classifier(t), shop(t), publicSession()
	first, err := c.Classify(`select * from customers`, cat, s)
	if err != nil {
		t.Fatal(err)
	}
	text := `select * from customers`
	if again, _ := c.Classify(text, cat, s); again != first {
		t.Error("a repeated text was classified again")
	}
	if n := testing.AllocsPerRun(100, func() { c.Classify(text, cat, s) }); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
	snap := shopSnapshot()
	newer, err := NewCatalog(snap)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := c.Classify(text, newer, s); b == first {
		t.Error("another catalog version shared the entry")
	}
	if b, _ := c.Classify(text, cat, &Session{Path: NewPath("private")}); b == first {
		t.Error("another search_path shared the entry")
	}
	temp := table(29002, "pg_temp_3", "customers", "ssn")
	if b, _ := c.Classify(text, cat, &Session{Path: NewPath("public"), Temp: []*Relation{&temp}, TempKey: 7}); b == first {
		t.Error("a session with temporary tables shared the entry")
	}
	if b, _ := c.Classify(text, cat, &Session{Path: NewPath("public"), Temp: []*Relation{&temp}}); b == first {
		t.Error("temporary tables without a key were answered from the cache")
	}
	for _, private := range []string{`execute p`, `fetch c`, `alter role x password 'y'`} {
		a, _ := c.Classify(private, cat, s)
		if b, _ := c.Classify(private, cat, s); a == b {
			t.Errorf("%s was cached", private)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{MaxBytes: -1}); !errors.Is(err, ErrConfig) {
		t.Errorf("negative limit: %v", err)
	}
	for _, s := range []Snapshot{
		{Relations: []Relation{{Schema: "a", Name: "b"}}},
		{Relations: []Relation{table(1, "a", "b"), table(1, "a", "c")}},
		{Relations: []Relation{table(1, "a", "b"), table(2, "a", "b")}},
		{Functions: []Function{{Schema: "a"}}},
	} {
		if _, err := NewCatalog(s); !errors.Is(err, ErrCatalog) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestNear(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct {
		token string
		end   bool
		at    int
	}{
		"DORP TABLE t":                  {token: "DORP"},
		"SELECT 1 FORM t":               {token: "t", at: 14},
		"SELECT 'ä' FROM FROM t":        {token: "FROM", at: 17},
		"SELECT (1":                     {end: true, at: 9},
		"SELECT ) 'secret'":             {token: ")", at: 7},
		"SELECT 1 WHERE 1 = = 2":        {token: "=", at: 19},
		"ALTER ROLE r PASSWORD 'a' 'b'": {at: 26},
		`SELECT 1 AS "a" "hunter2"`:     {at: 16},
		"SELECT 1 AS a 12345":           {at: 14},
	} {
		_, err := c.Classify(text, nil, nil)
		var u *Unparsed
		if !errors.As(err, &u) {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if token, end := u.Near(text); token != want.token || end != want.end || u.Position != want.at {
			t.Errorf("%s: near %q, end %v, at %d; want %+v", text, token, end, u.Position, want)
		}
	}
}
