package postgres

import (
	"reflect"
	"testing"
)

// TestCastToOwnType sees that a cast that changes nothing, for which the target reports the column
// itself, hides no more than the column's own mask does.
func TestCastToOwnType(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	rows, err := simple(conn, "SELECT id::int, name::text, email::text, x FROM (SELECT c.*, name::text AS x FROM customers c) c WHERE id = 1")
	if err != nil {
		t.Fatal(err)
	}
	if r := rows[0]; r[0] != "1" || r[1] != "Ann" || r[2] == "ann@example.com" || r[3] != "Ann" {
		t.Errorf("got %q", r)
	}
	rows, err = simple(conn, "SELECT mail::text, name::text FROM contacts WHERE id = 1")
	if err != nil || rows[0][0] == "ann@example.com" || !reflect.DeepEqual(rows[0][1:], []string{"Ann"}) {
		t.Errorf("got %q, %v", rows, err)
	}
}
