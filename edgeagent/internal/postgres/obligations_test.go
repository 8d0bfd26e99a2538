package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// obliging is a bundle that allows all and adds obligations to reading.
func obliging(annotations string) policy.Bundle {
	return policy.Bundle{Files: map[string][]byte{"p.cedar": []byte(`
@id("open") permit (principal, action == Action::"session:open", resource);
@id("all") ` + annotations + ` permit (principal, action in Action::"sql:all", resource);
@id("reveal") permit (principal, action == Action::"sql:reveal", resource);
@id("mask") @mask("redact") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"pii");
`)}}
}

func TestRowLimit(t *testing.T) {
	l := newLab(t)
	l.policies.set(t, obliging(`@rows("10")`))
	conn := l.connect("")
	rows, err := simple(conn, "SELECT id FROM orders ORDER BY id LIMIT 10")
	if err != nil || len(rows) != 10 {
		t.Fatalf("within the limit: %d rows, %v", len(rows), err)
	}
	rows, err = simple(conn, "SELECT a.id FROM orders a, orders b")
	if err == nil || !strings.Contains(err.Error(), "54000") || len(rows) > 10 {
		t.Errorf("over the limit: %d rows, %v", len(rows), err)
	}
	if rows, err = simple(conn, "SELECT 1"); err != nil || len(rows) != 1 {
		t.Errorf("afterwards: %v %v", rows, err)
	}
	n := 0
	q, err := conn.Query(context.Background(), "SELECT a.id FROM orders a, orders b WHERE a.id > $1", 0)
	if err == nil {
		for q.Next() {
			n++
		}
		err = q.Err()
	}
	if err == nil || !strings.Contains(err.Error(), "54000") || n > 10 {
		t.Errorf("extended, over the limit: %d rows, %v", n, err)
	}
	if rows, err = simple(conn, "SELECT 2"); err != nil || len(rows) != 1 {
		t.Errorf("afterwards: %v %v", rows, err)
	}
}

func TestRecordedRowsAreMasked(t *testing.T) {
	l := newLab(t)
	l.policies.set(t, obliging(`@record("rows")`))
	conn := l.connect("")
	if _, err := simple(conn, "SELECT id, name, email FROM customers ORDER BY id"); err != nil {
		t.Fatal(err)
	}
	rows, err := conn.Query(context.Background(), "SELECT name, ssn FROM customers WHERE id = $1", pgx.QueryExecModeDescribeExec, 1)
	if err != nil {
		t.Fatal(err)
	}
	rows.Close()
	simple(conn, "SELECT 1") // everything before is recorded now
	recorded := l.records.of(audit.KindRows)
	if len(recorded) < 2 {
		t.Fatalf("%d records of rows", len(recorded))
	}
	text := ""
	for _, r := range recorded {
		for _, row := range r.Rows {
			for _, v := range row {
				text += string(v.Data) + "\n"
			}
		}
	}
	if !strings.Contains(text, "Ann") || strings.Contains(text, "ann@example.com") || strings.Contains(text, "123-45") {
		t.Errorf("recorded:\n%s", text)
	}
}

func TestDigestLevelKeepsNoStatement(t *testing.T) {
	l := newLab(t)
	l.policies.set(t, obliging(`@record("digest")`))
	if _, err := simple(l.connect(""), "SELECT 'kept out of the record'"); err != nil {
		t.Fatal(err)
	}
	for _, r := range l.records.of(audit.KindCommand) {
		if r.Statement != "" || r.Digest == [audit.HashSize]byte{} {
			t.Errorf("recorded %q with digest %x", r.Statement, r.Digest)
		}
	}
}
