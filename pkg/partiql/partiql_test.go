package partiql

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Statement{
		`SELECT * FROM Orders`: {Kind: Select, Table: "Orders"},
		`select "a".b[0]."c d", e from "Orders"."by-date" where id = ? order by date desc, id;`: {Kind: Select, Table: "Orders", Index: "by-date", Where: true, Params: 1},
		"SELECT/* a\n*/*\nFROM -- from t\n \"Orders\" WHERE a=1.5e+3":                           {Kind: Select, Table: "Orders", Where: true},
		`SELECT * FROM "arn:aws:dynamodb:eu-west-1:111122223333:table/Orders" WHERE a IN ['x', 'y''; DELETE FROM z'] AND NOT (b IS NOT MISSING OR size(c) > 3)`: {
			Kind: Select, Table: "arn:aws:dynamodb:eu-west-1:111122223333:table/Orders", Where: true},
		`SELECT * FROM Orders WHERE a BETWEEN 1 AND -2 AND begins_with("b", '--') AND contains(c, ?) OR attribute_type(d, 'S') AND x IN (1, 2)`: {Kind: Select, Table: "Orders", Where: true, Params: 1},
		`INSERT INTO "Orders" VALUE {'id': ?, 'tags': <<'a', 'b'>>, 'm': {'n': [1, null, true, {}]}, 'e': []}`:                                  {Kind: Insert, Table: "Orders", Params: 1},
		`INSERT INTO Orders VALUE ?`: {Kind: Insert, Table: "Orders", Params: 1},
		`UPDATE "Orders" SET a = a + 1, b.c = list_append(b.c, ['x']) REMOVE d[0] SET e = set_add(e, <<1>>) WHERE id = 'x' RETURNING ALL NEW *`: {Kind: Update, Table: "Orders", Where: true, Returning: true},
		`DELETE FROM Orders WHERE id = 'x' RETURNING ALL OLD *`:                                                                                 {Kind: Delete, Table: "Orders", Where: true, Returning: true},
		`DELETE FROM Orders`: {Kind: Delete, Table: "Orders"},
		`EXISTS(SELECT * FROM "Orders" WHERE id = ? AND a IS MISSING)`: {Kind: Exists, Table: "Orders", Where: true, Params: 1},
		`SELECT size FROM Orders WHERE size = 1 AND contains.a = 2`:    {Kind: Select, Table: "Orders", Where: true},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%s\n%+v %v, want %+v", text, got, err, want)
		}
	}
}

// TestRefused: what could be read in two ways, and what DynamoDB does not have, is no statement.
func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                     ``,
		"a comment":                   `-- SELECT * FROM t`,
		"two statements":              `SELECT * FROM Orders; DELETE FROM Orders`,
		"two without a sign":          `SELECT * FROM Orders DELETE FROM Orders`,
		"a join":                      `SELECT * FROM Orders, Others`,
		"an alias":                    `SELECT * FROM Orders AS o`,
		"an alias without as":         `SELECT * FROM Orders o`,
		"a query inside":              `SELECT * FROM Orders WHERE a IN (SELECT b FROM Others)`,
		"a query in the list":         `SELECT (SELECT b FROM Others) FROM Orders`,
		"a path of tables":            `SELECT * FROM Orders.a.b`,
		"an element of a table":       `SELECT * FROM Orders[0]`,
		"DML from behind":             `FROM Orders WHERE a = 1 REMOVE b`,
		"DDL":                         `DROP TABLE Orders`,
		"execution":                   `EXEC x`,
		"several items":               `INSERT INTO Orders << {'a': 1}, {'b': 2} >>`,
		"insert of a query":           `INSERT INTO Orders VALUE (SELECT * FROM Others)`,
		"insert into an index":        `INSERT INTO Orders.i VALUE {'a': 1}`,
		"upsert":                      `UPSERT INTO Orders VALUE {'a': 1}`,
		"an open literal":             `SELECT * FROM Orders WHERE a = 'x`,
		"a backslash before a quote":  `SELECT * FROM Orders WHERE a = '\' OR b = 'x'`,
		"an open name":                `SELECT * FROM "Orders`,
		"an empty name":               `SELECT * FROM ""`,
		"an open comment":             `SELECT * FROM Orders /* x`,
		"a comment in a comment":      `SELECT * FROM Orders /* /* */ WHERE a = 1`,
		"a comment that may end":      "DELETE FROM Orders -- x\r WHERE a = 1",
		"Ion":                         "SELECT * FROM Orders WHERE a = `1`",
		"white space of another sort": "SELECT\u00a0* FROM Orders",
		"a NUL":                       "SELECT * FROM Orders WHERE a = 'x\x00'",
		"no UTF-8":                    "SELECT * FROM Orders WHERE a = '\xff'",
		"a wildcard":                  `SELECT * FROM "Ord*"`,
		"an ARN of something else":    `SELECT * FROM "arn:aws:s3:eu-west-1:111122223333:table/Orders"`,
		"an ARN with more":            `SELECT * FROM "arn:aws:dynamodb:eu-west-1:111122223333:table/Orders/index/i"`,
		"a keyword as a table":        `SELECT * FROM from`,
		"an unknown function":         `SELECT * FROM Orders WHERE novel(a) = 1`,
		"a number into a name":        `SELECT * FROM Orders WHERE a = 1x`,
		"update without anything":     `UPDATE Orders WHERE a = 1`,
		"a condition without an end":  `SELECT * FROM Orders WHERE a =`,
		"deep":                        `SELECT * FROM Orders WHERE ` + strings.Repeat("(", 1000),
		"deep not":                    `SELECT * FROM Orders WHERE ` + strings.Repeat("not ", 1000) + "a",
		"long":                        `SELECT * FROM Orders WHERE a = '` + strings.Repeat("x", MaxBytes) + `'`,
	} {
		s, err := Parse(text)
		var e *Error
		if !errors.As(err, &e) || s != (Statement{}) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// FuzzParse: whatever comes is read or refused, and a statement that is read has a kind and a table.
func FuzzParse(f *testing.F) {
	f.Add(`SELECT * FROM "Orders"."i" WHERE a = 'x' AND b IN [1, ?] ORDER BY c`)
	f.Add(`INSERT INTO Orders VALUE {'id': <<1>>}`)
	f.Add(`UPDATE Orders SET a = 1 REMOVE b WHERE c BETWEEN 1 AND 2 RETURNING ALL OLD *`)
	f.Add(`EXISTS(SELECT * FROM t WHERE a IS NOT MISSING) -- x`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		if s.Kind == Unknown || s.Table == "" {
			t.Fatalf("%q: %+v", text, s)
		}
		again, err := Parse(" " + text + "\n")
		if len(text)+2 <= MaxBytes && (err != nil || again != s) {
			t.Fatalf("%q: %+v, then %+v, %v", text, s, again, err)
		}
		words := strings.ToLower(text)
		if !strings.Contains(words, s.Kind.String()) {
			t.Fatalf("%q is taken for %s", text, s.Kind)
		}
	})
}
