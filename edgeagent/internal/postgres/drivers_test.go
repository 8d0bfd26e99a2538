package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/jackc/pgx/v5/stdlib"
)

// TestPgxModes runs the same queries in every mode in which pgx speaks the protocol.
func TestPgxModes(t *testing.T) {
	l := openLab(t, "shop")
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			conn := l.connect("default_query_exec_mode=" + strings.ReplaceAll(mode.String(), " ", "_"))
			for range 3 { // the first prepares, the others use what was prepared
				var name string
				var total float64
				err := conn.QueryRow(ctx, "SELECT name, sum(total)::float8 FROM customers JOIN orders ON customer_id = customers.id WHERE customers.id = $1 GROUP BY name", 1).Scan(&name, &total)
				if err != nil || name != "Ann" || total != 15150 {
					t.Fatalf("%q %v: %v", name, total, err)
				}
			}
			tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(ctx, "INSERT INTO customers (name, note) VALUES ($1, $2)", "Dee", nil); err != nil {
				t.Fatal(err)
			}
			nested, err := tx.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := nested.Exec(ctx, "INSERT INTO customers (id, name) VALUES ($1, $2)", 1, "taken"); sqlState(err) != "23505" {
				t.Fatalf("want a duplicate key, got %v", err)
			}
			if err := errors.Join(nested.Rollback(ctx), tx.Rollback(ctx)); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := conn.QueryRow(ctx, "SELECT count(*) FROM customers").Scan(&n); err != nil || n != 3 {
				t.Errorf("%d customers after a rollback: %v", n, err)
			}
		})
	}
}

func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// TestPgxTypes reads values of many types in binary and text and compares them with a direct read.
func TestPgxTypes(t *testing.T) {
	l := openLab(t, "shop")
	ctx := context.Background()
	direct, err := l.pg.Connect(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close(ctx)
	through := l.connect("")
	const query = `SELECT 1::int2, 2::int4, 3::int8, 1.5::float4, 2.5::float8, 123456789.123456789::numeric, true, 'x'::text, 'y'::varchar(3), 'z'::char(4), '\xdeadbeef'::bytea,
 '2020-02-29'::date, '12:34:56'::time, '2020-02-29 12:34:56+02'::timestamptz, '1 year 2 days'::interval, '{1,2,NULL}'::int[], '{"a": [1, 2]}'::jsonb, '{"a":1}'::json,
 '00112233-4455-6677-8899-aabbccddeeff'::uuid, '10.0.0.0/8'::inet, '[1,5)'::int4range, NULL::text, B'101'::bit(3), '(1,2)'::point, 'a'::"char", 'name'::name, 17::oid`
	for _, format := range []int16{0, 1} {
		want := direct.PgConn().ExecParams(ctx, query, nil, nil, nil, []int16{format}).Read()
		got := through.PgConn().ExecParams(ctx, query, nil, nil, nil, []int16{format}).Read()
		if want.Err != nil || got.Err != nil || !reflect.DeepEqual(want.Rows, got.Rows) || !reflect.DeepEqual(want.FieldDescriptions, got.FieldDescriptions) {
			t.Errorf("format %d: got %q, want %q; %v %v", format, got.Rows, want.Rows, got.Err, want.Err)
		}
	}
}

// TestPgxBatch sends pipelines, one with an error in its middle.
func TestPgxBatch(t *testing.T) {
	l := openLab(t, "shop")
	conn := l.connect("")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var b pgx.Batch
	for i := range 200 {
		b.Queue("INSERT INTO orders (customer_id, total) VALUES ($1, $2) RETURNING id", 1+i%3, i)
		b.Queue("SELECT count(*) FROM orders WHERE total = $1", i)
	}
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		t.Fatal(err)
	}
	var bad pgx.Batch
	bad.Queue("INSERT INTO orders (total) VALUES (-1)")
	bad.Queue("SELECT 1 / $1::int", 0)
	bad.Queue("INSERT INTO orders (total) VALUES (-1)")
	if err := conn.SendBatch(ctx, &bad).Close(); sqlState(err) != "22012" {
		t.Errorf("a batch with an error: %v", err)
	}
	var n, minus int
	if err := conn.QueryRow(ctx, "SELECT count(*), count(*) FILTER (WHERE total < 0) FROM orders").Scan(&n, &minus); err != nil || n != 500 || minus != 0 {
		t.Errorf("%d orders, %d of a failed batch: %v", n, minus, err)
	}
	p := conn.PgConn().StartPipeline(ctx)
	for range 10 {
		p.SendQueryParams("SELECT 1", nil, nil, nil, nil)
		p.SendPipelineSync()
	}
	if err := p.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPgxCopyAndLarge moves many rows in, in binary COPY, and out again.
func TestPgxCopyAndLarge(t *testing.T) {
	l := openLab(t, "shop")
	conn := l.connect("")
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, "CREATE TABLE big (id int, v text, at timestamptz)"); err != nil {
		t.Fatal(err)
	}
	const rows = 50_000
	long := strings.Repeat("x", 100)
	n, err := conn.CopyFrom(ctx, pgx.Identifier{"big"}, []string{"id", "v", "at"}, pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
		return []any{i, long, time.Unix(int64(i), 0)}, nil
	}))
	if err != nil || n != rows {
		t.Fatalf("%d rows: %v", n, err)
	}
	if _, err := conn.CopyFrom(ctx, pgx.Identifier{"big"}, []string{"id"}, pgx.CopyFromFunc(func() ([]any, error) { return nil, errors.New("changed my mind") })); err == nil {
		t.Error("a copy that its client gives up went through")
	}
	got, err := conn.Query(ctx, "SELECT id, v, at FROM big ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for got.Next() {
		seen++
	}
	if got.Err() != nil || seen != rows {
		t.Errorf("%d rows: %v", seen, got.Err())
	}
	var out bytes.Buffer
	if tag, err := conn.PgConn().CopyTo(ctx, &out, "COPY big TO STDOUT (FORMAT binary)"); err != nil || tag.RowsAffected() != rows {
		t.Errorf("%s: %v", tag, err)
	}
	var want bytes.Buffer
	direct, err := l.pg.Connect(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close(ctx)
	if _, err := direct.PgConn().CopyTo(ctx, &want, "COPY big TO STDOUT (FORMAT binary)"); err != nil || !bytes.Equal(want.Bytes(), out.Bytes()) {
		t.Errorf("the copies differ: %v", err)
	}
	huge := strings.Repeat("0123456789abcdef", 1<<20)
	var back string
	if err := conn.QueryRow(ctx, "SELECT $1::text", huge).Scan(&back); err != nil || back != huge {
		t.Errorf("16 MiB came back as %d bytes: %v", len(back), err)
	}
}

// TestPgxCancelAndPool cancels by context and goes on, from many connections at once.
func TestPgxCancelAndPool(t *testing.T) {
	l := openLab(t, "shop")
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	pool, err := pgxpool.New(ctx, l.dsn("pool_max_conns=8"))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	errs := make(chan error, 8)
	for i := range 8 {
		go func() {
			var n int
			for range 50 {
				if err := pool.QueryRow(ctx, "SELECT $1::int + count(*)::int FROM orders", i).Scan(&n); err != nil || n != 300+i {
					errs <- fmt.Errorf("%d: %w", n, err)
					return
				}
			}
			errs <- nil
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	conn := l.connect("")
	key, pid := conn.PgConn().SecretKey(), conn.PgConn().PID()
	if pid == 0 || len(key) == 0 {
		t.Fatal("no cancel key")
	}
	done := make(chan error, 1)
	go func() {
		_, err := conn.Exec(ctx, "SELECT pg_sleep(30)")
		done <- err
	}()
	for range 400 {
		if l.pg.Value(t, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%' AND state = 'active'") == "1" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := conn.PgConn().CancelRequest(ctx); err != nil {
		t.Error(err)
	}
	if err := <-done; sqlState(err) != "57014" {
		t.Errorf("want a cancelled statement, got %v", err)
	}
	if _, err := conn.Exec(ctx, "SELECT 1"); err != nil {
		t.Errorf("after a cancel: %v", err)
	}
}

func TestDatabaseSQL(t *testing.T) {
	l := openLab(t, "shop")
	db, err := sql.Open("pgx", l.dsn(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	st, err := db.PrepareContext(ctx, "SELECT name, email FROM customers WHERE id = $1")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for id, want := range map[int]string{1: "Ann", 2: "Bob", 3: "Cid"} {
		var name string
		var email sql.NullString
		if err := st.QueryRowContext(ctx, id).Scan(&name, &email); err != nil || name != want || email.Valid != (id != 3) {
			t.Errorf("%d: %q %v: %v", id, name, email, err)
		}
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM orders"); sqlState(err) != "25006" {
		t.Errorf("a write in a read-only transaction: %v", err)
	}
	tx.Rollback()
	res, err := db.ExecContext(ctx, "UPDATE orders SET status = $1 WHERE total > $2", "big", 290)
	if n, _ := res.RowsAffected(); err != nil || n != 10 {
		t.Errorf("%d rows: %v", n, err)
	}
}

const psycopgScript = `
import psycopg2, psycopg2.extras, io, sys
c = psycopg2.connect("")
k = c.cursor()
k.execute("SELECT id, name, email FROM customers WHERE id = %s OR name = %s ORDER BY id", (1, "Bob'; DROP TABLE x; --"))
print(k.fetchall(), [d.name for d in k.description])
k.executemany("INSERT INTO customers (name) VALUES (%s)", [("n%d" % i,) for i in range(50)])
psycopg2.extras.execute_values(k, "INSERT INTO customers (name, note) VALUES %s RETURNING name", [("v%d" % i, "x") for i in range(50)])
print(len(k.fetchall()))
c.rollback()
named = c.cursor(name="server side")
named.itersize = 7
named.execute("SELECT id, total FROM orders ORDER BY id")
print(sum(1 for row in named), named.description is not None)
named.close()
c.commit()
k.execute("CREATE TABLE bulk (a int, b text)")
k.copy_from(io.StringIO("1\tone\n2\t\\N\n"), "bulk")
k.copy_expert("COPY bulk FROM STDIN CSV", io.StringIO("3,three\n"))
out = io.StringIO()
k.copy_expert("COPY bulk TO STDOUT CSV HEADER", out)
print(repr(out.getvalue()))
c.commit()
try:
    k.execute("SELECT 1/0")
except psycopg2.errors.DivisionByZero as e:
    print(e.pgcode)
c.rollback()
c.set_session(isolation_level="SERIALIZABLE", readonly=True)
k.execute("SELECT count(*) FROM bulk")
print(k.fetchone())
c.rollback()
c.set_session(isolation_level="DEFAULT", readonly=False, autocommit=True)
k.execute("LISTEN ch"); k.execute("NOTIFY ch, 'hi'"); c.poll()
print([(n.channel, n.payload) for n in c.notifies])
k.execute("DO $$ BEGIN RAISE NOTICE 'noted'; END $$")
print(c.notices[-1].strip())
k.callproc("pg_catalog.upper", ("abc",)); print(k.fetchone())
k.execute("DROP TABLE bulk; SELECT 'several', 'statements'; SELECT 2")
print(k.fetchone(), c.get_parameter_status("server_version")[:3] != "", c.encoding)
c.close()
`

// TestPsycopg runs the most used Python driver, which stands on libpq, on either side.
func TestPsycopg(t *testing.T) {
	l := sideBySide(t)
	if exec.Command("/usr/bin/python3", "-c", "import psycopg2").Run() != nil {
		t.Skip("psycopg2 is missing: apt-get install python3-psycopg2")
	}
	var out [2]string
	for i, through := range []bool{false, true} {
		c := l.program(t, through, "/usr/bin/python3", "-c", psycopgScript)
		text, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("through=%v: %v: %s", through, err, text)
		}
		out[i] = string(text)
	}
	if out[0] != out[1] {
		t.Errorf("through the gateway:\n%s\ndirectly:\n%s", out[1], out[0])
	}
}

// TestPgbench runs pgbench's own scripts in every protocol, with and without reconnecting.
func TestPgbench(t *testing.T) {
	l := sideBySide(t)
	if out, err := l.program(t, true, "pgbench", "-i", "-q", "-s", "1").CombinedOutput(); err != nil {
		t.Fatalf("pgbench -i: %v: %s", err, out)
	}
	for _, args := range []string{"-M simple -S", "-M extended -S", "-M prepared -S", "-M simple", "-M extended", "-M prepared", "-M simple -S -C", "-M prepared -N -C"} {
		out, err := l.program(t, true, "pgbench", append(strings.Fields(args), "-n", "-c", "4", "-t", "25")...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "100/100") {
			t.Errorf("pgbench %s: %v: %s", args, err, out)
		}
	}
	if got := l.pg.Value(t, "shop", "SELECT sum(abalance) - (SELECT sum(tbalance) FROM pgbench_tellers) FROM pgbench_accounts"); got == "" {
		t.Error("no balance")
	}
}

// TestDumpAndRestore dumps through the gateway, compares with a direct dump, and restores both
// formats through the gateway.
func TestDumpAndRestore(t *testing.T) {
	l := sideBySide(t)
	more := "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY, m mood, boss int, twice int GENERATED ALWAYS AS (boss * 2) STORED, PRIMARY KEY (id), FOREIGN KEY (boss) REFERENCES people);" +
		"CREATE INDEX ON people (m) WHERE boss IS NULL; CREATE MATERIALIZED VIEW moods AS SELECT m, count(*) FROM people GROUP BY m; CREATE TABLE p (a int, b text) PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);" +
		"CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; CREATE TRIGGER n BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION noted(); COMMENT ON TABLE people IS 'who'; INSERT INTO people (m) VALUES ('sad'); INSERT INTO p VALUES (1, 'x')"
	for _, db := range []string{"shop", "twin"} {
		l.pg.Exec(t, db, more)
	}
	l.fresh(t)
	var dumps [2]string
	for i, through := range []bool{false, true} {
		out, err := l.program(t, through, "pg_dump").Output()
		if err != nil {
			t.Fatalf("pg_dump, through=%v: %v: %s", through, err, exitText(err))
		}
		dumps[i] = dumpNoise(string(out))
	}
	if dumps[0] != dumps[1] {
		t.Errorf("the dumps differ: %d and %d bytes", len(dumps[0]), len(dumps[1]))
	}
	file := t.TempDir() + "/dump"
	if out, err := l.program(t, true, "pg_dump", "-Fc", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("pg_dump -Fc: %v: %s", err, out)
	}
	l.pg.Exec(t, "shop", "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	l.fresh(t)
	c := l.program(t, true, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1")
	c.Stdin = strings.NewReader(dumps[1])
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("restore with psql: %v: %s", err, out)
	}
	l.pg.Exec(t, "shop", "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	l.fresh(t)
	if out, err := l.program(t, true, "pg_restore", "--exit-on-error", "-1", "-d", "shop-db", file).CombinedOutput(); err != nil {
		t.Fatalf("pg_restore: %v: %s", err, out)
	}
	l.pg.Exec(t, "twin", "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
	if out, err := l.program(t, false, "pg_restore", "--exit-on-error", "-1", "-d", "twin", file).CombinedOutput(); err != nil {
		t.Fatalf("pg_restore directly: %v: %s", err, out)
	}
	for i, through := range []bool{false, true} {
		out, err := l.program(t, through, "pg_dump").Output()
		if err != nil {
			t.Fatalf("pg_dump, through=%v: %v: %s", through, err, exitText(err))
		}
		dumps[i] = dumpNoise(string(out))
	}
	if dumps[0] != dumps[1] {
		t.Error("what was restored through the gateway is not what was restored directly")
	}
	if got := l.pg.Value(t, "shop", "SELECT count(*) FROM orders"); got != "300" {
		t.Errorf("%s orders", got)
	}
}

// dumpNoise takes the random key of newer dumps out.
func dumpNoise(dump string) string {
	var out []string
	for line := range strings.Lines(dump) {
		if !strings.HasPrefix(line, `\restrict `) && !strings.HasPrefix(line, `\unrestrict `) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func exitText(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}
