package auditexport_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/auditexport"
)

// full is a record with everything in it.
func full(t testing.TB) *audit.Record {
	t.Helper()
	at := time.Date(2026, 11, 23, 14, 0, 1, 234567891, time.UTC)
	return &audit.Record{
		ID: idAt(at), Seq: 3, Time: at, Kind: audit.KindCommand, Edge: "edge-a", Session: "ses-1", Principal: "ada@example.com",
		PrincipalKind: "agent", OnBehalfOf: []string{"bo"}, Resource: "orders-db", Grant: "grant-1", ClientAddr: "10.0.0.1:5", Protocol: "postgres",
		Application: "psql", Command: "c1", Statement: "SELECT '\u202e<b>'\n", Params: []audit.Param{{Data: []byte("=1")}, {Null: true}, {Data: []byte{0xff}}},
		Digest: [32]byte{1}, Decision: audit.Allow, PolicyIDs: []string{"p1", "p2"}, Revision: 7, Reason: "why", RequestID: "req-1", HoldID: "hold-1",
		Actions: []string{"sql:select"}, Tables: []string{"public.orders"}, MaskedColumns: []string{"email"}, RowCount: 2, Bytes: 9, Duration: 1500 * time.Microsecond,
		CommandTag: "SELECT 2", ErrorCode: "42601", ErrorMessage: "no", Columns: []string{"id", "email"},
		Rows:  [][]audit.Value{{{Data: []byte("1")}, {Data: []byte("***"), Masked: true}}, {{Data: []byte("2")}, {Null: true}}},
		Attrs: []audit.Attr{{Name: "n", Value: "<v>"}}, Trimmed: true, Prev: [32]byte{2}, Hash: [32]byte{3},
	}
}

func TestEveryFieldHasItsColumn(t *testing.T) {
	row, err := auditexport.FromRecord(full(t))
	if err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(row)
	for i, c := range auditexport.Columns() {
		if v.Field(i).IsZero() {
			t.Errorf("column %s is empty", c.Name)
		}
	}
	if fields := reflect.TypeFor[audit.Record]().NumField(); fields != len(auditexport.Columns()) {
		t.Errorf("%d columns of %d fields of a record", len(auditexport.Columns()), fields)
	}
	if row.Time != "2026-11-23T14:00:01.234567Z" || row.DurationNS != 1500000 || row.Params != `["=1",null,{"base64":"/w=="}]` ||
		row.ResultRows != `[["1","***"],["2",null]]` || row.Attributes != `[{"name":"n","value":"\u003cv\u003e"}]` {
		t.Errorf("%+v", row)
	}
}

// A row is the same whether the record came from a copy of the store or from the API.
func TestBothWaysAreOne(t *testing.T) {
	for name, r := range map[string]*audit.Record{
		"full":  full(t),
		"empty": {ID: idAt(time.Now()), Time: time.Now(), Kind: audit.KindAdmin},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := auditexport.FromRecord(r)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := auditexport.FromJSON(raw)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v\n%+v\n%+v", err, got, want)
			}
		})
	}
}

func TestNotARecord(t *testing.T) {
	for _, raw := range []string{``, `1`, `{}`, `{"kind":""}`, `{"kind":"command","duration":"x"}`, `{"kind":"command","seq":-1}`} {
		if row, err := auditexport.FromJSON([]byte(raw)); err == nil {
			t.Errorf("%s: %+v", raw, row)
		}
	}
}

func TestLinesHaveEveryColumn(t *testing.T) {
	var out bytes.Buffer
	w := auditexport.NewJSONLines(&out)
	rows := []auditexport.Row{row(t, full(t)), row(t, &audit.Record{ID: idAt(time.Now()), Time: time.Now(), Kind: audit.KindAdmin})}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		var cells map[string]any
		if err := json.Unmarshal([]byte(line), &cells); err != nil {
			t.Fatal(err)
		}
		for _, c := range auditexport.Columns() {
			if value, ok := cells[c.Name]; !ok || value == nil {
				t.Errorf("line %d has no %s", i, c.Name)
			}
		}
	}
}

func row(t testing.TB, r *audit.Record) auditexport.Row {
	t.Helper()
	row, err := auditexport.FromRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// What a spreadsheet would run is text, and comes back as it was.
func TestNoFormulaInCSV(t *testing.T) {
	for text, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1", " =1": "' =1",
		"\u00a0=1": "'\u00a0=1", "\u200b=1": "'\u200b=1", "\x00=1": "'\x00=1", "\ufeff-1": "'\ufeff-1", "\uff1d1": "'\uff1d1", "\uff20x": "'\uff20x",
		"'=1": "''=1", "'": "''",
		"SELECT 1": "SELECT 1", "": "", "a=b": "a=b", " a": " a", "\xff": "\ufffd", "a\"b,\nc": "a\"b,\nc",
	} {
		var out bytes.Buffer
		w, err := auditexport.NewCSV(&out)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(auditexport.Row{Statement: text, Actions: []string{"=1"}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range all[0] {
			cell := all[1][i]
			switch {
			case name == "statement" && cell != want && cell != strings.ReplaceAll(want, "\r", ""):
				t.Errorf("%q: %q, want %q", text, cell, want)
			case name == "actions" && cell != `["=1"]`:
				t.Errorf("actions: %s", cell)
			}
		}
	}
}

func FuzzFromJSON(f *testing.F) {
	raw, err := json.Marshal(full(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"kind":"damage","params":[null,{"base64":"!"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		row, err := auditexport.FromJSON(raw)
		if err != nil {
			return
		}
		var out bytes.Buffer
		w, err := auditexport.NewCSV(&out)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(all) != 2 {
			t.Fatalf("%v: %q", err, out.String())
		}
		for _, cell := range all[1] {
			if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("formula %q", cell)
			}
		}
	})
}
