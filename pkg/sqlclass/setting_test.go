package sqlclass

import (
	"fmt"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	for sql, want := range map[string]string{
		`set search_path to a, "B"`:                                  "session search_path=a,B",
		`set local Search_Path = 'x'`:                                "local search_path=x",
		`set schema 'x'`:                                             "session search_path=x",
		`set names 'latin1'`:                                         "session client_encoding=latin1",
		`set time zone 'UTC'`:                                        "session timezone=UTC",
		`set standard_conforming_strings = off`:                      "session standard_conforming_strings=off",
		`set work_mem to default`:                                    "session work_mem= reset",
		`reset work_mem`:                                             "session work_mem= reset",
		`reset all`:                                                  "session = reset all",
		`discard all`:                                                "session = reset all",
		`set role bob`:                                               "session role=bob",
		`set role none`:                                              "session role=none",
		`set session authorization bob`:                              "session session_authorization=bob",
		`set session authorization default`:                          "session session_authorization= reset",
		`set transaction isolation level serializable`:               "local transaction_isolation=serializable",
		`set session characteristics as transaction read only`:       "session default_transaction_read_only=1",
		`begin read write`:                                           "local transaction_read_only=0",
		`select set_config('search_path', 'x', false)`:               "session search_path=x",
		`select set_config('Role', 'x', true)`:                       "local role=x",
		`select set_config(name, 'x', false) from customers`:         "session =x unknown",
		`select set_config('role', name, false) from customers`:      "session role= unknown",
		`select pg_catalog.set_config($1, 'x', false)`:               "session =x unknown",
		`with x as (select set_config('role', 'y', false)) select 1`: "session role=y",
		`update pg_settings set setting = 'x' where name = 'role'`:   "session = unknown",
		`alter role bob set search_path = x`:                         "role search_path=x",
		`alter system set work_mem = 1`:                              "system work_mem=1",
		`create function f() returns int language sql set role = x as 'select 1'`: "function role=x",
		`do $$ begin set role bob; end $$`:                                        "session role=bob",
		`do $$ begin perform set_config('role', 'x', false); end $$`:              "session role=x",
		`select 1`: "",
	} {
		var got []string
		for _, e := range facts(t, sql).Sets {
			s := fmt.Sprintf("%s %s=%s", e.Scope, e.Name, strings.Join(e.Values, ","))
			for word, on := range map[string]bool{" reset": e.Reset} {
				if on {
					s += word
				}
			}
			if e.All {
				s += " all"
			}
			if e.Unknown {
				s += " unknown"
			}
			got = append(got, s)
		}
		if g := strings.Join(got, "; "); g != want {
			t.Errorf("%s: got %q, want %q", sql, g, want)
		}
	}
}

func TestFunctionFlags(t *testing.T) {
	tests := []struct {
		sql                                 string
		danger, large, opaque, write, build bool
	}{
		{sql: `select upper('x')`, build: true},
		{sql: `select pg_read_file('/etc/passwd')`, danger: true, opaque: true, build: true},
		{sql: `select public.sneaky('/etc/passwd')`, danger: true, opaque: true},
		{sql: `select lo_export(1, '/tmp/x')`, danger: true, large: true, opaque: true, write: true, build: true},
		{sql: `select pg_terminate_backend(1)`, danger: true, write: true, build: true},
		{sql: `select query_to_xml('select 1', true, true, '')`, danger: true, opaque: true, build: true},
		{sql: `select py('x')`, opaque: true, write: true},
		{sql: `select dynamic('x')`, opaque: true, write: true},
		{sql: `select find_ssn('x')`},
		{sql: `select purge('x')`, write: true},
		{sql: `select dblink('host=x', 'select 1')`, danger: true, opaque: true, write: true},
		{sql: `select unheard_of(1)`, opaque: true, write: true},
		{sql: `select 'a' <->> 'b'`, opaque: true, write: true},
	}
	for _, tt := range tests {
		f := facts(t, tt.sql)
		fn := f.Functions[len(f.Functions)-1]
		if fn.Dangerous != tt.danger || fn.LargeObject != tt.large || fn.Opaque != tt.opaque || fn.Writes != tt.write || fn.Builtin != tt.build {
			t.Errorf("%s: %+v", tt.sql, fn)
		}
	}
}

// A function of the path hides nothing: all candidates count, so that a user's function of a builtin's
// name cannot pass for it.
func TestShadowingFunctionIsOpaque(t *testing.T) {
	s := &Session{Path: NewPath("private", "public", "pg_catalog")}
	f := factsIn(t, `select upper(ssn) from customers`, s)
	if !f.Output[0].Opaque || !f.Functions[0].Opaque || f.Functions[0].Builtin {
		t.Errorf("shadowed upper: %+v", f.Functions[0])
	}
}

// A name that only the newer grammar knows may be a function of the user's on the server.
func TestNewerSyntaxMayBeAFunction(t *testing.T) {
	snap := shopSnapshot()
	snap.Functions = append(snap.Functions, Function{OID: 99, Schema: "public", Name: "json_scalar", Kind: 'f', Language: "plpython3u",
		Args: []Arg{{Mode: ModeIn}}})
	cat, err := NewCatalog(snap)
	if err != nil {
		t.Fatal(err)
	}
	b, err := classifier(t).Classify(`select json_scalar(1)`, cat, publicSession())
	if err != nil {
		t.Fatal(err)
	}
	if f := b.Statements[0]; !f.Output[0].Opaque || !f.Write {
		t.Errorf("json_scalar of the user's: %+v", f)
	}
}

func TestShadowingRelationFollowsPath(t *testing.T) {
	snap := shopSnapshot()
	snap.Relations = append(snap.Relations, table(29000, "private", "customers", "ssn"), table(29001, "pg_catalog", "orders", "x"))
	cat, err := NewCatalog(snap)
	if err != nil {
		t.Fatal(err)
	}
	temp := table(29002, "pg_temp_3", "customers", "ssn")
	tests := []struct {
		sql  string
		s    *Session
		want uint32
	}{
		{`select * from customers`, &Session{Path: NewPath("public", "private")}, oidCustomers},
		{`select * from customers`, &Session{Path: NewPath("private", "public")}, 29000},
		{`select * from orders`, &Session{Path: NewPath("public")}, 29001},
		{`select * from orders`, &Session{Path: NewPath("public", "pg_catalog")}, oidOrders},
		{`select * from customers`, &Session{Path: NewPath("public"), Temp: []*Relation{&temp}, TempKey: 1}, 29002},
		{`select * from pg_temp.customers`, &Session{Path: NewPath("public"), Temp: []*Relation{&temp}, TempKey: 1}, 29002},
		{`select * from customers`, &Session{Path: NewPath("public", "pg_temp"), Temp: []*Relation{&temp}, TempKey: 1}, oidCustomers},
		{`select * from other.public.customers`, &Session{Path: NewPath("public")}, 0},
	}
	for _, tt := range tests {
		b, err := classifier(t).Classify(tt.sql, cat, tt.s)
		if err != nil {
			t.Fatal(err)
		}
		f := b.Statements[0]
		if f.Accesses[0].OID != tt.want || (tt.want == 0) != (len(f.Unresolved) > 0) {
			t.Errorf("%s under %v: %+v", tt.sql, tt.s.Path, f.Accesses[0])
		}
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	for _, sql := range []string{
		`alter role bob password 'hunter2'`,
		`create user bob with encrypted password 'hunter2' valid until '2030-01-01'`,
		`create user mapping for bob server s options (user 'x', password 'hunter2')`,
		`alter user mapping for bob server s options (set password 'hunter2')`,
		`create server s foreign data wrapper w options (host 'h', api_key 'hunter2')`,
		`create subscription s connection 'password=hunter2' publication p`,
		`alter subscription s connection 'password=hunter2'`,
		`alter system set primary_conninfo = 'password=hunter2'`,
		`set app.token = 'hunter2'`,
		`select dblink_connect('password=hunter2')`,
		`select crypt('hunter2', 'x')`,
		`do $x$ begin alter role bob password 'hunter2'; end $x$`,
		`do $x$ begin execute 'alter role bob password ''hunter2'''; end $x$`,
		`do $x$ begin execute 'alter role bob pass' || 'word ''hunter2'''; alter role x password 'y'; end $x$`,
		`explain select crypt('hunter2', 'x')`,
		`prepare p as select crypt('hunter2', 'x')`,
		`create function f() returns void language plpgsql as $$ begin alter role bob password 'hunter2'; end $$`,
	} {
		f := facts(t, sql)
		if !f.Secret || strings.Contains(f.RedactedText(), "hunter2") || strings.Contains(f.Normalized, "hunter2") {
			t.Errorf("%s: secret %v, redacted %q, normalized %q", sql, f.Secret, f.RedactedText(), f.Normalized)
		}
	}
	f := facts(t, `select 'hunter2'`)
	if f.Secret || f.RedactedText() != f.Text {
		t.Errorf("a plain literal is no credential: %q", f.RedactedText())
	}
}

func TestCopyOptions(t *testing.T) {
	tests := map[string]CopyFacts{
		`copy customers to stdout`: {Client: true, Format: "text", Delimiter: "\t", Null: `\N`},
		`copy customers to stdout (format csv, header, force_quote (ssn), delimiter ';', null 'N', quote '''', escape '\', encoding 'UTF8')`: {
			Client: true, Format: "csv", Delimiter: ";", Null: "N", Quote: "'", Escape: `\`, Header: true, Encoding: "UTF8", ForceQuote: []string{"ssn"}},
		`copy customers to stdout with csv header force quote *`: {Client: true, Format: "csv", Delimiter: ",", Quote: `"`, Escape: `"`, Header: true, ForceAll: true},
		`copy customers to stdout binary`:                        {Client: true, Format: "binary", Delimiter: "\t", Null: `\N`},
		`copy customers from '/x' (freeze, newfangled 1)`:        {File: true, Format: "text", Delimiter: "\t", Null: `\N`, Freeze: true, Unknown: true},
		`copy customers to program 'x'`:                          {Program: true, Format: "text", Delimiter: "\t", Null: `\N`},
	}
	for sql, want := range tests {
		if got := facts(t, sql).Copy; fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s:\n got %+v\nwant %+v", sql, *got, want)
		}
	}
}

func TestSensitiveRelations(t *testing.T) {
	for sql, want := range map[string]bool{`select * from pg_stats`: true, `select query from pg_stat_activity`: true, `select * from customers`: false} {
		if a := facts(t, sql).Accesses[0]; a.Sensitive != want || a.System != want {
			t.Errorf("%s: %+v", sql, a)
		}
	}
}
