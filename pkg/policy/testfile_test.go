package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const testPolicies = `
@id("read") permit (principal in Group::"dev", action in Action::"sql:read", resource);
@id("delete") permit (principal in Group::"dev", action == Action::"sql:delete", resource);
@id("held") @approval("1 of dba") forbid (principal, action == Action::"sql:delete", resource) unless { context.approved };
@id("reveal") permit (principal, action == Action::"sql:reveal", resource);
@id("mask") @mask("partial:4") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"pii");
`

const testSubjects = `
principals:
  bot: {kind: agent, groups: [dev], attrs: {team: shop}, on_behalf_of: [person/ann]}
  odd: {kind: robot}
resources:
  shop: {kind: postgres, labels: {env: prod}}
tests:
`

// oneTest runs a single test, written as flow YAML without its name.
func oneTest(t *testing.T, test string) (Result, error) {
	t.Helper()
	s, err := Compile(oneFile(testPolicies))
	if err != nil {
		t.Fatal(err)
	}
	results, err := RunTests(s, "t.yaml", []byte(testSubjects+"  - {name: x, "+test+"}\n"))
	if err != nil {
		return Result{}, err
	}
	if len(results) != 1 || results[0].Line != 8 || results[0].Name != "x" {
		t.Fatalf("got %+v", results)
	}
	return results[0], nil
}

func TestResults(t *testing.T) {
	const on = "principal: bot, resource: shop, "
	tests := []struct{ test, want string }{ // want is empty for a test that passes
		{on + "action: sql:select, table: public.t, expect: allow", ""},
		{on + "action: sql:select, table: public.t, expect: allow, policies: [read]", ""},
		{on + "action: sql:select, table: public.t, expect: deny", "want deny, got allow"},
		{on + "action: sql:select, table: public.t, expect: allow, policies: [delete]", "want allow by delete, got allow by read"},
		{on + "action: sql:insert, table: public.t, expect: deny, policies: []", ""},
		{on + "action: sql:insert, table: public.t, expect: hold", "want hold, got deny: no policy permits sql:insert on Table shop/public.t"},
		{on + "action: sql:delete, table: public.t, expect: hold, approvals: [1 of dba]", ""},
		{on + "action: sql:delete, table: public.t, expect: hold, approvals: [2 of dba]", "want hold needing 2 of dba, got hold needing 1 of dba: needs approval by 1 of dba"},
		{on + "action: sql:delete, table: public.t, expect: allow, with: {approvals: [1 of dba]}", ""},
		{on + "actions: [\"sql:select\", \"sql:delete\"], table: public.t, expect: hold", ""},
		{on + "action: sql:reveal, column: public.t.c, expect: reveal", ""},
		{on + "action: sql:reveal, column: public.t.c, classes: [pii], expect: mask, mask: partial:4", ""},
		{on + "action: sql:reveal, column: public.t.c, classes: [pii], expect: mask, mask: redact", "want mask redact, got mask partial:4"},
		{on + "action: sql:reveal, column: public.t.c, classes: [pii], expect: reveal", "want reveal, got mask partial:4"},
		{on + `action: sql:select, table: 'public."a.b"', expect: allow`, ""},
		{on + "action: sql:expression, expect: allow", ""},

		{"principal: nobody, resource: shop, action: sql:select, table: public.t, expect: deny", `error: unknown principal "nobody"`},
		{"principal: odd, resource: shop, action: sql:select, table: public.t, expect: deny", `error: invalid principal: unknown kind "robot"`},
		{"principal: bot, resource: nothing, action: sql:select, table: public.t, expect: deny", `error: unknown resource "nothing"`},
		{on + "action: sql:selct, table: public.t, expect: deny", `error: unknown action "sql:selct"`},
		{on + "action: sql:read, table: public.t, expect: deny", `error: unknown action "sql:read"`},
		{on + "table: public.t, expect: deny", "error: give either action or actions"},
		{on + "actions: [\"session:open\", \"sql:select\"], expect: deny", "error: session:open and sql:select are never asked together"},
		{on + "action: sql:select, table: t, expect: deny", `error: table "t" is not of the form schema.name`},
		{on + "action: sql:select, table: a.b, schema: a, expect: deny", "error: give one of schema and table"},
		{on + "action: sql:select, table: a.b, expect: yes", "error: expect is one of allow, deny, hold, reveal or mask"},
		{on + "action: sql:reveal, column: a.b.c, expect: allow", "error: expect reveal or mask goes with action sql:reveal, k8s:reveal or aws:reveal and no other"},
		{on + "action: sql:reveal, column: a.b.c, expect: mask", "error: mask goes with expect: mask"},
		{on + "action: sql:select, table: a.b, expect: allow, approvals: [1 of dba]", "error: approvals go with expect: hold; those already given go into with.approvals"},
		{on + "action: sql:select, table: a.b, expect: allow, policies: [nothing]", `error: unknown policy "nothing"`},
		{on + "action: sql:select, table: a.b, expect: allow, with: {at: noon}", `error: with.at "noon" is not of the form 2026-01-05T12:00:00Z`},
		{on + "action: sql:select, table: a.b, expect: allow, with: {rows: -1}", "error: with.rows is negative; leave it out where the number is unknown"},
		{on + "action: sql:select, table: a.b, expect: allow, with: {client_ip: here}", `error: with.client_ip "here" is not an address`},
		{on + "action: access:request, expect: deny, with: {duration: long}", `error: with.duration "long" is not of the form 30m`},
		{on + "action: access:request, expect: deny, with: {actions: [x]}", `error: with.actions: unknown action "x"`},
	}
	for _, tt := range tests {
		r, err := oneTest(t, tt.test)
		if err != nil {
			t.Errorf("%s: %v", tt.test, err)
			continue
		}
		got := ""
		if !r.Passed {
			got = fmt.Sprintf("want %s, got %s", r.Want, r.Got)
			if r.Got == "error" {
				got = "error"
			}
			if r.Detail != "" {
				got += ": " + r.Detail
			}
		}
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.test, got, tt.want)
		}
	}
}

func TestUnreadableTestFiles(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "tests:\n  - {name: x}\n  - nam: x\n", `t.yaml:3:5: yaml: unknown field "nam"`},
		{"key twice", "tests: []\ntests: []\n", `t.yaml:2:1: yaml: mapping key "tests" already defined at [1:1]`},
		{"wrong type", "tests:\n  - name: [x]\n", "t.yaml:2:11: yaml: "},
		{"broken", "tests: [\n", "t.yaml:1:"},
		{"alias", "tests: &a\n  - {name: x}\n", "t.yaml:1: anchors"},
		{"tag", "tests: !!x []\n", "t.yaml:1: anchors"},
		{"two documents", "tests: []\n---\ntests: []\n", "t.yaml: more than one"},
		{"nesting", "tests: " + strings.Repeat("[", 30), "t.yaml:1: brackets nest deeper"},
		{"long line", "# " + strings.Repeat("x", maxTestLine), "t.yaml:1: line is longer"},
		{"large", strings.Repeat("#\n", maxTestFile), "t.yaml: test file is larger"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			results, err := RunTests(&Set{}, "t.yaml", []byte(tt.text))
			var refused *BundleError
			if !errors.As(err, &refused) || results != nil || !strings.HasPrefix(refused.Problems[0].String(), tt.want) {
				t.Errorf("got %v, %v\nwant %s", results, err, tt.want)
			}
			if problems := problemsOf(t, Bundle{Files: map[string][]byte{"t.yaml": []byte(tt.text)}}); len(problems) == 0 {
				t.Error("the bundle is not refused")
			}
		})
	}
	for _, text := range []string{"", "# nothing\n", "tests: []\n", "tests:\n"} {
		if results, err := RunTests(&Set{}, "t.yaml", []byte(text)); err != nil || len(results) != 0 {
			t.Errorf("%q: %v, %v", text, results, err)
		}
	}
}

// TestStarter: the starter bundle compiles, its tests pass, and they look at every policy.
func TestStarter(t *testing.T) {
	results, err := TestBundle(Starter())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%+v", r)
		}
	}
	s, err := Compile(Starter())
	if err != nil {
		t.Fatal(err)
	}
	f, problem := parseTestFile("starter_test.yaml", Starter().Files["starter_test.yaml"])
	if problem != nil {
		t.Fatal(problem)
	}
	// Taking any one policy away must be noticed by a test.
	for _, gone := range s.rules {
		b := Starter()
		for name, text := range b.Files {
			b.Files[name] = []byte(strings.Replace(string(text), gone.text, "", 1))
		}
		without, err := compilePolicies(b)
		if err != nil {
			t.Fatal(err)
		}
		noticed := false
		for i := range f.Tests {
			var r Result
			noticed = noticed || f.run(without, &f.Tests[i], &r) != nil || !r.Passed
		}
		if !noticed {
			t.Errorf("no test notices that %s is gone", gone.id)
		}
	}
}
