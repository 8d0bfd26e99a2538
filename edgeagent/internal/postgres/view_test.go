package postgres

import (
	"strings"
	"testing"
)

// A view's definition names its tables as the target's administrator saw them, not as the client's search path does.
func TestViewsAreReadWithQualifiedNames(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	for _, sql := range []string{
		"SELECT lower(mail) FROM contacts ORDER BY id",
		"SELECT peek(id::int) FROM contacts ORDER BY id",
		"SELECT peek(id) FROM customers ORDER BY id",
		"SET search_path = pg_catalog; SELECT mail FROM public.contacts ORDER BY id",
	} {
		rows, err := simple(conn, sql)
		if err != nil || len(rows) == 0 || !strings.HasPrefix(rows[0][0], "***") {
			t.Errorf("%s: %q, %v", sql, rows, err)
		}
	}
}

// Reading the catalog within a client's transaction leaves its search path as it was.
func TestCatalogWithinTransactionKeepsSearchPath(t *testing.T) {
	l := newLab(t)
	l.control.principal.Groups = []string{"dba"}
	conn := l.connect("")
	for _, sql := range []string{
		"BEGIN", "SET search_path = public, pg_temp", "CREATE VIEW mine AS SELECT id, email FROM customers", "SELECT email FROM mine ORDER BY id",
	} {
		rows, err := simple(conn, sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		if len(rows) > 0 && !strings.HasPrefix(rows[0][0], "***") {
			t.Errorf("view of this transaction: %q", rows)
		}
	}
	rows, err := simple(conn, "SHOW search_path")
	if err != nil || rows[0][0] != "public, pg_temp" {
		t.Errorf("search path %q, %v", rows, err)
	}
	if _, err := simple(conn, "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
}
