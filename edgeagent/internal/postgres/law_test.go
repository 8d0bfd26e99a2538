package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// soon waits for something that is about to happen.
func soon(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not in time: %s", what)
}

func (l *lab) orders() string { return l.pg.Value(l.t, "shop", "SELECT count(*) FROM orders") }

// heard tells whether the target was ever sent a text.
func (l *lab) heard(text string) bool { return strings.Contains(l.pg.Log(l.t), text) }

func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return fmt.Sprint(err)
}

// extended runs one statement in the extended protocol: Parse, Bind, Describe, Execute, Sync.
func extended(conn *pgx.Conn, sql string) error {
	_, err := conn.PgConn().ExecParams(context.Background(), sql, nil, nil, nil, nil).Close()
	return err
}

// Law 1: no decision, no forward.
func TestLaw01NoDecisionNoForward(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	for _, sql := range []string{"DROP TABLE orders", "TRUNCATE orders", "SELECT pg_read_file('/etc/passwd')", "GRANT ALL ON orders TO public", "COPY orders TO PROGRAM 'cat'"} {
		if _, err := simple(conn, sql+" /* refused-mark */"); err == nil {
			t.Errorf("allowed: %s", sql)
		}
		if err := extended(conn, sql+" /* refused-mark */"); err == nil {
			t.Errorf("allowed in the extended protocol: %s", sql)
		}
	}
	if l.heard("refused-mark") || l.orders() != "300" {
		t.Error("something refused reached the target")
	}
	l.policies.set(t, policy.Bundle{}) // an empty set decides nothing
	if _, err := simple(conn, "SELECT 1 /* undecided-mark */"); err == nil || l.heard("undecided-mark") {
		t.Errorf("undecided: %v", err)
	}
}

// Law 2: no record, no forward.
func TestLaw02NoRecordNoForward(t *testing.T) {
	for name, run := range map[string]func(*pgx.Conn, string) error{
		"simple":   func(c *pgx.Conn, sql string) error { _, err := simple(c, sql); return err },
		"extended": extended,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			conn := l.connect("")
			l.records.mu.Lock()
			l.records.fail = errors.New("disk full")
			l.records.mu.Unlock()
			err := run(conn, "DELETE FROM orders WHERE id = 1")
			if err == nil {
				t.Fatal("ran without a record")
			}
			if c := code(err); c != "58030" && c != "57P01" {
				t.Errorf("refused with %v", err)
			}
			if l.orders() != "300" || l.heard("DELETE FROM orders") && name == "simple" {
				t.Error("an unrecorded write ran")
			}
			soon(t, "the session ends", func() bool { return len(l.pipeline.Sessions()) == 0 })
			if _, err := pgx.Connect(context.Background(), l.dsn("")); err == nil {
				t.Error("a session was opened without a record")
			}
		})
	}
	t.Run("reads too", func(t *testing.T) {
		l := newLab(t)
		conn := l.connect("")
		l.records.mu.Lock()
		l.records.fail = spool.ErrStalled
		l.records.mu.Unlock()
		if _, err := simple(conn, "SELECT 'unrecorded-read'"); err == nil || l.heard("unrecorded-read") {
			t.Errorf("a read went on without records: %v", err)
		}
	})
	t.Run("durable before forward", func(t *testing.T) {
		l := newLab(t)
		conn := l.connect("")
		gate := make(chan struct{})
		l.records.gate.Store(&gate)
		done := make(chan error, 1)
		go func() { _, err := simple(conn, "DELETE FROM orders WHERE id = 1"); done <- err }()
		soon(t, "the intent waits for the disk", func() bool { return l.records.waiting.Load() > 0 })
		if l.heard("DELETE FROM orders") || l.orders() != "300" {
			t.Error("the target got a write whose intent was not durable")
		}
		close(gate)
		if err := <-done; err != nil || l.orders() != "299" {
			t.Errorf("%v, %s orders", err, l.orders())
		}
		intents, outcomes := l.records.of(audit.KindCommand), l.records.of(audit.KindOutcome)
		if len(intents) != 1 || len(outcomes) != 1 || outcomes[0].CommandTag != "DELETE 1" || intents[0].Command != outcomes[0].Command {
			t.Errorf("records: %+v %+v", intents, outcomes)
		}
	})
}

// Sync is the spool's, on a disk that answers when the gate opens.
func (r *fakeRecords) Sync(ctx context.Context, pos spool.Position) error {
	if gate := r.gate.Load(); gate != nil {
		r.waiting.Add(1)
		select {
		case <-*gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return r.Spool.Sync(ctx, pos)
}

// Law 3: what is not understood is refused.
func TestLaw03NotUnderstoodIsRefused(t *testing.T) {
	l := newLab(t)
	l.control.principal.Groups = []string{"dba", "agents"}
	conn := l.connect("")
	for _, sql := range []string{
		"SELECT 1 FROM WHERE /* odd-mark */", "FROBNICATE orders /* odd-mark */", "SELECT no_such_function('odd-mark')", "SELECT * FROM no_such_table -- odd-mark",
		"PREPARE TRANSACTION 'odd-mark'", "COMMIT PREPARED 'odd-mark'", "SET standard_conforming_strings = off -- odd-mark", "SET client_encoding = 'SJIS' -- odd-mark",
		"SET session_replication_role = replica -- odd-mark", "SET ROLE postgres -- odd-mark", "SET SESSION AUTHORIZATION postgres -- odd-mark",
		"SELECT set_config('standard_conforming_' || 'strings', 'off', false) -- odd-mark", "CREATE PUBLICATION p FOR ALL TABLES /* odd-mark */",
		"EXECUTE nothing('odd-mark')", "FETCH ALL FROM nothing -- odd-mark", "LOAD 'odd-mark'", "SELECT E'\\'; DROP TABLE orders; -- odd-mark",
	} {
		before := len(l.records.of(audit.KindRefusal))
		if _, err := simple(conn, sql); err == nil {
			t.Errorf("allowed: %s", sql)
		}
		if n := len(l.records.of(audit.KindRefusal)) - before; n != 1 {
			t.Errorf("%s: %d refusal records", sql, n)
		}
	}
	if l.heard("odd-mark") {
		t.Error("the target saw something that was not understood")
	}
	if rows, err := simple(conn, "SELECT 7"); err != nil || rows[0][0] != "7" {
		t.Errorf("session unusable: %v", err)
	}
	for _, extra := range []string{"replication=database", "options='-c session_preload_libraries=evil'", "client_encoding=SJIS", "options='-c standard_conforming_strings=off'", "options='-c role=pg_monitor'", "role=pg_monitor"} {
		if conn, err := pgx.Connect(context.Background(), l.dsn(extra)); err == nil {
			conn.Close(context.Background())
			t.Errorf("connected with %s", extra)
		}
	}
}

// Law 4: the caller never holds an upstream credential, and the edge writes none to disk.
func TestLaw04NoCredentialForTheCaller(t *testing.T) {
	l := newLab(t)
	logged := &lockedBuffer{}
	l.server.log = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: logged})
	conn := l.connect("")
	for k, v := range map[string]string{"user": conn.PgConn().ParameterStatus("session_authorization"), "superuser": conn.PgConn().ParameterStatus("is_superuser")} {
		if v == "postgres" || v == "on" {
			t.Errorf("%s tells %q", k, v)
		}
	}
	pid := l.pg.Value(t, "shop", "SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE datname = 'shop'")
	if strings.Contains(","+pid+",", fmt.Sprintf(",%d,", conn.PgConn().PID())) {
		t.Error("the client got the target's own process id")
	}
	if _, err := pgx.Connect(context.Background(), strings.Replace(l.dsn(""), "password=good", "password=superuser-password", 1)); err == nil {
		t.Error("the upstream password opened a session")
	}
	l.spoolIsFree(t, []byte("superuser-password"), []byte("SCRAM-SHA-256$"))
	if logged.contains("superuser-password") {
		t.Error("the log holds the upstream password")
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) contains(s string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Contains(b.buf.Bytes(), []byte(s))
}

// spoolIsFree looks through everything that was recorded, in memory and on disk.
func (l *lab) spoolIsFree(t testing.TB, secrets ...[]byte) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(l.records.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files++
		for _, s := range secrets {
			if bytes.Contains(data, s) {
				t.Errorf("the spool holds %q", s)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d spool files: %v", files, err)
	}
	l.records.mu.Lock()
	defer l.records.mu.Unlock()
	for _, rec := range l.records.all {
		text := fmt.Appendf(nil, "%+v", rec)
		for _, p := range rec.Params {
			text = append(text, p.Data...)
		}
		for _, row := range rec.Rows {
			for _, v := range row {
				text = append(append(text, ' '), v.Data...)
			}
		}
		for _, s := range secrets {
			if bytes.Contains(text, s) {
				t.Errorf("a record holds %q: %.300s", s, text)
			}
		}
	}
}

// Law 5: no secret and no masked value in any record, log or error.
func TestLaw05NoSecretInRecordsLogsErrors(t *testing.T) {
	l := attackLab(t)
	logged := &lockedBuffer{}
	l.server.log = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: logged})
	for _, r := range []*Resource{l.resource} { // a target that logs there, and records rows
		next := *r
		next.Version++
		l.resource = &next
		if err := l.server.SetResources([]*Resource{l.resource}, nil); err != nil {
			t.Fatal(err)
		}
	}
	b := policy.Bundle{Files: map[string][]byte{"rows.cedar": []byte(`
@id("all") @record("rows") permit (principal in Group::"dba", action, resource);
@id("mask") @mask("redact") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"hush");
`)}}
	l.policies.set(t, b)
	l.pg.Exec(t, "shop", `CREATE TABLE strict (id int NOT NULL, word text UNIQUE, pub text CHECK (pub <> 'bad'), CONSTRAINT u UNIQUE (id) DEFERRABLE INITIALLY DEFERRED);
		INSERT INTO strict VALUES (1, 'xyzzy-plugh', 'a'), (2, 'other', 'b')`)
	next := *l.resource
	next.Version++
	next.Classes["public.strict.word"] = []string{"hush"}
	l.resource = &next
	if err := l.server.SetResources([]*Resource{l.resource}, nil); err != nil {
		t.Fatal(err)
	}
	a := newAttacker(l)
	for _, sql := range []string{
		"SELECT word, pub FROM vault", "SELECT * FROM strict", "INSERT INTO strict VALUES (9, 'xyzzy-plugh', 'c')", "UPDATE strict SET word = 'xyzzy-plugh' WHERE id = 2",
		"UPDATE strict SET id = NULL", "UPDATE strict SET pub = 'bad'", "UPDATE strict SET id = 1", "BEGIN; UPDATE strict SET id = 1; COMMIT", "ROLLBACK", "SELECT word::int FROM vault",
		"INSERT INTO strict (id, word) VALUES ('notanumber-plugh'::int, 'x')", "SELECT loud(1)", "SELECT fails(1)", "CREATE UNIQUE INDEX ON vault (word)", "DELETE FROM vault WHERE word = 'xyzzy-plugh'",
		"ALTER ROLE postgres PASSWORD 'hunter2-plugh'", "CREATE ROLE r9 LOGIN ENCRYPTED PASSWORD 'hunter2-plugh'", "ALTER ROLE postgres PASSWRD 'hunter2-plugh'", "CREATE USER MAPPING FOR postgres SERVER s OPTIONS (password 'hunter2-plugh')",
		"DO $$ BEGIN EXECUTE 'ALTER ROLE postgres PASSWORD ''hunter2-plugh'''; END $$", "SELECT dblink_connect('password=hunter2-plugh')", "ALTER ROLE postgres PASSWORD E'hunter2-\\x70lugh'; SELECT nonsense nonsense 'hunter2-plugh'",
		"COPY strict FROM STDIN WITH (FORMAT csv) garbage 'plugh'", "SELECT 'hunter2-plugh", "SELECT $q$hunter2-plugh$q$ nonsense nonsense",
	} {
		a.simple(t, sql)
		if a.conn.IsClosed() {
			t.Errorf("closed by %s", sql)
			a = newAttacker(l)
		}
	}
	ctx := context.Background()
	for _, args := range [][]any{{"INSERT INTO strict VALUES ($1, $2, $3)", 10, planted, "x"}, {"SELECT id FROM vault WHERE word = $1", planted}, {"UPDATE strict SET word = $1 WHERE id = $2", planted, 2}, {"SELECT count(*) FROM strict WHERE word = $1 AND pub = $2", planted, "a"}} {
		_, err := a.conn.Exec(ctx, args[0].(string), args[1:]...)
		t.Log(err)
	}
	_, err := a.conn.PgConn().CopyFrom(ctx, strings.NewReader("11\txyzzy-plugh\tok\n12\txyzzy-plugh\tbad\n"), "COPY strict FROM STDIN")
	t.Log(err)
	if err != nil {
		fmt.Fprintf(&a.seen, "%+v", err.(*pgconn.PgError))
	}
	a.check(t)
	a.close()
	soon(t, "the session ends", func() bool { return len(l.pipeline.Sessions()) == 0 })
	l.spoolIsFree(t, []byte("plugh"))
	if logged.contains("plugh") {
		t.Error("the edge's log holds a masked value or a secret")
	}
}

// Law 6: fail closed.
func TestLaw06FailClosed(t *testing.T) {
	t.Run("lease lost", func(t *testing.T) {
		l := newLab(t)
		conn, busy := l.connect(""), l.connect("")
		running := make(chan error, 1)
		go func() { _, err := simple(busy, "SELECT pg_sleep(60)"); running <- err }()
		soon(t, "the query runs", func() bool {
			return l.pg.Value(t, "shop", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'") == "1"
		})
		l.lease.valid.Store(false)
		close(l.lease.lost)
		select {
		case err := <-running:
			if err == nil {
				t.Error("a query outlived the lease")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a running query was not ended with the lease")
		}
		soon(t, "the query is cancelled at the target", func() bool {
			return l.pg.Value(t, "shop", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'") == "0"
		})
		if _, err := simple(conn, "DELETE FROM orders WHERE id = 1"); err == nil || l.orders() != "300" {
			t.Errorf("a command ran without a lease: %v", err)
		}
		if _, err := pgx.Connect(context.Background(), l.dsn("")); err == nil {
			t.Error("a session was opened without a lease")
		}
	})
	t.Run("lease found out at the next command", func(t *testing.T) {
		l := newLab(t)
		conn := l.connect("")
		l.lease.valid.Store(false) // nobody told the pipeline
		if _, err := simple(conn, "DELETE FROM orders WHERE id = 1"); err == nil || l.orders() != "300" {
			t.Errorf("a command ran without a lease: %v", err)
		}
	})
	t.Run("no policy", func(t *testing.T) {
		l := newLab(t)
		conn := l.connect("")
		l.policies.cur.Store(nil)
		if _, err := simple(conn, "SELECT 'no-policy-mark'"); err == nil || l.heard("no-policy-mark") {
			t.Errorf("a command ran without policies: %v", err)
		}
		if _, err := pgx.Connect(context.Background(), l.dsn("")); err == nil {
			t.Error("a session was opened without policies")
		}
	})
	t.Run("control plane away", func(t *testing.T) {
		l := newLab(t)
		conn := l.connect("")
		done := make(chan error, 1)
		go func() { _, err := simple(conn, "DELETE FROM orders"); done <- err }()
		soon(t, "the command is held", func() bool { return l.control.count() == 1 })
		l.control.lose()
		if err := <-done; err == nil || l.orders() != "300" {
			t.Errorf("a held command ran without the control plane: %v", err)
		}
	})
}

func (c *fakeControl) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.held)
}

// lose closes every hold without a verdict.
func (c *fakeControl) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, ch := range c.holds {
		close(ch)
		delete(c.holds, id)
	}
}

// Law 7: a refusal is an ordinary error with reason, policy and next step; the session goes on.
func TestLaw07RefusalIsAnOrdinaryError(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	ctx := context.Background()
	check := func(err error) {
		t.Helper()
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Severity != "ERROR" || pg.Code != "42501" || !strings.Contains(pg.Detail, "no-schema-changes") || !strings.Contains(pg.Message, "denied by Writ: ") || pg.Hint == "" {
			t.Errorf("refusal %#v", err)
		}
	}
	_, err := simple(conn, "DROP TABLE orders")
	check(err)
	check(extended(conn, "DROP TABLE orders"))
	if rows, err := simple(conn, "SELECT 1"); err != nil || len(rows) != 1 {
		t.Errorf("unusable: %v", err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, "UPDATE orders SET status = 'half' WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	check(extended(conn, "DROP TABLE orders"))
	if s := conn.PgConn().TxStatus(); s != 'E' {
		t.Errorf("after a refusal inside BEGIN the status is %c, want E", s)
	}
	if _, err := tx.Exec(ctx, "SELECT 1"); code(err) != "25P02" {
		t.Errorf("the failed transaction went on: %v", err)
	}
	tx.Rollback(ctx)
	if l.pg.Value(t, "shop", "SELECT status FROM orders WHERE id = 1") != "new" {
		t.Error("a transaction with a refused statement was kept")
	}
	var n int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM orders").Scan(&n); err != nil || n != 300 {
		t.Errorf("unusable: %v", err)
	}
	if _, err := simple(conn, "UPDATE orders SET status = 'x' WHERE id = 1; DROP TABLE orders"); err == nil {
		t.Error("allowed")
	}
	if l.pg.Value(t, "shop", "SELECT status FROM orders WHERE id = 1") != "new" {
		t.Error("the first half of a refused text ran")
	}
}

// Law 8: a change binds running sessions at their next command.
func TestLaw08ChangesBindRunningSessions(t *testing.T) {
	for name, change := range map[string]func(l *lab, session string){
		"revoked": func(l *lab, s string) { l.pipeline.EndSessions([]string{s}, "revoked", "dan") },
		"principal locked": func(l *lab, s string) {
			l.pipeline.SetLocks([]enforce.Lock{{ID: "1", Target: "principal", Name: "ada"}})
		},
		"resource locked": func(l *lab, s string) {
			l.pipeline.SetLocks([]enforce.Lock{{ID: "1", Target: "resource", Name: "shop-db"}})
		},
		"grant locked": func(l *lab, s string) {
			l.pipeline.SetLocks([]enforce.Lock{{ID: "1", Target: "grant", Name: "grant-1"}})
		},
		"edge locked":             func(l *lab, s string) { l.pipeline.SetLocks([]enforce.Lock{{ID: "1", Target: "edge", Name: "edge-a"}}) },
		"lock of an unknown kind": func(l *lab, s string) { l.pipeline.SetLocks([]enforce.Lock{{ID: "1", Target: "planet", Name: "x"}}) },
		"resource removed":        func(l *lab, s string) { l.server.SetResources(nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			conn := l.connect("")
			change(l, l.pipeline.Sessions()[0])
			if _, err := simple(conn, "DELETE FROM orders WHERE id = 1"); err == nil {
				t.Error("went on")
			}
			if l.orders() != "300" {
				t.Error("a command ran after the change")
			}
			soon(t, "the session is over", func() bool { return len(l.pipeline.Sessions()) == 0 })
			soon(t, "the target's connection is closed", func() bool {
				return l.pg.Value(t, "shop", "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND application_name <> 'writ-edge' AND pid <> pg_backend_pid()") == "0"
			})
			if n := len(l.records.of(audit.KindSessionClose)); n != 1 {
				t.Errorf("%d records of the end", n)
			}
		})
	}
	t.Run("expired", func(t *testing.T) {
		l := newLab(t)
		l.control.expires = time.Now().Add(1500 * time.Millisecond)
		conn := l.connect("")
		if _, err := simple(conn, "SELECT 1"); err != nil {
			t.Fatal(err)
		}
		soon(t, "the session is over", func() bool { return len(l.pipeline.Sessions()) == 0 })
		if _, err := simple(conn, "DELETE FROM orders WHERE id = 1"); err == nil || l.orders() != "300" {
			t.Errorf("went on: %v", err)
		}
	})
	t.Run("policy", func(t *testing.T) {
		l := newLab(t)
		conn := l.connect("")
		ctx := context.Background()
		if _, err := conn.Prepare(ctx, "del", "DELETE FROM orders WHERE id = $1"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, "del", 1); err != nil {
			t.Fatal(err)
		}
		w := newWire(l)
		w.simple("BEGIN")
		w.batch(parse("s", "SELECT name FROM customers"), bind("p", "s"), &pgproto3.Execute{Portal: "p", MaxRows: 1})
		b := withoutTests(policy.Starter())
		b.Files["now.cedar"] = []byte(`@id("frozen") @reason("frozen now") forbid (principal, action in [Action::"sql:delete", Action::"sql:select"], resource);`)
		l.policies.set(t, b)
		if _, err := conn.Exec(ctx, "del", 2); err == nil || !strings.Contains(err.Error(), "frozen now") {
			t.Errorf("prepared before the change: %v", err)
		}
		if got := w.batch(&pgproto3.Execute{Portal: "p", MaxRows: 1}); !strings.Contains(got[0], "frozen") {
			t.Errorf("portal opened before the change: %q", got)
		}
		if l.orders() != "299" {
			t.Error("a delete ran after the change")
		}
	})
}

// withoutTests leaves out what the bundle says of itself.
func withoutTests(b policy.Bundle) policy.Bundle {
	for name := range b.Files {
		if strings.HasSuffix(name, ".yaml") {
			delete(b.Files, name)
		}
	}
	return b
}

// Law 9: an approval is spent once, for exactly what was shown, and decided again at release.
func TestLaw09ApprovalIsSpentOnce(t *testing.T) {
	const sql = "DELETE FROM orders"
	start := func(l *lab, run func(conn *pgx.Conn) error) (*pgx.Conn, chan error) {
		conn := l.connect("")
		done := make(chan error, 1)
		go func() { done <- run(conn) }()
		soon(l.t, "the command is held", func() bool { return l.control.count() >= 1 })
		if l.heard(sql) && l.orders() != "300" {
			l.t.Error("a held command was forwarded")
		}
		return conn, done
	}
	plain := func(conn *pgx.Conn) error { _, err := simple(conn, sql); return err }
	t.Run("bound and spent once", func(t *testing.T) {
		l := newLab(t)
		conn, done := start(l, plain)
		ask := l.control.decide(t, enforce.HoldApproved)
		if err := <-done; err != nil || l.orders() != "0" {
			t.Fatalf("approved: %v, %s orders", err, l.orders())
		}
		if want := (&text{sql: sql}).digest(); ask.Digest != want || ask.Session != l.pipeline.Sessions()[0] || ask.Statement != sql {
			t.Errorf("hold %+v", ask)
		}
		if l.control.spent["hold-a"] != 1 {
			t.Errorf("spent %d times", l.control.spent["hold-a"])
		}
		l.pg.Exec(t, "shop", "INSERT INTO orders (customer_id) VALUES (1)")
		again := make(chan error, 1)
		go func() { again <- plain(conn) }()
		soon(t, "the second run is held again", func() bool { return l.control.count() == 2 })
		if l.orders() != "1" {
			t.Error("one approval ran the command twice")
		}
		l.control.decide(t, enforce.HoldDenied)
		if err := <-again; err == nil || l.orders() != "1" {
			t.Errorf("denied: %v", err)
		}
	})
	t.Run("spent elsewhere", func(t *testing.T) {
		l := newLab(t)
		_, done := start(l, plain)
		l.control.mu.Lock()
		l.control.spent = map[string]int{"hold-a": 1}
		l.control.mu.Unlock()
		l.control.decide(t, enforce.HoldApproved)
		if err := <-done; err == nil || l.orders() != "300" {
			t.Errorf("a spent approval was used: %v", err)
		}
	})
	for name, tt := range map[string]struct {
		ddl  string
		runs bool
	}{
		"a name means something else": {"CREATE TABLE spare (LIKE orders); CREATE OR REPLACE VIEW held AS SELECT * FROM spare", false},
		"the name is gone":            {"DROP VIEW held", false},
		"something else changed":      {"CREATE TABLE beside (id int); ALTER TABLE customers ADD COLUMN beside int", true},
	} {
		t.Run(name+" while it waited", func(t *testing.T) {
			l := newLab(t)
			l.pg.Exec(t, "shop", "CREATE VIEW held AS SELECT * FROM orders")
			_, done := start(l, func(conn *pgx.Conn) error { _, err := simple(conn, "DELETE FROM held"); return err })
			l.pg.Exec(t, "shop", tt.ddl)
			l.control.decide(t, enforce.HoldApproved)
			if err := <-done; (err == nil) != tt.runs {
				t.Errorf("approved: %v", err)
			}
			if got := l.orders(); (got == "0") != tt.runs {
				t.Errorf("%s orders are left", got)
			}
		})
	}
	t.Run("policy changed while it waited", func(t *testing.T) {
		for name, rule := range map[string]string{
			"denies now": `@id("now") forbid (principal, action == Action::"sql:delete", resource);`,
			"wants more": `@id("now") @approval("2 of owners") forbid (principal, action == Action::"sql:delete", resource) unless { context.approved };`,
		} {
			l := newLab(t)
			_, done := start(l, plain)
			b := withoutTests(policy.Starter())
			b.Files["now.cedar"] = []byte(rule)
			l.policies.set(t, b)
			l.control.decide(t, enforce.HoldApproved)
			if err := <-done; err == nil || l.orders() != "300" {
				t.Errorf("%s: ran under the old policy: %v", name, err)
			}
			if l.control.spent["hold-a"] != 0 {
				t.Errorf("%s: the approval was spent", name)
			}
		}
	})
	t.Run("session ended while it waited", func(t *testing.T) {
		l := newLab(t)
		_, done := start(l, plain)
		l.pipeline.EndSessions(l.pipeline.Sessions(), "revoked", "dan")
		l.control.decide(t, enforce.HoldApproved)
		if err := <-done; err == nil || l.orders() != "300" {
			t.Errorf("ran after the end: %v", err)
		}
	})
	t.Run("withdrawn by cancel", func(t *testing.T) {
		l := newLab(t)
		conn, done := start(l, plain)
		soon(t, "the cancel takes", func() bool {
			conn.PgConn().CancelRequest(context.Background())
			select {
			case err := <-done:
				done <- err
				return true
			default:
				return false
			}
		})
		if err := <-done; code(err) != "57014" {
			t.Errorf("cancelled: %v", err)
		}
		l.control.decide(t, enforce.HoldApproved)
		if rows, err := simple(conn, "SELECT 1"); err != nil || len(rows) != 1 {
			t.Errorf("unusable: %v", err)
		}
		if l.orders() != "300" {
			t.Error("a withdrawn command ran")
		}
	})
	for name, leave := range map[string]func(w *wire){
		"hung up":      func(w *wire) { w.conn.Close() },
		"said goodbye": func(w *wire) { w.send(&pgproto3.Terminate{}) },
		"reset":        func(w *wire) { w.conn.(interface{ NetConn() net.Conn }).NetConn().Close() },
	} {
		for _, extended := range []bool{false, true} {
			t.Run(fmt.Sprintf("client %s extended=%v", name, extended), func(t *testing.T) {
				l := newLab(t)
				w := newWire(l)
				if extended {
					w.send(parse("", sql), bind("", ""), execute(""), &pgproto3.Sync{})
				} else {
					w.send(queryOf(sql))
				}
				soon(t, "the command is held", func() bool { return l.control.count() == 1 })
				leave(w)
				soon(t, "the hold is withdrawn", func() bool { return len(l.records.of(audit.KindHoldDecided)) == 1 })
				l.control.decide(t, enforce.HoldApproved)
				soon(t, "the session is over", func() bool { return len(l.pipeline.Sessions()) == 0 })
				if l.orders() != "300" {
					t.Error("the command of a client that had left ran")
				}
			})
		}
	}
}

// Law 10: every refusal leaves a record.
func TestLaw10RefusalsLeaveRecords(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	for _, tc := range []struct{ sql, policy string }{
		{"DROP TABLE orders", "no-schema-changes"}, {"SELECT pg_read_file('x')", "no-dangerous-functions"}, {"SELECT id FROM customers ORDER BY ssn", ""},
		{"SELECT nonsense nonsense nonsense", ""}, {"SELECT * FROM nowhere", ""}, {"SELECT 1; DROP TABLE orders", "no-schema-changes"}, {"INSERT INTO orders (status) SELECT ssn FROM customers", "mask-pii"},
	} {
		for _, batch := range []bool{false, true} {
			before := len(l.records.of(audit.KindRefusal))
			var err error
			if batch {
				err = extended(conn, tc.sql)
			} else {
				_, err = simple(conn, tc.sql)
			}
			if err == nil {
				t.Errorf("allowed: %s", tc.sql)
			}
			recs := l.records.of(audit.KindRefusal)[before:]
			if len(recs) != 1 {
				t.Fatalf("%s extended=%v: %d refusal records", tc.sql, batch, len(recs))
			}
			r := recs[0]
			want := (&text{sql: tc.sql}).digest()
			if r.Principal != "ada" || r.Resource != "shop-db" || r.Decision != audit.Deny || r.Revision != 1 || r.Digest != want || r.Reason == "" {
				t.Errorf("%s: record %+v", tc.sql, r)
			}
			if tc.policy != "" && !strings.Contains(strings.Join(r.PolicyIDs, " "), tc.policy) && !strings.Contains(tc.sql, ";") {
				t.Errorf("%s: policies %v", tc.sql, r.PolicyIDs)
			}
		}
	}
	if _, err := pgx.Connect(context.Background(), strings.Replace(l.dsn(""), "password=good", "password=forged", 1)); err == nil {
		t.Error("a forged token opened a session")
	}
	soon(t, "the refused sign-in is recorded", func() bool {
		recs := l.records.of(audit.KindRefusal)
		return len(recs[len(recs)-1].Attrs) == 1
	})
	if outcomes := l.records.of(audit.KindOutcome); len(outcomes) != 0 {
		t.Errorf("something refused has an outcome: %+v", outcomes)
	}
}

// Law 11: zero values deny.
func TestLaw11ZeroValuesDeny(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	l.policies.set(t, policy.Bundle{})
	if _, err := simple(conn, "SELECT 'zero-mark'"); err == nil || l.heard("zero-mark") {
		t.Errorf("an empty policy set allowed: %v", err)
	}
	if _, err := pgx.Connect(context.Background(), l.dsn("")); err == nil {
		t.Error("an empty policy set opened a session")
	}
	conn = func() *pgx.Conn { l.policies.set(t, policy.Starter()); return l.connect("") }()
	l.policies.cur.Store(&fakeRevision{})
	if _, err := simple(conn, "SELECT 'zero-mark'"); err == nil || l.heard("zero-mark") {
		t.Errorf("no policy set at all allowed: %v", err)
	}
	if err := new(proxy).forward(nil, &pgwire.Query{SQL: "SELECT 1"}); err == nil {
		t.Error("something was forwarded without a flight")
	}
}

// Law 12: nothing that an edge keeps in memory is needed after it dies.
func TestLaw12NothingInMemoryNeeded(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	if _, err := simple(conn, "DELETE FROM orders WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	dir := l.records.dir
	copied := t.TempDir() // what a killed edge leaves on its disk
	if err := os.CopyFS(filepath.Join(copied, "spool"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(copied, "spool", "lock"))
	sp, err := spool.Open(spool.Config{Dir: filepath.Join(copied, "spool"), Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Close()
	found := false
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for !found {
		b, err := sp.Next(ctx)
		if err != nil {
			t.Fatalf("the intent of an executed write is not on the disk: %v", err)
		}
		for _, rec := range b.Records {
			d, err := audit.Decode(rec)
			if err != nil {
				t.Fatal(err)
			}
			found = found || d.Kind == audit.KindCommand && strings.Contains(d.Statement, "DELETE FROM orders")
		}
	}
}
