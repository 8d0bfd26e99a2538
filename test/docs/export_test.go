package docs

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/auditexport"
)

// The columns of an export, and Athena's table over them, are in audit.md as they are in the code.
func TestExportReference(t *testing.T) {
	raw, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	types := map[auditexport.Type]string{auditexport.Text: "string", auditexport.Integer: "bigint", auditexport.Boolean: "boolean", auditexport.Texts: "array<string>"}
	var table, ddl []string
	for _, c := range auditexport.Columns() {
		table = append(table, c.Name+" "+string(c.Type))
		ddl = append(ddl, "`"+c.Name+"` "+types[c.Type])
	}
	_, columns, _ := strings.Cut(string(raw), "### Columns\n")
	columns, _, _ = strings.Cut(columns, "###")
	var said []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([\\w ]+) \\|").FindAllStringSubmatch(columns, -1) {
		said = append(said, row[1]+" "+row[2])
	}
	if got, want := strings.Join(said, "\n"), strings.Join(table, "\n"); got != want {
		t.Errorf("audit.md says\n%s\nand the columns are\n%s", got, want)
	}
	_, created, _ := strings.Cut(string(raw), "CREATE EXTERNAL TABLE writ_records (\n")
	created, _, _ = strings.Cut(created, "\n)\n")
	if got, want := strings.Join(strings.Fields(created), " "), strings.Join(ddl, ", "); got != want {
		t.Errorf("audit.md creates\n%s\nand the columns are\n%s", got, want)
	}
}
