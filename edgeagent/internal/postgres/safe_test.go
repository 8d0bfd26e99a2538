package postgres

import "testing"

// A function that somebody vouches for passes on what its arguments may show, and no more
// is assumed of it.
func TestSafeFunctions(t *testing.T) {
	l := newLab(t)
	l.control.principal.Groups = []string{"agents", "dba"}
	l.pg.Exec(t, "shop", `CREATE FUNCTION slug(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT lower($1)' INTO t USING t; RETURN t; END $$`)
	query := "SELECT slug(name), slug(email) FROM customers WHERE id = 1"
	rows, err := simple(l.connect(""), query)
	if err == nil && rows[0][0] != "***" {
		t.Errorf("a function nobody vouches for shows %q", rows[0])
	}
	next := *l.resource
	next.SafeFunctions, next.Version = []string{"public.slug"}, 2
	l.resource = &next
	if err := l.server.SetResources([]*Resource{l.resource}, nil); err != nil {
		t.Fatal(err)
	}
	rows, err = simple(l.connect(""), query)
	if err != nil {
		t.Fatal(err)
	}
	if rows[0][0] != "ann" || rows[0][1] != "***" {
		t.Errorf("got %q", rows[0])
	}
}
