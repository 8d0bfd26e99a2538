package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// readOnlyLab lets agents read and do nothing else.
func readOnlyLab(t testing.TB) *lab {
	t.Helper()
	l := newLab(t)
	l.pg.Exec(t, "shop", `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 10) i;
		CREATE TABLE "drop" (id int, "delete" text); INSERT INTO "drop" VALUES (1, 'kept');
		CREATE PROCEDURE wipe() LANGUAGE sql AS 'DELETE FROM t';
		CREATE FUNCTION wiped() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t; RETURN 1; END $$;
		CREATE FUNCTION wiped_sql() RETURNS void LANGUAGE sql AS 'TRUNCATE t';
		CREATE FUNCTION runs(q text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE q; END $$;
		CREATE SEQUENCE seq`)
	l.policies.set(t, policy.Bundle{Files: map[string][]byte{"read.cedar": []byte(`
@id("open") permit (principal, action == Action::"session:open", resource);
@id("read") permit (principal, action in [Action::"sql:read", Action::"sql:session"], resource);
@id("calls") permit (principal, action == Action::"sql:function", resource) when { !resource.dangerous && (resource.builtin || !resource.opaque) };
@id("reveal") permit (principal, action in [Action::"sql:reveal", Action::"sql:filter"], resource);
@id("system") @reason("not the system's own tables") forbid (principal, action == Action::"sql:system", resource);
`)}})
	return l
}

// state is what the target holds, whatever the gateway answered.
func (l *lab) state() string {
	return l.pg.Value(l.t, "shop", `SELECT (SELECT string_agg(id || v, ',' ORDER BY id) FROM t) || (SELECT count(*) FROM "drop") || (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace) || (SELECT count(*) FROM pg_roles) || (SELECT last_value || is_called::text FROM seq)`)
}

// Writes that do not look like writes, and words that look like writes and are none.
func TestBypassWritesInDisguise(t *testing.T) {
	l := readOnlyLab(t)
	before := l.state()
	for _, sql := range []string{
		"DROP TABLE t", "drop/**/table/**/t", "DROP -- \n TABLE t", "dRoP\tTaBlE\nt", "/* SELECT */ DROP TABLE t", "DROP\v TABLE t", ";;DROP TABLE t", "\xef\xbb\xbfDROP TABLE t", "DROP TABLE \"t\"", "DROP TABLE U&\"\\0074\"",
		"DELETE FROM t", "DELETE FROM ONLY t", "DELETE FROM t WHERE true", "DELETE FROM public.t RETURNING *", "TRUNCATE t", "TRUNCATE TABLE ONLY t", "UPDATE t SET v = ''", "INSERT INTO t VALUES (99)",
		"WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", "WITH a AS (SELECT 1), d AS (UPDATE t SET v = '') SELECT * FROM a", "WITH RECURSIVE d AS (INSERT INTO t VALUES (99) RETURNING id) SELECT * FROM d",
		"WITH d AS (DELETE FROM t RETURNING *) TABLE d", "SELECT * FROM (WITH d AS (SELECT 1) SELECT * FROM d) x, wiped()",
		"EXPLAIN ANALYZE DELETE FROM t", "EXPLAIN (ANALYZE) DELETE FROM t", "EXPLAIN (VERBOSE, ANALYZE TRUE) UPDATE t SET v = ''", "EXPLAIN (ANALYZE ON) WITH d AS (DELETE FROM t) SELECT 1", "EXPLAIN ANALYZE SELECT wiped()",
		"EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1", "EXPLAIN ANALYZE EXECUTE nothing",
		"COPY (DELETE FROM t RETURNING *) TO STDOUT", "COPY (WITH d AS (UPDATE t SET v = '' RETURNING *) SELECT * FROM d) TO STDOUT", "COPY (SELECT wiped()) TO STDOUT", "COPY t TO '/tmp/x'", "COPY t FROM '/tmp/x'",
		"COPY t FROM PROGRAM 'echo 1'", "COPY t TO PROGRAM 'cat >/tmp/x'", "COPY t FROM STDIN", "COPY (SELECT 1) TO PROGRAM 'id'",
		"SELECT * INTO x FROM t", "SELECT 1 AS a INTO TEMP x", "SELECT 1 INTO UNLOGGED TABLE x", "CREATE TABLE x AS SELECT * FROM t", "CREATE TEMP TABLE x AS TABLE t",
		"PREPARE p AS DELETE FROM t", "PREPARE p AS SELECT 1; EXECUTE p; DELETE FROM t", "PREPARE p AS WITH d AS (DELETE FROM t) SELECT 1",
		"DO $$ BEGIN DELETE FROM t; END $$", "DO $$ BEGIN EXECUTE 'DEL' || 'ETE FROM t'; END $$", "DO LANGUAGE plpgsql 'BEGIN PERFORM wiped(); END'", "DO $x$ BEGIN EXECUTE chr(68) || 'ROP TABLE t'; END $x$",
		"CALL wipe()", "CALL public.wipe()", "SELECT wiped()", "SELECT public.wiped()", "SELECT wiped_sql()", "SELECT * FROM wiped()", "SELECT id FROM t WHERE wiped() = 1", "SELECT id FROM t ORDER BY wiped()", "SELECT runs('DELETE FROM t')",
		"SELECT CASE WHEN true THEN wiped() END", "SELECT (SELECT wiped())", "VALUES (wiped())", "SELECT 1 FROM t LIMIT (SELECT wiped())",
		"MERGE INTO t USING (SELECT 1 AS id) s ON t.id = s.id WHEN MATCHED THEN DELETE", "MERGE INTO t USING t s ON false WHEN NOT MATCHED THEN INSERT VALUES (s.id + 100, '')",
		"SELECT 1; DROP TABLE t", "SELECT 1;;;DROP TABLE t;", "COMMIT; DROP SCHEMA public CASCADE", "BEGIN; DELETE FROM t; COMMIT", "SELECT ';'; DELETE FROM t", "SELECT 1 /* ; */ ; DELETE FROM t", "SELECT $$;$$; TRUNCATE t",
		"SELECT pg_read_file('/etc/passwd')", "SELECT pg_read_binary_file('/etc/passwd')", "SELECT pg_ls_dir('/')", "SELECT pg_stat_file('/etc/passwd')", "SELECT lo_import('/etc/passwd')", "SELECT lo_export(1, '/tmp/x')", "SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')",
		"SELECT dblink('', 'DELETE FROM t')", "SELECT dblink_exec('dbname=shop', 'DELETE FROM t')", "SELECT query_to_xml('DELETE FROM t', true, true, '')", "SELECT pg_terminate_backend(1)", "SELECT pg_reload_conf()", "SELECT pg_catalog.pg_switch_wal()",
		"SELECT * FROM pg_shadow", "SELECT rolpassword FROM pg_authid", "ALTER SYSTEM SET log_statement = 'none'", "CREATE EXTENSION dblink", "CREATE ROLE x SUPERUSER", "GRANT ALL ON t TO public", "ALTER TABLE t ADD x int", "REINDEX TABLE t", "VACUUM t", "CLUSTER t",
		"REFRESH MATERIALIZED VIEW x", "LOCK TABLE t", "SELECT * FROM t FOR UPDATE; DELETE FROM t", "CREATE VIEW x AS SELECT 1", "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'", "COMMENT ON TABLE t IS 'x'", "SECURITY LABEL ON TABLE t IS 'x'", "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO public",
		"DECLARE c CURSOR FOR DELETE FROM t", "BEGIN; DECLARE c CURSOR FOR SELECT wiped(); FETCH c; COMMIT", "CREATE RULE r AS ON SELECT TO t DO INSTEAD SELECT 1", "NOTIFY x; DELETE FROM t", "SET ROLE postgres; DELETE FROM t",
	} {
		for _, extended := range []bool{false, true} {
			conn := l.connect("")
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			var err error
			if extended {
				_, err = conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Close()
			} else {
				_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
			}
			if err == nil {
				t.Errorf("extended=%v: allowed: %q", extended, sql)
			} else if strings.Contains(err.Error(), "deadline") {
				t.Errorf("extended=%v: hung: %q", extended, sql)
			}
			if !conn.IsClosed() {
				conn.Exec(ctx, "ROLLBACK", pgx.QueryExecModeSimpleProtocol)
				var n int
				if err := conn.QueryRow(ctx, "SELECT 42").Scan(&n); err != nil || n != 42 {
					t.Errorf("extended=%v: unusable after %q: %v", extended, sql, err)
				}
			}
			conn.Close(ctx)
			cancel()
		}
	}
	if after := l.state(); after != before {
		t.Errorf("the target changed:\n%s\n%s", before, after)
	}
}

// What only mentions a forbidden word passes.
func TestBypassInnocentWords(t *testing.T) {
	l := readOnlyLab(t)
	conn := l.connect("")
	for _, sql := range []string{
		`SELECT "delete" FROM "drop"`, "SELECT 'DROP TABLE t'", "SELECT $$DELETE FROM t$$", "SELECT 1 AS \"truncate\"", "SELECT 1 /* DROP TABLE t */", "SELECT 1 -- ; DROP TABLE t", "select'drop table t'as\"update\"",
		"SELECT count(*) FROM \"drop\" \"insert\"", "EXPLAIN SELECT 1", "EXPLAIN (COSTS OFF) SELECT * FROM t", "SELECT E'\\'; DROP TABLE t; --'", "SELECT U&'d\\0061ta'", "SELECT 1; SELECT 2;", ";", "", "-- nothing", "BEGIN; SELECT 1; COMMIT",
		"PREPARE p AS SELECT * FROM t WHERE id = $1", "EXECUTE p(1)", "DEALLOCATE p", "COPY (SELECT 'drop') TO STDOUT",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			t.Errorf("refused: %q: %v", sql, err)
		}
		cancel()
	}
}

// A statement that was allowed is not recorded as run because a later one in its text was
// denied, and each statement of a failed transaction has its own outcome.
func TestBypassOutcomesInATransaction(t *testing.T) {
	l := newLab(t)
	conn := l.connect("")
	for _, sql := range []string{"BEGIN", "UPDATE orders SET status = 'a' WHERE id = 1", "DROP TABLE orders", "UPDATE orders SET status = 'b' WHERE id = 2", "COMMIT"} {
		simple(conn, sql)
	}
	if _, err := simple(conn, "UPDATE orders SET status = 'c' WHERE id = 3; DROP TABLE orders"); err == nil {
		t.Error("allowed")
	}
	if v := l.pg.Value(t, "shop", "SELECT count(*) FROM orders WHERE status <> 'new'"); v != "0" {
		t.Errorf("%s rows changed", v)
	}
	tags := map[string]string{}
	ran := map[string]string{}
	for _, r := range l.records.of(audit.KindCommand) {
		ran[r.Command] = r.Statement
	}
	for _, r := range l.records.of(audit.KindOutcome) {
		tags[ran[r.Command]] = r.CommandTag + r.ErrorCode
	}
	for sql, want := range map[string]string{"BEGIN": "BEGIN", "UPDATE orders SET status = 'a' WHERE id = 1": "UPDATE 1", "UPDATE orders SET status = 'b' WHERE id = 2": "25P02", "COMMIT": "ROLLBACK"} {
		if tags[sql] != want {
			t.Errorf("%s: outcome %q, want %q", sql, tags[sql], want)
		}
	}
	for _, stmt := range ran {
		if strings.Contains(stmt, "DROP") {
			t.Errorf("recorded as run: %s", stmt)
		}
	}
}

// A COPY that the target ends is answered, whatever the client sends meanwhile.
func TestBypassCopyIsNeverHung(t *testing.T) {
	l := newLab(t)
	copyIn := []pgproto3.FrontendMessage{parse("", "COPY orders (id, customer_id) FROM STDIN"), bind("", ""), execute("")}
	bad := &pgproto3.CopyData{Data: []byte("x\ty\n")}
	for name, msgs := range map[string][]pgproto3.FrontendMessage{
		"bad data, done":           {bad, &pgproto3.CopyDone{}, &pgproto3.Sync{}},
		"bad data, then sync":      {bad, &pgproto3.Sync{}},
		"failed by the client":     {&pgproto3.CopyFail{Message: "no"}, &pgproto3.Sync{}},
		"another statement inside": {parse("", "DROP TABLE orders"), &pgproto3.Sync{}},
		"a query inside":           {queryOf("DROP TABLE orders")},
		"goodbye inside":           {&pgproto3.Terminate{}},
	} {
		for _, pipelined := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				w := newWire(l)
				w.t = t
				if pipelined {
					w.send(append(copyIn[:3:3], msgs...)...)
				} else {
					w.send(append(copyIn[:3:3], &pgproto3.Flush{})...)
					for {
						w.conn.SetDeadline(time.Now().Add(10 * time.Second))
						m, err := w.fe.Receive()
						if err != nil {
							t.Fatal(err)
						}
						if _, ok := m.(*pgproto3.CopyInResponse); ok {
							break
						}
					}
					w.send(msgs...)
				}
				got, closed := w.until(1)
				t.Logf("pipelined %v: %q closed %v", pipelined, got, closed)
				w.conn.Close()
			})
		}
	}
	if l.orders() != "300" || l.heard("DROP TABLE orders") {
		t.Error("the target got something refused")
	}
}

// A value larger than every buffer, or split over many packets, is masked all the same.
func TestBypassLargeValues(t *testing.T) {
	l := attackLab(t)
	l.pg.Exec(t, "shop", "UPDATE vault SET word = repeat('xyzzy-plugh ', 1500000) WHERE id = 1; UPDATE vault SET pub = repeat('a', 17000000) WHERE id = 2")
	a := newAttacker(l)
	defer a.close()
	for _, sql := range []string{"SELECT word FROM vault", "SELECT word || '' FROM vault", "SELECT json_agg(v) FROM vault v", "SELECT repeat(word, 2) FROM vault"} {
		a.simple(t, sql)
		if !a.conn.IsClosed() {
			a.extended(t, sql, 1)
		}
		if a.conn.IsClosed() {
			a.check(t)
			a = newAttacker(l)
		}
	}
	a.copyOut(t, "COPY vault (word) TO STDOUT")
	a.copyOut(t, "COPY vault (word) TO STDOUT WITH (FORMAT binary)")
	a.check(t)
}
