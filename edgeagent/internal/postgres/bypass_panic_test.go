package postgres

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/writhq/writ/pkg/audit"
)

// breakMasker makes every plan for an analysed statement panic: it says that its columns derive from
// one that does not exist.
func breakMasker(t *testing.T, l *lab) {
	t.Helper()
	got, err := l.server.targets.get(l.resource.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range got.analyses.Keys() {
		a, _ := got.analyses.Peek(key)
		for _, part := range a.parts {
			for i := range part.output {
				part.output[i].sources = []int{1 << 20}
			}
		}
	}
}

// TestBypassMaskerPanics breaks the masker in the middle of a session: its rows are withheld, it ends with
// an error, the record says why, and no other session notices.
func TestBypassMaskerPanics(t *testing.T) {
	l := attackLab(t)
	const sql, copied = "SELECT word FROM vault", "COPY (SELECT word FROM vault) TO STDOUT"
	for name, run := range map[string]struct {
		first func(w *wire)
		again []pgproto3.FrontendMessage
	}{
		"simple":     {func(w *wire) { w.simple(sql) }, []pgproto3.FrontendMessage{queryOf(sql)}},
		"two in one": {func(w *wire) { w.simple("SELECT 1; " + sql) }, []pgproto3.FrontendMessage{queryOf("SELECT 1; " + sql)}},
		"extended":   {func(w *wire) { w.batch(parse("s", sql)) }, []pgproto3.FrontendMessage{bind("", "s"), execute(""), &pgproto3.Sync{}}},
		"described": {func(w *wire) { w.batch(parse("s", sql), &pgproto3.Describe{ObjectType: 'S', Name: "s"}) },
			[]pgproto3.FrontendMessage{bind("", "s"), execute(""), &pgproto3.Sync{}}},
		"copy":      {func(w *wire) { w.simple(copied) }, []pgproto3.FrontendMessage{queryOf(copied)}},
		"returning": {func(w *wire) { w.simple("UPDATE vault SET id = id RETURNING word") }, []pgproto3.FrontendMessage{queryOf("UPDATE vault SET id = id RETURNING word")}},
	} {
		t.Run(name, func(t *testing.T) {
			other, w := newWire(l), newWire(l)
			w.t = t
			run.first(w)
			breakMasker(t, l)
			got, err := l.server.targets.get(l.resource.Name())
			if err != nil {
				t.Fatal(err)
			}
			fresh := newWire(l) // a plan that was made before is kept
			fresh.t = t
			if strings.HasPrefix(name, "extended") || name == "described" {
				fresh.batch(parse("s", sql))
			}
			outcomes := len(l.records.of(audit.KindOutcome))
			fresh.send(run.again...)
			fresh.conn.SetDeadline(time.Now().Add(10 * time.Second))
			answer, err := io.ReadAll(fresh.conn)
			if err != nil && !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") {
				t.Fatalf("hung after %q: %v", answer, err)
			}
			if leaks(answer) || !bytes.Contains(answer, []byte("SFATAL\x00")) {
				t.Errorf("answered %q", answer)
			}
			soon(t, "the outcome is recorded", func() bool { return len(l.records.of(audit.KindOutcome)) > outcomes })
			if rec := l.records.of(audit.KindOutcome)[outcomes]; rec.Reason == "" {
				t.Errorf("recorded %+v", rec)
			}
			got.analyses.Purge()
			if got := other.simple("SELECT pub FROM vault"); !strings.HasPrefix(got[0], "RowDescription") {
				t.Errorf("another session: %q", got)
			}
		})
	}
}
