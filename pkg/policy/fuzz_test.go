package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzCompile: any text compiles or is refused with placed problems, and what compiles decides
// without failing, never allows a command without a policy to show for it, and stays the same.
func FuzzCompile(f *testing.F) {
	for _, text := range Starter().Files {
		f.Add(text)
	}
	f.Add([]byte(design))
	f.Add([]byte(testPolicies))
	f.Add([]byte(clusterPolicies))
	f.Add([]byte(`@id("a") permit (principal, action, resource) unless { resource in Namespace::"shop/a" || resource has name && resource.name like "*b" };`))
	f.Add([]byte(`@id("a") @approval("1 of b, 2 of c") forbid (principal, action, resource) when { [context].isEmpty() };`))
	f.Add([]byte(`@id("a") permit (principal is Agent in Group::"x", action, resource is Table) when { if true then 1 else 2 };`))
	f.Add([]byte(`@id("a") forbid (principal, action, resource) when { -9223372036854775808 * context.rows > 1 } unless { !!!!true };`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Compile(oneFile(string(text)))
		if err != nil {
			checkProblems(t, err, text)
			return
		}
		e, err := s.For(Principal{Kind: KindAgent, ID: "a", Groups: []string{"dev", "agents"}},
			Resource{Name: shop, Labels: map[string]string{"env": "prod"}}, Origin{})
		if err != nil {
			t.Fatal(err)
		}
		for a, ask := range map[Action]Entity{SQLSelect: orders, SQLDelete: orders, SQLDDL: shop.Schema("public"), SQLSet: shop.Setting("role")} {
			q := Question{Action: a, Entity: ask}
			d := e.Decide(Moment{Now: noon}, Statement{}.Facts(), q)
			if d.Effect != Deny && len(d.PolicyIDs) == 0 || d.Effect == Hold && len(d.Approvals) == 0 || d.Effect == Allow && len(d.Errors) > 0 {
				t.Fatalf("%s: %+v", q, d)
			}
			if again := e.Decide(Moment{Now: noon}, Statement{}.Facts(), q); again.Effect != d.Effect || !slices.Equal(again.PolicyIDs, d.PolicyIDs) {
				t.Fatalf("%+v, then %+v", d, again)
			}
		}
		checkCollection(t, e)
		e.Reveal(Moment{Now: noon}, Statement{}.Facts(), shop.Column("public", "t", "c", TableInfo{}, "pii"))
	})
}

// checkCollection fails where many objects may be listed together, but not each of them.
func checkCollection(t *testing.T, e *Evaluator) {
	facts := APIRequest{BodyKnown: true}.Facts()
	ask := func(o ObjectInfo) Decision {
		return e.Decide(Moment{Now: noon}, facts, Question{Action: K8sList, Entity: shop.Object(o)})
	}
	all := ask(ObjectInfo{Resource: "pods", AllNamespaces: true})
	for _, namespace := range []string{"a", "shop", "kube-system", ""} {
		for _, name := range []string{"a", "web", "b"} {
			o := ObjectInfo{Resource: "pods", Namespace: namespace, Name: name, NameKnown: true, LabelsKnown: true}
			if one := ask(o); all.Effect == Allow && one.Effect != Allow {
				t.Fatalf("all pods are listed, but %s/%s is %v: %s", namespace, name, one.Effect, one.Reason)
			}
		}
	}
}

// FuzzTestsFile: any text is read or refused with placed problems; what is read gives a
// result per test.
func FuzzTestsFile(f *testing.F) {
	f.Add(Starter().Files["starter_test.yaml"])
	f.Add([]byte(testSubjects))
	f.Add([]byte(clusterSubjects + "  - {name: x, principal: deputy, resource: prod, action: k8s:get, object: pods shop/web, labels: [a=b], with: {ports: [1]}, expect: allow}"))
	f.Add([]byte("tests: [{name: x, with: {rows: 1, at: 2026-01-01T00:00:00Z}}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("? - - -\n: |\n  x"))
	s, err := Compile(oneFile(testPolicies))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		results, err := RunTests(s, "p.cedar", text)
		if err != nil {
			checkProblems(t, err, text)
			return
		}
		for _, r := range results {
			if r.Want == "" && r.Passed {
				t.Fatalf("a test that wants nothing passed: %+v", r)
			}
		}
	})
}

func checkProblems(t *testing.T, err error, text []byte) {
	t.Helper()
	var refused *BundleError
	if !errors.As(err, &refused) || len(refused.Problems) == 0 {
		t.Fatalf("refused without a problem: %v", err)
	}
	lines := strings.Count(string(text), "\n") + strings.Count(string(text), "\r") + 2
	for _, p := range refused.Problems {
		if p.Message == "" || p.Line < 0 || p.Line > lines || p.Column < 0 || p.File != "p.cedar" {
			t.Fatalf("bad problem %+v", p)
		}
	}
}
