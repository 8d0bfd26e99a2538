package policy

import (
	"errors"
	"slices"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"pgregory.net/rapid"
)

// cloud is a universe of policies that tell things in an AWS account apart in every way there is.
var cloud = universe{
	conditions: []string{
		`resource.arn == "arn:aws:s3:::a/x"`, `resource.arn like "arn:aws:s3:::a/*"`, `resource.type == "object"`, `resource has arn`, `!(resource has type)`,
		`resource == AWSResource::"r1/arn:aws:s3:::a/x"`, `AWSResource::"r1/arn:aws:s3:::b" != resource`, `resource == AWSResource::"r1/*"`,
		`resource in [AWSResource::"r1/arn:aws:s3:::b", AWSResource::"r1/*"]`, `[AWSResource::"r1/arn:aws:s3:::b"].contains(resource)`,
		`resource in AWSService::"r1/s3"`, `resource in AWSService::"r1/sqs"`, `resource in Region::"r1/eu-west-1"`, `resource.service == "s3"`,
		`resource.region like "eu-*"`, `resource.account == "111122223333"`, `resource.tags.contains("k=1")`, `resource.tags.isEmpty()`,
		`(resource.arn like "*x" && resource.tags.contains("k=1"))`, `resource is AWSResource`, `resource.role.privileged`, `resource.role.privileges.contains("iam:PassRole")`, `(resource has role && resource.role.arn like "*/admin")`, `resource in Label::"env=prod"`,
		`context.action == "s3:GetObject"`, `context.params.contains("Key=x")`, `context.passed_roles.isEmpty()`, `context.dry_run`, `context.approved`, `true`, `false`,
	},
	actionScopes: []string{`action in Action::"aws:all"`, `action in Action::"aws:read"`, `action == Action::"aws:get"`,
		`action in [Action::"aws:get", Action::"aws:change"]`, `action == Action::"aws:pass_role"`},
	resourceScopes: []string{`resource`, `resource is AWSResource`, `resource in Resource::"r1"`, `resource in Label::"env=prod"`, `resource in AWSService::"r1/s3"`,
		`resource in AWSService::"r1/sqs"`, `resource in Region::"r1/eu-west-1"`, `resource == AWSResource::"r1/arn:aws:s3:::a/x"`,
		`resource in AWSResource::"r1/arn:aws:s3:::b"`, `resource is AWSResource in AWSService::"r1/s3"`, `resource == AWSResource::"r1/*"`},
	broad: `@id("broad") permit (principal, action in Action::"aws:all", resource);`,
}

var things = []AWSResourceInfo{
	{ARN: "arn:aws:s3:::a/x", Type: "object"}, {ARN: "arn:aws:s3:::a/y", Type: "object"}, {ARN: "arn:aws:s3:::b", Type: "bucket"}, {ARN: "*"},
}

func drawThing(t *rapid.T) AWSResourceInfo {
	o := rapid.SampledFrom(things).Draw(t, "thing")
	o.Partition, o.Account = "aws", rapid.SampledFrom([]string{"111122223333", "444455556666"}).Draw(t, "account")
	o.Service = rapid.SampledFrom([]string{"s3", "sqs"}).Draw(t, "service")
	o.Region = rapid.SampledFrom([]string{"", "eu-west-1", "us-east-1"}).Draw(t, "region")
	o.ARNKnown, o.TagsKnown, o.Tags = rapid.Bool().Draw(t, "known"), rapid.Bool().Draw(t, "tags known"), subset(t, "tag ", "k=1", "k=2")
	return o
}

// mayBe is all that o may stand for.
func mayBe(o AWSResourceInfo) (all []AWSResourceInfo) {
	all = []AWSResourceInfo{o}
	if !o.ARNKnown {
		all = nil
		for _, thing := range things {
			next := o
			next.ARN, next.Type, next.ARNKnown = thing.ARN, thing.Type, true
			all = append(all, next)
		}
	}
	if o.TagsKnown {
		return all
	}
	whole := all
	all = nil
	for _, next := range whole {
		for _, tags := range [][]string{nil, {"k=1"}, {"k=1", "k=2"}} {
			next.Tags, next.TagsKnown = tags, true
			all = append(all, next)
		}
	}
	return all
}

// TestNothingIsEvadedByLeavingItOpen compares the decision on what is known in part with those of plain Cedar on everything it may stand
// for: what is allowed in part is allowed whole, and every forbid that applies to any of it applies.
func TestNothingIsEvadedByLeavingItOpen(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		set, bundle := cloud.drawSet(t)
		e := drawSubject(t, set)
		all := cedar.NewPolicySet()
		for _, r := range set.rules {
			all.Add(types.PolicyID(r.id), cedar.NewPolicyFromAST(publicAST(r)))
		}
		for range 6 {
			a := rapid.SampledFrom([]Action{AWSGet, AWSChange, AWSPassRole}).Draw(t, "action")
			o, approved := drawThing(t), rapid.Bool().Draw(t, "approved")
			call := AWSCall{Action: rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject"}).Draw(t, "iam"), Params: slices.Values(subset(t, "param ", "Key=x"))}
			part := e.authorize(e.plans.of(a), Moment{Now: noon}, call.Facts(), &Question{Action: a, Entity: e.name.AWSResource(o)}, approved)
			allowed, reasons := part.allowed && len(part.Errors) == 0, reasonIDs(part.Diagnostic)
			for _, c := range mayBe(o) {
				whole, diag := everythingOn(e, all, a, e.name.AWSResource(c), call.Facts(), Moment{Now: noon}, approved)
				missing := slices.DeleteFunc(reasonIDs(diag), func(id string) bool { return slices.Contains(reasons, id) })
				switch {
				case allowed && (!whole || len(diag.Errors) > 0):
					t.Fatalf("%s\n%s on %+v approved=%v is allowed by %v\nbut %+v is not: %v %v", bundle.Files["p.cedar"], a, o, approved, reasons, c, reasonIDs(diag), errorIDs(diag))
				case !whole && len(missing) > 0 && len(part.Errors) == 0:
					t.Fatalf("%s\n%s on %+v approved=%v is decided by %v\nbut %+v also by %v", bundle.Files["p.cedar"], a, o, approved, reasons, c, missing)
				case len(mayBe(o)) == 1 && whole != allowed:
					t.Fatalf("%s\n%s on %+v approved=%v: %v, in full %v %v", bundle.Files["p.cedar"], a, o, approved, part, whole, diag)
				}
			}
			count(seen, part.allowed, part.Diagnostic)
		}
	})
	for _, want := range []string{"allow", "deny", "forbid"} {
		if seen["total"] > 500 && seen[want] == 0 {
			t.Errorf("the random policies never gave %s: %v", want, seen)
		}
	}
}

// TestRoleOfAnAccount: policies read what the role may do, and what has no role has none.
func TestRoleOfAnAccount(t *testing.T) {
	set, err := Compile(oneFile(`@id("open") permit (principal, action == Action::"access:request", resource);
@id("power") @approval("1 of sre") forbid (principal, action == Action::"access:request", resource)
when { resource has role && resource.role.privileged && resource.role.privileges.containsAny(["iam:PassRole", "*"]) } unless { context.approved };`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		role *Role
		want Effect
	}{{nil, Allow}, {&Role{ARN: "arn:aws:iam::111122223333:role/r", Privileges: []string{}}, Allow}, {&Role{}, Hold}, {&Role{Privileges: []string{"iam:PassRole"}}, Hold}, {&Role{Privileges: []string{"rds:DeleteDBInstance"}}, Allow}} {
		e, err := set.For(Principal{Kind: KindAgent, ID: "a"}, Resource{Name: "r1", Kind: "aws", Role: c.role}, Origin{})
		if err != nil {
			t.Fatal(err)
		}
		if d := e.Decide(Moment{Now: noon}, Asked{}.Facts(), Question{Action: AccessRequest, Entity: ResourceName("r1").Itself()}); d.Effect != c.want {
			t.Errorf("%+v: %v %s", c.role, d.Effect, d.Reason)
		}
	}
}

// TestRoleOfACall: what is in an account has the role that acts on it, and where nobody knows the role it may do all.
func TestRoleOfACall(t *testing.T) {
	set, err := Compile(oneFile(`@id("open") permit (principal, action in Action::"aws:all", resource);
@id("power") forbid (principal, action in Action::"aws:write", resource) when { resource.role.privileged };
@id("pass") forbid (principal, action == Action::"aws:get", resource) when { resource.role.privileges.contains("iam:PassRole") };
@id("admin") forbid (principal, action == Action::"aws:list", resource) when { resource has role && resource.role.arn like "*/admin" };`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		role              *Role
		change, get, list Effect
	}{
		"no role":       {nil, Deny, Allow, Allow},
		"not known":     {&Role{ARN: "arn:aws:iam::111122223333:role/admin"}, Deny, Allow, Deny},
		"harmless":      {&Role{Privileges: []string{}}, Allow, Allow, Allow},
		"passes roles":  {&Role{Privileges: []string{"iam:PassRole"}}, Deny, Deny, Allow},
		"deletes a lot": {&Role{Privileges: []string{"rds:DeleteDBInstance"}}, Deny, Allow, Allow},
	} {
		e, err := set.For(Principal{Kind: KindAgent, ID: "a"}, Resource{Name: "r1", Kind: "aws", Role: c.role}, Origin{})
		if err != nil {
			t.Fatal(err)
		}
		thing := ResourceName("r1").AWSResource(AWSResourceInfo{Partition: "aws", Service: "s3", Account: "111122223333", ARN: "arn:aws:s3:::b", ARNKnown: true})
		for a, want := range map[Action]Effect{AWSChange: c.change, AWSGet: c.get, AWSList: c.list} {
			if d := e.Decide(Moment{Now: noon}, AWSCall{}.Facts(), Question{Action: a, Entity: thing}); d.Effect != want {
				t.Errorf("%s: %s is %v: %s", name, a, d.Effect, d.Reason)
			}
		}
	}
}

func TestPrivilegedFile(t *testing.T) {
	bundle := func(text string) Bundle {
		return Bundle{Files: map[string][]byte{PrivilegedFile: []byte(text), "p.cedar": []byte(`@id("a") permit (principal, action, resource);`)}}
	}
	for text, want := range map[string]PrivilegedActions{
		"":                                       {},
		"# nothing\n":                            {},
		"add: [\"kms:Decrypt\", \"athena:*\"]\n": {Add: []string{"kms:Decrypt", "athena:*"}},
		"add: []\nremove:\n  - \"sqs:*\"\n":      {Add: []string{}, Remove: []string{"sqs:*"}},
	} {
		set, err := Compile(bundle(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := set.PrivilegedActions(); !slices.Equal(got.Add, want.Add) || !slices.Equal(got.Remove, want.Remove) {
			t.Errorf("%q: %+v", text, got)
		}
	}
	for _, text := range []string{"added: [a]", "add: {a: b}", "add: [&x a, *x]", "- a", "a: [", "add: []\n---\nadd: []"} {
		var refused *BundleError
		if _, err := Compile(bundle(text)); !errors.As(err, &refused) || refused.Problems[0].File != PrivilegedFile {
			t.Errorf("%q: %v", text, err)
		}
	}
	if set, err := Compile(oneFile("")); err != nil || len(set.PrivilegedActions().Add) > 0 {
		t.Error(err)
	}
}

func FuzzReadPrivileged(f *testing.F) {
	f.Add([]byte("add: [\"kms:Decrypt\"]\nremove: [\"sqs:*\"]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if p, problem := readPrivileged(PrivilegedFile, text); problem != nil && len(p.Add)+len(p.Remove) > 0 {
			t.Fatal("half a file was taken")
		}
	})
}
