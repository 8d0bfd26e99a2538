package policy

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
	"pgregory.net/rapid"
)

// TestActionsMatchTheSchema: the table in action.go and the schema say the same.
func TestActionsMatchTheSchema(t *testing.T) {
	sch, err := loadSchema()
	if err != nil {
		t.Fatal(err)
	}
	var names []Action
	for uid, a := range sch.Actions {
		name := Action(uid.ID)
		names = append(names, name)
		if !name.Known() || name.Askable() != (a.AppliesTo != nil) {
			t.Errorf("%s: known %v, askable %v", name, name.Known(), name.Askable())
		}
		for other := range sch.Actions {
			if want := inSchema(sch.Actions[uid].Entity, other, func(u types.EntityUID) types.Entity { return sch.Actions[u].Entity }); want != name.In(Action(other.ID)) {
				t.Errorf("%s in %s: schema says %v", name, other.ID, want)
			}
		}
		if a.AppliesTo == nil {
			continue
		}
		var attrs []string
		for i := range attrCount {
			if familyAttrs[name.family()].has(i) {
				attrs = append(attrs, string(attrNames[i]))
			}
		}
		var declared []string
		for attr := range a.AppliesTo.Context {
			declared = append(declared, string(attr))
		}
		slices.Sort(attrs)
		slices.Sort(declared)
		if !slices.Equal(attrs, declared) {
			t.Errorf("%s: context is %v, schema says %v", name, attrs, declared)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, Actions()) {
		t.Errorf("schema has %v, code has %v", names, Actions())
	}
	if Action("").In("") || Action("sql:frob").In(SQLAll) || Action("sql:frob").In("sql:frob") {
		t.Error("an unknown action is in a group")
	}
}

func inSchema(e types.Entity, target types.EntityUID, get func(types.EntityUID) types.Entity) bool {
	if e.UID == target {
		return true
	}
	for p := range e.Parents.All() {
		if inSchema(get(p), target, get) {
			return true
		}
	}
	return false
}

// TestWhatMustBeNamedIsInNoGroup: what reaches the server's files, is not understood, or
// shows data is never given by a group.
func TestWhatMustBeNamedIsInNoGroup(t *testing.T) {
	for _, a := range []Action{SQLProgram, SQLUnparsed, SQLReveal, SQLFilter, K8sReveal, AWSUnidentified, AWSReveal} {
		if a.In(SQLAll) || a.In(K8sAll) || a.In(AWSAll) {
			t.Errorf("%s is in a group", a)
		}
	}
}

// TestRequestsMatchTheSchema: every entity that is built and every context, complete, is one
// that the schema allows, for each action and resource type. Validated policies do not fail.
func TestRequestsMatchTheSchema(t *testing.T) {
	sch, err := loadSchema()
	if err != nil {
		t.Fatal(err)
	}
	v := validate.New(sch, validate.WithStrict())
	entities := map[types.EntityType]Entity{
		"Resource": shop.Itself(),
		"Schema":   shop.Schema("public"),
		"Table":    orders,
		"Column":   shop.Column("public", "orders", "id", TableInfo{System: true}, "pii"),
		"Function": shop.Function("public", "f", FunctionInfo{Opaque: true}),
		"Setting":  shop.Setting("Work_Mem"),
		"Object": shop.Object(ObjectInfo{
			Group: "apps", Version: "v1", Resource: "deployments", Namespace: "web", Name: "x", NameKnown: true, Labels: []string{"a=b"}, LabelsKnown: true,
		}),
		"Path": shop.NonResource("/metrics"),
		"AWSResource": shop.AWSResource(AWSResourceInfo{
			Partition: "aws", Service: "s3", Region: "eu-west-1", Account: "111122223333", ARN: "arn:aws:s3:::b", ARNKnown: true, Type: "bucket", TagsKnown: true,
		}),
		"AWSField": shop.AWSField("secretsmanager", "GetSecretValue", "SecretString", "secret"),
		"Field":    shop.Field(ObjectInfo{Resource: "secrets", Namespace: "web", Name: "x", NameKnown: true}, "data.*", "secret"),
	}
	for kind := range maps.Keys(principalTypes) {
		s := &Set{}
		e, err := s.For(Principal{Kind: kind, ID: "x", Groups: []string{"g"}, Attrs: map[string]string{"a": "b"}},
			Resource{Name: shop, Labels: map[string]string{"env": "prod"}}, Origin{})
		if err != nil {
			t.Fatal(err)
		}
		for _, ent := range []types.Entity{e.plans.principal, e.plans.resource} {
			if err := v.Entity(ent); err != nil {
				t.Errorf("%s: %v", ent.UID, err)
			}
		}
		facts := map[family]*Facts{familyOpening: openingFacts, familyRequest: Asked{}.Facts(), familyStatement: Statement{}.Facts(), familyAPI: APIRequest{}.Facts(), familyCall: AWSCall{}.Facts()}
		for uid, a := range sch.Actions {
			if a.AppliesTo == nil {
				continue
			}
			fam := Action(uid.ID).family()
			for _, resource := range a.AppliesTo.Resources {
				ent, ok := entities[resource]
				if !ok {
					t.Fatalf("no constructor for %s", resource)
				}
				req := types.Request{Principal: e.plans.principal.UID, Action: uid, Resource: ent.cedar.UID,
					Context: record(familyAttrs[fam], &e.session, facts[fam], Moment{Now: noon}, false, false)}
				if err := v.Request(req); err != nil {
					t.Errorf("%s: %v", uid, err)
				}
			}
		}
	}
	for _, ent := range entities {
		if ent.cedar.UID.Type == "Resource" {
			continue // the evaluator has the one with attributes
		}
		direct := ent.actedOnAs(types.Entity{}).whole()
		direct.Parents = types.NewEntityUIDSet() // flattened: not the direct parents of the schema
		if err := v.Entity(direct); err != nil {
			t.Errorf("%s: %v", ent, err)
		}
	}
}

// TestPathsDoNotCollide: different names never give the same id.
func TestPathsDoNotCollide(t *testing.T) {
	name := rapid.OneOf(rapid.StringMatching(`[a-c."/ ]{0,4}`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SliceOfN(name, 1, 3).Draw(t, "path")
		text := Dotted(path...)
		got, ok := undotted(text)
		if !ok || !slices.Equal(got, path) {
			t.Fatalf("%q becomes %s becomes %q, %v", path, text, got, ok)
		}
	})
	for _, text := range []string{"", ".", "a.", ".a", `"a`, `"a"b`, `a"b`, `"a".`, "a b"} {
		if path, ok := undotted(text); ok {
			t.Errorf("%q is read as %q", text, path)
		}
	}
	if a, b := shop.Table("a.b", "c", TableInfo{}), shop.Table("a", "b.c", TableInfo{}); a.String() == b.String() {
		t.Errorf("%s twice", a)
	}
}

// TestSubjectsDoNotCollide: two principals that policies can tell apart never share plans.
func TestSubjectsDoNotCollide(t *testing.T) {
	base := func() (Principal, Resource) {
		return Principal{Kind: KindAgent, ID: "a", Name: "n", Email: "e", Issuer: "i", Groups: []string{"g", "h"}, Attrs: map[string]string{"k": "v"}},
			Resource{Name: "r", Kind: "k", Labels: map[string]string{"l": "m"}}
	}
	p, r := base()
	want := subjectOf(p, r)
	for name, change := range map[string]func(*Principal, *Resource){
		"kind":   func(p *Principal, _ *Resource) { p.Kind = KindJob },
		"id":     func(p *Principal, _ *Resource) { p.ID = "b" },
		"name":   func(p *Principal, _ *Resource) { p.Name = "" },
		"email":  func(p *Principal, _ *Resource) { p.Email = "" },
		"issuer": func(p *Principal, _ *Resource) { p.Issuer = "" },
		"group":  func(p *Principal, _ *Resource) { p.Groups = []string{"g"} },
		"group moved": func(p *Principal, _ *Resource) {
			p.Groups, p.Attrs = []string{"g"}, map[string]string{"h": "", "k": "v"}
		},
		"attr":     func(p *Principal, _ *Resource) { p.Attrs = map[string]string{"k": "w"} },
		"resource": func(_ *Principal, r *Resource) { r.Name = "s" },
		"sort":     func(_ *Principal, r *Resource) { r.Kind = "x" },
		"label":    func(_ *Principal, r *Resource) { r.Labels = map[string]string{"l": "n"} },
		"role":     func(_ *Principal, r *Resource) { r.Role = &Role{} },
		"no power": func(_ *Principal, r *Resource) { r.Role = &Role{Privileges: []string{}} },
		"role arn": func(_ *Principal, r *Resource) { r.Role = &Role{ARN: "a"} },
		"power":    func(_ *Principal, r *Resource) { r.Role = &Role{Privileges: []string{"a"}} },
	} {
		p, r := base()
		change(&p, &r)
		if subjectOf(p, r) == want {
			t.Errorf("%s: same subject", name)
		}
	}
	p, r = base()
	p.Groups = []string{"h", "g"}
	if subjectOf(p, r) != want {
		t.Error("the order of groups matters")
	}
}

func TestSchemaIsWhatIsPublished(t *testing.T) {
	if text := string(Schema()); !strings.Contains(text, `action "session:open"`) || !strings.Contains(text, `action "sql:select"`) {
		t.Error("a part of the schema is missing")
	}
}
