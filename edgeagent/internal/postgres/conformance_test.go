package postgres

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/test/conformance"
	"github.com/writhq/writ/test/pgtest"
)

// openLab is a lab with nothing to mask and nothing forbidden: what is refused here no policy
// can allow.
func openLab(t testing.TB, database string) *lab {
	t.Helper()
	l := newLab(t)
	l.control.principal.Groups = []string{"dba"}
	l.policies.set(t, policy.Bundle{Files: map[string][]byte{"all.cedar": []byte(`@id("all") permit (principal in Group::"dba", action, resource);`)}})
	if database != "shop" {
		l.pg.Exec(t, "postgres", "CREATE DATABASE "+database)
	}
	r := *l.resource
	r.Database, r.Classes, r.Detectors, r.Version = database, nil, []string{"none"}, 2
	l.resource = &r
	if err := l.server.SetResources([]*Resource{l.resource}, nil); err != nil {
		t.Fatal(err)
	}
	l.records.off = true
	return l
}

// steady makes two servers answer alike: nothing runs by itself.
func steady(t testing.TB, pg *pgtest.Server, database string) {
	t.Helper()
	for _, sql := range []string{
		"ALTER SYSTEM SET autovacuum = off", "ALTER SYSTEM SET log_statement = none", "ALTER SYSTEM SET log_min_error_statement = panic",
		"ALTER SYSTEM SET log_min_messages = panic", "ALTER SYSTEM SET max_prepared_transactions = 4", "SELECT pg_reload_conf()",
		"ALTER DATABASE " + database + " SET timezone = 'PST8PDT'", "ALTER DATABASE " + database + " SET datestyle = 'Postgres, MDY'",
		"ALTER DATABASE " + database + " SET lc_messages = 'C'", "ALTER DATABASE " + database + " SET timezone_abbreviations = 'Default'",
		"ALTER DATABASE " + database + " SET statement_timeout = '8s'",
	} {
		pg.Exec(t, "postgres", sql)
	}
}

// replay sets three equal servers up, one of them behind the gateway.
func replay(t testing.TB) (*conformance.Replay, []*pgtest.Server) {
	t.Helper()
	l := openLab(t, "regression")
	servers := []*pgtest.Server{l.pg, pgtest.Start(t), pgtest.Start(t)}
	r := &conformance.Replay{Gateway: l.dsn("")}
	for i, pg := range servers {
		if i > 0 {
			pg.Exec(t, "postgres", "CREATE DATABASE shop") // what the lab's server has: ids are then the same
			pg.Exec(t, "shop", shopSchema)
			pg.Exec(t, "postgres", "CREATE DATABASE regression")
		}
		steady(t, pg, "regression")
	}
	r.Direct, r.Control = directDSN(servers[1]), directDSN(servers[2])
	return r, servers
}

func directDSN(pg *pgtest.Server) string {
	return "host=" + pg.Host + " port=" + strconv.Itoa(pg.Port) + " user=" + pgtest.Superuser + " password=" + pgtest.Password + " dbname=regression sslmode=require"
}

// TestRegressionSuite runs PostgreSQL's regression suite through the gateway and directly, and
// compares every byte that the client gets. WRIT_REGRESS is src/test/regress of the PostgreSQL
// sources, with regress.so built in it; WRIT_REGRESS_FILES picks files. Without it the statements
// checked in with test/conformance run, see its testdata.
func TestRegressionSuite(t *testing.T) {
	dir := os.Getenv("WRIT_REGRESS")
	files := func() []string { return schedule(t, dir) }
	if dir == "" {
		dir = readable(t, "../../../test/conformance/testdata/regress")
		files = func() []string { return checkedIn }
	}
	for _, extended := range []bool{false, true} {
		if mode := os.Getenv("WRIT_REGRESS_MODE"); mode != "" && (mode == "extended") != extended {
			continue
		}
		t.Run(map[bool]string{false: "simple", true: "extended"}[extended], func(t *testing.T) {
			list := files()
			if extended && os.Getenv("WRIT_REGRESS") == "" {
				list = slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slow[name] })
			}
			runSuite(t, dir, list, extended)
		})
	}
}

// checkedIn are the files of the suite that are in the repository, in the suite's order.
var checkedIn = strings.Fields(`test_setup boolean char name varchar text int2 int4 uuid enum date copyselect copydml insert_conflict
 select select_distinct select_having subselect case transactions portals delete namespace prepare limit truncate temp returning with`)

// slow are left out of the second pass over what is checked in, for the time they take.
var slow = map[string]bool{"with": true, "insert_conflict": true, "enum": true, "temp": true, "truncate": true, "name": true, "int2": true, "uuid": true}

// known are the statements that are refused though no policy refuses them: what they name is taken
// for missing. Nothing here may give another result.
var known = map[string]string{
	"portals:278":   "a cursor that a function opened is not known by name",
	"plancache:118": "names that mean others under a new search_path: it has to be prepared again",
	"plancache:120": "the same",
	"temp:169":      "functions in pg_temp are not read",
	"returning:144": "the columns of this set-returning function are not known",
	"with:628":      "a column of a CYCLE clause, used within its own query, is not known",
}

// readable copies a folder to where the server's user can read it.
func readable(t *testing.T, from string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "regress")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := errors.Join(os.CopyFS(filepath.Join(dir, "regress"), os.DirFS(from)), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "regress")
}

func runSuite(t *testing.T, dir string, files []string, extended bool) {
	r, servers := replay(t)
	if r.Extended = extended; extended {
		// In binary, names of relations and types come as object ids, which differ once a statement failed at one server and
		// was refused before it at another. The control's differ from the start, so that what shows them is unstable.
		servers[2].Exec(t, "postgres", "SELECT count(lo_unlink(lo_create(0))) FROM generate_series(1, 1000)")
	}
	r.Env = map[string]string{"PG_ABS_SRCDIR": dir, "PG_LIBDIR": dir, "PG_DLSUFFIX": ".so", "PG_ABS_BUILDDIR": dir}
	r.Tell = func(file string, step conformance.Step, v conformance.Verdict, detail string) {
		if why := known[file+":"+strconv.Itoa(step.Line)]; why != "" {
			t.Logf("%s:%d: known: %s", file, step.Line, why)
		} else if v == conformance.Different || v == conformance.Hung {
			t.Errorf("%s:%d: %s: %s\n%s", file, step.Line, v, detail, step.SQL)
		} else if os.Getenv("WRIT_REGRESS_TELL") != "" {
			t.Logf("%s:%d: %s: %s\n%s", file, step.Line, v, detail, step.SQL)
		}
	}
	total := conformance.NewTally()
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(dir, "sql", name+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		tally, err := r.Run(context.Background(), name, string(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		total.Add(tally)
		t.Logf("%s in %.1fs: %d statements, %v", name, time.Since(began).Seconds(), tally.Statements, tally.Count)
	}
	t.Logf("total: %s", total)
}

// schedule lists the files in the order of PostgreSQL's own schedule.
func schedule(t testing.TB, dir string) (files []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "parallel_schedule"))
	if err != nil {
		t.Fatal(err)
	}
	only := strings.Fields(os.Getenv("WRIT_REGRESS_FILES"))
	for line := range strings.Lines(string(text)) {
		if names, ok := strings.CutPrefix(line, "test:"); ok {
			for _, name := range strings.Fields(names) {
				if len(only) == 0 || name == "test_setup" || slices.Contains(only, name) {
					files = append(files, name)
				}
			}
		}
	}
	return files
}
