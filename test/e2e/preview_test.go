package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/test/world"
)

// TestApproverSeesTheEffect follows a held DELETE, with a look-alike letter in it, to what its approver reads.
func TestApproverSeesTheEffect(t *testing.T) {
	w := world.Start(t, world.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	access, err := w.Grant(ctx, w.Token("ada@example.com", "agent", "agents"), "--ticket", "OPS-7")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.DSN("ada@example.com", access))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var orders int64
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM orders").Scan(&orders); err != nil || orders == 0 {
		t.Fatal(orders, err)
	}
	done := make(chan error, 1)
	go func() {
		tag, err := conn.Exec(ctx, "DELETE FROM orders WHERE $1 <> '\u0430ll' OR true", "x\u200by")
		if err == nil && tag.RowsAffected() != orders {
			t.Errorf("%d rows went, %d were counted", tag.RowsAffected(), orders)
		}
		done <- err
	}()
	dana := w.Token("dana@example.com", "person", "dba")
	id := awaitHold(ctx, t, w, dana)
	shown, err := w.Writ(ctx, dana, "show", id)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + shown)
	for _, want := range []string{
		"rows, counted; about ", "seen with the session's own rights", "Delete on orders\n", "ticket:", "OPS-7",
		"warning: confusable in the statement, byte 32: U+0430, a Cyrillic letter, looks like 'a'", "warning: invisible in $1, byte 1: U+200B",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if _, err := w.Writ(ctx, dana, "approve", id, "--yes"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// awaitHold returns the id of the only held command, once there is one.
func awaitHold(ctx context.Context, t *testing.T, w *world.World, token string) string {
	t.Helper()
	for ctx.Err() == nil {
		out, err := w.Writ(ctx, token, "list")
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(out) {
			if strings.HasPrefix(word, "hold-") {
				return word
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("nothing is held")
	return ""
}
