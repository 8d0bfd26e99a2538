package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/ast"
	"github.com/cedar-policy/cedar-go/types"
	"pgregory.net/rapid"
)

// conditions are the leaves that random policies are made of. All are valid for tables and
// columns. Some overflow when the number of rows is unknown.
var conditions = []string{
	`context.where`, `context.rows_known`, `context.rows > 100`, `context.in_transaction`, `context.hour < 12`,
	`context.weekday == 1`, `context.now < datetime("2026-06-01")`, `context.delegated`, `context.equality`,
	`context.on_behalf_of.contains("person/ann")`, `context.tables.contains("public.t1")`,
	`context.functions.containsAny(["pg_catalog.now", "public.f"])`, `context.reason like "fix*"`, `context.reason == ""`,
	`context.client_ip.isInRange(ip("10.0.0.0/8"))`, `context.rows + 1 > 0`, `context.rows * 2 < 50`, `(-context.rows) < 3`,
	`context.now.offset(duration("1h")) > datetime("2026-01-05T12:30:00Z")`,
	`principal in Group::"g1"`, `principal in Group::"g2"`, `principal is Agent`, `principal.email like "*@corp"`,
	`(principal.hasTag("team") && principal.getTag("team") == "shop")`, `principal == Agent::"a"`,
	`resource in Label::"env=prod"`, `resource in Label::"env=dev"`, `resource in Resource::"r1"`, `resource in Resource::"r2"`,
	`resource in Schema::"r1/public"`, `resource in Table::"r1/public.t1"`, `resource.system`, `resource.schema == "public"`,
	`resource.name == "t1"`, `action in Action::"sql:write"`, `action == Action::"sql:select"`, `true`, `false`,
}

var principalScopes = []string{`principal`, `principal in Group::"g1"`, `principal in Group::"g2"`, `principal == Agent::"a"`,
	`principal is Agent`, `principal is Agent in Group::"g1"`, `principal is Person`}

var actionScopes = []string{`action in [Action::"sql:select", Action::"sql:update", Action::"sql:delete"]`,
	`action == Action::"sql:select"`, `action == Action::"sql:delete"`, `action == Action::"sql:reveal"`,
	`action in [Action::"sql:delete", Action::"sql:update"]`}

var resourceScopes = []string{`resource`, `resource in Label::"env=prod"`, `resource in Label::"env=dev"`, `resource in Resource::"r1"`,
	`resource in Resource::"r2"`, `resource in Schema::"r1/public"`, `resource in Schema::"r2/public"`,
	`resource in Table::"r1/public.t1"`, `resource == Table::"r1/public.t1"`, `resource is Table in Label::"env=prod"`,
	`resource is Table in Schema::"r1/public"`, `resource is Table`, `resource is Column in DataClass::"pii"`,
	`resource in DataClass::"pii"`, `resource is Table in Resource::"r1"`}

func drawCondition(t *rapid.T, leaves []string, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom(leaves).Draw(t, "leaf")
	}
	sub := func() string { return drawCondition(t, leaves, depth-1) }
	switch rapid.IntRange(0, 5).Draw(t, "shape") {
	case 0:
		return "(" + sub() + " && " + sub() + ")"
	case 1:
		return "(" + sub() + " || " + sub() + ")"
	case 2:
		return "!(" + sub() + ")"
	case 3:
		return "(if " + sub() + " then " + sub() + " else " + sub() + ")"
	}
	return sub()
}

// universe is what random policies are made of.
type universe struct {
	conditions, actionScopes, resourceScopes []string
	broad                                    string // a policy that every other set has
}

var tables = universe{conditions: conditions, actionScopes: actionScopes, resourceScopes: resourceScopes}

// drawPolicy writes one random policy; not every one is valid.
func (u universe) drawPolicy(t *rapid.T, id int) string {
	effect := rapid.SampledFrom([]string{"permit", "forbid"}).Draw(t, "effect")
	text := fmt.Sprintf("%s (%s, %s, %s)", effect,
		rapid.SampledFrom(principalScopes).Draw(t, "principal"),
		rapid.SampledFrom(u.actionScopes).Draw(t, "action"),
		rapid.SampledFrom(u.resourceScopes).Draw(t, "resource"))
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		text += fmt.Sprintf(" %s { %s }", rapid.SampledFrom([]string{"when", "unless"}).Draw(t, "word"),
			drawCondition(t, u.conditions, rapid.IntRange(0, 2).Draw(t, "depth")))
	}
	if effect == "forbid" && rapid.Bool().Draw(t, "held") {
		return fmt.Sprintf("@id(\"p%d\") @approval(\"1 of dba\") %s unless { context.approved };\n", id, text)
	}
	return fmt.Sprintf("@id(\"p%d\") %s;\n", id, text)
}

// drawSet keeps the valid policies of up to eight.
func (u universe) drawSet(t *rapid.T) (*Set, Bundle) {
	var text strings.Builder
	for i := range rapid.IntRange(0, 8).Draw(t, "policies") {
		p := u.drawPolicy(t, i)
		if _, err := compilePolicies(oneFile(p)); err == nil {
			text.WriteString(p)
		}
	}
	if u.broad != "" && rapid.Bool().Draw(t, "broad") {
		text.WriteString(u.broad)
	}
	b := oneFile(text.String())
	s, err := Compile(b)
	if err != nil {
		t.Fatalf("policies that are valid one by one: %v", err)
	}
	return s, b
}

func oneFile(text string) Bundle {
	return Bundle{Files: map[string][]byte{"p.cedar": []byte(text)}}
}

// subset draws some of values.
func subset(t *rapid.T, label string, values ...string) []string {
	var out []string
	for _, v := range values {
		if rapid.Bool().Draw(t, label+v) {
			out = append(out, v)
		}
	}
	return out
}

// fullStore is the textbook entity store: each entity with its direct parents only.
func fullStore(e *Evaluator, schema, table string, asked Entity, classes []string) types.EntityMap {
	m := types.EntityMap{e.plans.principal.UID: e.plans.principal, e.plans.resource.UID: e.plans.resource}
	for a, in := range groups {
		for i := range in {
			m[actionUID(in[i])] = types.Entity{UID: actionUID(in[i]), Parents: parentsOf(in[i+1:]...)}
		}
		direct := in
		if len(direct) > 1 {
			direct = direct[:1]
		}
		m[actionUID(a)] = types.Entity{UID: actionUID(a), Parents: parentsOf(direct...)}
	}
	put := func(ent Entity, parents ...types.EntityUID) {
		c := ent.whole()
		c.Parents = types.NewEntityUIDSet(parents...)
		m[c.UID] = c
	}
	put(e.name.Schema(schema), e.name.uid())
	put(e.name.Table(schema, table, TableInfo{}), e.name.uid("Schema", schema))
	parents := []types.EntityUID{e.name.uid("Table", schema, table)}
	for _, c := range classes {
		parents = append(parents, types.NewEntityUID("DataClass", types.String(c)))
	}
	if asked.cedar.UID.Type == "Column" {
		put(asked, parents...)
	} else {
		put(asked, e.name.uid("Schema", schema))
	}
	return m
}

func parentsOf(actions ...Action) types.EntityUIDSet {
	uids := make([]types.EntityUID, len(actions))
	for i, a := range actions {
		uids[i] = actionUID(a)
	}
	return types.NewEntityUIDSet(uids...)
}

// TestSpecialisationLosesNothing compares the specialised evaluation with that of all
// policies over a plain entity store: same decision, same determining policies, same failures.
func TestSpecialisationLosesNothing(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		set, bundle := tables.drawSet(t)
		kind := rapid.SampledFrom([]string{KindAgent, KindPerson}).Draw(t, "kind")
		name := ResourceName(rapid.SampledFrom([]string{"r1", "r2"}).Draw(t, "name"))
		p := Principal{Kind: kind, ID: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id"), Email: "a@corp",
			Groups: subset(t, "group", "g1", "g2"), OnBehalfOf: subset(t, "chain", "person/ann")}
		if rapid.Bool().Draw(t, "tagged") {
			p.Attrs = map[string]string{"team": "shop"}
		}
		r := Resource{Name: name, Labels: map[string]string{"env": rapid.SampledFrom([]string{"prod", "dev", "x"}).Draw(t, "env")}}
		o := Origin{Reason: rapid.SampledFrom([]string{"", "fix it"}).Draw(t, "reason")}
		if rapid.Bool().Draw(t, "ip") {
			o.ClientIP = netip.MustParseAddr("10.1.2.3")
		}
		e, err := set.For(p, r, o)
		if err != nil {
			t.Fatal(err)
		}
		for range 24 {
			compareOnce(t, e, bundle, seen)
		}
	})
	for _, want := range []string{"allow", "deny", "error", "forbid"} {
		if seen["total"] > 2000 && seen[want] == 0 {
			t.Errorf("the random policies never gave %s: %v", want, seen)
		}
	}
}

func compareOnce(t *rapid.T, e *Evaluator, b Bundle, seen map[string]int) {
	action := rapid.SampledFrom([]Action{SQLSelect, SQLUpdate, SQLDelete, SQLReveal}).Draw(t, "action")
	schema := rapid.SampledFrom([]string{"public", "other"}).Draw(t, "schema")
	table := rapid.SampledFrom([]string{"t1", "t2"}).Draw(t, "table")
	info := TableInfo{System: rapid.Bool().Draw(t, "system")}
	classes := subset(t, "class", "pii", "secret")
	asked := e.name.Table(schema, table, info)
	if action == SQLReveal {
		asked = e.name.Column(schema, table, "c", info, classes...)
	}
	m := Moment{Now: time.Date(2026, 1, rapid.IntRange(4, 7).Draw(t, "day"), rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0, 0, time.UTC),
		InTransaction: rapid.Bool().Draw(t, "tx")}
	if rapid.Bool().Draw(t, "known") {
		m.Rows = KnownRows(rapid.Int64Range(0, 200).Draw(t, "rows"))
	}
	f := Statement{Where: rapid.Bool().Draw(t, "where"), Tables: subset(t, "in", "public.t1"), Functions: subset(t, "fn", "public.f")}.Facts()
	q := Question{Action: action, Entity: asked, Equality: rapid.Bool().Draw(t, "equality")}
	approved := rapid.Bool().Draw(t, "approved")

	out := e.authorize(e.plans.of(action), m, f, &q, approved)
	got, gotDiag := out.allowed, out.Diagnostic

	all := cedar.NewPolicySet()
	for _, r := range e.set.rules {
		all.Add(types.PolicyID(r.id), cedar.NewPolicyFromAST(publicAST(r)))
	}
	want, wantDiag := cedar.Authorize(all, fullStore(e, schema, table, asked, classes), cedar.Request{
		Principal: e.plans.principal.UID, Action: actionUID(action), Resource: asked.cedar.UID,
		Context: record(familyAttrs[familyStatement], &e.session, f, m, q.Equality, approved),
	})
	if got != (want == cedar.Allow) || !slices.Equal(reasonIDs(gotDiag), reasonIDs(wantDiag)) || !slices.Equal(errorIDs(gotDiag), errorIDs(wantDiag)) {
		t.Fatalf("%s\n%v on %v approved=%v\nspecialised: %v %v errors %v\nfull: %v %v errors %v", b.Files["p.cedar"], action, asked, approved,
			got, reasonIDs(gotDiag), errorIDs(gotDiag), want, reasonIDs(wantDiag), errorIDs(wantDiag))
	}
	count(seen, got, gotDiag)
}

func count(seen map[string]int, allowed bool, d cedar.Diagnostic) {
	seen["total"]++
	switch {
	case len(d.Errors) > 0:
		seen["error"]++
	case allowed:
		seen["allow"]++
	case len(d.Reasons) > 0:
		seen["forbid"]++
	default:
		seen["deny"]++
	}
}

func reasonIDs(d cedar.Diagnostic) []string {
	ids := map[string]bool{}
	for _, r := range d.Reasons {
		ids[string(r.PolicyID)] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

func errorIDs(d cedar.Diagnostic) []string {
	ids := map[string]bool{}
	for _, r := range d.Errors {
		ids[string(r.PolicyID)] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

func publicAST(r *rule) *ast.Policy { return (*ast.Policy)(r.ast) }
