package sqlclass

import "testing"

func TestTemplate(t *testing.T) {
	same := [][2]string{
		{"SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id = 22"},
		{"SELECT a FROM t WHERE id = 1;", "SELECT a FROM t WHERE id = 22;"},
		{"select a from t where n='x' and m >= 3.5", "select a from t where n='y''z' and m >= 4"},
	}
	for _, c := range same {
		a, okA := template(nil, c[0])
		b, okB := template(nil, c[1])
		if !okA || !okB || string(a) != string(b) {
			t.Errorf("%q and %q: %q %v, %q %v", c[0], c[1], a, okA, b, okB)
		}
	}
	apart := [][2]string{
		{"SELECT a, b FROM t WHERE id = 1 ORDER BY 1", "SELECT a, b FROM t WHERE id = 1 ORDER BY 2"},
		{"SELECT a FROM t WHERE id = 1 LIMIT 1", "SELECT a FROM t WHERE id = 1 LIMIT 2"},
		{"SELECT f('x') FROM t WHERE id = 1", "SELECT f('y') FROM t WHERE id = 1"},
		{"SELECT a FROM t WHERE id = 1", "SELECT a FROM t WHERE id = '1'"},
		{"SELECT a FROM t WHERE id = 1", "SELECT b FROM t WHERE id = 1"},
		{"SELECT a FROM t GROUP BY 1 HAVING a = 2", "SELECT a FROM t GROUP BY 2 HAVING a = 2"},
	}
	for _, c := range apart {
		a, _ := template(nil, c[0])
		b, _ := template(nil, c[1])
		if string(a) == string(b) {
			t.Errorf("%q and %q share %q", c[0], c[1], a)
		}
	}
	for _, text := range []string{
		"DELETE FROM t WHERE 1 = 2", "UPDATE t SET a = 1 WHERE 1 = 1", "SELECT a FROM t WHERE id = 1; DROP TABLE t",
		"SELECT a /* = 1 */ FROM t WHERE id = 1", "SELECT a FROM t WHERE id = 1 -- x", "SELECT a FROM t WHERE n = E'a\\'b'", "SELECT a FROM t",
		"SELECT a FROM t WHERE n = 'open", "WITH d AS (DELETE FROM t WHERE 1 = 1 RETURNING a) SELECT a FROM d",
	} {
		if got, ok := template(nil, text); ok {
			t.Errorf("%q has a template %q", text, got)
		}
	}
}

// A text whose literal decides what it does is classified by itself.
func TestTemplateKeepsFactsApart(t *testing.T) {
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	cat, err := NewCatalog(Snapshot{Version: 1, Relations: []Relation{{OID: 20000, Schema: "public", Name: "t", Kind: 'r', Columns: []Column{{Num: 1, Name: "a", TypeOID: 23}, {Num: 2, Name: "b", TypeOID: 25}}}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{Path: NewPath("public")}
	first, err := c.Classify("SELECT a FROM t WHERE b = 'x'", cat, s)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Classify("SELECT a FROM t WHERE b = 'y'", cat, s)
	if err != nil || first != second {
		t.Fatalf("not shared: %v", err)
	}
	one, _ := c.Classify("WITH d AS (DELETE FROM t WHERE 1 = 2 RETURNING a) SELECT a FROM d", cat, s)
	two, _ := c.Classify("WITH d AS (DELETE FROM t WHERE 1 = 1 RETURNING a) SELECT a FROM d", cat, s)
	if one == two || two.Statements[0].HasWhere {
		t.Error("a where-less delete hides behind another")
	}
}
