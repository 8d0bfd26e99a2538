package sqlclass_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/test/pgtest"
)

const liveSchema = `
CREATE SCHEMA private;
CREATE TYPE address AS (street text, city text);
CREATE TABLE customers (id int PRIMARY KEY, gone text, name text NOT NULL, ssn text, email text, home address, tags text[]);
ALTER TABLE customers DROP COLUMN gone;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, total numeric, note text);
CREATE TABLE notes (id int, note text);
CREATE TABLE private.audit (id int, what text);
CREATE TABLE events (id int, ssn text, at timestamptz) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE people (id int, ssn text, tail text GENERATED ALWAYS AS (right(ssn, 4)) STORED, last text);
CREATE VIEW customer_names AS SELECT id, name AS who, upper(ssn) AS up FROM customers WHERE email IS NOT NULL;
CREATE VIEW names2 AS SELECT who, up FROM customer_names;
CREATE VIEW everything AS SELECT c.*, o.id AS order_id, o.note FROM customers c LEFT JOIN orders o ON o.customer_id = c.id;
CREATE MATERIALIZED VIEW totals AS SELECT ssn, sum(total) AS total FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY ssn;
CREATE FUNCTION find_ssn(x text) RETURNS text LANGUAGE sql AS 'SELECT ssn FROM public.customers WHERE name = x';
CREATE FUNCTION rows() RETURNS SETOF customers LANGUAGE sql AS 'SELECT * FROM public.customers';
CREATE FUNCTION pairs(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE sql AS 'SELECT id, ssn FROM public.customers';
CREATE FUNCTION one(OUT a int) LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION purge(x text) RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM public.orders; END';
`

// liveQueries are compared column by column with what the server says it will send.
var liveQueries = []string{
	`select * from customers`,
	`select c.*, o.* from customers c, orders o`,
	`select ssn as x, upper(ssn), ssn || 'x', ssn::varchar(3), 1, 'a', null, true from customers`,
	`select c from customers c`,
	`select (c).ssn, (c).*, (home).city, (c.home).street from customers c`,
	`select (home).* from customers`,
	`select * from customers join orders using (id)`,
	`select * from customers left join orders using (id)`,
	`select * from customers right join orders using (id)`,
	`select * from customers full join orders using (id)`,
	`select * from orders natural join notes`,
	`select * from (customers c join orders o on o.customer_id = c.id) j`,
	`select * from (customers c join orders o on o.customer_id = c.id) j(a, b, c1)`,
	`select j.id from orders o join notes n using (id) as j`,
	`select * from customer_names`, `select * from names2`, `select * from everything`, `select * from totals`,
	`select who, up from names2 n where who = 'x'`,
	`select * from events`, `select * from events_2024`, `select * from only events`,
	`select * from people`,
	`with c as (select ssn, upper(name) from customers) select * from c`,
	`with c(a, b) as (select ssn, upper(name) from customers) select b, a from c`,
	`with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) select * from r, customers`,
	`with recursive r as (select id, ssn from customers union select id, ssn from r) select * from r`,
	`with recursive a as (select * from b), b as (select ssn from customers) select * from a`,
	`with recursive t(id, ssn) as (select id, ssn from customers union all select t.id, t.ssn from t) search depth first by id set o cycle id set cyc using path select * from t`,
	`with d as (delete from orders where id = 1 returning *) select * from d`,
	`with i as (insert into notes values (1, 'x') returning note as n) select n from i`,
	`select name from customers union select ssn from customers`,
	`select * from customers except select * from customers`,
	`values (1, 'a'), (2, 'b')`, `select * from (values (1, 'a')) v`, `select * from (values (1, 'a')) v(x)`, `table orders`,
	`select (select ssn from customers limit 1), (select max(id) as m from orders), exists(select 1), array(select id from orders), array[1], row(1, 2)`,
	`select case when true then ssn end, case when true then 1 else id end, coalesce(ssn, 'x'), greatest(1, 2), least(1, 2), nullif(1, 2) from customers`,
	`select current_user, session_user, current_date, current_timestamp, localtime, current_catalog, current_schema, user, current_role`,
	`select extract(year from now()), position('a' in 'b'), substring('abc' from 1 for 2), trim('x'), overlay('abc' placing 'x' from 1)`,
	`select now() at time zone 'utc', 'x' collate "C", interval '1 day', date '2024-01-01', '1'::int, cast('1' as bigint), 'x'::character varying`,
	`select count(*), count(id) filter (where id > 1), sum(total) over (partition by id), row_number() over w from orders group by id, total window w as (order by id)`,
	`select g, g + 1 from generate_series(1, 3) g`, `select * from generate_series(1, 3)`, `select * from generate_series(1, 3) as s(v)`,
	`select * from generate_series(1, 3) with ordinality`, `select * from generate_series(1, 3) with ordinality as t(a, b)`,
	`select * from rows from (generate_series(1, 2), generate_series(1, 3)) as r(a, b)`,
	`select * from rows from (generate_series(1, 2), generate_series(1, 3))`,
	`select * from unnest(array[1, 2], array['a'])`, `select * from unnest(array[1, 2]) u`, `select * from unnest(array['a'::text]) with ordinality`,
	`select t from customers, unnest(tags) t`, `select * from unnest(string_to_array('a,b', ','))`,
	`select * from unnest(array(select home from customers)) h`,
	`select * from rows()`, `select ssn from rows() r`, `select (rows()).*`, `select * from pairs()`, `select * from pairs() p(x)`, `select (pairs()).b`, `select * from one()`, `select * from one() o`,
	`select find_ssn('x'), purge('x')`,
	`select * from json_each('{}')`, `select * from jsonb_to_recordset('[]') as x(a int, b text)`, `select * from json_array_elements('[]') with ordinality`,
	`select * from pg_class`, `select * from pg_stat_activity`, `select * from information_schema.columns`, `select * from pg_settings`,
	`select x.* from customers c, lateral (select c.ssn as a, c.id) x`,
	`select x.a from customers c cross join lateral (select upper(c.ssn) as a) x`,
	`select * from customers c join lateral (select * from orders o where o.customer_id = c.id) x on true`,
	`select s.* from (select ssn, id from customers order by 1) s`, `select s.* from (select ssn, id from customers) s(a)`,
	`select ctid, xmin, tableoid, customers.ctid from customers`,
	`select public.customers.ssn, customers.ssn from public.customers`,
	`select ssn(c), c.ssn, c.row_to_json from customers c, lateral (select 1) x`,
	`select xmlelement(name a, ssn), xmlforest(ssn), xmlconcat('<a/>'::xml), xmlpi(name x) from customers`,
	`select * from xmltable('/r' passing ('<r/>'::xml) columns a text path 'a', n for ordinality)`,
	`select row_to_json(c), to_json(c.*), c::text, c.*::text from customers c`,
	`select distinct on (ssn) name, ssn from customers order by ssn, name`,
	`select ssn, count(*) from customers group by rollup (ssn) having count(*) > 1 order by 2 desc limit 1`,
	`select id, grouping(id) from orders group by cube (id, total)`,
	`insert into notes values (1, 'x') returning *, note || 'y', notes.id as z`,
	`update orders set note = c.ssn from customers c where c.id = orders.id returning *`,
	`delete from orders o using customers c where c.id = o.id returning o.note, c.ssn, *`,
	`insert into orders (id) values (1) on conflict (id) do update set total = excluded.total returning orders.*`,
	`select * from customers tablesample system (1)`,
	`select a.x from (select * from (select ssn as x from customers) b) a`,
	`select "id", "Upper Case" from (select id, ssn as "Upper Case" from customers) z`,
	`select not true, -id, id is null, id = 1, id between 1 and 2, id in (1, 2), ssn like 'x', ssn similar to 'x' from customers`,
	`select tags[1], tags[1:2], (array[1,2])[1] from customers`,
	`select upper(name) as name from customers order by name`,
	`select * from customers, notes limit 5`,
	`select from customers`,
	`select o.*, (select c.ssn from customers c where c.id = o.customer_id) from orders o`,
}

// TestAgainstServer compares the columns of each query with the server's RowDescription: names, and the
// relation and attribute each comes from.
func TestAgainstServer(t *testing.T) {
	conn := liveServer(t)
	cat := readCatalog(t, conn)
	c, err := sqlclass.New(sqlclass.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := &sqlclass.Session{Path: sqlclass.NewPath("public")}
	for _, sql := range liveQueries {
		sd, err := conn.PgConn().Prepare(context.Background(), "", sql, nil)
		if err != nil {
			t.Errorf("the server refuses %s: %v", sql, err)
			continue
		}
		b, err := c.Classify(sql, cat, s)
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		compare(t, sql, b.Statements[0], sd.Fields)
	}
}

func compare(t *testing.T, sql string, f *sqlclass.Facts, fields []pgconn.FieldDescription) {
	t.Helper()
	if len(f.Unresolved) > 0 {
		t.Errorf("%s: unresolved %v", sql, f.Unresolved)
	}
	if !f.OutputKnown {
		if !strings.Contains(sql, "select home from") {
			t.Errorf("%s: output unknown", sql)
		}
		return
	}
	if len(f.Output) != len(fields) {
		t.Errorf("%s: %d columns, the server sends %d", sql, len(f.Output), len(fields))
		return
	}
	for i, fd := range fields {
		o := f.Output[i]
		if o.Name != fd.Name {
			t.Errorf("%s: column %d is %q, the server calls it %q", sql, i+1, o.Name, fd.Name)
		}
		if fd.TableOID != 0 && (o.Origin.Relation != fd.TableOID || o.Origin.Num != int16(fd.TableAttributeNumber)) {
			t.Errorf("%s: column %q from %d.%d, the server says %d.%d", sql, fd.Name, o.Origin.Relation, o.Origin.Num, fd.TableOID, fd.TableAttributeNumber)
		}
		if fd.TableOID == 0 && o.Origin.Relation != 0 {
			t.Errorf("%s: column %q from %d.%d, the server says from none", sql, fd.Name, o.Origin.Relation, o.Origin.Num)
		}
	}
}

// TestServerAccepts holds that what the server's parser takes, ours takes as well: no statement of the
// regression suite that an older server understands is refused as a syntax error.
func TestServerAccepts(t *testing.T) {
	conn := liveServer(t)
	c, err := sqlclass.New(sqlclass.Config{})
	if err != nil {
		t.Fatal(err)
	}
	n, ours, theirs := 0, 0, 0
	for _, sql := range regressionTexts(t) {
		if strings.Contains(sql, "\\") || strings.Contains(sql, ":'") {
			continue
		}
		_, perr := conn.PgConn().Prepare(context.Background(), "", sql, nil)
		var se *pgconn.PgError
		syntax := errors.As(perr, &se) && se.Code == "42601"
		if perr != nil && se == nil {
			t.Fatal(perr)
		}
		_, err := c.Classify(sql, nil, nil)
		n++
		switch {
		case err != nil && perr == nil && !strings.Contains(sql, "PARTITION BY MAGIC"): // which no server runs
			ours++
			t.Errorf("refused (%v) what the server parses (%v): %s", err, perr, sql)
		case err == nil && syntax:
			theirs++ // a newer grammar, or an error that the server finds after parsing
		}
	}
	t.Logf("%d texts: %d refused by us alone, %d by the server alone", n, ours, theirs)
}

func liveServer(t *testing.T) *pgx.Conn {
	t.Helper()
	srv := pgtest.Start(t)
	conn, err := srv.Connect(context.Background(), "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(context.Background(), liveSchema); err != nil {
		t.Fatal(err)
	}
	return conn
}

func readCatalog(t *testing.T, conn *pgx.Conn) *sqlclass.Catalog {
	t.Helper()
	var s sqlclass.Snapshot
	s.Version, s.Database = 1, "postgres"
	execute(t, conn, `set search_path = ''`)
	read(t, conn, &s.Relations, `SELECT json_agg(json_build_object('OID', c.oid::bigint, 'Schema', n.nspname, 'Name', c.relname, 'Kind', ascii(c.relkind::text),
  'RowType', c.reltype::bigint, 'ViewDef', CASE WHEN c.relkind IN ('v','m') THEN pg_get_viewdef(c.oid) ELSE '' END,
  'InheritsFrom', (SELECT json_agg(inhparent::bigint) FROM pg_inherits WHERE inhrelid = c.oid),
  'Columns', (SELECT json_agg(json_build_object('Num', attnum, 'Name', attname, 'TypeOID', atttypid::bigint, 'NotNull', attnotnull, 'Dropped', attisdropped,
     'Generated', CASE WHEN attgenerated <> '' THEN pg_get_expr(adbin, adrelid) ELSE '' END))
     FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = c.oid AND attnum > 0)))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r','p','v','m','f','S','c')`)
	read(t, conn, &s.Functions, `SELECT json_agg(json_build_object('OID', p.oid::bigint, 'Schema', n.nspname, 'Name', p.proname, 'Kind', ascii(p.prokind::text),
  'Language', l.lanname, 'Defaults', p.pronargdefaults, 'ReturnType', p.prorettype::bigint, 'ReturnsSet', p.proretset, 'Volatility', ascii(p.provolatile::text),
  'Source', p.prosrc, 'SQLBody', coalesce(pg_get_function_sqlbody(p.oid), ''),
  'Args', (SELECT json_agg(json_build_object('Name', coalesce(p.proargnames[i], ''), 'Mode', coalesce(ascii(p.proargmodes[i]::text), ascii('i')), 'TypeOID', t::bigint) ORDER BY i)
    FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS a(t, i))))
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang`)
	execute(t, conn, `reset search_path`)
	cat, err := sqlclass.NewCatalog(s)
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, conn *pgx.Conn, into any, sql string) {
	t.Helper()
	var raw []byte
	if err := conn.QueryRow(context.Background(), sql).Scan(&raw); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

// regressionTexts returns the statements of the server's regression suite that the parser's module ships.
func regressionTexts(t *testing.T) []string {
	t.Helper()
	out, err := goTool("go", "list", "-m", "-f", "{{.Dir}}", "github.com/sqlc-dev/oliphant")
	if err != nil {
		t.Skipf("the parser's module is not at hand: %v", err)
	}
	files, _ := filepath.Glob(filepath.Join(out, "parser/testdata/parse/*_regress/*.test"))
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

func goTool(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out)), err
}
