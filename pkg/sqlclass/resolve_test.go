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
