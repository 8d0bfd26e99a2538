package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/test/world"
)

// until repeats a command until its output holds what is wanted.
func until(ctx context.Context, t *testing.T, w *world.World, token string, wanted []string, args ...string) {
	t.Helper()
	for {
		out, err := w.Writ(ctx, token, args...)
		missing := ""
		for _, text := range wanted {
			if !strings.Contains(out, text) {
				missing = text
			}
		}
		if err == nil && missing == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("writ %s does not show %q: %v\n%s", strings.Join(args, " "), missing, err, out)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// What an auditor sees of a session while it lives and afterwards, and what the removal of its resource leaves behind.
func TestListsSearchAndRemoval(t *testing.T) {
	w := world.Start(t, world.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	admin := w.Administrator()
	access, err := w.Grant(ctx, w.Token("ada@example.com", "agent", "agents"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.DSN("ada@example.com", access))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT count(*) FROM orders"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "DROP TABLE orders"); err == nil {
		t.Fatal("the drop ran")
	}
	until(ctx, t, w, admin, []string{"ada@example.com", world.Resource, ", 1 denied", "live"}, "sessions", "list")
	until(ctx, t, w, admin, []string{"refusal", "DROP TABLE orders", "deny"}, "audit", "search", "--decision", "deny", "--text", "drop table", "--since", "1h")
	until(ctx, t, w, admin, []string{"SELECT count(*)", "session"}, "audit", "search", "--principal", "ada@example.com", "--kind", "command", "-o", "json")
	until(ctx, t, w, admin, []string{world.EdgeName, "connected"}, "edges", "list")
	until(ctx, t, w, admin, []string{`"live_sessions": 1`, `"newest_revision": "1"`}, "edges", "list", "-o", "json")
	if roles := sessionRoles(ctx, t, w); roles == 0 {
		t.Fatal("the session has no role of its own, so its removal shows nothing")
	}
	if out, err := w.Writ(ctx, admin, "resources", "delete", world.Resource); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := conn.Exec(ctx, "SELECT 1"); err == nil {
		t.Error("the session outlived its resource")
	}
	if roles := sessionRoles(ctx, t, w); roles != 0 {
		t.Errorf("%d roles were left at the target", roles)
	}
	until(ctx, t, w, admin, []string{"ended"}, "sessions", "list", "--all")
}

// sessionRoles counts the roles that belong to sessions at the target.
func sessionRoles(ctx context.Context, t *testing.T, w *world.World) (n int) {
	t.Helper()
	conn, err := w.PG.Connect(ctx, world.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'writ\\_s\\_%'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
