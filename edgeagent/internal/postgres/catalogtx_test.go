package postgres

import (
	"strings"
	"testing"
)

// DDL that only the session itself sees yet must not unmask anything.
func TestMaskingUnderUncommittedDDL(t *testing.T) {
	l := newLab(t)
	l.control.principal.Groups = []string{"agents", "dba"}
	for name, script := range map[string][]string{
		"view replaced in a transaction": {"BEGIN", "CREATE OR REPLACE VIEW contacts AS SELECT id, ssn::text AS name, email AS mail FROM customers", "SELECT name FROM contacts ORDER BY id"},
		"view replaced in one text":      {"BEGIN; CREATE OR REPLACE VIEW contacts AS SELECT id, ssn::text AS name, email AS mail FROM customers; SELECT name FROM contacts ORDER BY id"},
		"view made in one text":          {"BEGIN; CREATE VIEW fresh AS SELECT ssn AS name FROM customers; SELECT name FROM fresh ORDER BY 1"},
		"column renamed":                 {"BEGIN", "ALTER TABLE customers RENAME COLUMN ssn TO nick", "SELECT nick FROM customers ORDER BY id"},
		"rolled back to a savepoint":     {"BEGIN", "SAVEPOINT s", "CREATE OR REPLACE VIEW contacts AS SELECT id, name, ''::text AS mail FROM customers", "SELECT mail FROM contacts", "ROLLBACK TO s", "SELECT mail FROM contacts ORDER BY id"},
		"temporary table in front":       {"CREATE TEMP TABLE secrets (ssn text)", "DROP TABLE secrets", "SELECT ssn FROM customers"},
	} {
		t.Run(name, func(t *testing.T) {
			conn := l.connect("")
			var out [][]string
			for _, sql := range script {
				rows, err := simple(conn, sql)
				if err != nil {
					t.Logf("%s: %v", sql, err)
				}
				out = append(out, rows...)
			}
			for _, row := range out {
				for _, v := range row {
					if strings.Contains(v, "123-45") || strings.Contains(v, "987-65") || strings.Contains(v, "ann@") {
						t.Errorf("in clear: %q", row)
					}
				}
			}
			simple(conn, "ROLLBACK")
		})
	}
}
