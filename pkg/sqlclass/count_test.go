package sqlclass_test

import (
	"testing"

	"github.com/writhq/writ/pkg/sqlclass"
)

func TestCountQuery(t *testing.T) {
	c, err := sqlclass.New(sqlclass.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const count = "SELECT pg_catalog.count(*) FROM "
	for text, want := range map[string]string{
		"DELETE FROM orders": count + "orders",
		"delete from only app.orders o where o.id = $1 returning *;":             count + "ONLY app.orders o WHERE o.id = $1",
		"UPDATE t SET a = $1, b = (SELECT 1) WHERE id IN (1, $2) AND c IS NULL":  count + "t WHERE id IN (1, $2) AND c IS NULL",
		"DELETE FROM t WHERE a < now() - interval '1 day' OR NOT (b LIKE 'x%')":  count + "t WHERE a < (now() - '1 day'::interval) OR NOT b LIKE 'x%'",
		"DELETE FROM t WHERE f = ANY($2::int[]) AND lower(g) = 'x'::text":        count + "t WHERE f = ANY($2::int[]) AND lower(g) = 'x'::text",
		"DELETE FROM \"T\" WHERE \"Ä\" = E'\\\\x' AND (a, b) = (1, 2)":           count + "\"T\" WHERE \"Ä\" = E'\\\\x' AND (a, b) = (1, 2)",
		"/* x */ DELETE FROM t -- y\n WHERE a->>'k' = 'v' AND b BETWEEN 1 AND 2": count + "t WHERE (a ->> 'k') = 'v' AND b BETWEEN 1 AND 2",
		"DELETE FROM t USING u WHERE t.id = u.id":                                "",
		"UPDATE t SET a = 1 FROM u WHERE t.id = u.id":                            "",
		"WITH x AS (SELECT 1) DELETE FROM t":                                     "",
		"DELETE FROM t WHERE id IN (SELECT id FROM u)":                           "",
		"DELETE FROM t WHERE EXISTS (SELECT 1)":                                  "",
		"DELETE FROM t WHERE CURRENT OF c":                                       "",
		"DELETE FROM t WHERE a = 'x'::mood":                                      "",
		"DELETE FROM t WHERE a = 'x'::app.text":                                  "",
		"DELETE FROM t; DELETE FROM u":                                           "",
		"INSERT INTO t VALUES (1)":                                               "",
		"SELECT 1":                                                               "",
		"DELETE FROM":                                                            "",
		"":                                                                       "",
		"\xff":                                                                   "",
	} {
		got, ok := c.CountQuery(text)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s:\n got %q, %v\nwant %q", text, got, ok, want)
		}
	}
}

func FuzzCountQuery(f *testing.F) {
	c, err := sqlclass.New(sqlclass.Config{MaxBytes: 4 << 10, MaxTokens: 500, MaxDepth: 50})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"DELETE FROM t WHERE a = 0x1F", "UPDATE t SET a = 1 WHERE b = U&'\\0041' AND c @> ARRAY[1]", "DELETE FROM t WHERE (a).b[1:2] = $1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		query, ok := c.CountQuery(text)
		if !ok {
			return
		}
		b, err := c.Classify(query, nil, nil)
		if err != nil || len(b.Statements) != 1 || b.Statements[0].Kind != sqlclass.KindSelect {
			t.Fatalf("%q became %q: %v", text, query, err)
		}
	})
}
