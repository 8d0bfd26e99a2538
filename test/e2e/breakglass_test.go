package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/test/world"
)

// Who is on call gets in without an approver, and only by breaking the glass: what the starter bundle permits under
// broken glass is permitted by the edge, in the grant's sessions.
func TestBreakGlass(t *testing.T) {
	w := world.Start(t, world.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	kim := w.Token("kim@example.com", "person", "oncall")
	if _, err := w.Grant(ctx, kim); err == nil {
		t.Fatal("granted without breaking the glass")
	} else if !strings.Contains(err.Error(), "--break-glass") {
		t.Errorf("the refusal does not say what would be permitted: %v", err)
	}
	access, err := w.Grant(ctx, kim, "--break-glass")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.DSN("kim@example.com", access))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var n int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM orders").Scan(&n); err != nil || n == 0 {
		t.Errorf("%d orders, %v", n, err)
	}
	if _, err := conn.Exec(ctx, "DROP TABLE orders"); err == nil || !strings.Contains(err.Error(), "42501") {
		t.Errorf("DROP under broken glass: %v", err)
	}
}
