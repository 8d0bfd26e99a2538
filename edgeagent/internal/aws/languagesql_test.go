package aws

import (
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/policy"
)

func TestStatements(t *testing.T) {
	common := dialect{named: true}
	for text, want := range map[string]reading{
		"SELECT a.x, b.y FROM s.a JOIN b ON a.i = b.i WHERE a.n = :n AND b.d::date < :d": {AWSText: said([]string{"select"}, []string{"s.a", "b"}, nil)},
		"select lower(n), COUNT(*) from t;":                                              {AWSText: said([]string{"select"}, []string{"t"}, []string{"lower", "count"})},
		"SELECT 'it''s; -- no comment /* here */', N FROM t":                             {AWSText: said([]string{"select"}, []string{"t"}, nil)},
		"WITH c AS (SELECT 1 AS a) SELECT a FROM c":                                      {AWSText: said([]string{"select"}, nil, nil)},
		"SELECT pg_read_file('x')":                                                       {AWSText: said([]string{"select", "call"}, nil, []string{"pg_read_file"}), changes: true},
		"SELECT evil.lower(a) FROM t":                                                    {AWSText: said([]string{"select", "call"}, []string{"t"}, []string{"evil.lower"}), changes: true},
		"INSERT INTO t (a) SELECT b FROM u WHERE b IN (:a, :b)":                          {AWSText: said([]string{"insert", "select"}, []string{"t", "u"}, nil), changes: true},
		"CALL p(1)":              {AWSText: said([]string{"call"}, nil, []string{"p"}), changes: true},
		"GRANT SELECT ON t TO u": {AWSText: said([]string{"grant"}, []string{"t"}, nil), changes: true},
		"MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE":      {AWSText: said([]string{"merge", "select", "delete"}, []string{"t", "u"}, nil), changes: true},
		"WITH d AS (DELETE FROM t WHERE a = 1 RETURNING *) TABLE d":       {AWSText: said([]string{"select", "delete"}, []string{"t"}, nil), changes: true},
		"SELECT * INTO n FROM t":                                          {AWSText: said([]string{"ddl", "select"}, []string{"t", "n"}, nil), changes: true},
		"DELETE FROM t WHERE a = :a":                                      {AWSText: said([]string{"delete"}, []string{"t"}, nil), changes: true},
		"SELECT extract(year FROM a), coalesce(a, b), now() FROM t":       {AWSText: said([]string{"select"}, []string{"t"}, []string{"pg_catalog.extract", "now"})},
		"SELECT a FROM t WHERE b = 1.5e-3 AND c <> -2 ORDER BY 1 LIMIT 5": {AWSText: said([]string{"select"}, []string{"t"}, nil)},
	} {
		var got reading
		if why := got.statement(text, common); why != "" {
			t.Errorf("%s: %s", text, why)
			continue
		}
		same := func(a, b []string) bool {
			a, b = slices.Clone(a), slices.Clone(b)
			slices.Sort(a)
			slices.Sort(b)
			return slices.Equal(slices.Compact(a), slices.Compact(b))
		}
		if !same(got.Statements, want.Statements) || !same(got.Tables, want.Tables) || !same(got.Functions, want.Functions) || got.changes != want.changes {
			t.Errorf("%s:\n%+v, want\n%+v", text, got, want)
		}
	}
	var whole reading
	if why := whole.statement("UPDATE t SET a = 1", common); why != "" || !whole.WholeTable {
		t.Errorf("%s, %+v", why, whole)
	}
}

func said(statements, tables, functions []string) policy.AWSText {
	return policy.AWSText{Statements: statements, Tables: tables, Functions: functions}
}

// TestTextsThatDiffer: what one engine reads otherwise than another is not read at all.
func TestTextsThatDiffer(t *testing.T) {
	known := dialect{marks: true, quotes: true}
	for name, c := range map[string]struct {
		text string
		in   dialect
	}{
		"nothing":                           {"", known},
		"a comment":                         {"SELECT 1 -- x", known},
		"a comment of MySQL's":              {"SELECT 1 # x", known},
		"a comment that is run":             {"SELECT 1 /*!50000 INTO OUTFILE 'x' */", known},
		"a comment without a space":         {"SELECT 1--1", known},
		"a backslash":                       {`SELECT 'a\' OR 1=1`, known},
		"a literal with escapes":            {"SELECT E'a'", known},
		"a literal with Unicode escapes":    {"SELECT U&'a' UESCAPE '!'", known},
		"a name with Unicode escapes":       {`SELECT * FROM U&"a" UESCAPE '!'`, known},
		"a dollar quote":                    {"SELECT $$a$$", known},
		"a dollar parameter":                {"SELECT $1", known},
		"a name in back quotes":             {"SELECT * FROM `t`", known},
		"a name in quotes, of MySQL's too":  {`SELECT * FROM "t"`, dialect{named: true}},
		"a variable":                        {"SELECT @a", known},
		"an assignment":                     {"SELECT a := 1", dialect{named: true}},
		"a mark that is no parameter":       {"SELECT a ? 'b' FROM t", dialect{named: true}},
		"a parameter behind a name":         {"SELECT a:b FROM t", dialect{named: true}},
		"a name of three parts":             {"SELECT * FROM c.s.t", known},
		"a name of three parts with spaces": {"SELECT * FROM c . s . t", known},
		"a name of three parts in quotes":   {`SELECT * FROM "c"."s"."t"`, known},
		"white space of another sort":       {"SELECT\u00a01", known},
		"a form feed":                       {"SELECT\f1", known},
		"a NUL":                             {"SELECT 'a\x00'", known},
		"no UTF-8":                          {"SELECT '\xff'", known},
		"a name that is not ASCII":          {"SELECT * FROM tábla", known},
		"an operator of a schema":           {"SELECT 1 OPERATOR(evil.+) 2", known},
		"a brace":                           {"SELECT {d '2020-01-01'}", known},
		"two statements":                    {"SELECT 1; SELECT 2", known},
		"an empty one before":               {";DROP TABLE t", known},
		"a literal without an end":          {"SELECT 'a", known},
		"a password":                        {"SELECT dblink_connect('password=x')", known},
		"a role":                            {"CREATE USER u PASSWORD 'x'", known},
		"a transaction":                     {"BEGIN", known},
		"a setting":                         {"SET a = 1", known},
		"a copy":                            {"COPY t FROM 's3'", known},
		"a lock":                            {"LOCK TABLE t", known},
		"prepared text":                     {"PREPARE p AS DELETE FROM t", known},
		"a block":                           {"DO 'x'", known},
		"a listener":                        {"LISTEN x", known},
	} {
		var r reading
		if r.statement(c.text, c.in) == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// FuzzPlain: a text is passed on as it is, but for parameters and the end, or refused.
func FuzzPlain(f *testing.F) {
	for _, text := range []string{"SELECT a.b, 'x''y' FROM t WHERE c = :d;", `SELECT "a" FROM t WHERE b = ?`, "SELECT 1--", "x'\\'"} {
		f.Add(text, true, true, true)
	}
	f.Fuzz(func(t *testing.T, text string, named, marks, quotes bool) {
		d := dialect{named: named, marks: marks, quotes: quotes}
		out, why := d.plain(text)
		if why != "" {
			return
		}
		if strings.ContainsAny(out, "\\`@#{}\x00") && !strings.ContainsAny(out, `'"`) || strings.Contains(out, "--") && !strings.ContainsAny(out, `'"`) {
			t.Fatalf("%q became %q", text, out)
		}
		if !named && !marks && out != strings.TrimRight(strings.TrimSuffix(strings.TrimRight(text, " \t\r\n"), ";"), " \t\r\n") {
			t.Fatalf("%q became %q", text, out)
		}
		if n := strings.Count(out, "'"); n%2 != 0 {
			if !quotes {
				t.Fatalf("%q has an open literal", out)
			}
		}
		var r reading
		_ = r.statement(text, d)
	})
}
