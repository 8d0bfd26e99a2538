package postgres

import (
	"context"
	"testing"
	"time"
)

// TestOpenTransactionBlocksNobodyElse has one session hold exclusive locks on a table that a view
// reads, while others make the gateway read the catalog: neither they nor the session itself wait.
func TestOpenTransactionBlocksNobodyElse(t *testing.T) {
	l := openLab(t, "shop")
	holder, other := l.connect(""), l.connect("")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, sql := range []string{"CREATE RULE noted AS ON DELETE TO orders DO ALSO NOTIFY gone", "BEGIN", "ALTER TABLE customers ADD COLUMN age int",
		"LOCK TABLE orders", "SELECT count(age) FROM customers"} {
		if _, err := holder.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{"CREATE TABLE elsewhere (a int)", "INSERT INTO elsewhere VALUES (1)", "SELECT * FROM elsewhere"} {
		if _, err := other.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if _, err := holder.Exec(ctx, "SELECT nothing"); err == nil {
		t.Fatal("a statement without a meaning ran")
	}
	for _, sql := range []string{"ROLLBACK", "SELECT mail FROM contacts"} {
		if _, err := holder.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// TestLookingLeavesNoLocks has a transaction change the schema, which makes the gateway read the
// catalog in it: no lock on what views read is left behind, so that others can change that.
func TestLookingLeavesNoLocks(t *testing.T) {
	l := openLab(t, "shop")
	conn := l.connect("")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, sql := range []string{"BEGIN", "SET LOCAL search_path = pg_temp, public", "CREATE TABLE made (a int)", "INSERT INTO made VALUES (1)", "SELECT * FROM made"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	if n := l.pg.Value(t, "shop", "SELECT count(*) FROM pg_locks WHERE relation IN ('customers'::regclass, 'contacts'::regclass)"); n != "0" {
		t.Errorf("%s locks are held on relations that no statement named", n)
	}
	var path string
	if err := conn.QueryRow(ctx, "SHOW search_path").Scan(&path); err != nil || path != "pg_temp, public" {
		t.Errorf("search_path %q, %v", path, err)
	}
	if _, err := conn.Exec(ctx, "COMMIT"); err != nil {
		t.Error(err)
	}
}
