package postgres

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/writhq/writ/pkg/policy"
)

// planted is the value of a masked column that no detector knows: only the mask can hide it.
const planted = "xyzzy-plugh"

const vaultSchema = `
CREATE SCHEMA scratch;
CREATE TABLE vault (id int PRIMARY KEY, word text, pub text, ref int);
INSERT INTO vault SELECT i, 'xyzzy-plugh', 'open' || i, i FROM generate_series(1, 4) i;
CREATE TABLE scratch.vault (id int, word text, pub text, ref int);
CREATE TABLE scratch.sink (id int, word text);
CREATE TABLE sink (id int, word text, note text);
CREATE VIEW vault_view AS SELECT id, word AS w, pub FROM vault;
CREATE VIEW vault_view2 AS SELECT id, upper(w) AS w2, pub AS p FROM vault_view;
CREATE VIEW public_view AS SELECT id, pub AS x FROM vault;
CREATE MATERIALIZED VIEW vault_mat AS SELECT id, word AS m FROM vault;
CREATE TABLE computed (id int, word text, twice text GENERATED ALWAYS AS (word || word) STORED);
INSERT INTO computed VALUES (1, 'xyzzy-plugh');
CREATE TABLE parent (id int, word text, pub text);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child VALUES (1, 'xyzzy-plugh', 'open');
CREATE TABLE parted (id int, word text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
INSERT INTO parted VALUES (1, 'xyzzy-plugh');
CREATE TABLE docs (id int, body jsonb, tags text[]);
INSERT INTO docs VALUES (1, '{"word":"xyzzy-plugh","n":1}', ARRAY['xyzzy-plugh','b']);
CREATE FUNCTION words() RETURNS SETOF text LANGUAGE sql AS 'SELECT word FROM vault';
CREATE FUNCTION word_of(i int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT word FROM vault WHERE id = i); END $$;
CREATE FUNCTION hidden(q text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE q INTO r; RETURN r; END $$;
CREATE FUNCTION loud(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'word %', (SELECT word FROM vault WHERE id = i); RETURN i; END $$;
CREATE FUNCTION fails(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'word %', (SELECT word FROM vault WHERE id = i); END $$;
CREATE FUNCTION open_named(c refcursor) RETURNS refcursor LANGUAGE plpgsql AS $$ BEGIN OPEN c FOR SELECT word || '' AS x FROM vault; RETURN c; END $$;
CREATE FUNCTION reopen(c refcursor) RETURNS refcursor LANGUAGE plpgsql AS $$ BEGIN CLOSE c; OPEN c FOR SELECT word || '' AS x FROM vault; RETURN c; END $$;
CREATE FUNCTION join_words(a text, b text) RETURNS text LANGUAGE sql AS 'SELECT $1 || $2';
CREATE OPERATOR ### (LEFTARG = text, RIGHTARG = text, FUNCTION = join_words);
CREATE FUNCTION add_word(t text, v text) RETURNS text LANGUAGE sql AS 'SELECT t || v';
CREATE AGGREGATE gather (text) (SFUNC = add_word, STYPE = text, INITCOND = '');
CREATE DOMAIN hushed AS text;
CREATE TYPE pair AS (a text, b int);
CREATE FUNCTION move_path() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 'public', false); END $$;
`

// attackLab holds a table whose column is masked for a principal that may do everything else.
func attackLab(t testing.TB) *lab {
	t.Helper()
	l := newLab(t)
	l.control.principal.Groups = []string{"dba"}
	l.pg.Exec(t, "shop", vaultSchema)
	b := policy.Bundle{Files: map[string][]byte{"attack.cedar": []byte(`
@id("all") permit (principal in Group::"dba", action, resource);
@id("no-danger") forbid (principal, action in [Action::"sql:function", Action::"sql:call"], resource) when { resource.dangerous };
@id("mask") @mask("redact") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"hush");
@id("no-filter") forbid (principal, action == Action::"sql:filter", resource in DataClass::"hush");
`)}}
	l.policies.set(t, b)
	r := *l.resource
	r.Detectors, r.Version = []string{"none"}, 2
	r.Classes = map[string][]string{}
	for _, c := range []string{"vault.word", "computed.word", "parent.word", "parted.word", "docs.body", "docs.tags"} {
		r.Classes["public."+c] = []string{"hush"}
	}
	l.resource = &r
	if err := l.server.SetResources([]*Resource{l.resource}, []byte("0123456789abcdef0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	return l
}

// ddl tells whether a script may leave the schema changed.
func ddl(script string) bool {
	for _, word := range []string{"CREATE", "ALTER", "DROP", "DO $$", "COMMENT"} {
		if strings.Contains(script, word) {
			return true
		}
	}
	return false
}

// reset makes the attacked schema anew.
func (l *lab) reset(t testing.TB) {
	t.Helper()
	l.pg.Exec(t, "shop", "SET lock_timeout = '8s'; DROP SCHEMA IF EXISTS public, public9, scratch CASCADE; CREATE SCHEMA public; "+vaultSchema)
	got, err := l.server.targets.get(l.resource.Name())
	if err != nil {
		t.Fatal(err)
	}
	got.catalog.stale()
}

// tells lists the shapes in which the planted value would be recognised.
func tells() [][]byte {
	forms := [][]byte{[]byte("plugh"), []byte("PLUGH"), []byte("hgulp")}
	forms = append(forms, []byte(hex.EncodeToString([]byte("plugh"))), []byte(base64.StdEncoding.EncodeToString([]byte(planted)))[:12])
	return forms
}

func leaks(data []byte) bool {
	for _, f := range tells() {
		if bytes.Contains(data, f) {
			return true
		}
	}
	return false
}

// attacker runs scripts and keeps everything that came back.
type attacker struct {
	conn *pgx.Conn
	seen bytes.Buffer
}

func newAttacker(l *lab) *attacker {
	a := &attacker{}
	cfg, err := pgx.ParseConfig(l.dsn(""))
	if err != nil {
		l.t.Fatal(err)
	}
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { fmt.Fprintf(&a.seen, "notice %+v\n", *n) }
	cfg.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) { fmt.Fprintf(&a.seen, "notification %+v\n", *n) }
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if a.conn, err = pgx.ConnectConfig(ctx, cfg); err != nil {
		l.t.Fatal(err)
	}
	return a
}

// simple runs SQL in the simple protocol.
func (a *attacker) simple(t testing.TB, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	results, err := a.conn.PgConn().Exec(ctx, sql).ReadAll()
	a.note(t, sql, results, err)
	return err
}

// extended runs one statement in the extended protocol with results in a format.
func (a *attacker) extended(t testing.TB, sql string, format int16) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r := a.conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, []int16{format}).Read()
	a.note(t, sql, []*pgconn.Result{r}, r.Err)
	return r.Err
}

// copyOut runs COPY ... TO STDOUT.
func (a *attacker) copyOut(t testing.TB, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var out bytes.Buffer
	_, err := a.conn.PgConn().CopyTo(ctx, &out, sql)
	a.seen.Write(out.Bytes())
	a.note(t, sql, nil, err)
	return err
}

func (a *attacker) note(t testing.TB, sql string, results []*pgconn.Result, err error) {
	t.Helper()
	if context.DeadlineExceeded == err || err != nil && strings.Contains(err.Error(), "context deadline") {
		t.Errorf("hung: %s", sql)
	}
	rows := 0
	for _, r := range results {
		for _, row := range r.Rows {
			rows++
			fmt.Fprintf(&a.seen, "row %q of %.80s\n", row, sql)
		}
	}
	if err != nil {
		fmt.Fprintf(&a.seen, "error %v\n", err)
		if pg, ok := err.(*pgconn.PgError); ok {
			fmt.Fprintf(&a.seen, "error %+v\n", *pg)
		}
	}
	t.Logf("%.100s: %d rows, %v", sql, rows, err)
}

func (a *attacker) close() { a.conn.Close(context.Background()) }

// check fails the test if the planted value came back.
func (a *attacker) check(t testing.TB) {
	t.Helper()
	if leaks(a.seen.Bytes()) {
		for line := range strings.SplitSeq(a.seen.String(), "\n") {
			if leaks([]byte(line)) {
				t.Errorf("leaked: %.300s", line)
			}
		}
	}
}

// TestBypassMaskingReads reads the masked column in every way that is known.
func TestBypassMaskingReads(t *testing.T) {
	l := attackLab(t)
	queries := []string{
		"SELECT word FROM vault", "SELECT * FROM vault", "SELECT v.* FROM vault v", "TABLE vault", "SELECT word AS pub FROM vault",
		"SELECT substring(word, 1, 5) FROM vault", "SELECT word || '' FROM vault", "SELECT '' || word FROM vault", "SELECT word::varchar FROM vault",
		"SELECT CAST(word AS bytea) FROM vault", "SELECT word::name FROM vault", "SELECT word::hushed FROM vault", "SELECT format('%s', word) FROM vault",
		"SELECT row_to_json(v) FROM vault v", "SELECT to_jsonb(v) FROM vault v", "SELECT v::text FROM vault v", "SELECT (v.*)::text FROM vault v", "SELECT v FROM vault v",
		"SELECT (v).word FROM vault v", "SELECT (v).* FROM vault v", "SELECT word(v) FROM vault v", "SELECT ROW(word, 1) FROM vault", "SELECT (ROW(word, 1)::pair).a FROM vault",
		"SELECT string_agg(word, ',') FROM vault", "SELECT array_agg(word) FROM vault", "SELECT json_agg(word) FROM vault", "SELECT json_agg(v) FROM vault v",
		"SELECT json_object_agg(id, word) FROM vault", "SELECT min(word), max(word) FROM vault", "SELECT gather(word) FROM vault", "SELECT mode() WITHIN GROUP (ORDER BY word) FROM vault",
		"SELECT first_value(word) OVER () FROM vault", "SELECT lag(word) OVER (ORDER BY id) FROM vault",
		"SELECT pub FROM vault UNION SELECT word FROM vault", "SELECT pub FROM vault UNION ALL SELECT word FROM vault", "SELECT word FROM vault INTERSECT SELECT word FROM vault",
		"SELECT w FROM vault_view", "SELECT w2 FROM vault_view2", "SELECT * FROM vault_view2", "SELECT m FROM vault_mat", "SELECT m || '' FROM vault_mat",
		"WITH c AS (SELECT word FROM vault) SELECT * FROM c", "WITH c(a) AS (SELECT word FROM vault) SELECT a FROM c", "WITH c AS MATERIALIZED (SELECT word w FROM vault) SELECT w || '' FROM c",
		"WITH RECURSIVE r(n, w) AS (SELECT 1, pub FROM vault UNION ALL SELECT n + 1, (SELECT word FROM vault LIMIT 1) FROM r WHERE n < 3) SELECT w FROM r",
		"WITH RECURSIVE r(n, w, x) AS (SELECT 1, 'a'::text, (SELECT word FROM vault LIMIT 1) UNION ALL SELECT n + 1, x, w FROM r WHERE n < 3) SELECT w FROM r",
		"SELECT x.w FROM vault v, LATERAL (SELECT v.word AS w) x", "SELECT x FROM vault v, LATERAL unnest(ARRAY[v.word]) x", "SELECT (SELECT word FROM vault LIMIT 1)",
		"SELECT ARRAY(SELECT word FROM vault)", "SELECT (ARRAY(SELECT word FROM vault))[1]", "SELECT pub FROM (SELECT word AS pub FROM vault) s", "SELECT a FROM (SELECT word FROM vault) s(a)",
		"SELECT coalesce(word, '') FROM vault", "SELECT nullif(word, '') FROM vault", "SELECT greatest(word, 'a') FROM vault", "SELECT CASE WHEN id > 0 THEN word END FROM vault",
		"SELECT upper(word), reverse(word), encode(word::bytea, 'hex'), encode(word::bytea, 'base64') FROM vault", "SELECT quote_literal(word) FROM vault",
		"SELECT regexp_replace(word, 'zz', '') FROM vault", "SELECT regexp_split_to_table(word, '-') FROM vault", "SELECT string_to_array(word, '-') FROM vault", "SELECT unnest(string_to_array(word, '-')) FROM vault",
		"SELECT to_tsvector('simple', word) FROM vault", "SELECT word ### '' FROM vault", "SELECT word OPERATOR(public.###) '' FROM vault", "SELECT join_words(word, '') FROM vault",
		"SELECT * FROM words()", "SELECT words()", "SELECT words() || ''", "SELECT word_of(1)", "SELECT word_of(id) FROM vault", "SELECT hidden('SELECT word FROM vault LIMIT 1')",
		"SELECT hidden('SEL' || 'ECT word FROM vault LIMIT 1')", "SELECT loud(1)", "SELECT fails(1)", "SELECT * FROM query_to_xml('SELECT * FROM vault', true, true, '')",
		"SELECT twice FROM computed", "SELECT word FROM child", "SELECT word || '' FROM child", "SELECT * FROM ONLY parent", "SELECT word || '' FROM parent", "SELECT word || '' FROM parted_1", "SELECT word FROM parted",
		"SELECT body->>'word' FROM docs", "SELECT body FROM docs", "SELECT jsonb_path_query(body, '$.word') FROM docs", "SELECT k FROM docs, jsonb_each_text(body) AS e(a, k)",
		"SELECT body #>> '{word}' FROM docs", "SELECT tags[1] FROM docs", "SELECT unnest(tags) FROM docs", "SELECT array_to_string(tags, ',') FROM docs", "SELECT x FROM docs, unnest(tags) x",
		"SELECT x.* FROM (SELECT xmlelement(name a, word) AS d FROM vault) s, xmltable('/a' PASSING s.d COLUMNS w text PATH '.') x", "SELECT xmlforest(word) FROM vault", "SELECT xmlagg(xmlelement(name a, word)) FROM vault",
		"INSERT INTO vault VALUES (100, 'a', 'b', 1) ON CONFLICT (id) DO UPDATE SET pub = 'z' RETURNING word", "UPDATE vault SET pub = pub WHERE id = 1 RETURNING word", "UPDATE vault SET pub = pub WHERE id = 1 RETURNING *",
		"UPDATE sink SET note = '' FROM vault v WHERE false RETURNING v.word", "DELETE FROM vault WHERE id = 4 RETURNING word || ''", "WITH d AS (UPDATE vault SET pub = pub RETURNING word) SELECT * FROM d",
		"SELECT word FROM vault FOR UPDATE", "SELECT word || '' FROM vault FOR SHARE", "VALUES ((SELECT word FROM vault LIMIT 1))", "SELECT * FROM (VALUES ((SELECT word FROM vault LIMIT 1))) v",
		"SELECT id FROM vault ORDER BY word", "SELECT id FROM vault WHERE word LIKE 'x%'", "SELECT count(*) FROM vault GROUP BY word", "SELECT DISTINCT word FROM vault", "SELECT count(*) FROM vault HAVING max(word) > 'a'",
		"SELECT * FROM pg_stats", "SELECT most_common_vals FROM pg_stats WHERE tablename = 'vault'", "SELECT stavalues1 FROM pg_statistic", "SELECT histogram_bounds::text FROM pg_catalog.pg_stats", "EXPLAIN SELECT word FROM vault",
		"EXPLAIN (ANALYZE, VERBOSE) SELECT word FROM vault", "EXPLAIN SELECT * FROM sink WHERE word = word_of(1)", "SELECT 1/0 FROM vault WHERE word::int = 1", "SELECT word::int FROM vault", "SELECT word::date FROM vault",
		"SELECT ('{' || word)::json FROM vault", "SELECT word::numeric FROM vault", "SELECT setting FROM (SELECT set_config('application_name', word, false) AS setting FROM vault) s", "SELECT pg_notify('c', word) FROM vault",
		"SELECT lo_from_bytea(0, word::bytea) FROM vault", "SELECT table_to_xml('vault', true, true, '')", "SELECT database_to_xml(true, true, '')", "SELECT ts_stat('SELECT to_tsvector(word) FROM vault')",
		"SELECT pg_typeof(word), length(word), ascii(word), md5(word), word = 'a' FROM vault", "SELECT repeat(word, 3) FROM vault", "SELECT left(word, 6) || right(word, 6) FROM vault",
		"SELECT word COLLATE \"C\" FROM vault", "SELECT t.word FROM ROWS FROM (words(), word_of(1)) AS t(word, w)", "SELECT * FROM vault v JOIN LATERAL word_of(v.id) w ON true", "SELECT v2.word FROM vault JOIN vault v2 USING (id)",
		"SELECT * FROM vault NATURAL JOIN vault_view", "SELECT word FROM vault TABLESAMPLE SYSTEM (100)", "SELECT vault.word FROM public.vault", "SELECT public.vault.word FROM public.vault", "SELECT \"word\" FROM \"vault\"",
		"SELECT U&\"wor\\0064\" FROM U&\"v\\0061ult\"", "select/**/word/**/from/**/vault", "SELECT word FROM vault -- pub", "SELECT (SELECT v.word) FROM vault v", "SELECT EXISTS (SELECT 1 FROM vault WHERE word > 'a')",
		"SELECT 'x' IN (SELECT word FROM vault)", "SELECT generate_series(1, ascii(word)) FROM vault", "SELECT id FROM vault LIMIT (SELECT ascii(word) FROM vault LIMIT 1)", "SELECT pg_sleep(ascii(word) / 100000.0) FROM vault",
		"MERGE INTO sink s USING vault v ON s.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.word)", "SELECT word FROM vault FETCH FIRST ROW ONLY", "SELECT id, count(*) FILTER (WHERE word > 'a') FROM vault GROUP BY id",
	}
	for _, proto := range []string{"simple", "text", "binary"} {
		t.Run(proto, func(t *testing.T) {
			a := newAttacker(l)
			defer func() { a.close() }()
			for _, q := range queries {
				if a.conn.IsClosed() {
					t.Logf("session was closed; a new one")
					a.check(t)
					a = newAttacker(l)
				}
				switch proto {
				case "simple":
					a.simple(t, q)
				case "text":
					a.extended(t, q, 0)
				case "binary":
					a.extended(t, q, 1)
				}
			}
			a.check(t)
		})
	}
}

// TestBypassMaskingCopy copies the masked column out in every format.
func TestBypassMaskingCopy(t *testing.T) {
	l := attackLab(t)
	a := newAttacker(l)
	defer a.close()
	for _, q := range []string{
		"COPY vault TO STDOUT", "COPY vault (word) TO STDOUT", "COPY vault (word, id) TO STDOUT WITH (FORMAT csv, HEADER)", "COPY vault TO STDOUT WITH (FORMAT binary)", "COPY vault TO STDOUT BINARY",
		"COPY (SELECT word || '' FROM vault) TO STDOUT", "COPY (SELECT v FROM vault v) TO STDOUT CSV", "COPY (SELECT word FROM vault) TO STDOUT WITH (FORMAT csv, DELIMITER ';', QUOTE '''', FORCE_QUOTE *)",
		"COPY (SELECT w2 FROM vault_view2) TO STDOUT", "COPY (WITH c AS (SELECT word FROM vault) SELECT * FROM c) TO STDOUT BINARY", "COPY (UPDATE vault SET pub = pub RETURNING word) TO STDOUT",
		"COPY (SELECT json_agg(v) FROM vault v) TO STDOUT", "COPY docs TO STDOUT", "COPY parted_1 TO STDOUT", "COPY (VALUES ((SELECT word FROM vault LIMIT 1))) TO STDOUT", "COPY vault TO STDOUT WITH (DELIMITER 'z')",
		"COPY vault TO STDOUT WITH (NULL 'xyzzy-plugh')", "COPY vault TO STDOUT WITH (ENCODING 'LATIN1')", "COPY (SELECT hidden('SELECT word FROM vault LIMIT 1')) TO STDOUT",
	} {
		if a.conn.IsClosed() {
			a.check(t)
			a = newAttacker(l)
		}
		a.copyOut(t, q)
	}
	a.check(t)
	for _, q := range []string{"COPY vault TO '/tmp/writ-bypass'", "COPY vault TO PROGRAM 'cat > /tmp/writ-bypass'", "COPY (SELECT word FROM vault) TO PROGRAM 'true'"} {
		if err := a.simple(t, q); err == nil {
			t.Errorf("allowed: %s", q)
		}
	}
}

// TestBypassMaskingScripts are attacks in several steps: laundering, names that change their
// meaning, cursors and prepared statements that are not what they seem.
func TestBypassMaskingScripts(t *testing.T) {
	l := attackLab(t)
	dirty := false
	for _, tc := range []struct{ name, script string }{
		{"insert select", "INSERT INTO sink SELECT id, word FROM vault; | SELECT * FROM sink"},
		{"insert select expression", "INSERT INTO sink SELECT id, word || '' FROM vault | SELECT word FROM sink"},
		{"insert subselect value", "INSERT INTO sink VALUES (1, (SELECT word FROM vault LIMIT 1)) | SELECT word FROM sink"},
		{"update to another column", "UPDATE vault SET pub = word | SELECT pub FROM vault | UPDATE vault SET pub = 'open'"},
		{"update from", "INSERT INTO sink VALUES (1) | UPDATE sink SET note = v.word FROM vault v | SELECT note FROM sink"},
		{"update by cte", "WITH w AS (SELECT word FROM vault LIMIT 1) UPDATE vault SET pub = (SELECT word FROM w) | SELECT pub FROM vault"},
		{"on conflict excluded", "INSERT INTO vault (id, word) SELECT id, word FROM vault ON CONFLICT (id) DO UPDATE SET pub = excluded.word | SELECT pub FROM vault"},
		{"merge", "MERGE INTO sink s USING vault v ON s.id = v.id WHEN NOT MATCHED THEN INSERT (id, word) VALUES (v.id, v.word) WHEN MATCHED THEN UPDATE SET word = v.word | SELECT word FROM sink"},
		{"temp table", "CREATE TEMP TABLE t1 AS SELECT word AS x FROM vault | SELECT x FROM t1 | SELECT x || '' FROM t1"},
		{"temp table insert", "CREATE TEMP TABLE t2 (x text) | INSERT INTO t2 SELECT word FROM vault | SELECT x || '' FROM t2"},
		{"select into", "SELECT word AS x INTO scratch.t3 FROM vault | SELECT x FROM scratch.t3"},
		{"temp table on commit", "BEGIN | CREATE TEMP TABLE t4 ON COMMIT DROP AS SELECT word || '' AS x FROM vault | SELECT x FROM t4 | COMMIT"},
		{"view", "CREATE VIEW scratch.v1 AS SELECT word AS x FROM vault | SELECT x FROM scratch.v1 | SELECT x || '' FROM scratch.v1"},
		{"view replaced", "CREATE VIEW scratch.v2 AS SELECT pub AS x FROM vault | SELECT x FROM scratch.v2 | CREATE OR REPLACE VIEW scratch.v2 AS SELECT word AS x FROM vault | SELECT x FROM scratch.v2 | SELECT x || '' FROM scratch.v2"},
		{"view replaced in transaction", "BEGIN | SELECT x || '' FROM public_view | CREATE OR REPLACE VIEW public_view AS SELECT id, word AS x FROM vault | SELECT x FROM public_view | SELECT x || '' FROM public_view | ROLLBACK"},
		{"view replaced in one string", "CREATE OR REPLACE VIEW public_view AS SELECT id, word AS x FROM vault; SELECT x || '' FROM public_view"},
		{"view restored", "CREATE OR REPLACE VIEW public_view AS SELECT id, pub AS x FROM vault"},
		{"view and rollback", "BEGIN | CREATE OR REPLACE VIEW public_view AS SELECT id, word AS x FROM vault | SELECT x || '' FROM public_view | ROLLBACK; SELECT x || '' FROM public_view"},
		{"temp view", "CREATE TEMP VIEW tv AS SELECT word AS x FROM vault | SELECT x FROM tv | SELECT x || '' FROM tv"},
		{"temp view over temp", "CREATE TEMP VIEW tv2 AS SELECT v.word || 'q' AS x FROM vault v | SELECT x || '' FROM tv2 | SELECT x || '' FROM pg_temp.tv2"},
		{"function", "CREATE FUNCTION scratch.f1() RETURNS text LANGUAGE sql AS 'SELECT word FROM vault LIMIT 1' | SELECT scratch.f1() | SELECT scratch.f1() || ''"},
		{"function replaced in transaction", "CREATE FUNCTION scratch.f2() RETURNS text LANGUAGE sql AS 'SELECT pub FROM vault LIMIT 1' | SELECT scratch.f2() | BEGIN | CREATE OR REPLACE FUNCTION scratch.f2() RETURNS text LANGUAGE sql AS 'SELECT word FROM vault LIMIT 1' | SELECT scratch.f2() || '' | ROLLBACK"},
		{"function in one string", "CREATE OR REPLACE FUNCTION scratch.f3() RETURNS text LANGUAGE sql AS 'SELECT word FROM public.vault LIMIT 1'; SELECT scratch.f3()"},
		{"temp function", "CREATE FUNCTION pg_temp.f4() RETURNS text LANGUAGE sql AS 'SELECT word FROM vault LIMIT 1' | SELECT pg_temp.f4()"},
		{"rename column", "ALTER TABLE vault RENAME COLUMN word TO harmless | SELECT harmless FROM vault | SELECT harmless || '' FROM vault | ALTER TABLE vault RENAME COLUMN harmless TO word"},
		{"rename column in transaction", "BEGIN | ALTER TABLE vault RENAME COLUMN pub TO pub2 | ALTER TABLE vault RENAME COLUMN word TO pub | SELECT pub || '' FROM vault | ROLLBACK"},
		{"rename column in one string", "ALTER TABLE vault RENAME COLUMN pub TO pub2; ALTER TABLE vault RENAME COLUMN word TO pub; SELECT pub || '' FROM vault"},
		{"rename back", "ALTER TABLE vault RENAME COLUMN pub TO word | ALTER TABLE vault RENAME COLUMN pub2 TO pub"},
		{"rename table", "ALTER TABLE vault RENAME TO vault9 | SELECT word FROM vault9 | SELECT word || '' FROM vault9 | ALTER TABLE vault9 RENAME TO vault"},
		{"set schema", "BEGIN | DROP TABLE scratch.vault | ALTER TABLE public.vault SET SCHEMA scratch | SELECT word || '' FROM scratch.vault | ROLLBACK"},
		{"rename schema", "ALTER SCHEMA public RENAME TO public9 | SELECT word || '' FROM public9.vault | ALTER SCHEMA public9 RENAME TO public"},
		{"add generated column", "ALTER TABLE vault ADD COLUMN copy text GENERATED ALWAYS AS (word || '') STORED | SELECT copy FROM vault | SELECT copy || '' FROM vault | ALTER TABLE vault DROP COLUMN copy"},
		{"alter type using", "ALTER TABLE vault ALTER COLUMN pub TYPE text USING word | SELECT pub FROM vault | UPDATE vault SET pub = 'open'"},
		{"inherit", "CREATE TABLE scratch.heir (LIKE vault) | ALTER TABLE vault INHERIT scratch.heir | SELECT word FROM scratch.heir | SELECT word || '' FROM scratch.heir | ALTER TABLE vault NO INHERIT scratch.heir"},
		{"rule", "CREATE RULE r1 AS ON INSERT TO scratch.sink DO ALSO SELECT word || '' AS x FROM vault | INSERT INTO scratch.sink VALUES (1, 'a') RETURNING word || '' | DROP RULE r1 ON scratch.sink"},
		{"rule instead", "CREATE RULE r2 AS ON UPDATE TO scratch.sink DO INSTEAD SELECT word || '' AS x FROM vault | UPDATE scratch.sink SET word = 'a' | DROP RULE r2 ON scratch.sink"},
		{"trigger", "CREATE FUNCTION scratch.tg() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.word := (SELECT word FROM vault LIMIT 1); RETURN NEW; END $$ | CREATE TRIGGER tg BEFORE INSERT ON scratch.sink FOR EACH ROW EXECUTE FUNCTION scratch.tg() | INSERT INTO scratch.sink VALUES (1, 'a') RETURNING word | SELECT word FROM scratch.sink"},
		{"trigger notice", "CREATE FUNCTION scratch.tn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'w %', NEW.word; RETURN NEW; END $$ | CREATE TRIGGER tn BEFORE UPDATE ON vault FOR EACH ROW EXECUTE FUNCTION scratch.tn() | UPDATE vault SET pub = 'open' | DROP TRIGGER tn ON vault"},
		{"shadow by path", "SET search_path = scratch | SELECT word || '' FROM vault | SET search_path = public | SELECT word || '' FROM vault"},
		{"shadow in one string", "SET search_path = scratch; | SET search_path = public; SELECT word || '' FROM vault"},
		{"shadow then back in one string", "SET search_path = scratch | RESET search_path; SELECT word || '' FROM vault"},
		{"shadow local", "BEGIN | SET LOCAL search_path = scratch | SELECT word || '' FROM vault | COMMIT | SELECT word || '' FROM vault"},
		{"shadow local commit in one string", "BEGIN | SET LOCAL search_path = scratch | COMMIT; SELECT word || '' FROM vault"},
		{"shadow savepoint", "BEGIN | SAVEPOINT s | SET search_path = scratch | ROLLBACK TO s | SELECT word || '' FROM vault | ROLLBACK"},
		{"shadow savepoint in one string", "BEGIN | SAVEPOINT s | SET search_path = scratch | ROLLBACK TO s; SELECT word || '' FROM vault | ROLLBACK"},
		{"shadow failed transaction", "BEGIN | SET search_path = scratch | SELECT 1/0 | ROLLBACK; SELECT word || '' FROM vault"},
		{"shadow failed transaction, seen", "BEGIN | SET search_path = scratch | SELECT count(*) FROM vault | SELECT 1/0 | ROLLBACK; SELECT word || '' FROM vault"},
		{"shadow failed transaction chain", "BEGIN | SET search_path = scratch | SELECT count(*) FROM vault | SELECT 1/0 | ROLLBACK AND CHAIN; SELECT word || '' FROM vault | ROLLBACK"},
		{"shadow implicit rollback", "SET search_path = scratch; SELECT 1/0 | SELECT word || '' FROM vault"},
		{"shadow by set_config", "SELECT set_config('search_path', 'scratch', false) | SELECT word || '' FROM vault | SELECT set_config('search_path', 'public', false) | SELECT word || '' FROM vault"},
		{"shadow by set_config in one statement", "SET search_path = scratch | SELECT set_config('search_path', 'public', false), word || '' FROM vault"},
		{"shadow by routine", "SET search_path = scratch, public | SELECT move_path(); SELECT word || '' FROM vault"},
		{"shadow by routine, two strings", "SET search_path = scratch, public | SELECT public.move_path() | SELECT word || '' FROM vault"},
		{"shadow by do", "SET search_path = scratch | DO $$ BEGIN SET search_path = public; END $$; SELECT word || '' FROM vault"},
		{"shadow by temp table", "CREATE TEMP TABLE vault (id int, word text, pub text) | SELECT word || '' FROM vault | DROP TABLE vault | SELECT word || '' FROM vault"},
		{"shadow by temp table in one string", "CREATE TEMP TABLE vault (id int, word text, pub text) | DROP TABLE vault; SELECT word || '' FROM vault"},
		{"shadow by temp table discarded", "CREATE TEMP TABLE vault (id int, word text) | DISCARD TEMP; SELECT word || '' FROM vault"},
		{"shadow by temp table dropped on commit", "BEGIN | CREATE TEMP TABLE vault (id int, word text) ON COMMIT DROP | COMMIT; SELECT word || '' FROM vault"},
		{"shadow by temp table rolled back", "BEGIN | CREATE TEMP TABLE vault (id int, word text) | ROLLBACK; SELECT word || '' FROM vault"},
		{"shadow by dropped table in one string", "SET search_path = scratch, public | DROP TABLE scratch.vault; SELECT word || '' FROM vault | CREATE TABLE scratch.vault (id int, word text, pub text, ref int)"},
		{"prepared before shadow", "CREATE TEMP TABLE dummy (x int) | PREPARE p AS SELECT word || '' FROM vault | CREATE TEMP TABLE vault (id int, word text) | EXECUTE p"},
		{"prepared under another path", "PREPARE p AS SELECT word || '' FROM vault | SET search_path = scratch | EXECUTE p | SET search_path = public | EXECUTE p"},
		{"prepared inside a transaction rolled back", "BEGIN | PREPARE p AS SELECT word || '' FROM vault | ROLLBACK | EXECUTE p"},
		{"prepared again", "PREPARE p AS SELECT pub FROM vault | DEALLOCATE p; PREPARE p AS SELECT word || '' FROM vault; EXECUTE p"},
		{"prepared again after failure", "PREPARE p AS SELECT pub || '' FROM vault | DEALLOCATE p; SELECT 1/0 | PREPARE p AS SELECT word || '' FROM vault | EXECUTE p"},
		{"prepared then ddl", "PREPARE p AS SELECT x || '' FROM public_view | EXECUTE p | CREATE OR REPLACE VIEW public_view AS SELECT id, word AS x FROM vault | EXECUTE p"},
		{"view restored again", "CREATE OR REPLACE VIEW public_view AS SELECT id, pub AS x FROM vault"},
		{"prepared then ddl in transaction", "PREPARE p AS SELECT x || '' FROM public_view | BEGIN | CREATE OR REPLACE VIEW public_view AS SELECT id, word AS x FROM vault | EXECUTE p | ROLLBACK"},
		{"execute with masked argument", "PREPARE p(text) AS SELECT $1 | EXECUTE p((SELECT word FROM vault LIMIT 1)) | EXECUTE p(word_of(1))"},
		{"create table as execute", "PREPARE p AS SELECT word AS x FROM vault | CREATE TEMP TABLE ctae AS EXECUTE p | SELECT x FROM ctae"},
		{"explain execute", "PREPARE p AS SELECT word FROM vault | EXPLAIN (ANALYZE, VERBOSE) EXECUTE p"},
		{"cursor", "BEGIN | DECLARE c CURSOR FOR SELECT word || '' FROM vault | FETCH ALL FROM c | ROLLBACK"},
		{"binary cursor", "BEGIN | DECLARE c BINARY CURSOR FOR SELECT word FROM vault | FETCH ALL FROM c | ROLLBACK"},
		{"cursor with hold", "DECLARE c CURSOR WITH HOLD FOR SELECT word || '' FROM vault | FETCH ALL FROM c | CLOSE c"},
		{"cursor declared again", "BEGIN | DECLARE c CURSOR FOR SELECT pub || '' FROM vault | ROLLBACK | BEGIN | DECLARE c CURSOR FOR SELECT word || '' FROM vault | FETCH ALL FROM c | ROLLBACK"},
		{"cursor declared again in one string", "BEGIN | DECLARE c CURSOR FOR SELECT pub || '' FROM vault | CLOSE c; DECLARE c CURSOR FOR SELECT word || '' FROM vault; FETCH ALL FROM c | ROLLBACK"},
		{"cursor of a routine", "BEGIN | SELECT open_named('c') | FETCH ALL FROM c | ROLLBACK"},
		{"cursor of a routine in place of another", "BEGIN | DECLARE c CURSOR FOR SELECT pub || '' FROM vault | ROLLBACK | BEGIN | SELECT open_named('c') | FETCH ALL FROM c | ROLLBACK"},
		{"cursor of a routine in place of another, committed", "BEGIN | DECLARE c CURSOR FOR SELECT pub || '' FROM vault | COMMIT | BEGIN | SELECT open_named('c') | FETCH ALL FROM c | ROLLBACK"},
		{"cursor opened again by a routine", "BEGIN | DECLARE c CURSOR FOR SELECT pub || '' FROM vault | SELECT reopen('c') | FETCH ALL FROM c | ROLLBACK"},
		{"cursor opened again by do", "BEGIN | DECLARE c CURSOR FOR SELECT pub || '' FROM vault | DO $$ DECLARE c refcursor := 'c'; BEGIN CLOSE c; OPEN c FOR SELECT word || '' FROM vault; END $$ | FETCH ALL FROM c | ROLLBACK"},
		{"cursor by savepoint", "BEGIN | SAVEPOINT s | DECLARE c CURSOR FOR SELECT pub || '' FROM vault | ROLLBACK TO s | SELECT open_named('c') | FETCH ALL FROM c | ROLLBACK"},
		{"cursor where current of", "BEGIN | DECLARE c CURSOR FOR SELECT word FROM vault FOR UPDATE | FETCH c | UPDATE vault SET pub = word WHERE CURRENT OF c | ROLLBACK"},
		{"notify", "LISTEN ch | SELECT pg_notify('ch', word) FROM vault | SELECT 1"},
		{"deferred constraint", "BEGIN | CREATE TABLE scratch.d (w text UNIQUE DEFERRABLE INITIALLY DEFERRED) | INSERT INTO scratch.d SELECT word FROM vault | COMMIT | ROLLBACK"},
		{"unique violation", "CREATE UNIQUE INDEX ux ON vault (word)"},
		{"check violation", "ALTER TABLE vault ADD CONSTRAINT ck CHECK (word <> 'xyzzy-plugh')"},
		{"index expression", "CREATE INDEX ix ON vault ((word::int))"},
		{"default from masked", "CREATE TABLE scratch.dd (id int, w text DEFAULT word_of(1)) | INSERT INTO scratch.dd (id) VALUES (1) | SELECT w FROM scratch.dd"},
		{"default added", "ALTER TABLE scratch.sink ADD COLUMN w2 text DEFAULT word_of(1) | SELECT w2 FROM scratch.sink"},
		{"comment", "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE scratch.sink IS %L', (SELECT word FROM vault LIMIT 1)); END $$ | SELECT obj_description('scratch.sink'::regclass)"},
		{"do raise", "DO $$ BEGIN RAISE NOTICE '%', (SELECT word FROM vault LIMIT 1); END $$"},
		{"do raise exception", "DO $$ BEGIN RAISE EXCEPTION '%', (SELECT word FROM vault LIMIT 1); END $$"},
		{"do dynamic", "DO $$ BEGIN EXECUTE 'CREATE TABLE scratch.dyn AS SELECT wo' || 'rd AS x FROM vault'; END $$ | SELECT x FROM scratch.dyn"},
		{"materialized view", "CREATE MATERIALIZED VIEW scratch.mv AS SELECT word AS x FROM vault | SELECT x FROM scratch.mv | SELECT x || '' FROM scratch.mv"},
		{"domain check", "CREATE FUNCTION scratch.chk(t text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'd %', t; RETURN true; END $$ | CREATE DOMAIN scratch.dom AS text CHECK (scratch.chk(VALUE)) | SELECT length(word::scratch.dom) FROM vault"},
		{"cast function", "CREATE FUNCTION scratch.tocast(v vault) RETURNS text LANGUAGE sql AS 'SELECT $1.word' | SELECT scratch.tocast(v) FROM vault v | SELECT v.tocast FROM vault v"},
		{"aggregate state", "CREATE FUNCTION scratch.st(s text, v text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'a %', v; RETURN v; END $$ | CREATE AGGREGATE scratch.agg (text) (SFUNC = scratch.st, STYPE = text) | SELECT length(scratch.agg(word)) FROM vault"},
		{"operator class", "CREATE FUNCTION scratch.eq(a text, b text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'e % %', a, b; RETURN true; END $$ | CREATE OPERATOR scratch.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = scratch.eq) | SELECT word OPERATOR(scratch.===) pub FROM vault"},
		{"policy", "ALTER TABLE scratch.sink ENABLE ROW LEVEL SECURITY | CREATE POLICY pol ON scratch.sink USING (word_of(1) = word)"},
		{"lock and read", "BEGIN | LOCK TABLE vault | SELECT word || '' FROM vault FOR UPDATE | ROLLBACK"},
		{"type of result changes", "BEGIN | ALTER TABLE vault ALTER COLUMN word TYPE varchar(30) | SELECT word FROM vault | SELECT word || '' FROM vault | ROLLBACK"},
		{"drop and create under another name", "BEGIN | CREATE TABLE scratch.v8 (LIKE vault INCLUDING ALL) | INSERT INTO scratch.v8 SELECT * FROM vault | SELECT word FROM scratch.v8 | ROLLBACK"},
		{"operator path", "SET search_path = scratch, pg_catalog | SELECT word || '' FROM public.vault"},
		{"alter function path", "ALTER FUNCTION words() SET search_path = scratch | SELECT words() || '' | ALTER FUNCTION words() RESET search_path | SELECT words() || ''"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, extended := range []bool{false, true} {
				if dirty {
					l.reset(t)
				}
				dirty = ddl(tc.script)
				a := newAttacker(l)
				for step := range strings.SplitSeq(tc.script, " | ") {
					step = strings.TrimSpace(step)
					if step == "" || a.conn.IsClosed() {
						continue
					}
					if extended && !strings.Contains(strings.TrimRight(step, "; "), ";") {
						a.extended(t, step, 0)
					} else {
						a.simple(t, step)
					}
				}
				a.check(t)
				a.close()
			}
		})
	}
}
