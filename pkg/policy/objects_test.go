package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const prod = ResourceName("prod")

// clusterEvaluator compiles text for an agent of the group dev on the cluster prod.
func clusterEvaluator(t testing.TB, text string, delegators ...Principal) *Evaluator {
	t.Helper()
	s, err := Compile(oneFile(text))
	if err != nil {
		t.Fatal(err)
	}
	p := Principal{Kind: KindAgent, ID: "bot", Groups: []string{"dev"}, Attrs: map[string]string{"ns": "kube-system"}, Delegators: delegators}
	for _, d := range delegators {
		p.OnBehalfOf = append(p.OnBehalfOf, d.ID)
	}
	e, err := s.For(p, Resource{Name: prod, Kind: "kubernetes", Labels: map[string]string{"env": "prod"}}, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// object reads "secrets kube-system/db", where * is unknown and nothing before the slash is no namespace. Labels are unknown
// unless they follow in brackets.
func object(text string) ObjectInfo {
	text, labels, known := strings.Cut(text, " [")
	o := ObjectInfo{LabelsKnown: known, Labels: strings.Fields(strings.TrimSuffix(labels, "]"))}
	resource, rest, _ := strings.Cut(text, " ")
	if group, plural, ok := strings.Cut(resource, "/"); ok {
		o.Group, resource = group, plural
	}
	o.Resource = resource
	o.Namespace, o.Name, _ = strings.Cut(rest, "/")
	o.AllNamespaces, o.NameKnown = o.Namespace == "*", o.Name != "*"
	return o
}

func (e *Evaluator) asks(a Action, of string, given ...Approval) Decision {
	n := int64(3)
	facts := APIRequest{BodyKnown: true, PortsKnown: true, Replicas: &n}.Facts()
	return e.Decide(Moment{Now: noon, Approvals: given}, facts, Question{Action: a, Entity: e.name.Object(object(of))})
}

const broad = `@id("all") permit (principal, action in Action::"k8s:all", resource);
@id("f") `

// TestForbidsAreNotEvadedByAskingForMany: in whatever way a forbid speaks of an object, it holds for a question that covers it,
// and does not for one that cannot.
func TestForbidsAreNotEvadedByAskingForMany(t *testing.T) {
	forms := func(scope string, conditions ...string) (all []string) {
		for _, c := range conditions {
			all = append(all, fmt.Sprintf(`forbid (principal, action in Action::"k8s:all", %s) %s;`, scope, c))
		}
		return all
	}
	for _, tt := range []struct {
		name           string
		policies       []string
		denied, passed []string
	}{
		{"a namespace", slices.Concat(forms(`resource in Namespace::"prod/kube-system"`, ``, `when { true }`),
			forms(`resource is Object in Namespace::"prod/kube-system"`, ``),
			forms(`resource`, `when { resource in Namespace::"prod/kube-system" }`,
				`when { resource has namespace && resource.namespace == "kube-system" }`,
				`unless { !(resource in [Namespace::"prod/kube-system", Namespace::"prod/other"]) }`,
				`when { if resource is Object then resource in Namespace::"prod/kube-system" else false }`),
			forms(`resource is Object`, `when { resource.namespace == "kube-system" }`, `when { resource.namespace like "kube-*" }`,
				`unless { resource.namespace != "kube-system" }`, `when { ["kube-system"].contains(resource.namespace) }`,
				`when { principal.hasTag("ns") && principal.getTag("ns") == resource.namespace }`,
				`when { {n: resource.namespace}.n == "kube-system" }`, `unless { ["shop", "default"].contains(resource.namespace) }`,
				`when { if resource.namespace == "kube-system" then true else false }`,
				`when { resource.name like "*" && resource.namespace == "kube-system" }`)),
			[]string{"pods */*", "pods kube-system/*", "pods kube-system/x", "pods */x", "apps/deployments */*", "namespaces /*", "namespaces /kube-system", "nodes */*"},
			[]string{"pods shop/*", "pods shop/x", "namespaces /shop"}},
		{"an object", slices.Concat(forms(`resource == Object::"prod//secrets/shop/db"`, ``, `when { resource has labels }`),
			forms(`resource in Object::"prod//secrets/shop/db"`, ``),
			forms(`resource`, `when { resource == Object::"prod//secrets/shop/db" }`, `unless { resource != Object::"prod//secrets/shop/db" }`,
				`when { Object::"prod//secrets/shop/db" == resource }`, `when { resource in [Object::"prod//secrets/shop/db"] }`),
			forms(`resource in APIResource::"prod//secrets"`, `when { resource in Namespace::"prod/shop" && resource is Object && resource.name == "db" }`)),
			[]string{"secrets */*", "secrets shop/*", "secrets shop/db", "secrets */db"},
			[]string{"secrets other/*", "secrets shop/web", "pods shop/*", "pods */*", "secrets */web", "secrets other/db"}},
		{"a name", forms(`resource is Object`, `when { resource.name == "db" }`, `when { resource.name like "d?" } unless { false }`,
			`when { ["db", "pg"].contains(resource.name) }`, `unless { resource.name != "db" || false }`),
			[]string{"pods shop/db", "nodes /db"},
			[]string{"secrets */web", "secrets shop/web"}},
		{"a label", forms(`resource is Object`, `when { resource.labels.contains("tier=core") }`, `when { resource.labels.containsAny(["tier=core"]) }`,
			`unless { !resource.labels.contains("tier=core") }`, `when { resource.labels == ["tier=core"] }`),
			[]string{"pods */*", "pods shop/*", "pods shop/x", "pods shop/x [tier=core]"},
			[]string{"pods shop/x [tier=web]", "pods shop/x []"}},
	} {
		for _, p := range tt.policies {
			e := clusterEvaluator(t, broad+strings.Replace(p, `"d?"`, `"d*b"`, 1))
			for i, of := range append(slices.Clip(tt.denied), tt.passed...) {
				want := Deny
				if i >= len(tt.denied) {
					want = Allow
				}
				for _, a := range []Action{K8sList, K8sWatch, K8sDeleteCollection, K8sCreate, K8sGet} {
					if d := e.asks(a, of); d.Effect != want || want == Deny && !slices.Equal(d.PolicyIDs, []string{"f"}) {
						t.Errorf("%s: %s\n%s on %s is %v by %v: %s", tt.name, p, a, of, d.Effect, d.PolicyIDs, d.Reason)
					}
				}
			}
		}
	}
}

// TestPermitsCoverWhatTheySay: a permit for some objects permits no question about more than those.
func TestPermitsCoverWhatTheySay(t *testing.T) {
	for _, tt := range []struct {
		policy          string
		allowed, denied []string
	}{
		{`resource in Namespace::"prod/shop")`, []string{"pods shop/*", "pods shop/x", "namespaces /shop"}, []string{"pods */*", "pods other/*", "pods */x", "namespaces /*", "nodes /n"}},
		{`resource) unless { resource in Namespace::"prod/kube-system" }`, []string{"pods shop/*", "nodes /n"}, []string{"pods */*", "pods kube-system/x", "namespaces /*"}},
		{`resource is Object) when { resource.namespace != "kube-system" }`, []string{"pods shop/*"}, []string{"pods */*"}},
		{`resource) when { !(resource has namespace) }`, nil, []string{"pods */*", "pods shop/*", "nodes /n"}},
		{`resource) when { resource != Object::"prod//secrets/shop/db" }`, []string{"secrets shop/x", "pods */*", "secrets other/*"}, []string{"secrets shop/*", "secrets */*", "secrets */db"}},
		{`resource == Object::"prod//pods/shop/*")`, nil, []string{"pods shop/*", "pods */*", "pods shop/x"}},
		{`resource == Object::"prod//pods/shop/")`, nil, []string{"pods shop/*", "pods */*"}},
		{`resource is Object) when { resource.name like "*" }`, nil, []string{"pods shop/*"}},
		{`resource is Object) when { resource.labels.contains("team=shop") }`, []string{"pods shop/x [team=shop]"}, []string{"pods shop/x", "pods shop/*", "pods shop/x []"}},
		{`resource is Object) when { !resource.labels.contains("tier=core") }`, []string{"pods shop/x []"}, []string{"pods shop/x", "pods shop/*"}},
		{`resource is Object) when { resource.name == "x" || context.verb == "" }`, []string{"pods shop/*", "pods */*"}, nil},
	} {
		e := clusterEvaluator(t, `@id("p") permit (principal, action in Action::"k8s:all", `+tt.policy+";")
		for _, of := range tt.allowed {
			if d := e.asks(K8sList, of); d.Effect != Allow || !slices.Equal(d.PolicyIDs, []string{"p"}) {
				t.Errorf("%s\n%s: %v %s", tt.policy, of, d.Effect, d.Reason)
			}
		}
		for _, of := range tt.denied {
			if d := e.asks(K8sList, of); d.Effect != Deny || len(d.Errors) > 0 {
				t.Errorf("%s\n%s: %v %v", tt.policy, of, d.Effect, d.Errors)
			}
		}
	}
}

// TestHoldsOnCollections: what needs an approval for some of its objects waits for it as a whole, and is released by it.
func TestHoldsOnCollections(t *testing.T) {
	sre := Approval{Count: 1, Group: "sre"}
	for _, p := range []string{
		`resource in Namespace::"prod/kube-system") unless { context.approved };`,
		`resource) when { resource in Namespace::"prod/kube-system" } unless { context.approved };`,
		`resource is Object) when { resource.namespace == "kube-system" && !context.approved };`,
		`resource is Object) when { !context.approved && resource.name == "x" };`,
		`resource is Object) unless { resource.namespace != "kube-system" || context.approved };`,
		`resource is Object) when { if resource.namespace == "kube-system" then !context.approved else false };`,
		`resource is Object) when { resource.labels.contains("tier=core") } unless { context.approved };`,
	} {
		e := clusterEvaluator(t, strings.Replace(broad, `@id("f")`, `@id("f") @approval("1 of sre")`, 1)+`forbid (principal, action in Action::"k8s:all", `+p)
		for _, of := range []string{"pods */*", "pods kube-system/*"} {
			if d := e.asks(K8sDeleteCollection, of); d.Effect != Hold || !slices.Equal(d.Approvals, []Approval{sre}) {
				t.Errorf("%s\n%s is %v needing %v: %s", p, of, d.Effect, d.Approvals, d.Reason)
			}
			if d := e.asks(K8sDeleteCollection, of, sre); d.Effect != Allow {
				t.Errorf("%s\n%s, approved, is %v: %s", p, of, d.Effect, d.Reason)
			}
		}
	}
}

// TestDelegatorsAreAskedAboutCollections: who acts for somebody lists no more than that person may.
func TestDelegatorsAreAskedAboutCollections(t *testing.T) {
	e := clusterEvaluator(t, `@id("all") permit (principal, action in Action::"k8s:all", resource);
@id("people") forbid (principal is Person, action in Action::"k8s:all", resource in Namespace::"prod/pay");`, Principal{Kind: KindPerson, ID: "alice"})
	for of, want := range map[string]Effect{"pods */*": Deny, "pods pay/*": Deny, "pods pay/x": Deny, "pods shop/*": Allow} {
		if d := e.asks(K8sList, of); d.Effect != want || want == Deny && !strings.HasPrefix(d.Reason, "for alice: ") {
			t.Errorf("%s: %v %q", of, d.Effect, d.Reason)
		}
	}
}

// TestRefusalsOfManySayToAskForLess, but only where that would help.
func TestRefusalsOfManySayToAskForLess(t *testing.T) {
	const hint = "; it may be otherwise for one namespace or one object, so name it"
	e := clusterEvaluator(t, `@id("shop") permit (principal, action in Action::"k8s:read", resource in Namespace::"prod/shop");
@id("db") @reason("The database's secret is closed") forbid (principal, action in Action::"k8s:read", resource == Object::"prod//secrets/shop/db");`)
	for of, want := range map[string]string{
		"pods */*":        "no policy permits k8s:list on Object prod//pods/*/*" + hint,
		"pods other/*":    "no policy permits k8s:list on Object prod//pods/other/*",
		"secrets shop/*":  "The database's secret is closed" + hint,
		"secrets shop/db": "The database's secret is closed",
	} {
		if d := e.asks(K8sList, of); d.Effect != Deny || d.Reason != want {
			t.Errorf("%s: %q, want %q", of, d.Reason, want)
		}
	}
}

// TestPermitsForSomeOblige: a question about many is recorded and undone as strictly as any part of it.
func TestPermitsForSomeOblige(t *testing.T) {
	e := clusterEvaluator(t, `@id("all") permit (principal, action in Action::"k8s:all", resource);
@id("pay") @record("rows") @undo("required") permit (principal, action in Action::"k8s:all", resource in Namespace::"prod/pay");
@id("core") @undo("try") permit (principal, action in Action::"k8s:all", resource is Object) when { resource.labels.contains("tier=core") };`)
	for of, want := range map[string]Undo{"pods */*": UndoRequired, "pods pay/x": UndoRequired, "pods shop/*": UndoTry, "pods shop/x []": UndoNone} {
		d := e.asks(K8sDeleteCollection, of)
		if d.Effect != Allow || d.Undo != want || (d.Record == RecordRows) != (want == UndoRequired) {
			t.Errorf("%s: %v, undo %v, record %v", of, d.Effect, d.Undo, d.Record)
		}
		if slices.Contains(d.PolicyIDs, "pay") != (of == "pods pay/x") {
			t.Errorf("%s: permitted by %v", of, d.PolicyIDs)
		}
	}
}

// TestUnknownBodies: what a patch leaves open may be the worst, and is told.
func TestUnknownBodies(t *testing.T) {
	e := clusterEvaluator(t, `@id("write") permit (principal, action in Action::"k8s:write", resource);
@id("debug") permit (principal, action == Action::"k8s:debug", resource) when { context.images == ["busybox"] };
@id("privileged") forbid (principal, action in Action::"k8s:write", resource in Namespace::"prod/a") when { context.privileged };
@id("image") forbid (principal, action in Action::"k8s:write", resource in Namespace::"prod/b") when { context.images.contains("evil") };
@id("zero") forbid (principal, action in Action::"k8s:write", resource in Namespace::"prod/c") when { context.replicas == 0 };
@id("opaque") forbid (principal, action in Action::"k8s:write", resource in Namespace::"prod/d") when { !context.body_known };
@id("never") forbid (principal, action in Action::"k8s:write", resource in Namespace::"prod/e");
@id("told") forbid (principal, action in Action::"k8s:write", resource in Namespace::"prod/g") when { context.body_known && context.privileged };
@id("then") forbid (principal, action in Action::"k8s:write", resource in Namespace::"prod/h") when { if !context.body_known then false else context.privileged };
@id("else") forbid (principal, action in Action::"k8s:write", resource in Namespace::"prod/h") when { if context.body_known then context.privileged else false };
@id("sum") forbid (principal, action in Action::"k8s:write", resource in Namespace::"prod/f") when { context.replicas + 1 > 10 };`)
	for _, tt := range []struct {
		action    Action
		namespace string
		body      APIRequest
		want      Effect
		depends   Depends
	}{
		{K8sPatch, "a", APIRequest{}, Deny, DependsBody},
		{K8sPatch, "a", APIRequest{BodyKnown: true}, Allow, 0},
		{K8sPatch, "a", APIRequest{BodyKnown: true, Privileged: true}, Deny, 0},
		{K8sPatch, "b", APIRequest{Images: []string{"good"}}, Deny, DependsBody},
		{K8sPatch, "b", APIRequest{BodyKnown: true, Images: []string{"good"}}, Allow, 0},
		{K8sPatch, "c", APIRequest{}, Deny, DependsBody},
		{K8sPatch, "c", APIRequest{BodyKnown: true}, Allow, 0},
		{K8sPatch, "d", APIRequest{}, Deny, DependsBody},
		{K8sPatch, "d", APIRequest{BodyKnown: true}, Allow, 0},
		{K8sPatch, "e", APIRequest{}, Deny, 0},
		{K8sPatch, "f", APIRequest{}, Deny, DependsBody},
		{K8sPatch, "f", APIRequest{BodyKnown: true}, Allow, 0},
		{K8sPatch, "g", APIRequest{Privileged: true}, Allow, 0},
		{K8sPatch, "g", APIRequest{BodyKnown: true, Privileged: true}, Deny, 0},
		{K8sPatch, "h", APIRequest{Privileged: true}, Allow, 0},
		{K8sPatch, "h", APIRequest{BodyKnown: true, Privileged: true}, Deny, 0},
		{K8sPatch, "other", APIRequest{}, Allow, 0},
		{K8sDebug, "a", APIRequest{Images: []string{"busybox"}}, Deny, DependsBody},
		{K8sDebug, "a", APIRequest{BodyKnown: true, Images: []string{"busybox"}}, Allow, 0},
	} {
		d := e.Decide(Moment{Now: noon}, tt.body.Facts(), Question{Action: tt.action, Entity: prod.Object(object("pods " + tt.namespace + "/x"))})
		if d.Effect != tt.want || d.Depends != tt.depends {
			t.Errorf("%s in %s with %+v: %v, depends %b: %s", tt.action, tt.namespace, tt.body, d.Effect, d.Depends, d.Reason)
		}
	}
}

// TestFailuresForSomeFail: what fails for one of the objects is not allowed for all of them together.
func TestFailuresForSomeFail(t *testing.T) {
	const overflows = `context.replicas + 9223372036854775807 > 1`
	for _, condition := range []string{
		`when { resource.name == "x" && ` + overflows + ` }`, `unless { resource.name != "x" || ` + overflows + ` }`,
		`when { if resource.name == "x" then ` + overflows + ` else false }`, `when { if resource.name == "x" then false else ` + overflows + ` }`,
		`when { if ` + overflows + ` then resource.name == "x" else false }`, `when { ` + overflows + ` } when { resource.name == "x" }`,
	} {
		for _, effect := range []string{"permit", "forbid"} {
			e := clusterEvaluator(t, broad+effect+` (principal, action in Action::"k8s:all", resource is Object) `+condition+`;`)
			if d := e.asks(K8sList, "pods shop/*"); d.Effect != Deny || len(d.Errors) != 1 || d.Depends != 0 {
				t.Errorf("%s %s: %v %v, depends %b", effect, condition, d.Effect, d.Errors, d.Depends)
			}
		}
	}
}

// TestUnknownPorts: an opening that is refused for some ports only says so, and one that is refused for all does not.
func TestUnknownPorts(t *testing.T) {
	for _, tt := range []struct {
		policy         string
		opening        Effect
		rests          bool
		ssh, web, list Effect
	}{
		{`@id("p") permit (principal, action in Action::"k8s:all", resource);`, Allow, false, Allow, Allow, Allow},
		{broad + `forbid (principal, action in Action::"k8s:all", resource) when { context.ports.contains(22) };`, Deny, true, Deny, Allow, Allow},
		{`@id("p") permit (principal, action == Action::"k8s:port_forward", resource) when { [80, 8080].containsAll(context.ports) };`, Deny, true, Deny, Allow, Deny},
		{`@id("p") permit (principal, action == Action::"k8s:port_forward", resource) when { context.ports_known && context.ports.contains(80) };`, Deny, true, Deny, Allow, Deny},
		{broad + `forbid (principal, action == Action::"k8s:port_forward", resource);`, Deny, false, Deny, Deny, Allow},
		{`@id("f") forbid (principal, action == Action::"k8s:port_forward", resource) when { context.ports.contains(22) };`, Deny, false, Deny, Deny, Deny},
		{broad + `forbid (principal, action == Action::"k8s:port_forward", resource);
@id("g") forbid (principal, action == Action::"k8s:port_forward", resource) when { context.ports.contains(22) };`, Deny, false, Deny, Deny, Allow},
		{broad + `@approval("1 of sre") forbid (principal, action == Action::"k8s:port_forward", resource) when { context.ports.contains(22) } unless { context.approved };`, Hold, true, Hold, Allow, Allow},
		{broad + `@approval("1 of sre") forbid (principal, action == Action::"k8s:port_forward", resource) unless { context.approved };`, Hold, false, Hold, Hold, Allow},
	} {
		e := clusterEvaluator(t, tt.policy)
		ask := func(a Action, r APIRequest) Decision {
			r.BodyKnown = true
			return e.Decide(Moment{Now: noon}, r.Facts(), Question{Action: a, Entity: prod.Object(object("pods shop/x"))})
		}
		opening := ask(K8sPortForward, APIRequest{})
		if opening.Effect != tt.opening || (opening.Depends == DependsPorts) != tt.rests {
			t.Errorf("%s\nopening is %v, depends %b: %s", tt.policy, opening.Effect, opening.Depends, opening.Reason)
		}
		for port, want := range map[int64]Effect{22: tt.ssh, 80: tt.web} {
			if d := ask(K8sPortForward, APIRequest{Ports: []int64{port}, PortsKnown: true}); d.Effect != want || d.Depends != 0 {
				t.Errorf("%s\nport %d is %v: %s", tt.policy, port, d.Effect, d.Reason)
			}
		}
		if d := ask(K8sList, APIRequest{}); d.Effect != tt.list || d.Depends != 0 {
			t.Errorf("%s\na list is %v: %s", tt.policy, d.Effect, d.Reason)
		}
	}
}

// TestLabelsToFetch: a decision says that it would be another one with the labels known, and only then.
func TestLabelsToFetch(t *testing.T) {
	e := clusterEvaluator(t, `@id("team") permit (principal, action in Action::"k8s:read", resource is Object) when { resource.labels.contains("team=shop") };
@id("open") permit (principal, action == Action::"k8s:list", resource in Namespace::"prod/open");
@id("core") @approval("1 of sre") forbid (principal, action in Action::"k8s:read", resource is Object)
when { resource.labels.contains("tier=core") } unless { context.approved };
@id("never") forbid (principal, action in Action::"k8s:read", resource in Namespace::"prod/never");`)
	for of, want := range map[string]Depends{
		"pods shop/x": DependsLabels, "pods shop/x [team=shop]": 0, "pods shop/x []": 0, "pods open/x": DependsLabels, "pods never/x": 0,
		"pods shop/x [team=shop tier=core]": 0,
	} {
		if d := e.asks(K8sList, of); d.Depends != want {
			t.Errorf("%s is %v, depends %b, want %b", of, d.Effect, d.Depends, want)
		}
	}
	if d := e.asks(K8sGet, "pods shop/x"); d.Effect != Deny {
		t.Errorf("with unknown labels: %v", d.Effect)
	}
	late := clusterEvaluator(t, `@id("late") permit (principal, action, resource is Object) when { resource.labels.contains("team=shop") && context.reason == "x" };
@id("either") permit (principal, action, resource is Object)
when { if resource.labels.contains("team=shop") then context.reason == "x" else context.ticket == "x" };`)
	if d := late.asks(K8sGet, "pods shop/x"); d.Depends != 0 {
		t.Errorf("labels do not help, and still depends %b", d.Depends)
	}
	held := clusterEvaluator(t, strings.Replace(broad, `@id("f")`, `@id("f") @approval("1 of sre")`, 1)+`forbid (principal, action, resource is Object)
when { resource.labels.contains("tier=core") || context.reason == "" } unless { context.approved };
@id("closed") forbid (principal, action, resource is Object) when { resource.labels.contains("tier=closed") };`)
	if d := held.asks(K8sGet, "pods shop/x"); d.Effect != Deny || d.Depends != DependsLabels {
		t.Errorf("a denial that may become a hold: %v, depends %b", d.Effect, d.Depends)
	}
	beyond := clusterEvaluator(t, strings.Replace(broad, `@id("f")`, `@id("f") @approval("1 of sre")`, 1)+`forbid (principal, action, resource is Object)
when { if context.approved then (if resource.labels.contains("team=shop") then 1 else 0) + 1 > 5 else true };`)
	if d := beyond.asks(K8sGet, "pods shop/x"); d.Effect != Deny || d.Depends != DependsLabels {
		t.Errorf("a denial under approval that may become a hold: %v, depends %b", d.Effect, d.Depends)
	}
	for a, want := range map[Action]Depends{K8sGet: DependsLabels, K8sPatch: 0, SQLSelect: 0} {
		if got := e.set.Depends(a); got != want {
			t.Errorf("policies on %s depend on %b, want %b", a, got, want)
		}
	}
}

// TestUnknownFields: whose field it is may be unknown too, and then what is hidden in some object is hidden.
func TestUnknownFields(t *testing.T) {
	e := clusterEvaluator(t, `@id("reveal") permit (principal, action == Action::"k8s:reveal", resource);
@id("objects") forbid (principal, action, resource) when { resource is Object in Namespace::"prod/shop" };
@id("field") forbid (principal, action == Action::"k8s:reveal", resource) when { resource == Field::"prod//configmaps:data.x" };
@id("mask") @mask("redact") forbid (principal, action == Action::"k8s:reveal", resource in DataClass::"secret")
unless { resource in APIResource::"prod//secrets" && resource.name like "sh.helm.release.v1.*" };`)
	ask := func(o ObjectInfo) MaskKind {
		return e.Reveal(Moment{Now: noon}, APIRequest{BodyKnown: true}.Facts(), prod.Field(o, "data.*", "secret")).Kind
	}
	for name, tt := range map[string]struct {
		o    ObjectInfo
		want MaskKind
	}{
		"a release":        {ObjectInfo{Resource: "secrets", Namespace: "shop", Name: "sh.helm.release.v1.web.v1", NameKnown: true}, MaskReveal},
		"one somewhere":    {ObjectInfo{Resource: "secrets", AllNamespaces: true, Name: "sh.helm.release.v1.web.v1", NameKnown: true}, MaskReveal},
		"a secret":         {ObjectInfo{Resource: "secrets", Namespace: "shop", Name: "db", NameKnown: true}, MaskRedact},
		"an unknown name":  {ObjectInfo{Resource: "secrets", Namespace: "shop"}, MaskRedact},
		"unknown at all":   {ObjectInfo{Resource: "secrets", AllNamespaces: true}, MaskRedact},
		"another resource": {ObjectInfo{Group: "x", Resource: "secrets", Name: "sh.helm.release.v1.web.v1", NameKnown: true}, MaskRedact},
	} {
		if got := ask(tt.o); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestObjectsDoNotCollide: names that would end up in another object's id are refused.
func TestObjectsDoNotCollide(t *testing.T) {
	e := clusterEvaluator(t, `@id("all") permit (principal, action, resource);`)
	for _, o := range []ObjectInfo{
		{Resource: "pods", Namespace: "shop", Name: "a/b", NameKnown: true}, {Resource: "pods", Namespace: "shop/a", Name: "b", NameKnown: true},
		{Resource: "a/b"}, {Group: "a/b", Resource: "pods"}, {Resource: "namespaces", Name: "a/b", NameKnown: true},
	} {
		if d := e.Decide(Moment{Now: noon}, APIRequest{}.Facts(), Question{Action: K8sGet, Entity: prod.Object(o)}); d.Effect != Deny {
			t.Errorf("%+v: %v", o, d.Effect)
		}
	}
}
