package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/test/world"
)

// duckdb runs a statement in DuckDB, in the folder of the test, and returns its rows.
func duckdb(t *testing.T) (folder string, query func(sql string) [][]any) {
	t.Helper()
	dir, err := filepath.Abs("../duckdb")
	if err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if _, missing := os.Stat(filepath.Join(dir, "node_modules", "@duckdb", "node-api")); err != nil || missing != nil {
		if os.Getenv("WRIT_NEED_DUCKDB") == "1" {
			t.Fatal("Node.js or DuckDB is missing: make duckdb")
		}
		t.Skip("Node.js or DuckDB is missing: make duckdb")
	}
	folder = t.TempDir()
	return folder, func(sql string) (rows [][]any) {
		t.Helper()
		command := exec.CommandContext(t.Context(), node, filepath.Join(dir, "query.js"), sql)
		command.Dir = folder
		out, err := command.Output()
		if err != nil {
			t.Fatalf("%s: %v%s", sql, err, stderrOf(err))
		}
		for line := range strings.Lines(string(out)) {
			var row []any
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
		return rows
	}
}

func stderrOf(err error) string {
	if exit, ok := err.(*exec.ExitError); ok {
		return "\n" + string(exit.Stderr)
	}
	return ""
}

// DuckDB finds in an export what is in the blocks of the store: every record once, with its text, its numbers and its time.
func TestExportIsQueried(t *testing.T) {
	folder, query := duckdb(t)
	w := world.Start(t, world.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	admin := w.Administrator()
	for _, who := range []string{"ada@example.com", "bo@example.com"} {
		work(ctx, t, w, who)
	}
	until(ctx, t, w, admin, []string{"ada@example.com", "bo@example.com"}, "audit", "search", "--kind", "session_close", "-o", "json")
	copied := filepath.Join(t.TempDir(), "copy") // of a store in use, which nothing is added to any more
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(w.Dir, "control", "data", "records"))); err != nil {
		t.Fatal(err)
	}
	records := readBlocks(t, copied)
	today := time.Now().UTC()
	for format, table := range map[string]string{
		"jsonl": "read_json('%s/export/v1/*/*/*.jsonl.zst', hive_partitioning = true)",
		"csv":   "read_csv('%s/export/v1/*/*/*.csv', hive_partitioning = true, all_varchar = true)",
	} {
		t.Run(format, func(t *testing.T) {
			out := filepath.Join(folder, format)
			said, err := w.Writ(ctx, "", "audit", "export", copied, "--out", out, "--format", format,
				"--from", today.AddDate(0, 0, -1).Format(time.DateOnly), "--until", today.AddDate(0, 0, 1).Format(time.DateOnly))
			if err != nil || !strings.Contains(said, fmt.Sprintf("exported %d records", len(records))) {
				t.Fatalf("%v, %s", err, said)
			}
			from := " FROM " + fmt.Sprintf(table, out)
			compareSums(t, query, from, records)
			compareText(t, query, from, format, records)
		})
	}
	if err := os.Rename(filepath.Join(folder, "jsonl"), filepath.Join(folder, "november")); err != nil {
		t.Fatal(err)
	}
	runExamples(t, query)
}

// runExamples runs the examples of DuckDB in audit.md, each of which finds something.
func runExamples(t *testing.T, query func(string) [][]any) {
	t.Helper()
	page, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(page), "### DuckDB\n")
	part, _, _ = strings.Cut(part, "\n### ")
	examples := strings.Split(part, "```sql\n")[1:]
	for _, example := range examples {
		sql, _, _ := strings.Cut(example, "```")
		if rows := query(sql); len(rows) == 0 {
			t.Errorf("finds nothing: %s", sql)
		}
	}
	if len(examples) != 3 {
		t.Errorf("%d examples", len(examples))
	}
}

// What goes to a SIEM has an event for each record, and DuckDB reads its structure.
func TestExportOfEvents(t *testing.T) {
	folder, query := duckdb(t)
	w := world.Start(t, world.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	work(ctx, t, w, "ada@example.com")
	until(ctx, t, w, w.Administrator(), []string{"ada@example.com"}, "audit", "search", "--kind", "session_close", "-o", "json")
	out, today := filepath.Join(folder, "events"), time.Now().UTC()
	said, err := w.Writ(ctx, "", "audit", "export", filepath.Join(w.Dir, "control", "data", "records"), "--out", out, "--format", "ocsf",
		"--from", today.AddDate(0, 0, -1).Format(time.DateOnly), "--until", today.AddDate(0, 0, 1).Format(time.DateOnly))
	if err != nil {
		t.Fatalf("%v, %s", err, said)
	}
	from := fmt.Sprintf(" FROM read_json('%s/export/v1/*/*/*.ocsf.jsonl.zst', hive_partitioning = true)", out)
	rows := query("SELECT count(*) FILTER (type_uid = 600507 AND status_id = 2)::varchar, count(*) FILTER (class_uid = 3002 AND user.name = 'ada@example.com')::varchar," +
		" count(*) FILTER (metadata.version <> '1.3.0')::varchar" + from)
	if want := []any{"1", "2", "0"}; !slices.Equal(rows[0], want) {
		t.Errorf("%q, want %q", rows[0], want)
	}
	session := query("SELECT DISTINCT actor.session.uid" + from + " WHERE class_uid = 3002 AND user.name = 'ada@example.com'")[0][0].(string)
	page, err := w.Writ(ctx, w.Administrator(), "sessions", "replay", session, "--format", "html")
	for _, want := range []string{"<title>" + session, "<b>deny</b>", "<pre>\nDROP TABLE orders</pre>", "<dt>principal</dt><dd>ada@example.com</dd>", `\u{202e}`} {
		if err != nil || !strings.Contains(page, want) {
			t.Errorf("%v, no %s in\n%s", err, want, page)
		}
	}
}

// work is some commands of a principal: allowed, masked, with parameters, not understood and refused.
func work(ctx context.Context, t *testing.T, w *world.World, who string) {
	t.Helper()
	access, err := w.Grant(ctx, w.Token(who, "agent", "agents"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.DSN(who, access))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for i := range 10 {
		rows, err := conn.Query(ctx, "SELECT id, name, email FROM customers WHERE id <= $1", i)
		if err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	for _, sql := range []string{"-- +\n\u05d0\u202e\"quoted\", 'x'\n\tSELECT 1/0", "=DROP TABLE orders", "DROP TABLE orders"} {
		if _, err := conn.Exec(ctx, sql); err == nil {
			t.Errorf("%s did not fail", sql)
		}
	}
}

// readBlocks reads every block of a store as it is.
func readBlocks(t *testing.T, folder string) (all []audit.Record) {
	t.Helper()
	dec, err := audit.NewBlockDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	err = filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".blk" {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		_, raw, err := dec.Decode(data)
		if err != nil {
			return err
		}
		for _, b := range raw {
			r, err := audit.Decode(b)
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// compareSums holds what DuckDB counts and sums up to what Go does.
func compareSums(t *testing.T, query func(string) [][]any, from string, records []audit.Record) {
	t.Helper()
	type sums struct{ records, rows, bytes, nanoseconds int64 }
	by := map[string]sums{}
	for _, r := range records {
		key := r.Principal + " " + string(r.Decision) + " " + r.Kind.String()
		s := by[key]
		by[key] = sums{s.records + 1, s.rows + r.RowCount, s.bytes + r.Bytes, s.nanoseconds + r.Duration.Nanoseconds()}
	}
	var want, got []string
	for key, s := range by {
		want = append(want, fmt.Sprint(key, " ", s.records, " ", s.rows, " ", s.bytes, " ", s.nanoseconds))
	}
	for _, row := range query(`SELECT coalesce(principal, '') || ' ' || coalesce(decision, '') || ' ' || kind, count(*)::varchar, sum(row_count::bigint)::varchar,
		sum(byte_count::bigint)::varchar, sum(duration_ns::bigint)::varchar` + from + " GROUP BY 1") {
		got = append(got, strings.Trim(fmt.Sprint(row), "[]"))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) || len(want) < 8 {
		t.Errorf("DuckDB:\n%s\nGo:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// compareText holds text, times and partitions of single records to each other.
func compareText(t *testing.T, query func(string) [][]any, from, format string, records []audit.Record) {
	t.Helper()
	rows := query(`SELECT id, coalesce(statement, ''), epoch_us(time::timestamptz)::varchar, edge, coalesce(recorded_by, ''), day::varchar, record_hash,
		coalesce(params, ''), coalesce(result_rows, '')` + from)
	found := map[string][]any{}
	for _, row := range rows {
		found[row[0].(string)] = row
	}
	if len(found) != len(records) {
		t.Errorf("%d rows, %d records", len(found), len(records))
	}
	for _, r := range records {
		row := found[r.ID.String()]
		if row == nil {
			t.Errorf("%s is missing", r.ID)
			continue
		}
		statement, edge := r.Statement, r.Edge
		if format == "csv" && statement != "" && strings.IndexByte("=-\n", statement[0]) >= 0 {
			statement = "'" + statement
		}
		if edge == "" {
			edge = "_controlplane"
		}
		params, rows := jsonOf(t, r.Params, len(r.Params)), jsonOf(t, r.Rows, len(r.Rows))
		want := []any{r.ID.String(), statement, fmt.Sprint(r.Time.UnixMicro()), edge, r.Edge, r.Time.UTC().Format(time.DateOnly), fmt.Sprintf("%x", r.Hash), params, rows}
		if !slices.Equal(row, want) {
			t.Errorf("DuckDB %q\nGo     %q", row, want)
		}
	}
}

func jsonOf(t *testing.T, v any, items int) string {
	t.Helper()
	if items == 0 {
		return ""
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
