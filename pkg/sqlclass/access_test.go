package sqlclass

import (
	"strings"
	"testing"
)

var accessTests = []struct{ sql, kind, want string }{
	{`select 1`, "select", ``},
	{`/* drop */ select 'DROP TABLE x' as "drop" -- delete`, "select", ``},
	{`SeLeCt/**/*/**/FROM"customers"`, "select", `select customers`},
	{`delete/* x */from/**/orders where id=1`, "delete", `delete orders`},
	{`with d as (delete from orders where id = 1 returning *), i as (insert into notes select id, note from d) select * from customers`, "select", `delete orders, insert notes, select customers`},
	{`explain analyze delete from orders where id = 1`, "explain", `delete orders`},
	{`explain (costs off, analyze) update orders set total = 1 where id = 1`, "explain", `update orders`},
	{`copy (delete from orders where id=1 returning *) to stdout`, "copy_to", `delete orders`},
	{`copy orders from program 'rm -rf /'`, "copy_from", `copy_program program, insert orders`},
	{`copy orders to '/tmp/x'`, "copy_to", `copy_file file, select orders`},
	{`copy orders from stdin`, "copy_from", `insert orders`},
	{`select * into x from customers`, "ddl", `ddl table public.x, select customers`},
	{`create temp table x as select * from customers`, "ddl", `ddl table pg_temp.x, select customers`},
	{`create table private.x (id int references customers, n text default upper('a'))`, "ddl", `ddl customers, ddl table private.x`},
	{`prepare p as delete from orders where id = $1`, "prepare", `delete orders`},
	{`declare c cursor for select * from customers for update`, "declare", `lock customers, select customers`},
	{`do $$ begin delete from orders where id = 1; perform * from customers; end $$`, "do", `delete orders, select customers, system do plpgsql`},
	{`do $$ begin execute 'drop table orders'; end $$`, "do", `drop orders, system do plpgsql`},
	{`do $$ begin execute format('drop table %I', 'x'); end $$`, "do", `system do plpgsql`},
	{`do language plpython3u $$ x $$`, "do", `system do plpython3u`},
	{`call clean('x')`, "call", `update orders`},
	{`select purge('x')`, "select", `delete orders, select customers`},
	{`merge into orders o using customers c on o.id = c.id when matched and c.name = 'x' then delete when not matched then insert (id) values (c.id)`, "merge", `delete orders, insert orders, merge orders, select customers`},
	{`insert into orders (id) values (1) on conflict (id) do update set total = 1`, "insert", `insert orders, update orders`},
	{`insert into ruled values (1)`, "insert", `insert private.audit, insert ruled`},
	{`update customer_names set who = 'x' where id = 1`, "update", `select customers, update customer_names, update customers`},
	{`delete from names2 where who = 'x'`, "delete", `delete customer_names, delete customers, delete names2, select customer_names, select customers`},
	{`select * from names2`, "select", `select customer_names, select customers, select names2`},
	{`truncate orders, notes cascade`, "truncate", `truncate cascade, truncate notes, truncate orders`},
	{`lock table orders in share mode`, "lock", `lock orders`},
	{`drop table if exists orders, nothere`, "drop", `drop orders, drop table nothere`},
	{`drop schema public cascade`, "drop", `drop cascade, drop schema public`},
	{`drop trigger t on orders`, "drop", `ddl orders, drop trigger t`},
	{`drop function upper(text)`, "drop", `drop function upper`},
	{`alter table orders drop column note, add column x int`, "ddl", `ddl orders, drop column orders.note`},
	{`alter table orders owner to bob`, "ddl", `ddl orders, grant owner bob`},
	{`alter table orders rename to x`, "ddl", `ddl orders`},
	{`create view v as select ssn from customers`, "ddl", `ddl view public.v, select customers`},
	{`create rule r as on insert to notes do also delete from orders`, "ddl", `ddl notes, ddl rule public.r, delete orders`},
	{`create index on orders (total)`, "ddl", `ddl index public., ddl orders`},
	{`create policy p on orders using (exists (select 1 from customers))`, "ddl", `ddl orders, ddl policy public.p, select customers`},
	{`create function f() returns int language sql as $$ delete from orders; select 1 $$`, "ddl", `ddl function public.f, delete orders`},
	{`create function f() returns trigger language plpgsql as $$ begin delete from orders where id = old.id; return new; end $$`, "ddl", `ddl function public.f, delete orders`},
	{`create extension dblink`, "ddl", `ddl extension dblink`},
	{`create sequence s`, "ddl", `ddl sequence public.s`},
	{`grant select on orders to bob`, "grant", `grant orders`},
	{`grant all on all tables in schema public to bob`, "grant", `grant all in schema public`},
	{`alter default privileges grant select on tables to bob`, "grant", `grant default privileges`},
	{`create role bob superuser`, "role", `role role bob`},
	{`alter user bob with password 'x'`, "role", `role role bob`},
	{`grant admin to bob`, "role", `role role admin`},
	{`comment on table orders is 'x'`, "comment", `ddl orders`},
	{`comment on column orders.note is 'x'`, "comment", `ddl orders`},
	{`security label on table orders is 'x'`, "grant", `grant orders`},
	{`import foreign schema x from server y into public`, "ddl", `ddl schema public, ddl server y, system server y`},
	{`alter system set work_mem = 1`, "system", `system setting work_mem`},
	{`load 'x'`, "load", `system library x`},
	{`vacuum full orders`, "maintenance", `maintain orders`},
	{`analyze`, "maintenance", `maintain database shop`},
	{`refresh materialized view totals`, "refresh", `refresh totals, select customers, select orders`},
	{`create publication p for table customers`, "replication", `replicate customers, replicate publication p`},
	{`create database x`, "system", `system database x`},
	{`listen ch`, "listen", `listen channel ch`},
	{`notify ch, 'x'`, "notify", `notify channel ch`},
	{`select pg_notify('ch', 'x')`, "select", `notify channel ch`},
	{`begin`, "transaction", ``},
	{`set search_path to x`, "set", ``},
	{`reset all`, "reset", ``},
	{`deallocate all`, "deallocate", ``},
	{`discard all`, "discard", ``},
	{`checkpoint`, "checkpoint", `system checkpoint`},
	{`reassign owned by a to b`, "role", `role role a`},
	{`select * from customers where id in (select customer_id from orders where exists (select from private.audit))`, "select", `select customers, select orders, select private.audit`},
	{`update orders set total = (select count(*) from notes) from customers c where c.id = orders.id`, "update", `select customers, select notes, update orders`},
}

func TestAccesses(t *testing.T) {
	for _, tt := range accessTests {
		t.Run(tt.sql, func(t *testing.T) {
			f := facts(t, tt.sql)
			if got := accessWords(f); got != tt.want || f.Kind.String() != tt.kind {
				t.Errorf("got %s: %s\nwant %s: %s", f.Kind, got, tt.kind, tt.want)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	for sql, want := range map[string]bool{
		`select * from customers`: false, `table customers`: false, `values (1)`: false, `show all`: false,
		`explain delete from orders`: true, `explain select 1`: false, `begin`: false, `set x.y = 1`: false,
		`select nextval('s')`: true, `select purge('x')`: true, `select find_ssn('x')`: false, `select py('x')`: true,
		`select dynamic('x')`: true, `select nosuch(1)`: true, `select pg_terminate_backend(1)`: true, `select lo_export(1, 'x')`: true,
		`with d as (delete from orders returning 1) select 1`: true, `select * into x from orders`: true,
		`lock table orders`: false, `notify x`: true, `do $$ begin null; end $$`: true, `commit prepared 'x'`: true,
		`declare c cursor for select 1`: false, `fetch all from c`: true, `execute p`: true, `call clean('x')`: true,
	} {
		if got := facts(t, sql).Write; got != want {
			t.Errorf("%s: write %v, want %v", sql, got, want)
		}
	}
}

var whereTests = []struct {
	sql  string
	want bool
}{
	{`delete from orders`, false},
	{`delete from orders where true`, false},
	{`delete from orders where 1=1`, false},
	{`delete from orders where 'a'='a'`, false},
	{`delete from orders where not false`, false},
	{`delete from orders where id = 1 or true`, false},
	{`delete from orders where id = 1 or 1 = 1`, false},
	{`delete from orders where 1 in (1)`, false},
	{`delete from orders where 1 in (2, 1)`, false},
	{`delete from orders where id = id`, false},
	{`delete from orders where id is not null`, false},
	{`delete from orders where note is null or note is not null`, false},
	{`delete from orders where id = 1 or id <> 1`, false},
	{`delete from orders where id = 1 or not id = 1`, false},
	{`delete from orders where note like '%'`, false},
	{`delete from orders where note ~ '.*'`, false},
	{`delete from orders where random() >= 0`, false},
	{`delete from orders where length('x') = 1`, false},
	{`delete from orders where exists (select 1)`, false},
	{`delete from orders where (select true)`, false},
	{`delete from orders where $1`, false},
	{`delete from orders where '1'::int = '01'::int`, false},
	{`delete from orders where '2'::int::bool`, false},
	{`delete from orders where 't'::bool`, false},
	{`delete from orders where 'a' < 'B'`, false},
	{`delete from orders where 2 > 1.5`, false},
	{`delete from orders where 1 between 0 and 2`, false},
	{`delete from orders where 1 = any (array[1, 2])`, false},
	{`delete from orders where (1=1) is true`, false},
	{`delete from orders where null is null`, false},
	{`delete from orders where ctid is not null`, false},
	{`delete from orders where id in (id, 1)`, false},
	{`delete from orders where id is not distinct from id`, false},
	{`update orders set total = 0`, false},
	{`with d as (delete from orders) select 1`, false},
	{`explain analyze delete from orders`, false},
	{`prepare p as update orders set total = 1`, false},
	{`copy (delete from orders returning 1) to stdout`, false},
	{`do $$ begin delete from orders; end $$`, false},
	{`select purge('x')`, false},
	{`merge into orders o using customers c on true when matched then delete`, false},
	{`merge into orders o using customers c on o.id = c.id when not matched by source then delete`, false},
	{`create rule r as on insert to notes do also delete from orders`, false},

	{`select 1`, true},
	{`delete from orders where id = 1`, true},
	{`delete from orders where id = $1`, true},
	{`delete from orders where 1 = 2`, true},
	{`delete from orders where false`, true},
	{`delete from orders where id is null`, true},
	{`delete from orders where note is not null`, true},
	{`delete from orders where ctid = '(0,1)'`, true},
	{`delete from orders where current of c`, true},
	{`delete from orders o using customers c where o.customer_id = c.id`, true},
	{`delete from orders where note like 'a%'`, true},
	{`update orders set total = 1 where id in (select id from notes where note = 'x')`, true},
	{`merge into orders o using customers c on o.id = c.id when matched then delete`, true},
	{`merge into orders o using customers c on o.id = c.id when not matched by source and o.note = 'x' then delete`, true},
	{`call clean('x')`, true},
	{`insert into orders (id) values (1) on conflict (id) do update set total = 1`, true},
}

func TestHasWhere(t *testing.T) {
	for _, tt := range whereTests {
		if got := facts(t, tt.sql).HasWhere; got != tt.want {
			t.Errorf("%s: HasWhere %v, want %v", tt.sql, got, tt.want)
		}
	}
}

func TestFilters(t *testing.T) {
	for sql, want := range map[string]string{
		`select name from customers where ssn = '1'`:                                  "ssn where=",
		`select name from customers where ssn = $1 and email like 'a%'`:               "ssn where= email where",
		`select name from customers where ssn in ('1', $2)`:                           "ssn where=",
		`select name from customers where ssn = '1' or true`:                          "ssn where",
		`select name from customers where upper(ssn) = 'X'`:                           "ssn where",
		`select name from customers order by ssn`:                                     "ssn order",
		`select name, ssn from customers order by 2`:                                  "ssn order",
		`select ssn as z from customers order by z`:                                   "ssn order",
		`select 1 from customers group by ssn having max(email) > 'x'`:                "ssn group email having",
		`select distinct ssn from customers`:                                          "ssn distinct",
		`select distinct on (ssn) name from customers`:                                "ssn distinct",
		`select case when ssn > '5' then 1 end from customers`:                        "ssn case",
		`select 1 from orders limit (select max(ssn)::int from customers)`:            "ssn limit",
		`select rank() over (order by ssn) from customers`:                            "ssn window",
		`select 1 from orders o join customers c on c.ssn = o.note`:                   "ssn join note join",
		`select 1 from events natural join people`:                                    "id join id join id join ssn join ssn join ssn join",
		`select 'x' intersect select ssn from customers`:                              "ssn setop",
		`select 1 from customers c, generate_series(1, c.ssn::int)`:                   "ssn function",
		`select (select count(*) from customers where ssn like '1%')`:                 "ssn where",
		`update orders set total = 1 where note in (select ssn from customers)`:       "ssn where note where",
		`select find_ssn('x')`:                                                        "name where",
		`select who from customer_names`:                                              "",
		`insert into customers (ssn) values ('1') on conflict (ssn) do nothing`:       "ssn conflict",
		`select ssn from customers where id = 1`:                                      "id where=",
		`select ssn from customers where id = 1::int and '2' = name`:                  "id where= name where=",
		`select count(*) filter (where ssn = '1') from customers`:                     "ssn where=",
		`delete from orders using customers c where c.ssn = '1' and c.id = orders.id`: "ssn where= id where id where",
	} {
		var got []string
		for _, u := range facts(t, sql).Filters {
			s := u.Column.Column + " " + string(u.Clause)
			if u.Equality {
				s += "="
			}
			got = append(got, s)
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s:\n got %q\nwant %q", sql, g, want)
		}
	}
}

func TestFlows(t *testing.T) {
	for sql, want := range map[string]string{
		`insert into notes (id, note) select id, ssn from customers`:                              "id>notes.id ssn>notes.note",
		`insert into notes select id, ssn from customers`:                                         "id>notes.id ssn>notes.note",
		`update orders set note = (select ssn from customers limit 1)`:                            "ssn>orders.note",
		`update orders set (note, total) = (select ssn, id from customers limit 1)`:               "ssn>orders.note id>orders.total",
		`update orders set (note, total) = row(c.ssn, 1) from customers c where c.id = orders.id`: "ssn>orders.note",
		`create table x as select ssn as y from customers`:                                        "ssn>public.x.y",
		`create table x(z) as select ssn from customers`:                                          "ssn>public.x.z",
		`select upper(ssn) as u into temp x from customers`:                                       "ssn>pg_temp.x.u",
		`copy customers (ssn) to '/tmp/x'`:                                                        "ssn>file",
		`select pg_notify('c', ssn) from customers`:                                               "ssn>notify",
		`select set_config('a.b', ssn, false) from customers`:                                     "ssn>setting",
		`select pg_sleep(ssn::int) from customers`:                                                "ssn>function pg_sleep",
		`merge into orders o using customers c on o.id = c.id when matched then update set note = c.ssn when not matched then insert (note) values (c.email)`: "ssn>orders.note email>orders.note",
		`insert into orders (id, note) values (1, 'x') on conflict (id) do update set note = (select ssn from customers limit 1)`:                             "ssn>orders.note",
		`do $$ declare v text; begin select ssn into v from customers; update orders set note = v where id = 1; end $$`:                                       "ssn>routine id>routine",
		`do $$ declare v text; begin select ssn into v from customers; raise notice '%', v; end $$`:                                                           "ssn>notice",
		`insert into notes select * from missing_table`:                                                                                                       "?>notes ?>notes.id",
		`create view v as select ssn from customers`:                                                                                                          "",
	} {
		var got []string
		for _, fl := range facts(t, sql).Flows {
			to := fl.Target
			if fl.To.Relation != 0 {
				to = fl.To.Table + "." + fl.To.Column
			}
			from := fl.From.Column
			if fl.Opaque {
				from = "?"
			}
			got = append(got, from+">"+to)
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s:\n got %q\nwant %q", sql, g, want)
		}
	}
}
