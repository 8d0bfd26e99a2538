package postgres

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/writhq/writ/test/pgtest"
)

// sideBySide is a lab whose database has a twin that is reached directly.
func sideBySide(t *testing.T) *lab {
	t.Helper()
	l := openLab(t, "shop")
	l.pg.Exec(t, "postgres", "CREATE DATABASE twin")
	l.pg.Exec(t, "twin", shopSchema)
	return l
}

// program prepares a libpq program, through the gateway or directly at the twin.
func (l *lab) program(t *testing.T, through bool, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is missing: apt-get install postgresql-client postgresql-contrib", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, path, args...)
	host, port, _ := strings.Cut(l.addr, ":")
	user, password, database := "ada", "good", "shop-db"
	if !through {
		host, port, user, password, database = l.pg.Host, strconv.Itoa(l.pg.Port), pgtest.Superuser, pgtest.Password, "twin"
	}
	c.Env = append(os.Environ(), "PGHOST="+host, "PGPORT="+port, "PGUSER="+user, "PGPASSWORD="+password, "PGDATABASE="+database,
		"PGSSLMODE=require", "PSQLRC=/dev/null", "PSQL_HISTORY=/dev/null", "LC_ALL=C.UTF-8", "PGCONNECT_TIMEOUT=10", "PAGER=")
	c.Dir = t.TempDir()
	return c
}

// psqlScripts are what people type. Each gives the same output through the gateway as without it.
var psqlScripts = map[string]string{
	"describe": "\\d\n\\dt\n\\dt+ customers\n\\d customers\n\\d+ orders\n\\d contacts\n\\d+ contacts\n\\df\n\\df+ peek\n\\dv\n\\di\n\\ds\n\\dn+\n\\du\n\\l postgres\n\\dp\n\\dT\n\\dx\n\\dC\n\\do\n\\dy\n\\drds\n\\db\n\\sf peek\n\\sv contacts\n\\z orders\n\\dconfig work_mem\n\\encoding\n",
	"select":   "SELECT * FROM customers ORDER BY id;\n\\x\nSELECT * FROM orders ORDER BY id LIMIT 3;\nTABLE contacts;\n",
	"gdesc":    "SELECT id, name, total * 2 AS twice FROM customers JOIN orders ON customer_id = customers.id \\gdesc\nSELECT 1 AS a, 'x' AS b \\gset\n\\echo :a :b\nSELECT format('SELECT %s', g) FROM generate_series(1,3) g \\gexec\nSELECT 1, 2 \\gx\n",
	"crosstab": "SELECT customer_id, status, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1 \\crosstabview\n",
	"transactions": "BEGIN;\nINSERT INTO customers (name) VALUES ('Dee');\nSAVEPOINT a;\nSELECT 1/0;\nSELECT 1;\nROLLBACK TO a;\nSELECT count(*) FROM customers;\nROLLBACK;\nSELECT count(*) FROM customers;\n" +
		"BEGIN; CREATE TABLE made (a int); INSERT INTO made VALUES (1), (2); SELECT * FROM made; ROLLBACK;\nSELECT * FROM made;\nBEGIN;\nCREATE TEMP TABLE t AS SELECT 1 AS a;\nSELECT * FROM t;\nCOMMIT;\nSELECT a FROM t;\nDROP TABLE t;\n",
	"one string":  "SELECT 1 \\; SELECT 2 \\; SELECT name FROM customers ORDER BY id;\nCREATE TABLE s1 (a int) \\; INSERT INTO s1 VALUES (1) \\; SELECT * FROM s1;\nSELECT * FROM s1;\nSELECT 1 \\; SELECT 1/0 \\; SELECT 2;\nDROP TABLE s1;\n",
	"copy":        "COPY customers (name, email) FROM STDIN;\nEve\teve@example.com\nFay\t\\N\n\\.\nSELECT name, email FROM customers ORDER BY id;\nCOPY (SELECT id, total FROM orders ORDER BY id LIMIT 5) TO STDOUT (FORMAT csv, HEADER);\nCOPY customers TO STDOUT;\nCOPY customers (name) FROM STDIN;\n\\.\nCOPY orders (total) FROM STDIN;\nnot a number\n\\.\nSELECT count(*) FROM orders;\n",
	"copy client": "\\copy (SELECT id, name FROM customers ORDER BY id) TO 'out.csv' CSV HEADER\n\\copy customers (id, name) FROM 'out.csv' CSV HEADER\nCREATE TABLE again (id int, name text);\n\\copy again FROM 'out.csv' CSV HEADER\nSELECT * FROM again;\n\\copy again TO STDOUT\n\\copy again TO PROGRAM 'cat'\nDROP TABLE again;\n",
	"watch":       "SELECT 1 AS one \\watch 0.1\n",
	"notify":      "LISTEN c;\nNOTIFY c, 'payload';\nSELECT 1;\nUNLISTEN *;\nNOTIFY c;\nSELECT 2;\n",
	"prepared":    "PREPARE p (int) AS SELECT name FROM customers WHERE id = $1;\nEXECUTE p(1);\nEXECUTE p(2);\nDEALLOCATE p;\nEXECUTE p(1);\nPREPARE q AS SELECT 1;\nDISCARD ALL;\nEXECUTE q;\n",
	"cursors":     "BEGIN;\nDECLARE c SCROLL CURSOR FOR SELECT id, name FROM customers ORDER BY id;\nFETCH 2 FROM c;\nFETCH BACKWARD 1 FROM c;\nMOVE ALL IN c;\nFETCH c;\nCLOSE c;\nCOMMIT;\n\\set FETCH_COUNT 7\nSELECT id, total FROM orders ORDER BY id LIMIT 30;\n",
	"settings":    "SHOW search_path;\nSET search_path = pg_catalog;\nSELECT count(*) FROM customers;\nSELECT count(*) FROM public.customers;\nRESET search_path;\nSET datestyle = 'German';\nSELECT date '2020-01-02';\nSET LOCAL work_mem = '1MB';\nSET timezone = 'Asia/Tokyo';\nSELECT timestamptz '2020-01-02 00:00:00Z';\nSHOW ALL \\g /dev/null\n",
	"functions": "CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql AS 'SELECT i * 2';\nSELECT twice(4);\nCREATE OR REPLACE FUNCTION twice(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'called with %', i; RETURN i * 2; END $$;\nSELECT twice(5);\n" +
		"CREATE PROCEDURE add(n text) LANGUAGE sql BEGIN ATOMIC INSERT INTO customers (name) VALUES (n); END;\nCALL add('Gil');\nSELECT name FROM customers ORDER BY id DESC LIMIT 1;\nDO $$ BEGIN RAISE NOTICE 'hello'; RAISE WARNING 'odd'; END $$;\nDROP PROCEDURE add;\nDROP FUNCTION twice;\nSELECT twice(1);\n",
	"errors":        "SELECT 1/0;\nSELECT no_such_column FROM customers;\nINSERT INTO customers (id, name) VALUES (1, 'again');\nINSERT INTO customers (name) VALUES (NULL);\nSELECT 'a'::int;\n\\errverbose\nSELECT 1;\n",
	"explain":       "EXPLAIN (COSTS OFF) SELECT * FROM customers WHERE id = 1;\nEXPLAIN (COSTS OFF, ANALYZE, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM orders;\nEXPLAIN (FORMAT json, COSTS OFF) SELECT 1;\n",
	"catalog":       "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1;\nSELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position;\nSELECT 'customers'::regclass, to_regclass('nothing'), pg_get_viewdef('contacts'::regclass);\n",
	"large objects": "BEGIN;\nSELECT lo_create(4711);\nSELECT lo_put(4711, 0, 'abc');\nSELECT lo_get(4711);\nSELECT lo_unlink(4711);\nCOMMIT;\n",
	"empty":         ";\n;;\n-- nothing\n/* nothing */;\nSELECT;\nSELECT 1;\n",
	"unicode":       "SELECT 'žluťoučký 🐎' AS \"kůň\", U&'\\0441\\043B\\043E\\043D', E'\\u00e9', B'101', X'1f', $q$a'b$q$, length('日本');\n",
}

func TestPsqlSideBySide(t *testing.T) {
	l := sideBySide(t)
	for name, script := range psqlScripts {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { // the scripts do not see each other
				for _, db := range []string{"shop", "twin"} {
					l.pg.Exec(t, db, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; "+shopSchema)
				}
				l.fresh(t)
			})
			want := l.psql(t, false, script)
			got := l.psql(t, true, script)
			if got != want {
				t.Errorf("through the gateway:\n%s\ndirectly:\n%s", got, want)
			}
		})
	}
}

// fresh makes the gateway see changes that others made: it looks every two seconds by itself.
func (l *lab) fresh(t *testing.T) {
	t.Helper()
	tg, err := l.server.targets.get("shop-db")
	if err != nil {
		t.Fatal(err)
	}
	tg.catalog.stale()
}

// psql runs a script as if typed, and returns all that it says. A \watch is stopped after a while.
func (l *lab) psql(t *testing.T, through bool, script string, args ...string) string {
	t.Helper()
	c := l.program(t, through, "psql", append([]string{"-X", "-a"}, args...)...)
	c.Stdin = strings.NewReader(script)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if strings.Contains(script, `\watch`) {
		var one bytes.Buffer
		c.Stdout = &one
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			time.Sleep(50 * time.Millisecond)
			if l.pg.Value(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT 1 AS one%'") != "0" {
				break
			}
		}
		time.Sleep(300 * time.Millisecond)
		c.Process.Signal(syscall.SIGINT)
		c.Wait()
		if !strings.Contains(one.String(), "(1 row)") {
			return "nothing was watched: " + one.String()
		}
		return "watched"
	}
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	text := out.String()
	if !c.ProcessState.Exited() {
		text += "\npsql hung: " + c.ProcessState.String()
	}
	return ownWords.ReplaceAllString(maskPID.ReplaceAllString(text, "PID N"), "")
}

func TestPsqlStopsOnError(t *testing.T) {
	l := sideBySide(t)
	file := filepath.Join(t.TempDir(), "script.sql")
	var script strings.Builder
	script.WriteString("BEGIN;\nCREATE TABLE many (id int PRIMARY KEY, v text);\n")
	for i := range 2000 {
		script.WriteString("INSERT INTO many VALUES (" + strconv.Itoa(i) + ", 'row " + strconv.Itoa(i) + "');\n")
	}
	script.WriteString("COMMIT;\nSELECT count(*), sum(id) FROM many;\nINSERT INTO many VALUES (1);\nSELECT 'not reached';\n")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, through := range []bool{false, true} {
		c := l.program(t, through, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file)
		out, err := c.CombinedOutput()
		if c.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), "1999000") || strings.Contains(string(out), "not reached") {
			t.Errorf("through=%v: %v: %s", through, err, out)
		}
	}
	if got := l.psql(t, true, "", "-1", "-c", "CREATE TABLE one (a int)", "-c", "INSERT INTO one VALUES (1)", "-c", "SELECT * FROM one"); !strings.Contains(got, "(1 row)") {
		t.Errorf("several -c in one transaction: %s", got)
	}
}

// TestPsqlCancel presses Ctrl-C while the target works.
func TestPsqlCancel(t *testing.T) {
	l := sideBySide(t)
	c := l.program(t, true, "psql", "-X", "-c", "SELECT pg_sleep(30)")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		time.Sleep(25 * time.Millisecond)
		if l.pg.Value(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%' AND state = 'active'") == "1" {
			break
		}
	}
	c.Process.Signal(syscall.SIGINT)
	c.Wait()
	if text := out.String(); !strings.Contains(text, "canceling statement due to user request") {
		t.Errorf("psql said %q", text)
	}
}

// TestNotifyBetweenSessions tells one psql from another session.
func TestNotifyBetweenSessions(t *testing.T) {
	l := sideBySide(t)
	listener, teller := l.connect(""), l.connect("")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := listener.Exec(ctx, "LISTEN news"); err != nil {
		t.Fatal(err)
	}
	if _, err := teller.Exec(ctx, "SELECT pg_notify('news', $1)", "hello"); err != nil {
		t.Fatal(err)
	}
	n, err := listener.WaitForNotification(ctx)
	if err != nil || n.Channel != "news" || n.Payload != "hello" {
		t.Errorf("%+v, %v", n, err)
	}
}

var (
	// maskPID finds what differs between any two sessions.
	maskPID = regexp.MustCompile(`PID \d+`)
	// ownWords finds what the gateway words otherwise for a name that does not exist: it gives no
	// place, and a hint of its own.
	ownWords = regexp.MustCompile(`(?m)^LINE \d+:.*\n.*\^\n|^HINT: .*\n|\(integer\)`)
)
