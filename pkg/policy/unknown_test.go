package policy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"pgregory.net/rapid"
)

// objects is a universe of policies that tell Kubernetes objects apart in every way there is.
var objects = universe{
	conditions: []string{
		`resource.namespace == "a"`, `resource.namespace like "k*"`, `["a", "b"].contains(resource.namespace)`,
		`resource in Namespace::"r1/a"`, `resource in [Namespace::"r1/a", Namespace::"r1/k"]`, `resource in Namespace::"r2/a"`,
		`resource is Object in Namespace::"r1/b"`, `resource is Object`,
		`resource == Object::"r1//pods/a/x"`, `Object::"r1//pods/b/y" == resource`, `resource != Object::"r1//pods/a/y"`,
		`resource in Object::"r1//pods/a/x"`, `[Object::"r1//pods/a/x", Object::"r1//nodes//y"].contains(resource)`,
		`[resource].containsAny([Object::"r1//pods/a/x"])`, `resource == Object::"r1//namespaces//a"`, `resource == Object::"r1//pods/*/*"`,
		`resource.name == "x"`, `resource.name like "*y"`, `resource.name != "x"`, `resource has name`, `!(resource has namespace)`,
		`resource has labels && resource.labels.contains("l=1")`, `resource.labels.contains("l=1")`, `resource.labels.isEmpty()`,
		`resource.labels.containsAny(["l=1", "l=2"])`, `resource.labels == ["l=2"]`, `[resource has name].contains(false)`,
		`resource in APIResource::"r1//pods"`, `resource.resource == "secrets"`, `resource in Resource::"r1"`, `resource in Label::"env=prod"`,
		`(if resource.name == "x" then "a" else "b") == resource.namespace`, `{n: resource.name}.n == "x"`, `resource == resource`,
		`(principal.hasTag("team") && principal.getTag("team") == resource.namespace)`, `principal in Group::"g1"`,
		`context.privileged`, `context.images.contains("evil")`, `context.images.isEmpty()`, `context.replicas > 3`, `context.replicas == -1`,
		`context.replicas * 4000000000000000000 > 1`, `[context.privileged].contains(true)`, `context.ports.contains(22)`,
		`[22, 80].containsAll(context.ports)`, `context.hour < 12`, `context.now.offset(duration("1h")) > datetime("2026-01-05T12:30:00Z")`,
		`context.approved`, `!context.approved`, `true`, `false`,
	},
	actionScopes: []string{`action in Action::"k8s:all"`, `action in Action::"k8s:read"`, `action == Action::"k8s:list"`,
		`action in [Action::"k8s:list", Action::"k8s:port_forward"]`, `action in Action::"k8s:write"`, `action == Action::"k8s:port_forward"`},
	resourceScopes: []string{`resource`, `resource is Object`, `resource in Resource::"r1"`, `resource in Label::"env=prod"`,
		`resource in Namespace::"r1/a"`, `resource in Namespace::"r1/b"`, `resource in Namespace::"r2/a"`, `resource == Object::"r1//pods/a/x"`,
		`resource in Object::"r1//pods/b/y"`, `resource is Object in Namespace::"r1/a"`, `resource in APIResource::"r1//pods"`,
		`resource == Object::"r1//pods/*/*"`, `resource == Object::"r1//namespaces//a"`, `resource is Object in Label::"env=prod"`},
	broad: `@id("broad") permit (principal, action in Action::"k8s:all", resource);`,
}

// asking is a question of which something may be unknown, and all that it may stand for.
type asking struct {
	object ObjectInfo
	body   APIRequest
}

func drawAsking(t *rapid.T, a Action) asking {
	q := asking{ObjectInfo{
		Resource:  rapid.SampledFrom([]string{"pods", "secrets", "namespaces", "nodes"}).Draw(t, "resource"),
		NameKnown: rapid.Bool().Draw(t, "name known"), LabelsKnown: rapid.Bool().Draw(t, "labels known"),
		AllNamespaces: rapid.Bool().Draw(t, "all namespaces"), Labels: subset(t, "label ", "l=1", "l=2"),
	}, APIRequest{BodyKnown: rapid.Bool().Draw(t, "body known"), PortsKnown: rapid.Bool().Draw(t, "ports known")}}
	if q.object.NameKnown {
		q.object.Name = rapid.SampledFrom([]string{"x", "y", "a"}).Draw(t, "name")
	}
	if q.object.Resource == "nodes" {
		q.object.AllNamespaces = false
	} else if !q.object.AllNamespaces {
		q.object.Namespace = rapid.SampledFrom([]string{"a", "b", "k"}).Draw(t, "namespace")
	}
	q.body.fill(rapid.IntRange(0, 5).Draw(t, "body"))
	q.body.Ports = [][]int64{nil, {22}, {80}}[rapid.IntRange(0, 2).Draw(t, "ports")]
	return q
}

func (r *APIRequest) fill(i int) {
	n := []int64{-1, 2, 5}[i%3]
	r.Privileged, r.Images, r.Replicas = i >= 3, []string{"evil", "good"}[:i%3], &n
}

// concrete is what q may stand for, for an action.
func (q asking) concrete(a Action) []asking {
	all := []asking{q}
	if q.object.AllNamespaces && q.object.Resource != "namespaces" {
		all = spread(all, []string{"a", "b", "k", ""}, func(c *asking, n string) { c.object.AllNamespaces, c.object.Namespace = false, n })
	}
	if !q.object.NameKnown {
		all = spread(all, []string{"x", "y", "a"}, func(c *asking, n string) { c.object.NameKnown, c.object.Name = true, n })
	}
	return q.learn(all, a)
}

// learn spreads over all that can be found out before asking again: labels, body and ports.
func (q asking) learn(all []asking, a Action) []asking {
	if !q.object.LabelsKnown {
		all = spread(all, [][]string{nil, {"l=1"}, {"l=2"}, {"l=1", "l=2"}}, func(c *asking, l []string) { c.object.LabelsKnown, c.object.Labels = true, l })
	}
	if !q.body.BodyKnown {
		all = spread(all, []int{0, 1, 2, 3, 4, 5}, func(c *asking, i int) { c.body.BodyKnown = true; c.body.fill(i) })
	}
	if a == K8sPortForward && !q.body.PortsKnown {
		all = spread(all, [][]int64{{22}, {80}}, func(c *asking, p []int64) { c.body.PortsKnown, c.body.Ports = true, p })
	}
	return all
}

func spread[T any](in []asking, values []T, set func(*asking, T)) (out []asking) {
	for _, c := range in {
		for _, v := range values {
			next := c
			set(&next, v)
			out = append(out, next)
		}
	}
	return out
}

// some draws a few of many.
func some(t *rapid.T, all []asking) (out []asking) {
	step := 1 + len(all)/24
	for i := rapid.IntRange(0, step-1).Draw(t, "first"); i < len(all); i += step {
		out = append(out, all[i])
	}
	return out
}

func (q asking) String() string { return fmt.Sprintf("%+v %+v", q.object, q.body) }

func drawSubject(t *rapid.T, set *Set) *Evaluator {
	p := Principal{Kind: rapid.SampledFrom([]string{KindAgent, KindPerson}).Draw(t, "kind"), ID: "a", Email: "a@corp",
		Groups: subset(t, "group", "g1", "g2")}
	if rapid.Bool().Draw(t, "tagged") {
		p.Attrs = map[string]string{"team": "a"}
	}
	role := rapid.SampledFrom([]*Role{nil, {ARN: "arn:aws:iam::111122223333:role/admin"}, {Privileges: []string{}}, {Privileges: []string{"iam:PassRole"}}}).Draw(t, "role")
	e, err := set.For(p, Resource{Name: "r1", Labels: map[string]string{"env": rapid.SampledFrom([]string{"prod", "dev"}).Draw(t, "env")}, Role: role}, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// everything asks plain Cedar all policies about one object of which everything is known.
func everything(e *Evaluator, all *cedar.PolicySet, a Action, q asking, m Moment, approved bool) (bool, cedar.Diagnostic) {
	return everythingOn(e, all, a, e.name.Object(q.object), q.body.Facts(), m, approved)
}

func everythingOn(e *Evaluator, all *cedar.PolicySet, a Action, asked Entity, f *Facts, m Moment, approved bool) (bool, cedar.Diagnostic) {
	asked = *asked.actedOnAs(e.plans.resource)
	store := types.EntityMap{e.plans.principal.UID: e.plans.principal, e.plans.resource.UID: e.plans.resource,
		asked.cedar.UID: asked.whole(), actionUID(a): actionEntity(a)}
	got, diag := cedar.Authorize(all, store, cedar.Request{
		Principal: e.plans.principal.UID, Action: actionUID(a), Resource: asked.cedar.UID,
		Context: record(familyAttrs[a.family()], &e.session, f, m, false, approved),
	})
	return got == cedar.Allow, diag
}

// TestNothingIsEvadedByAskingForMany compares the decision on what is known in part with those of plain Cedar on everything it
// may stand for: what is allowed in part is allowed whole, every forbid that applies to any of it applies, every permit obliges.
func TestNothingIsEvadedByAskingForMany(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		set, bundle := objects.drawSet(t)
		e := drawSubject(t, set)
		all := cedar.NewPolicySet()
		for _, r := range set.rules {
			all.Add(types.PolicyID(r.id), cedar.NewPolicyFromAST(publicAST(r)))
		}
		m := Moment{Now: time.Date(2026, 1, 5, rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0, 0, time.UTC)}
		for range 6 {
			a := rapid.SampledFrom([]Action{K8sList, K8sDeleteCollection, K8sPortForward, K8sPatch}).Draw(t, "action")
			q := drawAsking(t, a)
			approved := rapid.Bool().Draw(t, "approved")
			part := e.authorize(e.plans.of(a), m, q.body.Facts(), &Question{Action: a, Entity: e.name.Object(q.object)}, approved)
			allowed := part.allowed && len(part.Errors) == 0
			reasons := reasonIDs(part.Diagnostic)
			for _, id := range part.partial {
				reasons = append(reasons, string(id))
			}
			milder := false
			for _, c := range some(t, q.concrete(a)) {
				whole, diag := everything(e, all, a, c, m, approved)
				milder = milder || whole && len(diag.Errors) == 0
				missing := slices.DeleteFunc(reasonIDs(diag), func(id string) bool { return slices.Contains(reasons, id) })
				switch {
				case allowed && (!whole || len(diag.Errors) > 0):
					t.Fatalf("%s\n%s on %v approved=%v is allowed by %v\nbut %v is not: %v %v", bundle.Files["p.cedar"], a, q, approved, reasons, c, reasonIDs(diag), errorIDs(diag))
				case len(diag.Errors) > 0 && len(part.Errors) == 0:
					t.Fatalf("%s\n%s on %v approved=%v does not fail\nbut %v does: %v", bundle.Files["p.cedar"], a, q, approved, c, errorIDs(diag))
				case len(missing) > 0 && (allowed || !whole) && len(part.Errors) == 0:
					t.Fatalf("%s\n%s on %v approved=%v is decided by %v\nbut %v also by %v", bundle.Files["p.cedar"], a, q, approved, reasons, c, missing)
				}
			}
			count(seen, part.allowed, part.Diagnostic)
			if !allowed && milder {
				seen["stricter"]++
			}
		}
	})
	for _, want := range []string{"allow", "deny", "forbid", "stricter"} {
		if seen["total"] > 500 && seen[want] == 0 {
			t.Errorf("the random policies never gave %s: %v", want, seen)
		}
	}
}

// TestDenialsSayWhatTheyRestOn: what does not depend on something unknown stays when that comes to be known.
func TestDenialsSayWhatTheyRestOn(t *testing.T) {
	seen := map[string]int{}
	asksItself := objects
	asksItself.conditions = append(slices.Clip(objects.conditions), `context.body_known`, `!context.body_known`, `context.ports_known`,
		`(!context.body_known || context.privileged)`, `(context.ports_known && context.ports.contains(80))`)
	rapid.Check(t, func(t *rapid.T) {
		set, bundle := asksItself.drawSet(t)
		e := drawSubject(t, set)
		for range 6 {
			a := rapid.SampledFrom([]Action{K8sList, K8sPortForward, K8sPatch}).Draw(t, "action")
			q := drawAsking(t, a)
			before := e.Decide(Moment{Now: noon}, q.body.Facts(), Question{Action: a, Entity: e.name.Object(q.object)})
			rests := before.Depends & (DependsLabels | DependsBody | DependsPorts)
			if before.Effect == Allow && rests != 0 || rests&^set.Depends(a) != 0 {
				t.Fatalf("%s\n%s on %v: %+v", bundle.Files["p.cedar"], a, q, before)
			}
			milder := false
			for _, c := range some(t, q.learn([]asking{q}, a)) {
				after := e.Decide(Moment{Now: noon}, c.body.Facts(), Question{Action: a, Entity: e.name.Object(c.object)})
				milder = milder || after.Effect > before.Effect
				if after.Effect > before.Effect && rests == 0 {
					t.Fatalf("%s\n%s on %v is %v for good: %s\nbut %v is %v", bundle.Files["p.cedar"], a, q, before.Effect, before.Reason, c, after.Effect)
				}
			}
			if rests != 0 {
				seen[fmt.Sprintf("rests, milder %v", milder)]++
			}
		}
	})
}

// TestWhatIsKnownIsDecidedAsEver: with nothing unknown the specialised evaluation is that of all policies.
func TestWhatIsKnownIsDecidedAsEver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set, bundle := objects.drawSet(t)
		e := drawSubject(t, set)
		all := cedar.NewPolicySet()
		for _, r := range set.rules {
			all.Add(types.PolicyID(r.id), cedar.NewPolicyFromAST(publicAST(r)))
		}
		a := rapid.SampledFrom([]Action{K8sList, K8sPortForward, K8sPatch}).Draw(t, "action")
		approved := rapid.Bool().Draw(t, "approved")
		m := Moment{Now: noon}
		for _, c := range some(t, drawAsking(t, a).concrete(a)) {
			got := e.authorize(e.plans.of(a), m, c.body.Facts(), &Question{Action: a, Entity: e.name.Object(c.object)}, approved)
			want, diag := everything(e, all, a, c, m, approved)
			if got.allowed != want || !slices.Equal(reasonIDs(got.Diagnostic), reasonIDs(diag)) || !slices.Equal(errorIDs(got.Diagnostic), errorIDs(diag)) || got.rests != 0 {
				t.Fatalf("%s\n%s on %v approved=%v\nspecialised: %+v\nfull: %v %v %v", bundle.Files["p.cedar"], a, c, approved, got, want, reasonIDs(diag), errorIDs(diag))
			}
		}
	})
}
