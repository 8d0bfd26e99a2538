package postgres

import (
	"context"
	"reflect"
	"testing"

	"github.com/writhq/writ/edgeagent/internal/enforce"
)

func TestSelectMaskedAllowedDeniedHeld(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	rows, err := simple(conn, "SELECT id, name, email, ssn, card, note FROM customers ORDER BY id")
	t.Log(rows, err)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"1", "Ann", "***.com", "***6789", "***", "call ***"}
	if !reflect.DeepEqual(rows[0], want) {
		t.Errorf("row %q, want %q", rows[0], want)
	}
	if _, err := simple(conn, "DROP TABLE orders"); err == nil {
		t.Error("DROP was allowed")
	} else {
		t.Log(err)
	}
	var n int
	if err := conn.QueryRow(context.Background(), "SELECT count(*) FROM orders WHERE total > $1", 100).Scan(&n); err != nil || n != 200 {
		t.Fatal(n, err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := simple(conn, "DELETE FROM orders")
		done <- err
	}()
	ask := l.control.decide(t, enforce.HoldApproved)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Log(ask.Statement, ask.Approvals)
	if got := l.pg.Value(t, "shop", "SELECT count(*) FROM orders"); got != "0" {
		t.Errorf("orders left: %s", got)
	}
}
