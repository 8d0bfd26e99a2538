package postgres

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// everyWrite holds every write for an approver, and permits the rest to anybody.
const everyWrite = `
@id("all") permit (principal, action, resource);
@id("writes") @approval("1 of dba")
forbid (principal, action in [Action::"sql:write", Action::"sql:truncate"], resource) unless { context.approved };
@id("mask") @mask("redact")
forbid (principal, action == Action::"sql:reveal", resource in DataClass::"pii");
`

func bundleOf(text string) policy.Bundle {
	return policy.Bundle{Files: map[string][]byte{"p.cedar": []byte(text)}}
}

// heldLab is a lab whose every write is held.
func heldLab(t *testing.T, sql string) *lab {
	l := newLab(t)
	if sql != "" {
		l.pg.Exec(t, "shop", sql)
	}
	l.policies.set(t, bundleOf(everyWrite))
	return l
}

// during runs a command until it is held, answers the hold, and returns what approvers were shown.
func (l *lab) during(state enforce.HoldState, run func() error) (enforce.HoldRequest, error) {
	l.t.Helper()
	l.control.mu.Lock()
	before := len(l.control.held)
	l.control.mu.Unlock()
	done := make(chan error, 1)
	go func() { done <- run() }()
	for range 1000 {
		l.control.mu.Lock()
		n := len(l.control.held)
		l.control.mu.Unlock()
		if n > before {
			return l.control.decide(l.t, state), <-done
		}
		select {
		case err := <-done:
			l.t.Fatalf("not held: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	l.t.Fatal("not held")
	return enforce.HoldRequest{}, nil
}

func exact(t *testing.T, p enforce.Preview, want int64) {
	t.Helper()
	if p.ExactRows == nil || *p.ExactRows != want || p.EstimatedRows == nil {
		t.Fatalf("want %d rows: %s", want, show(p))
	}
}

func uncounted(t *testing.T, p enforce.Preview, why string) {
	t.Helper()
	if p.ExactRows != nil || !strings.Contains(p.Detail, why) {
		t.Fatalf("want no count because %q: %s", why, show(p))
	}
}

func show(p enforce.Preview) string {
	s := p.Detail + "\n" + p.Plan
	if p.ExactRows != nil {
		s += "\nexact"
	}
	return s
}

func running(conn *pgx.Conn, mode pgx.QueryExecMode, sql string, args ...any) func() error {
	return func() error {
		_, err := conn.Exec(context.Background(), sql, append([]any{mode}, args...)...)
		return err
	}
}

// TestPreviewCounts has the counts right in every way of sending a command, and the command run once afterwards.
func TestPreviewCounts(t *testing.T) {
	l := heldLab(t, "ANALYZE")
	conn := l.connect("")
	left := 300
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe,
	} {
		for range 2 { // the second time the statement is known
			ask, err := l.during(enforce.HoldApproved, running(conn, mode, "DELETE FROM orders WHERE id <= $1 AND status = $2", 310-left, "new"))
			if err != nil {
				t.Fatalf("%s: %v", mode, err)
			}
			exact(t, ask.Preview, 10)
			if !strings.HasPrefix(ask.Preview.Plan, "Delete on orders\n") || strings.Contains(ask.Preview.Plan, "new") {
				t.Fatalf("%s: plan %q", mode, ask.Preview.Plan)
			}
			left -= 10
		}
		ask, err := l.during(enforce.HoldDenied, running(conn, mode, "UPDATE orders SET status = $1, total = total + $2 WHERE total > $2", "old", 200))
		var pg *pgconn.PgError
		if !errors.As(err, &pg) {
			t.Fatalf("%s: %v", mode, err)
		}
		exact(t, ask.Preview, 100)
	}
	if got := l.pg.Value(t, "shop", "SELECT count(*) || ' ' || count(*) FILTER (WHERE status = 'old') FROM orders"); got != "200 0" {
		t.Fatalf("orders left, changed: %s", got)
	}
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM orders WHERE id > $1", 0).Scan(&n); err != nil || n != 200 {
		t.Fatal(n, err)
	}
	for _, rec := range l.records.of(audit.KindCommand) {
		looks := len(rec.Attrs) == 1 && rec.Attrs[0].Name == "previews"
		if looks != (strings.HasPrefix(rec.Statement, "EXPLAIN ") || strings.HasPrefix(rec.Statement, "SELECT pg_catalog.count(*)")) {
			t.Fatalf("record of %q with %v", rec.Statement, rec.Attrs)
		}
	}
}

// TestPreviewInTransaction sees what the transaction did, and leaves it as it was.
func TestPreviewInTransaction(t *testing.T) {
	l := heldLab(t, "")
	l.policies.set(t, bundleOf(strings.ReplaceAll(everyWrite, `action in [Action::"sql:write", Action::"sql:truncate"]`, `action == Action::"sql:delete"`)))
	conn := l.connect("")
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeCacheStatement} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "UPDATE orders SET status = 'mine' WHERE id <= 7"); err != nil {
			t.Fatal(err)
		}
		ask, err := l.during(enforce.HoldApproved, running(conn, mode, "DELETE FROM orders WHERE status = $1", "mine"))
		if err != nil {
			t.Fatal(err)
		}
		exact(t, ask.Preview, 7)
		if !strings.Contains(ask.Preview.Detail, "uncommitted changes included") {
			t.Fatal(ask.Preview.Detail)
		}
		var n int
		if err := tx.QueryRow(t.Context(), "SELECT count(*) FROM orders").Scan(&n); err != nil || n != 293 {
			t.Fatal(n, err)
		}
		if _, err := tx.Exec(t.Context(), "UPDATE orders SET status = 'read-write still' WHERE id = 8"); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := l.pg.Value(t, "shop", "SELECT count(*) FROM orders WHERE status = 'new'"); got != "300" {
		t.Fatalf("orders as they were: %s", got)
	}
}

// TestPreviewOnlyLooks judges by what the target did.
func TestPreviewOnlyLooks(t *testing.T) {
	l := heldLab(t, `
CREATE SEQUENCE s;
CREATE TABLE log (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (tg_op); PERFORM nextval('s'); RETURN coalesce(new, old); END $$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER note_all AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE FUNCTION tick(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('s'); RETURN i; END $$;
CREATE FUNCTION liar(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('s'); RETURN i; END $$;
CREATE TABLE ruled (id int); INSERT INTO ruled VALUES (1); CREATE RULE r AS ON DELETE TO ruled DO ALSO INSERT INTO log VALUES ('rule');
CREATE TABLE part (id int) PARTITION BY RANGE (id); CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10); INSERT INTO part VALUES (1), (2);
CREATE VIEW old_orders AS SELECT * FROM orders WHERE id < 5;`)
	conn := l.connect("")
	for sql, why := range map[string]string{
		"DELETE FROM orders WHERE id < 4":                                                            "",
		"UPDATE orders SET id = tick(id) WHERE id < 4":                                               "it calls public.tick",
		"DELETE FROM part WHERE id > 1":                                                              "",
		"DELETE FROM orders WHERE tick(id) = 1":                                                      "it calls public.tick",
		"DELETE FROM orders WHERE liar(1) = id":                                                      "it calls public.liar",
		"DELETE FROM orders WHERE id = nextval('s')":                                                 "it calls pg_catalog.nextval",
		"DELETE FROM orders WHERE pg_advisory_lock(7) IS NULL":                                       "it calls pg_catalog.pg_advisory_lock",
		"DELETE FROM orders WHERE random() > 2":                                                      "it calls pg_catalog.random",
		"DELETE FROM old_orders":                                                                     "no plain UPDATE or DELETE of one table",
		"DELETE FROM ruled":                                                                          "no plain UPDATE or DELETE of one table",
		"DELETE FROM orders USING customers c WHERE c.id = customer_id":                              "no plain UPDATE or DELETE of one table",
		"DELETE FROM orders WHERE id IN (SELECT 1)":                                                  "no plain UPDATE or DELETE of one table",
		"INSERT INTO orders (customer_id, total) SELECT 1, 2":                                        "no plain UPDATE or DELETE of one table",
		"INSERT INTO orders (id, total) VALUES (nextval('s') + 5000, 2)":                             "no plain UPDATE or DELETE of one table",
		"WITH d AS (DELETE FROM orders WHERE id = 1 RETURNING id) SELECT * FROM d":                   "no plain UPDATE or DELETE of one table",
		"MERGE INTO orders o USING customers c ON o.customer_id = c.id WHEN MATCHED THEN DO NOTHING": "no plain UPDATE or DELETE of one table",
		"TRUNCATE log": "there is none for TRUNCATE",
		"DELETE FROM orders WHERE id = 1; DELETE FROM orders WHERE id = 2": "the text holds several statements",
	} {
		ask, err := l.during(enforce.HoldDenied, func() error { _, err := simple(conn, sql); return err })
		if err == nil {
			t.Fatalf("%s ran", sql)
		}
		t.Logf("%s\n%s", sql, show(ask.Preview))
		if why != "" {
			uncounted(t, ask.Preview, why)
		} else if ask.Preview.ExactRows == nil {
			t.Errorf("%s: no count", sql)
		}
		if strings.HasPrefix(ask.Preview.Detail, "seen") != (ask.Preview.EstimatedRows != nil) {
			t.Errorf("%s: %s", sql, show(ask.Preview))
		}
	}
	if got := l.pg.Value(t, "shop", "SELECT is_called || ' ' || (SELECT count(*) FROM log) || ' ' || (SELECT count(*) FROM orders) || ' ' || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') FROM s"); got != "false 0 300 0" {
		t.Fatalf("sequence moved, triggers fired, orders left, locks: %s", got)
	}
	if _, err := simple(conn, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

// TestPreviewWhereItMayNot has no look that policy, masks, row security or the transaction forbid.
func TestPreviewWhereItMayNot(t *testing.T) {
	l := heldLab(t, `
ALTER TABLE orders ENABLE ROW LEVEL SECURITY; ALTER TABLE orders FORCE ROW LEVEL SECURITY;
CREATE POLICY reads ON orders FOR SELECT USING (true); CREATE POLICY removes ON orders FOR DELETE USING (id < 3);
CREATE ROLE clerk LOGIN PASSWORD 'clerk'; GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk;`)
	conn := l.connect("")
	held := func(sql string) enforce.Preview {
		t.Helper()
		ask, err := l.during(enforce.HoldDenied, func() error { _, err := simple(conn, sql); return err })
		if err == nil {
			t.Fatalf("%s ran", sql)
		}
		return ask.Preview
	}
	for _, sql := range []string{"DELETE FROM customers WHERE email = 'ann@example.com'", "UPDATE customers SET note = '' WHERE ssn LIKE '1%'"} {
		p := held(sql)
		uncounted(t, p, "masked column public.customers.")
		if p.EstimatedRows != nil || p.Plan != "" {
			t.Errorf("%s: %s", sql, show(p))
		}
	}
	exact(t, held("UPDATE customers SET email = 'x' WHERE id = 2"), 1)
	if _, err := simple(conn, "SET ROLE clerk"); err != nil {
		t.Fatal(err)
	}
	uncounted(t, held("DELETE FROM orders WHERE id < 5"), "row security")
	if _, err := simple(conn, "RESET ROLE"); err != nil {
		t.Fatal(err)
	}

	for _, level := range []string{"REPEATABLE READ", "SERIALIZABLE"} {
		if _, err := simple(conn, "BEGIN ISOLATION LEVEL "+level); err != nil {
			t.Fatal(err)
		}
		go l.pg.Exec(t, "shop", "UPDATE orders SET status = 'theirs' WHERE id = 1")
		uncounted(t, held("DELETE FROM orders WHERE id < 5"), "looking would fix what its "+strings.ToLower(level)+" transaction sees")
		if _, err := simple(conn, "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}

	noReading := strings.ReplaceAll(everyWrite, "permit (principal, action, resource)", `permit (principal, action, resource) unless { action == Action::"sql:select" }`)
	l.policies.set(t, bundleOf(noReading))
	p := held("DELETE FROM customers")
	uncounted(t, p, "not counted: no policy permits sql:select")
	if p.EstimatedRows != nil || !strings.Contains(p.Detail, "not estimated: no policy permits sql:select") {
		t.Error(show(p))
	}
	held1 := strings.ReplaceAll(everyWrite, `action in [`, `action in [Action::"sql:select", `)
	l.policies.set(t, bundleOf(held1))
	uncounted(t, held("DELETE FROM customers"), "not counted: policy wants approvers for the look as well")
}

// TestPreviewOutsideTheGrant has no look with an action that the grant does not hold.
func TestPreviewOutsideTheGrant(t *testing.T) {
	l := heldLab(t, "")
	l.control.actions = []policy.Action{policy.SQLDelete}
	conn := l.connect("")
	ask, _ := l.during(enforce.HoldDenied, func() error { _, err := simple(conn, "DELETE FROM customers"); return err })
	uncounted(t, ask.Preview, "grant grant-1 does not include sql:")
	for _, rec := range l.records.of(audit.KindCommand) {
		t.Errorf("recorded %q", rec.Statement)
	}
}

// TestPreviewTakesItsTime holds the command although the target cannot answer in time.
func TestPreviewTakesItsTime(t *testing.T) {
	l := heldLab(t, "CREATE TABLE big AS SELECT i FROM generate_series(1, 3000000) i")
	conn := l.connect("")
	ask, err := l.during(enforce.HoldDenied, func() error {
		_, err := simple(conn, "DELETE FROM big WHERE md5(repeat(i::text, 50)) = 'x'")
		return err
	})
	if err == nil {
		t.Fatal("it ran")
	}
	uncounted(t, ask.Preview, "not counted: it took too long")

	blocker, err := pgx.Connect(t.Context(), l.pg.DSN("shop"))
	if err != nil {
		t.Fatal(err)
	}
	defer blocker.Close(context.Background())
	if _, err := blocker.Exec(t.Context(), "BEGIN; LOCK TABLE orders"); err != nil {
		t.Fatal(err)
	}
	ask, _ = l.during(enforce.HoldDenied, func() error { _, err := simple(conn, "DELETE FROM orders"); return err })
	uncounted(t, ask.Preview, "a lock is in the way")
	if _, err := blocker.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	ask, err = l.during(enforce.HoldApproved, func() error { _, err := simple(conn, "DELETE FROM orders WHERE id = 1"); return err })
	if err != nil {
		t.Fatal(err)
	}
	exact(t, ask.Preview, 1)
	if got, err := simple(conn, "SELECT pg_catalog.current_setting('statement_timeout')"); err != nil || got[0][0] != "0" {
		t.Fatal(got, err)
	}
}

// TestPreviewCancelled files nothing for a client that gave up meanwhile.
func TestPreviewCancelled(t *testing.T) {
	l := heldLab(t, "CREATE TABLE big AS SELECT i FROM generate_series(1, 3000000) i")
	conn := l.connect("")
	done := make(chan error, 1)
	go func() {
		_, err := simple(conn, "DELETE FROM big WHERE md5(repeat(i::text, 50)) = 'x'")
		done <- err
	}()
	for l.pg.Value(t, "shop", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_catalog.count(*) FROM big%' AND state = 'active'") != "1" {
		time.Sleep(20 * time.Millisecond)
	}
	if err := conn.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	var pg *pgconn.PgError
	if err := <-done; !errors.As(err, &pg) || pg.Code != "57014" {
		t.Fatalf("got %v", err)
	}
	l.control.mu.Lock()
	filed := len(l.control.held)
	l.control.mu.Unlock()
	if filed != 0 {
		t.Fatalf("%d held commands", filed)
	}
	if rows, err := simple(conn, "SELECT count(*) FROM big"); err != nil || rows[0][0] != "3000000" {
		t.Fatal(rows, err)
	}
}

// TestPreviewInBatches never gets in the way of what was sent together.
func TestPreviewInBatches(t *testing.T) {
	l := heldLab(t, "")
	l.policies.set(t, bundleOf(strings.ReplaceAll(everyWrite, `action in [Action::"sql:write", Action::"sql:truncate"]`, `action == Action::"sql:delete"`)))
	conn := l.connect("")
	batch := func(state enforce.HoldState, queries ...string) (enforce.HoldRequest, error) {
		return l.during(state, func() error {
			b := &pgconn.Batch{}
			for _, q := range queries {
				b.ExecParams(q, nil, nil, nil, nil)
			}
			return conn.PgConn().ExecBatch(context.Background(), b).Close()
		})
	}
	ask, err := batch(enforce.HoldDenied, "UPDATE orders SET status = 'x' WHERE id = 1", "DELETE FROM orders WHERE id = 1")
	if err == nil {
		t.Fatal("it ran")
	}
	uncounted(t, ask.Preview, "one batch with other commands")
	if got := l.pg.Value(t, "shop", "SELECT count(*) FROM orders WHERE status = 'x'"); got != "0" {
		t.Fatal("the batch was torn")
	}
	ask, err = batch(enforce.HoldApproved, "BEGIN", "DELETE FROM orders WHERE id <= 2", "SELECT 1", "COMMIT")
	if err != nil {
		t.Fatal(err)
	}
	exact(t, ask.Preview, 2)
	ask, err = batch(enforce.HoldApproved, "DELETE FROM orders WHERE id <= 5 RETURNING id, total", "UPDATE orders SET status = 'x' WHERE id = 6")
	if err != nil {
		t.Fatal(err)
	}
	exact(t, ask.Preview, 3)
	if got := l.pg.Value(t, "shop", "SELECT count(*) || ' ' || count(*) FILTER (WHERE status = 'x') FROM orders"); got != "295 1" {
		t.Fatalf("orders left, changed: %s", got)
	}
}

// TestPreviewPreparedBySQL estimates EXECUTE by the statement behind it.
func TestPreviewPreparedBySQL(t *testing.T) {
	l := heldLab(t, "ANALYZE")
	conn := l.connect("")
	ask, err := l.during(enforce.HoldApproved, func() error {
		_, err := simple(conn, "PREPARE d(int) AS DELETE FROM orders WHERE id <= $1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	uncounted(t, ask.Preview, "there is none for PREPARE")
	ask, err = l.during(enforce.HoldApproved, func() error { _, err := simple(conn, "EXECUTE d(25)"); return err })
	if err != nil {
		t.Fatal(err)
	}
	if p := ask.Preview; p.EstimatedRows == nil || *p.EstimatedRows < 10 || *p.EstimatedRows > 50 {
		t.Fatal(show(p))
	}
}

// TestPreviewOfLostTarget ends the session and not more.
func TestPreviewOfLostTarget(t *testing.T) {
	l := heldLab(t, "CREATE TABLE big AS SELECT i FROM generate_series(1, 3000000) i")
	conn := l.connect("")
	done := make(chan error, 1)
	go func() {
		_, err := simple(conn, "DELETE FROM big WHERE md5(repeat(i::text, 50)) = 'x'")
		done <- err
	}()
	for l.pg.Value(t, "shop", "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_catalog.count(*) FROM big%' AND state = 'active') x") != "1" {
		time.Sleep(20 * time.Millisecond)
	}
	select {
	case err := <-done:
		if err == nil {
			t.Fatal("it ran")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the client waits")
	}
	other := l.connect("")
	if _, err := simple(other, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
}

// TestPreviewCannotWrite has a table whose row security writes whenever it is read.
func TestPreviewCannotWrite(t *testing.T) {
	l := heldLab(t, `
CREATE SEQUENCE s; CREATE ROLE clerk; GRANT USAGE ON SEQUENCE s TO clerk;
CREATE FUNCTION tick(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('s'); RETURN i; END $$;
CREATE TABLE t (id int); INSERT INTO t VALUES (1); GRANT ALL ON t TO clerk;
ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (tick(id) = 1);`)
	conn := l.connect("")
	for _, begin := range []string{"SET ROLE clerk", "BEGIN"} {
		if _, err := simple(conn, begin); err != nil {
			t.Fatal(err)
		}
		ask, _ := l.during(enforce.HoldDenied, func() error { _, err := simple(conn, "DELETE FROM t WHERE id = 1"); return err })
		if ask.Preview.ExactRows != nil {
			t.Error(show(ask.Preview))
		}
		if got := l.pg.Value(t, "shop", "SELECT is_called FROM s"); got != "f" && got != "false" {
			t.Fatalf("after %s the sequence moved", begin)
		}
	}
}

// playing puts another query in the place of one that the edge sends when it previews, and counts the client's DELETEs.
func playing(r *relay, sql, instead string) (queries *atomic.Int32) {
	queries = new(atomic.Int32)
	hook := relayHook(func(_ *relayConn, typ byte, body []byte) []byte {
		if typ == 'Q' && bytes.HasPrefix(body, []byte("DELETE")) {
			queries.Add(1)
		}
		if typ == 'P' {
			return bytes.Replace(body, []byte("\x00"+sql+"\x00"), []byte("\x00"+instead+"\x00"), 1)
		}
		return body
	})
	r.hook.Store(&hook)
	return queries
}

// TestPreviewThatLeavesTraces has a target that does not take back what was looked at in: nothing is sent to it any more.
func TestPreviewThatLeavesTraces(t *testing.T) {
	l := heldLab(t, "")
	r := behindRelay(l)
	conn := l.connect("")
	sent := playing(r, "ROLLBACK", "SELECT 1")
	_, err := l.during(enforce.HoldApproved, func() error { _, err := simple(conn, "DELETE FROM orders"); return err })
	if err == nil {
		t.Fatal("it ran")
	}
	if _, err := simple(conn, "SELECT 1"); err == nil {
		t.Fatal("the session goes on")
	}
	if n := sent.Load(); n != 0 {
		t.Fatalf("the target got %d of the client's queries", n)
	}
}

// TestPreviewOfSilentTarget files the command all the same.
func TestPreviewOfSilentTarget(t *testing.T) {
	l := heldLab(t, "")
	r := behindRelay(l)
	conn := l.connect("")
	silent := relayHook(func(c *relayConn, typ byte, body []byte) []byte {
		if c.marked = c.marked || bytes.Contains(body, []byte("BEGIN TRANSACTION")); c.marked {
			return nil
		}
		return body
	})
	r.hook.Store(&silent)
	done := make(chan error, 1)
	go func() { _, err := simple(conn, "DELETE FROM orders"); done <- err }()
	ask := l.control.decide(t, enforce.HoldPending)
	uncounted(t, ask.Preview, "the target did not answer in time")
	l.pipeline.EndSessions(l.pipeline.Sessions(), "over", "dan")
	if err := <-done; err == nil {
		t.Fatal("it ran")
	}
}
