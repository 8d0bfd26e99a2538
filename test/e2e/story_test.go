// Package e2e tests Writ as its users meet it: the real binaries, real clients, a real
// PostgreSQL.
package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/test/world"
)

func TestStory(t *testing.T) {
	w := world.Start(t, world.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	agent := w.Token("ada@example.com", "agent", "agents")
	access, err := w.Grant(ctx, agent)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.DSN("ada@example.com", access))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var name, email string
	if err := conn.QueryRow(ctx, "SELECT name, email FROM customers WHERE id = $1", 7).Scan(&name, &email); err != nil {
		t.Fatal(err)
	}
	if name != "Customer 7" || email != "***.com" {
		t.Errorf("got %q %q", name, email)
	}
	if _, err := conn.Exec(ctx, "DROP TABLE orders"); err == nil || !strings.Contains(err.Error(), "42501") {
		t.Errorf("DROP: %v", err)
	}
}
