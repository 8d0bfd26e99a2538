package sqlclass

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	pg "github.com/sqlc-dev/oliphant"
	"google.golang.org/protobuf/proto"
)

// regression returns the statements of PostgreSQL's own regression suite, as the parser's module ships
// them for its tests.
func regression(t testing.TB) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sqlc-dev/oliphant").Output()
	if err != nil {
		t.Skipf("the parser's module is not at hand: %v", err)
	}
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "parser/testdata/parse/*_regress/*.test"))
	if len(files) == 0 {
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
			sql, expected, ok := strings.Cut(body, "\n--\n")
			if !ok || strings.HasPrefix(expected, "ERROR") {
				continue
			}
			all = append(all, unescape(sql))
		}
	}
	return all
}

// unescape undoes the | that the corpus puts before lines which look like its own marks.
func unescape(sql string) string {
	return strings.ReplaceAll(strings.TrimPrefix(sql, "|"), "\n|", "\n")
}

// TestRegressionCorpus classifies every statement of the regression suite: each has a kind, and every
// table and function that a plain walk of the tree finds is in the facts.
func TestRegressionCorpus(t *testing.T) {
	c, cat := classifier(t), shop(t)
	kinds, tooComplex, n := map[Kind]int{}, 0, 0
	for _, sql := range regression(t) {
		tree, perr := pg.Parse(sql)
		if perr != nil {
			continue
		}
		n++
		b, err := c.Classify(sql, cat, publicSession())
		var u *Unparsed
		if errors.As(err, &u) {
			if u.Reason == ReasonSyntax || u.Reason == ReasonInternal {
				t.Errorf("%v: %s", err, sql)
			}
			tooComplex++
			continue
		}
		if len(b.Statements) != len(tree.Stmts) {
			t.Errorf("%d statements of %d: %s", len(b.Statements), len(tree.Stmts), sql)
			continue
		}
		for i, f := range b.Statements {
			kinds[f.Kind]++
			checkComplete(t, sql, f, tree.Stmts[i].Stmt)
		}
	}
	t.Logf("%d texts, %d refused for their size, kinds %v", n, tooComplex, kinds)
	if kinds[KindUnknown] > 0 {
		t.Errorf("%d statements of unknown kind", kinds[KindUnknown])
	}
}

// checkComplete compares the facts with a walk that knows nothing of SQL's meaning.
func checkComplete(t *testing.T, sql string, f *Facts, n *pg.Node) {
	t.Helper()
	if f.Kind == KindUnknown {
		t.Errorf("unknown kind: %s", sql)
		return
	}
	names := map[string]bool{}
	for _, a := range f.Accesses {
		names[a.Name] = true
	}
	funcs := map[string]bool{}
	for _, fn := range f.Functions {
		funcs[fn.Name] = true
	}
	ctes, locals := map[string]bool{}, map[string]bool{}
	a := &analysis{shared: &shared{cfg: &Config{MaxSteps: 1 << 30}}}
	a.walk(n.ProtoReflect(), func(m proto.Message) bool {
		switch x := m.(type) {
		case *pg.CommonTableExpr:
			ctes[x.Ctename] = true
		case *pg.LockingClause:
			return false
		case *pg.RuleStmt:
			locals["old"], locals["new"] = true, true
		}
		return true
	})
	a.walk(n.ProtoReflect(), func(m proto.Message) bool {
		switch x := m.(type) {
		case *pg.LockingClause, *pg.ObjectWithArgs, *pg.ImportForeignSchemaStmt:
			return false
		case *pg.CreateSeqStmt:
			names[x.Sequence.Relname] = true
		case *pg.RangeVar:
			if !names[x.Relname] && !ctes[x.Relname] && !locals[x.Relname] && f.Kind != KindSet {
				t.Errorf("table %s is missing: %s", x.Relname, sql)
			}
		case *pg.FuncCall:
			if name := str(x.Funcname[len(x.Funcname)-1]); !funcs[name] {
				t.Errorf("function %s is missing: %s", name, sql)
			}
		case *pg.InsertStmt:
			wantAction(t, sql, f, ActionInsert, x.Relation.Relname)
		case *pg.UpdateStmt:
			wantAction(t, sql, f, ActionUpdate, x.Relation.Relname)
		case *pg.DeleteStmt:
			wantAction(t, sql, f, ActionDelete, x.Relation.Relname)
		case *pg.MergeStmt:
			wantAction(t, sql, f, ActionMerge, x.Relation.Relname)
		}
		return true
	})
}

func wantAction(t *testing.T, sql string, f *Facts, action Action, name string) {
	t.Helper()
	for _, a := range f.Accesses {
		if a.Action == action && a.Name == name {
			if !f.Write {
				t.Errorf("%s of %s but no write: %s", action, name, sql)
			}
			return
		}
	}
	t.Errorf("%s of %s is missing: %s", action, name, sql)
}
