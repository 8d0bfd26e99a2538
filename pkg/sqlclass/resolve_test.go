package sqlclass

import (
	"slices"
	"testing"
)

// TestResolution says which names are taken for missing, and of which kind.
func TestResolution(t *testing.T) {
	for sql, want := range map[string][]Name{
		`create table node (id int primary key, parent int references node)`:                                                               nil,
		`create table node (id int primary key, parent int, foreign key (parent) references node (id))`:                                    nil,
		`create temp table node (id int primary key, parent int references node)`:                                                          nil,
		`create table node (id int primary key, parent int references public.node)`:                                                        nil,
		`create table node (id int primary key, parent int references other.node)`:                                                         {{"relation", "other.node"}},
		`create table node (id int references nothing)`:                                                                                    {{"relation", "nothing"}},
		`select inet('10.0.0.1'), pg_catalog.regtype('int4'), uuid('x')`:                                                                   nil,
		`select inet('10.0.0.1', 2)`:                                                                                                       {{"function", "inet"}},
		`select nosuchtype('x')`:                                                                                                           {{"function", "nosuchtype"}},
		`create schema s create table t (a int) create view v as select a from t create index on t (a) create view w as select * from s.v`: nil,
		`create schema s create view v as select a from t`:                                                                                 {{"relation", "t"}},
		`alter table if exists nothing rename to other`:                                                                                    nil,
		`alter index if exists nothing rename to other`:                                                                                    nil,
		`alter table if exists nothing set schema other`:                                                                                   nil,
		`alter table nothing rename to other`:                                                                                              {{"relation", "nothing"}},
		`select x.id from customers`:                                                                                                       {{"from", "x"}},
		`select x.* from customers`:                                                                                                        {{"from", "x"}},
		`select nosuch from customers`:                                                                                                     {{"column", "nosuch"}},
		`select customers.nosuch from customers`:                                                                                           {{"column", "nosuch"}},
	} {
		b, err := classifier(t).Classify(sql, shop(t), publicSession())
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if got := b.Statements[0].Unresolved; !slices.Equal(got, want) {
			t.Errorf("%s: unresolved %v, want %v", sql, got, want)
		}
	}
}

// TestCastsKeepTheirSource sees that a cast that is written like a function hides nothing.
func TestCastsKeepTheirSource(t *testing.T) {
	b, err := classifier(t).Classify(`select uuid(ssn) from customers`, shop(t), publicSession())
	if err != nil {
		t.Fatal(err)
	}
	out := b.Statements[0].Output[0]
	if out.Direct || len(out.Sources) != 1 || out.Sources[0].Column != "ssn" {
		t.Errorf("%+v", out)
	}
}

// TestPinnedSetting follows pg_dump's way to change a setting, and nothing that only resembles it.
func TestPinnedSetting(t *testing.T) {
	settings := Relation{OID: 9999, Schema: "pg_catalog", Name: "pg_settings", Kind: 'v', Columns: []Column{{Num: 1, Name: "name"}, {Num: 2, Name: "setting"}}}
	cat, err := NewCatalog(Snapshot{Relations: []Relation{settings, {OID: 10000, Schema: "public", Name: "pg_settings2", Kind: 'r', Columns: []Column{{Num: 1, Name: "name"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for sql, known := range map[string]bool{
		`select set_config(name, 'view', false) from pg_settings where name = 'x'`:                                                         true,
		`select pg_catalog.set_config(name, 'view', false) from pg_catalog.pg_settings where name = 'x'`:                                   true,
		`select set_config(name, 'view', false) from pg_settings where name = 'x' or true`:                                                 false,
		`select set_config(name, 'view', false) from pg_settings where name <> 'x'`:                                                        false,
		`select set_config(name, 'view', false) from pg_settings where name = setting`:                                                     false,
		`select set_config(name, 'view', false) from pg_settings where setting = 'x'`:                                                      false,
		`select set_config(setting, 'view', false) from pg_settings where name = 'x'`:                                                      false,
		`select set_config(name, 'view', false) from pg_settings`:                                                                          false,
		`select set_config(name, 'view', false) from pg_settings2 where name = 'x'`:                                                        false,
		`select set_config(name, 'view', false) from pg_settings s(setting, name) where name = 'x'`:                                        false,
		`select set_config(name, setting, false) from pg_settings where name = 'x'`:                                                        false,
		`select set_config(upper(name), 'view', false) from pg_settings where name = 'x'`:                                                  false,
		`select set_config(name, 'v', false) from pg_settings where name = 'x' union select set_config(name, 'v', false) from pg_settings`: false,
	} {
		b, err := classifier(t).Classify(sql, cat, publicSession())
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		sets := b.Statements[0].Sets
		if len(sets) == 0 || sets[0].Unknown == known || known && sets[0].Name != "x" {
			t.Errorf("%s: %+v", sql, sets)
		}
	}
}
