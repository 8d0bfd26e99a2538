package sqlclass

import "testing"

// Result columns are written name=sources, * marks a direct column, ? an opaque one.
var lineageTests = []struct{ sql, want string }{
	{`select * from customers`, `id=customers.id* name=customers.name* ssn=customers.ssn* email=customers.email* address=customers.address*`},
	{`select ssn as "x" from customers`, `x=customers.ssn*`},
	{`select c.ssn from public.customers c`, `ssn=customers.ssn*`},
	{`select public.customers.ssn from customers`, `ssn=customers.ssn*`},
	{`select shop.public.customers.ssn from customers`, `ssn=customers.ssn*`},
	{`select ssn || 'x' from customers`, `?column?=customers.ssn`},
	{`select ssn::varchar(4) from customers`, `ssn=customers.ssn`},
	{`select substring(ssn from 1 for 3) from customers`, `substring=customers.ssn`},
	{`select concat('a', ssn, name) from customers`, `concat=customers.name,customers.ssn`},
	{`select row_to_json(c) from customers c`, `row_to_json=customers.address,customers.email,customers.id,customers.name,customers.ssn`},
	{`select c from customers c`, `c=customers.address,customers.email,customers.id,customers.name,customers.ssn`},
	{`select c.*::text from customers c`, `c=customers.address,customers.email,customers.id,customers.name,customers.ssn`},
	{`select customers::text from customers`, `customers=customers.address,customers.email,customers.id,customers.name,customers.ssn`},
	{`select (c).ssn from customers c`, `ssn=customers.ssn*`},
	{`select ssn(c) from customers c`, `ssn=customers.ssn*`},
	{`select c.row_to_json from customers c`, `row_to_json=customers.address,customers.email,customers.id,customers.name,customers.ssn`},
	{`select (select c).ssn from customers c`, `ssn=customers.address,customers.email,customers.id,customers.name,customers.ssn`},
	{`select (c).* from customers c`, `id=customers.id* name=customers.name* ssn=customers.ssn* email=customers.email* address=customers.address*`},
	{`select (address).* from customers`, `street=customers.address city=customers.address`},
	{`select (c.address).street from customers c`, `street=customers.address`},
	{`select max(ssn), count(ssn), count(*) from customers`, `max=customers.ssn count=customers.ssn count=`},
	{`select count(*) filter (where ssn like '1%') from customers`, `count=customers.ssn`},
	{`select string_agg(name, ',' order by ssn) from customers`, `string_agg=customers.name,customers.ssn`},
	{`select percentile_cont(0.5) within group (order by ssn) from customers`, `percentile_cont=customers.ssn`},
	{`select case when ssn = '1' then name else 'x' end from customers`, `case=customers.name,customers.ssn`},
	{`select case ssn when '1' then 1 end from customers`, `case=customers.ssn`},
	{`select coalesce(name, ssn) from customers`, `coalesce=customers.name,customers.ssn`},
	{`select greatest(id, ssn), nullif(ssn, '1') from customers`, `greatest=customers.id,customers.ssn nullif=customers.ssn`},
	{`select (select ssn from customers limit 1)`, `ssn=customers.ssn`},
	{`select array(select ssn from customers)`, `array=customers.ssn`},
	{`select exists(select 1 from customers where ssn = '1')`, `exists=customers.ssn`},
	{`select 1 where '1' in (select ssn from customers)`, `?column?=`},
	{`select '1' in (select ssn from customers)`, `?column?=customers.ssn`},
	{`select (select count(*) from customers where ssn like '1%')`, `count=customers.ssn`},
	{`select row(id, ssn) from customers`, `row=customers.id,customers.ssn`},
	{`select array[ssn] from customers`, `array=customers.ssn`},
	{`select s.x from (select ssn as x from customers) s`, `x=customers.ssn*`},
	{`select upper from (select upper(ssn) from customers) s`, `upper=customers.ssn`},
	{`select s.a from (select ssn from customers) s(a)`, `a=customers.ssn*`},
	{`select * from (select id, ssn from customers) as s(a)`, `a=customers.id* ssn=customers.ssn*`},
	{`with c as (select ssn from customers) select * from c`, `ssn=customers.ssn*`},
	{`with c(z) as (select ssn from customers) select z from c`, `z=customers.ssn*`},
	{`with customers as (select 1 as ssn) select ssn from customers`, `ssn=`},
	{`with customers as (select 1 as ssn) select ssn from public.customers`, `ssn=customers.ssn*`},
	{`with recursive r(n, s) as (select 1, 'x' union all select n + 1, ssn from r, customers) select s, n from r`, `s=customers.ssn n=`},
	{`with recursive r(a, b, c) as (select 1, 'y', ssn from customers union all select a, c, b from r) select b, a from r`, `b=customers.ssn a=`},
	{`with recursive a as (select * from b), b as (select ssn from customers) select * from a`, `ssn=customers.ssn*`},
	{`with recursive t(id, ssn) as (select id, ssn from customers union all select id, ssn from t) search depth first by ssn set o select o from t`, `o=customers.id,customers.ssn`},
	{`select name from customers union select ssn from customers`, `name=customers.name,customers.ssn`},
	{`select name, 1 from customers union all select 'a', id from orders`, `name=customers.name ?column?=orders.id`},
	{`select 'x' intersect select ssn from customers`, `?column?=customers.ssn`},
	{`values (1, (select ssn from customers))`, `column1= column2=customers.ssn`},
	{`select column2 from (values (1, (select ssn from customers))) v`, `column2=customers.ssn`},
	{`table customers`, `id=customers.id* name=customers.name* ssn=customers.ssn* email=customers.email* address=customers.address*`},
	{`select * from orders o join customers c using (id)`, `id=customers.id,orders.id* customer_id=orders.customer_id* total=orders.total* note=orders.note* name=customers.name* ssn=customers.ssn* email=customers.email* address=customers.address*`},
	{`select note from orders natural join notes`, `note=notes.note,orders.note*`},
	{`select j.note, j.id from (orders natural join notes) j`, `note=notes.note,orders.note* id=notes.id,orders.id*`},
	{`select x.id from orders join notes using (id) as x`, `id=notes.id,orders.id*`},
	{`select l.s from orders o, lateral (select ssn as s from customers c where c.id = o.customer_id) l`, `s=customers.ssn*`},
	{`select x from customers c, lateral (select c.ssn as x) l`, `x=customers.ssn*`},
	{`select (select c.ssn) from customers c`, `ssn=customers.ssn`},
	{`select g from customers c, generate_series(1, c.ssn::int) g`, `g=customers.ssn`},
	{`select * from unnest(array(select ssn from customers)) with ordinality as u(v, n)`, `v=customers.ssn n=`},
	{`select key, value from customers c, json_each(to_json(c)) as j`, `key=customers.address,customers.email,customers.id,customers.name,customers.ssn value=customers.address,customers.email,customers.id,customers.name,customers.ssn`},
	{`select * from rows from (generate_series(1,2), unnest(array[1])) as r(a,b)`, `a= b=`},
	{`select x.v from customers c, xmltable('/r' passing c.ssn columns v text path 'v') x`, `v=customers.ssn`},
	{`select jt.a from customers c, json_table(c.ssn, '$' columns (a text path '$.a')) jt`, `a=customers.ssn`},
	{`select json_value(ssn, '$.a') from customers`, `json_value=customers.ssn`},
	{`select json_object('k' : ssn) from customers`, `json_object=customers.ssn`},
	{`select json_arrayagg(ssn) from customers`, `json_arrayagg=customers.ssn`},
	{`select xmlelement(name x, ssn) from customers`, `xmlelement=customers.ssn`},
	{`select row_number() over (order by ssn) from customers`, `row_number=customers.ssn`},
	{`select rank() over w from customers window w as (partition by ssn)`, `rank=customers.ssn`},
	{`select id, ssn from customers group by grouping sets ((id), (ssn))`, `id=customers.id* ssn=customers.ssn*`},
	{`select who, up from customer_names`, `who=customers.name* up=customers.ssn`},
	{`select * from names2`, `who=customers.name* up=customers.ssn`},
	{`select ssn, total from totals`, `ssn=customers.ssn* total=orders.total`},
	{`select ssn from events_2024`, `ssn=events.ssn,events_2024.ssn*`},
	{`select ssn from events`, `ssn=events.ssn,events_2024.ssn*`},
	{`select ssn from only events`, `ssn=events.ssn*`},
	{`select * from people`, `id=people.id* ssn=people.ssn* tail=people.ssn,people.tail* last=people.last*`},
	{`select ctid, xmin from customers`, `ctid= xmin=`},
	{`insert into notes (id, note) values (1, 'x') returning *`, `id=notes.id* note=notes.note*`},
	{`insert into notes (id, note) select id, ssn from customers returning note`, `note=customers.ssn,notes.note`},
	{`update orders set note = (select ssn from customers limit 1) where id = 1 returning note, total`, `note=customers.ssn,orders.note total=orders.total*`},
	{`update orders o set note = c.ssn from customers c where c.id = o.id returning c.email, o.note`, `email=customers.email* note=customers.ssn,orders.note`},
	{`delete from customers where id = 1 returning ssn, old.ssn`, `ssn=customers.ssn* ssn=customers.ssn*`},
	{`merge into orders o using customers c on o.id = c.id when matched then update set note = c.ssn returning o.note`, `note=customers.ssn,orders.note`},
	{`with d as (delete from customers where id = 1 returning ssn) select ssn from d`, `ssn=customers.ssn*`},
	{`select find_ssn('x')`, `find_ssn=customers.name,customers.ssn`},
	{`select double(ssn) from customers`, `double=customers.ssn`},
	{`select ssn from rows()`, `ssn=customers.address,customers.email,customers.id,customers.name,customers.ssn`},
	{`select atomic()`, `atomic=customers.ssn`},
	{`select dynamic('x')`, `dynamic=?`},
	{`select py(ssn) from customers`, `py=customers.ssn?`},
	{`select loop('x')`, `loop=`},
	{`select query_to_xml('select 1', true, true, '')`, `query_to_xml=?`},
	{`select 'a' <->> 'b'`, `?column?=?`},
	{`select x from missing_table`, `x=?`},
	{`select * from missing_table`, `unknown`},
	{`select t.x from (select * from missing_table) t`, `x=?`},
	{`select a from missing_table m(a)`, `a=?`},
	{`copy customers (id, ssn) to stdout`, `id=customers.id* ssn=customers.ssn*`},
	{`copy people to stdout`, `id=people.id* ssn=people.ssn* last=people.last*`},
	{`copy (select ssn from customers) to stdout`, `ssn=customers.ssn*`},
	{`explain select * from customers`, `QUERY PLAN=`},
	{`show search_path`, `search_path=`},
	{`select mixed.ssn from (customers natural join people) mixed`, `ssn=customers.ssn,people.ssn*`},
	{`select current_user, localtime, user, current_date`, `current_user= localtime= user= current_date=`},
	{`select extract(year from ssn::date) from customers`, `extract=customers.ssn`},
	{`select ssn collate "C", -ssn::int, not (ssn = '1'), ssn is null from customers`, `ssn=customers.ssn ?column?=customers.ssn ?column?=customers.ssn ?column?=customers.ssn`},
}

func TestLineage(t *testing.T) {
	for _, tt := range lineageTests {
		t.Run(tt.sql, func(t *testing.T) {
			if got := outputWords(facts(t, tt.sql)); got != tt.want {
				t.Errorf("output\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCursorAndPreparedCarryLineage(t *testing.T) {
	declared := facts(t, `declare c cursor for select ssn, name from customers`)
	prepared := facts(t, `prepare p(int) as select upper(ssn) from customers where id = $1`)
	s := publicSession()
	s.Cursor = func(name string) *Facts { return map[string]*Facts{"c": declared}[name] }
	s.Prepared = func(name string) *Facts { return map[string]*Facts{"p": prepared}[name] }
	for sql, want := range map[string]string{
		`fetch all from c`: `ssn=customers.ssn* name=customers.name*`,
		`execute p(1)`:     `upper=customers.ssn`,
		`fetch all from d`: `unknown`,
		`execute q`:        `unknown`,
	} {
		f := factsIn(t, sql, s)
		if got := outputWords(f); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
		if want == "unknown" && (len(f.Unresolved) == 0 || !f.Opaque || !f.Write) {
			t.Errorf("%s: an unknown name must be unresolved and opaque: %+v", sql, f)
		}
	}
	f := factsIn(t, `create table x as execute p(1)`, s)
	if len(f.Flows) != 1 || f.Flows[0].From.Column != "ssn" {
		t.Errorf("create table as execute: flows %+v", f.Flows)
	}
}
