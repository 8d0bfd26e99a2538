package postgres

import (
	"strings"
	"testing"
	"time"
)

// A grant that is extended at the last moment leaves no gap, and one that is not ends the session.
func TestSessionFollowsItsGrant(t *testing.T) {
	l := newLab(t)
	l.control.mu.Lock()
	l.control.expires = time.Now().Add(3 * time.Second)
	l.control.mu.Unlock()
	conn := l.connect("")
	time.Sleep(1500 * time.Millisecond)
	longer := time.Now().Add(4 * time.Second)
	l.control.mu.Lock()
	l.control.expires = longer
	l.control.mu.Unlock()
	for time.Now().Before(longer.Add(-time.Second)) {
		if _, err := simple(conn, "SELECT 1"); err != nil {
			t.Fatalf("%s before the extended end: %v", time.Until(longer), err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Until(longer) + 50*time.Millisecond)
	if _, err := simple(conn, "SELECT 2"); err == nil || strings.Contains(l.pg.Log(t), "SELECT 2") {
		t.Errorf("after the end: %v", err)
	}
}

// Reading does not include moving a sequence.
func TestSequencesAreWritten(t *testing.T) {
	l := newLab(t)
	l.control.actions = append(l.control.actions, "sql:read", "sql:execute")
	conn := l.connect("")
	for _, sql := range []string{"SELECT setval('orders_id_seq', 1)", "SELECT nextval('orders_id_seq')", "SELECT id, nextval('orders_id_seq') FROM orders LIMIT 1"} {
		if _, err := simple(conn, sql); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if _, err := simple(conn, "SELECT currval('orders_id_seq')"); err != nil && strings.Contains(err.Error(), "42501") {
		t.Errorf("currval: %v", err)
	}
	if v := l.pg.Value(t, "shop", "SELECT last_value FROM orders_id_seq"); v != "300" {
		t.Errorf("the sequence is at %s", v)
	}
}
