package console

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/test/world"
)

// A person signs in, approves a held DELETE while psql waits, watches it run, kills a session, and edits policy until the edge
// refuses the next command.
func TestStory(t *testing.T) {
	o := newOffice(t)
	ada := o.Token("ada@example.com", "agent", "agents")
	if _, err := o.Grant(context.Background(), ada); err != nil {
		t.Fatal(err)
	}
	b := o.dana(t, 1280, 900)

	// The inbox is live: nothing is reloaded.
	b.visit(o.home+"/approvals", "Nothing waits")
	before := o.count(t, "order_items")
	held := o.psql(t, ada, "DELETE FROM order_items", "SELECT count(*) FROM order_items")
	held.prints(t, "held by Writ")
	b.reads("DELETE FROM order_items")
	b.reads("ada@example.com")
	if n := o.count(t, "order_items"); n != before {
		t.Fatalf("%d rows left before anybody approved", n)
	}
	b.look("story-held")
	b.press("button", "Approve")
	b.press("button", "Approve")
	out, err := held.ends(t)
	if err != nil || !strings.Contains(out, "DELETE 5000") || o.count(t, "order_items") != 0 {
		t.Fatalf("after the approval: %v: %s", err, out)
	}
	b.reads("Nothing waits")

	// What ran is in the session's recording.
	b.visit(o.home+"/sessions?show=all", "ada@example.com")
	b.press("link", "ada@example.com")
	b.reads("DELETE 5000")
	b.reads("DELETE FROM order_items")
	b.look("story-session")

	// A session is killed while it runs.
	long := o.psql(t, ada, "SELECT 'it runs'", "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id < 0")
	long.prints(t, "it runs")
	b.visit(o.home+"/sessions", "Kill")
	b.press("button", "Kill")
	b.fill("Why", "seen enough")
	b.press("button", "Kill")
	if out, err := long.ends(t); err == nil || !strings.Contains(out, "killed: seen enough") {
		t.Errorf("the killed session: %v: %s", err, out)
	}

	// A new policy binds the next command of a session that is open already. A mistake in it is shown where it is.
	conn := o.connect(t, ada)
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM products").Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	b.visit(o.home+"/policy", "statements.cedar")
	b.press("button", "statements.cedar")
	b.append(`
@id("no-products") @reason("Closed for stocktaking")
forbid (principal, action in Action::"sql:all", resource == Table::"orders-db/public.products"`)
	b.reads("statements.cedar:25:95")
	b.look("story-policy-problem")
	b.append(");\n")
	b.reads("Valid")
	b.press("button", "Push")
	b.fill("Message", "close the products")
	b.press("button", "Push")
	b.reads("Revision 2 is published")
	if err := refused(conn, "SELECT count(*) FROM products"); err == nil || !strings.Contains(err.Error(), "Closed for stocktaking") {
		t.Errorf("after the push: %v", err)
	}
	b.visit(o.home+"/edges", world.EdgeName)
	b.look("story-edges")
	if c := b.complaints(); len(c) > 0 {
		t.Errorf("the browser complains: %q", c)
	}
}

// connect opens a session of the agent's that stays.
func (o *office) connect(t *testing.T, token string) *pgx.Conn {
	t.Helper()
	access, err := o.Writ(context.Background(), token, "token", world.Resource)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(context.Background(), o.DSN("ada@example.com", strings.TrimSpace(access)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// refused repeats a query until it fails, for as long as a policy may take to reach the edge.
func refused(conn *pgx.Conn, sql string) (err error) {
	for deadline := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		_, err = conn.Exec(context.Background(), sql)
	}
	return err
}
