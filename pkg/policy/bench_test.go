package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// teamPolicies writes five policies per team, as a company with many teams would have them:
// two permits, a hold, a mask for everybody but the team, and a forbid.
func teamPolicies(teams int) Bundle {
	var b strings.Builder
	for i := range teams {
		fmt.Fprintf(&b, `
@id("t%[1]d-read") permit (principal in Group::"team-%[1]d", action in Action::"sql:read", resource in Schema::"db-%[2]d/app_%[1]d");
@id("t%[1]d-write") permit (principal in Group::"team-%[1]d", action in Action::"sql:write", resource in Schema::"db-%[2]d/app_%[1]d");
@id("t%[1]d-delete") @approval("2 of dba")
forbid (principal in Group::"team-%[1]d", action in [Action::"sql:delete", Action::"sql:truncate"], resource in Label::"env=prod")
when { !context.where || context.rows > 100 } unless { context.approved };
@id("t%[1]d-pii") @mask("partial:4")
forbid (principal, action == Action::"sql:reveal", resource in DataClass::"team-%[1]d")
unless { principal in Group::"team-%[1]d" };
@id("t%[1]d-night") @reason("not at night")
forbid (principal, action in Action::"sql:write", resource in Schema::"db-%[2]d/app_%[1]d") when { context.hour < 4 };
`, i, i%10)
	}
	b.WriteString(`@id("reveal") permit (principal, action == Action::"sql:reveal", resource);`)
	return oneFile(b.String())
}

func benchEvaluator(b *testing.B, policies int) *Evaluator {
	b.Helper()
	set, err := Compile(teamPolicies(policies / 5))
	if err != nil {
		b.Fatal(err)
	}
	return evaluatorIn(b, set)
}

func evaluatorIn(b *testing.B, set *Set) *Evaluator {
	e, err := set.For(
		Principal{Kind: KindAgent, ID: "a", Groups: []string{"team-1", "team-2", "team-3", "team-11", "everybody"}},
		Resource{Name: "db-1", Labels: map[string]string{"env": "prod", "region": "eu"}}, Origin{})
	if err != nil {
		b.Fatal(err)
	}
	return e
}

func benchSizes(b *testing.B, run func(b *testing.B, e *Evaluator)) {
	for _, n := range []int{200, 1000} {
		e := benchEvaluator(b, n)
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) { run(b, e) })
	}
}

var benchMoment = Moment{Now: time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)}

func BenchmarkSelect(b *testing.B) {
	benchSizes(b, func(b *testing.B, e *Evaluator) {
		f := Statement{Kind: "select", Tables: []string{"app_1.orders"}}.Facts()
		q := Question{Action: SQLSelect, Entity: ResourceName("db-1").Table("app_1", "orders", TableInfo{})}
		benchDecide(b, e, f, q, Allow)
	})
}

func BenchmarkDelete(b *testing.B) {
	benchSizes(b, func(b *testing.B, e *Evaluator) {
		f := Statement{Kind: "delete", Where: true, Tables: []string{"app_1.orders"}}.Facts()
		m := benchMoment
		m.Rows = KnownRows(3)
		q := Question{Action: SQLDelete, Entity: ResourceName("db-1").Table("app_1", "orders", TableInfo{})}
		b.ReportAllocs()
		for b.Loop() {
			if d := e.Decide(m, f, q); d.Effect != Allow {
				b.Fatal(d)
			}
		}
	})
}

func BenchmarkHold(b *testing.B) {
	benchSizes(b, func(b *testing.B, e *Evaluator) {
		f := Statement{Kind: "delete", Tables: []string{"app_1.orders"}}.Facts()
		q := Question{Action: SQLDelete, Entity: ResourceName("db-1").Table("app_1", "orders", TableInfo{})}
		benchDecide(b, e, f, q, Hold)
	})
}

func benchDecide(b *testing.B, e *Evaluator, f *Facts, q Question, want Effect) {
	b.ReportAllocs()
	for b.Loop() {
		if d := e.Decide(benchMoment, f, q); d.Effect != want {
			b.Fatal(d)
		}
	}
}

func BenchmarkReveal(b *testing.B) {
	benchSizes(b, func(b *testing.B, e *Evaluator) {
		f := Statement{Kind: "select"}.Facts()
		col := ResourceName("db-1").Column("app_1", "orders", "email", TableInfo{}, "team-9")
		b.ReportAllocs()
		for b.Loop() {
			if m := e.Reveal(benchMoment, f, col); m.Kind != MaskPartial {
				b.Fatal(m)
			}
		}
	})
}

// BenchmarkNaive is Cedar over all policies, for comparison.
func BenchmarkNaive(b *testing.B) {
	benchSizes(b, func(b *testing.B, e *Evaluator) {
		f := Statement{Kind: "select", Tables: []string{"app_1.orders"}}.Facts()
		asked := ResourceName("db-1").Table("app_1", "orders", TableInfo{})
		all := cedar.NewPolicySet()
		for _, r := range e.set.rules {
			all.Add(types.PolicyID(r.id), cedar.NewPolicyFromAST(publicAST(r)))
		}
		store := fullStore(e, "app_1", "orders", asked, nil)
		b.ReportAllocs()
		for b.Loop() {
			cedar.Authorize(all, store, cedar.Request{
				Principal: e.plans.principal.UID, Action: actionUID(SQLSelect), Resource: asked.cedar.UID,
				Context: record(familyAttrs[familyStatement], &e.session, f, benchMoment, false, false),
			})
		}
	})
}

// BenchmarkOpen is the first decision of a session whose principal has no other session.
func BenchmarkOpen(b *testing.B) {
	benchSizes(b, func(b *testing.B, e *Evaluator) {
		f := Statement{Kind: "select", Tables: []string{"app_1.orders"}}.Facts()
		q := Question{Action: SQLSelect, Entity: ResourceName("db-1").Table("app_1", "orders", TableInfo{})}
		b.ReportAllocs()
		for b.Loop() {
			e.set.sharing.inUse = nil
			if d := evaluatorIn(b, e.set).Decide(benchMoment, f, q); d.Effect != Allow {
				b.Fatal(d)
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{200, 1000} {
		bundle := teamPolicies(n / 5)
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Compile(bundle); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFacts(b *testing.B) {
	s := Statement{Kind: "select", Tables: []string{"a.b", "a.c"}, Columns: []string{"a.b.x", "a.b.y", "a.c.z"}, Functions: []string{"pg_catalog.now"}}
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Facts()
	}
}
