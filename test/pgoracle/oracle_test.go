package pgoracle

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pganalyze/pg_query_go/v6/parser"
	"github.com/writhq/writ/pkg/sqlclass"
)

// kindOf says which kind a statement node of the C parser must be classified as.
var kindOf = map[string]string{
	"InsertStmt": "insert", "UpdateStmt": "update", "DeleteStmt": "delete", "MergeStmt": "merge",
	"TruncateStmt": "truncate", "ExplainStmt": "explain", "PrepareStmt": "prepare", "ExecuteStmt": "execute",
	"DeallocateStmt": "deallocate", "DeclareCursorStmt": "declare", "ClosePortalStmt": "close", "LockStmt": "lock",
	"DoStmt": "do", "CallStmt": "call", "TransactionStmt": "transaction", "ViewStmt": "ddl", "CreateStmt": "ddl",
	"CreateTableAsStmt": "ddl", "AlterTableStmt": "ddl", "IndexStmt": "ddl", "CreateFunctionStmt": "ddl",
	"CreateTrigStmt": "ddl", "RuleStmt": "ddl", "CreateSchemaStmt": "ddl", "CreateSeqStmt": "ddl", "AlterSeqStmt": "ddl",
	"CreateExtensionStmt": "ddl", "CreatePolicyStmt": "ddl", "DropStmt": "drop", "DropdbStmt": "drop",
	"GrantStmt": "grant", "GrantRoleStmt": "role", "CreateRoleStmt": "role", "AlterRoleStmt": "role",
	"AlterRoleSetStmt": "role", "DropRoleStmt": "role", "DropOwnedStmt": "role", "ReassignOwnedStmt": "role",
	"AlterDefaultPrivilegesStmt": "grant", "SecLabelStmt": "grant", "VariableShowStmt": "show", "ListenStmt": "listen",
	"NotifyStmt": "notify", "UnlistenStmt": "unlisten", "VacuumStmt": "maintenance", "ClusterStmt": "maintenance",
	"ReindexStmt": "maintenance", "RefreshMatViewStmt": "refresh", "DiscardStmt": "discard", "LoadStmt": "load",
	"CheckPointStmt": "checkpoint", "AlterSystemStmt": "system", "CommentStmt": "comment",
	"CreatePublicationStmt": "replication", "CreateSubscriptionStmt": "replication",
}

// TestDifferential classifies every statement of PostgreSQL's regression suite and compares kind, tables
// and functions with the tree of the C parser.
func TestDifferential(t *testing.T) {
	c, err := sqlclass.New(sqlclass.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := &sqlclass.Session{Path: sqlclass.NewPath("public")}
	compared, newer := 0, 0
	for _, sql := range regression(t) {
		if len(sql) > 32<<10 {
			continue // the C parser overflows its stack on some long texts
		}
		text, perr := parser.ParseToJSON(sql)
		b, err := c.Classify(sql, nil, s)
		if perr != nil {
			newer++
			continue
		}
		if err != nil {
			if retired(sql) {
				continue
			}
			t.Errorf("refused (%v) what the C parser takes: %s", err, sql)
			continue
		}
		var tree struct {
			Stmts []struct{ Stmt map[string]any }
		}
		if err := json.Unmarshal([]byte(text), &tree); err != nil {
			t.Fatal(err)
		}
		if len(tree.Stmts) != len(b.Statements) {
			t.Errorf("%d statements, the C parser finds %d: %s", len(b.Statements), len(tree.Stmts), sql)
			continue
		}
		for i, f := range b.Statements {
			compared++
			compare(t, sql, f, tree.Stmts[i].Stmt)
		}
	}
	t.Logf("%d statements compared; %d texts only the newer grammar may take", compared, newer)
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

// retired tells whether a text is an error that PostgreSQL 18 reports while it parses and 17 did later.
func retired(sql string) bool {
	return strings.Contains(sql, "NOT VALID") || strings.Contains(strings.ToUpper(sql), "IF NOT EXISTS TEST_NS_SCHEMA")
}

func compare(t *testing.T, sql string, f *sqlclass.Facts, stmt map[string]any) {
	t.Helper()
	for node, body := range stmt {
		want, ok := kindOf[node]
		if node == "SelectStmt" {
			want, ok = "select", true
			if into(body) {
				want = "ddl"
			}
		}
		if ok && f.Kind.String() != want {
			t.Errorf("%s is %s, not %s: %s", node, f.Kind, want, sql)
		}
		if f.Kind == sqlclass.KindUnknown {
			t.Errorf("%s is unknown: %s", node, sql)
		}
	}
	w := &walker{tables: map[string]bool{}, functions: map[string]bool{}, local: map[string]bool{"old": true, "new": true}}
	w.walk(stmt)
	names, funcs := map[string]bool{}, map[string]bool{}
	for _, a := range f.Accesses {
		names[a.Name] = true
	}
	for _, fn := range f.Functions {
		funcs[fn.Name] = true
	}
	for name := range w.tables {
		if !names[name] && !w.local[name] {
			t.Errorf("table %s is missing: %s", name, sql)
		}
	}
	for name := range w.functions {
		if !funcs[name] {
			t.Errorf("function %s is missing: %s", name, sql)
		}
	}
}

// into tells whether a SELECT has INTO in its leftmost arm.
func into(body any) bool {
	for {
		m, _ := body.(map[string]any)
		if m == nil {
			return false
		}
		if m["intoClause"] != nil {
			return true
		}
		body = m["larg"]
	}
}

// walker gathers the tables and functions of a tree in the C parser's JSON.
type walker struct{ tables, functions, local map[string]bool }

func (w *walker) walk(n any) {
	switch x := n.(type) {
	case []any:
		for _, item := range x {
			w.walk(item)
		}
	case map[string]any:
		if name, ok := x["ctename"].(string); ok {
			w.local[name] = true
		}
		if name, ok := x["relname"].(string); ok {
			w.tables[name] = true
		}
		for key, child := range x {
			switch key {
			case "LockingClause", "ImportForeignSchemaStmt", "ConstraintsSetStmt", "ObjectWithArgs":
				continue
			case "FuncCall":
				w.function(child)
			case "sequence", "typevar":
				continue // the object itself
			}
			w.walk(child)
		}
	}
}

func (w *walker) function(call any) {
	m, _ := call.(map[string]any)
	parts, _ := m["funcname"].([]any)
	if len(parts) == 0 {
		return
	}
	last, _ := parts[len(parts)-1].(map[string]any)
	str, _ := last["String"].(map[string]any)
	if name, ok := str["sval"].(string); ok {
		w.functions[name] = true
	}
}

// regression returns the statements of PostgreSQL's regression suite, which the Go parser's module ships.
func regression(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sqlc-dev/oliphant").Output()
	if err != nil {
		t.Skipf("the parser's module is not at hand: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "parser/testdata/parse/*_regress/*.test"))
	if err != nil || len(files) == 0 {
		t.Skip("the parser's module has no regression corpus")
	}
	var all []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "\n== ") {
			_, body, _ := strings.Cut(block, "\n")
			if sql, _, ok := strings.Cut(body, "\n--\n"); ok {
				all = append(all, strings.ReplaceAll(strings.TrimPrefix(sql, "|"), "\n|", "\n"))
			}
		}
	}
	return all
}
