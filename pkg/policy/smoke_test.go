package policy

import (
	"testing"
	"time"
)

func TestSmoke(t *testing.T) {
	t0 := time.Now()
	s, err := Compile(Starter())
	t.Log(time.Since(t0))
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.For(Principal{Kind: "agent", ID: "a", Groups: []string{"agents"}}, Resource{Name: "shop", Labels: map[string]string{"env": "prod"}}, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	m := Moment{Now: time.Now()}
	r := ResourceName("shop")
	o := r.Table("public", "orders", TableInfo{})
	f := Statement{Kind: "delete"}.Facts()
	t.Logf("%+v", e.Decide(m, f, Question{Action: SQLDelete, Entity: o}))
	m.Approvals = []Approval{{1, "dba"}}
	t.Logf("%+v", e.Decide(m, f, Question{Action: SQLDelete, Entity: o}))
	t.Logf("%+v", e.Decide(m, f, Question{Action: SQLDrop, Entity: o}))
	t.Logf("%+v", e.Decide(m, f, Question{Action: SQLSelect, Entity: o}))
	t.Logf("%+v", e.Decide(m, nil, Question{Action: SessionOpen, Entity: r.Itself()}))
	t.Logf("%+v", e.Reveal(m, f, r.Column("public", "customers", "email", TableInfo{}, "pii")))
	b := Bundle{Files: map[string][]byte{"a.cedar": []byte(`@id("a")
permit(principal, action == Action::"sql:select", resource in DataClass::"pii");
@id("b") @maks("x") forbid(principal, action == Action::"sql:delte", resource);
@id("c") forbid(principal, action == Action::"sql:delete", resource) when { context.wher && context.rows == "x" };
@id("c") permit(principal, action in Action::"sql:all", resource) when { principal.foo || principal is Robot };
permit(principal, action, resource) when { context.duration_seconds > 3 };
`), "b.cedar": []byte("permit (principal, action, resource) when { context.where ;\n")}}
	_, err = Compile(b)
	t.Log(err)
}
