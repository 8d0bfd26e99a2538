package mask

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/test/pgtest"
)

// What a server finds hard to write, and what is to be found in it.
var hardValues = []string{
	"plain", "", " ", `\N`, `\.`, `\\N`, "NULL", "tab\tand\nline\r\n", `back\slash\`, `"quoted"`, `'single'`, "comma,semi;pipe|",
	"\b\f\v\x01", "é€😀", "a@b.cc", "x\ta@b.cc\n", `"a@b.cc",`, `\a@b.cc`, "|a@b.cc|", "***", `{"a":1}`,
}

// TestCopyOfServer masks what a real server writes and lets the server read it again, so that the server judges the
// form, and compares the values.
func TestCopyOfServer(t *testing.T) {
	conn := connect(t)
	exec(t, conn, `create table source (id int, secret text, note text)`, `create table target (like source)`)
	for i, v := range hardValues {
		exec(t, conn, fmt.Sprintf(`insert into source values (%d, %s, %s), (%d, null, null)`, 2*i, literal(v), literal(v), 2*i+1))
	}
	det := testDetector(t, Config{})
	for sql, opts := range map[string]CopyOptions{
		``:                           {Format: CopyText},
		`delimiter '|', null 'NULL'`: {Format: CopyText, Delimiter: '|', Null: ptr("NULL")},
		`format csv`:                 {Format: CopyCSV},
		`format csv, header`:         {Format: CopyCSV, Header: true},
		`format csv, null 'NULL'`:    {Format: CopyCSV, Null: ptr("NULL")},
		`format csv, delimiter ';', quote '''', escape '\'`: {Format: CopyCSV, Delimiter: ';', Quote: '\'', Escape: '\\'},
		`format csv, quote '|'`:                             {Format: CopyCSV, Quote: '|'},
		`format binary`:                                     {Format: CopyBinary},
	} {
		t.Run(sql, func(t *testing.T) {
			columns := []Column{{OID: 23}, {OID: oidText, Rule: rule("redact")}, {OID: oidText}}
			exec(t, conn, `truncate target`)
			pass(t, conn, `source`, `target`, sql, testCopy(t, opts, det, columns...))
			hiddenNull := opts.Format == CopyText && *opts.nullOr(`\N`) != `\N`
			want := expected(det, hiddenNull)
			got := lines(t, conn, `select id, secret, note from target order by id`)
			if !slices.Equal(got, want) {
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						t.Fatalf("row %d: got %s, want %s", i, got[i], want[i])
					}
				}
				t.Fatalf("%d rows, want %d", len(got), len(want))
			}
		})
	}
}

func (o CopyOptions) nullOr(def string) *string {
	if o.Null == nil {
		return &def
	}
	return o.Null
}

// expected is what the target has to hold. With a NULL that values can look like, a masked column shows no NULL, and
// the server itself reads a value that looks like it as NULL.
func expected(det *Detector, hiddenNull bool) []string {
	var want []string
	for i, v := range hardValues {
		note := "<" + string(det.Redact(nil, []byte(v))) + ">"
		secretOfNull := "NULL"
		if hiddenNull {
			secretOfNull = "<***>"
			if v == "NULL" {
				note = "NULL"
			}
		}
		want = append(want, fmt.Sprintf("%d <***> %s", 2*i, note), fmt.Sprintf("%d %s NULL", 2*i+1, secretOfNull))
	}
	return want
}

// TestMasksAreValidForTheirTypes lets a server read masked values of many types, in text and in binary.
func TestMasksAreValidForTheirTypes(t *testing.T) {
	conn := connect(t)
	exec(t, conn, `create table typed (t text, v varchar(80), b bpchar(80), j json, jb jsonb, u uuid, i int8, n numeric, d date,
		ts timestamptz, a text[], y bytea, o bool, f float8, x xml)`,
		`insert into typed values ('a@b.cc', 'a@b.cc', 'a@b.cc', '{"m":"a@b.cc","c":4111111111111111}',
		'{"m":"a@b.cc","c":[4111111111111111]}', '550e8400-e29b-41d4-a716-446655440000', 4111111111111111, 4111111111111111,
		'2026-11-23', now(), '{a@b.cc,x}', '\x00ff', true, 4111111111111111, '<a>a@b.cc</a>')`, `insert into typed default values`,
		`create table masked (like typed)`)
	oids := []uint32{oidText, oidVarchar, oidBPChar, oidJSON, oidJSONB, oidUUID, oidInt8, oidNumeric, 1082, 1184, 1009, 17, 16,
		oidFloat8, oidXML}
	for _, ruleName := range []string{"", "null", "redact", "partial:2", "hash"} {
		for sql, opts := range map[string]CopyOptions{``: {Format: CopyText}, `format binary`: {Format: CopyBinary}} {
			t.Run(ruleName+" "+sql, func(t *testing.T) {
				columns := make([]Column, len(oids))
				for i, oid := range oids {
					columns[i].OID = oid
					if ruleName != "" {
						columns[i].Rule = rule(ruleName)
					}
				}
				exec(t, conn, `truncate masked`)
				pass(t, conn, `typed`, `masked`, sql, testCopy(t, opts, testDetector(t, Config{}), columns...))
				text := strings.Join(lines(t, conn, `select masked::text from masked where masked is not null or t is not null`), "\n")
				if strings.Contains(text, "b.cc") || strings.Contains(text, "4111111111111111") {
					t.Errorf("it shows %s", text)
				}
				if ruleName == "hash" && len(lines(t, conn, `select 1 from masked where u is not null`)) != 1 {
					t.Error("the hashed uuid is gone")
				}
			})
		}
	}
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	s := pgtest.Start(t)
	conn, err := s.Connect(t.Context(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// lines returns rows as "v v v", with NULL bare and texts in <>.
func lines(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var parts []string
		for i, v := range row.RawValues() {
			switch {
			case v == nil:
				parts = append(parts, "NULL")
			case row.FieldDescriptions()[i].DataTypeOID == oidText:
				parts = append(parts, "<"+string(v)+">")
			default:
				parts = append(parts, string(v))
			}
		}
		return strings.Join(parts, " "), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pass copies a table through c into another.
func pass(t *testing.T, conn *pgx.Conn, from, to, options string, c *Copy) {
	t.Helper()
	if options != "" {
		options = " with (" + options + ")"
	}
	var in, out bytes.Buffer
	pg := conn.PgConn()
	if _, err := pg.CopyTo(t.Context(), &in, "copy "+from+" to stdout"+options); err != nil {
		t.Fatal(err)
	}
	for in.Len() > 0 {
		masked, err := c.Write(nil, in.Next(11))
		if err != nil {
			t.Fatal(err)
		}
		out.Write(masked)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.CopyFrom(t.Context(), &out, "copy "+to+" from stdin"+options); err != nil {
		t.Fatal(err)
	}
}
