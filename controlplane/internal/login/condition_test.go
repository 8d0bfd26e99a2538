package login

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// claimsOf makes claims from JSON.
func claimsOf(t testing.TB, text string) claims {
	t.Helper()
	var c claims
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Claims as each issuer's own documentation shows them.
const (
	gitHubToken = `{"iss":"https://token.actions.githubusercontent.com","aud":"writ","sub":"repo:octo-org/octo-repo:ref:refs/heads/main",
"environment":"production","ref":"refs/heads/main","ref_type":"branch","ref_protected":"true","repository":"octo-org/octo-repo","repository_id":"74",
"repository_owner":"octo-org","repository_owner_id":"65","actor":"octocat","workflow":"deploy","event_name":"push","run_id":"30433642",
"job_workflow_ref":"octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main"}`
	gitLabToken = `{"iss":"https://gitlab.com","aud":"writ","sub":"project_path:my-group/my-project:ref_type:branch:ref:main","namespace_id":"72",
"namespace_path":"my-group","project_id":"20","project_path":"my-group/my-project","user_login":"sample-user","pipeline_source":"push",
"ref":"main","ref_type":"branch","ref_protected":"true","environment":"production","job_id":"302"}`
	kubernetesToken = `{"iss":"https://kubernetes.default.svc","aud":["writ"],"sub":"system:serviceaccount:shop:worker","kubernetes.io":
{"namespace":"shop","node":{"name":"n1"},"pod":{"name":"worker-1","uid":"5e0bd49b"},"serviceaccount":{"name":"worker","uid":"14ee3fa4"}}}`
)

func TestConditions(t *testing.T) {
	c := claimsOf(t, gitHubToken)
	nested := claimsOf(t, kubernetesToken)
	flags := claimsOf(t, `{"n":12,"b":true,"list":["a"],"empty":"","email":"eve@example.com","a/b":"x","a":{"b":{"c~d":"y"}}}`)
	verified := claimsOf(t, `{"email":"alice@example.com","email_verified":true}`)
	for _, tt := range []struct {
		c    Condition
		of   claims
		want bool
	}{
		{Condition{Claim: "repository", Equals: "octo-org/octo-repo"}, c, true},
		{Condition{Claim: "repository", Equals: "Octo-org/octo-repo"}, c, false},
		{Condition{Claim: "repository", Equals: "octo-org/octo"}, c, false},
		{Condition{Claim: "ref", OneOf: []string{"refs/heads/dev", "refs/heads/main"}}, c, true},
		{Condition{Claim: "ref", OneOf: []string{"refs/heads/dev"}}, c, false},
		{Condition{Claim: "repository", Glob: "octo-org/*"}, c, true},
		{Condition{Claim: "repository", Glob: "octo-org/*-repo"}, c, true},
		{Condition{Claim: "repository", Glob: "octo-org/octo-repo*"}, c, false}, // at least one character
		{Condition{Claim: "repository", Glob: "octo*"}, c, false},               // not over the slash
		{Condition{Claim: "sub", Glob: "repo:octo-org/*"}, c, false},            // nor the colon
		{Condition{Claim: "sub", Glob: "repo:octo-org/*:ref:refs/heads/main"}, c, true},
		{Condition{Claim: "job_workflow_ref", Glob: "octo-org/octo-automation/.github/workflows/*"}, c, false}, // nor the @
		{Condition{Claim: "absent", Equals: "x"}, c, false},
		{Condition{Claim: "repository"}, c, false},
		{Condition{}, c, false},
		{Condition{Claim: "/kubernetes.io/namespace", Equals: "shop"}, nested, true},
		{Condition{Claim: "/kubernetes.io/pod/name", Glob: "worker-*"}, nested, true},
		{Condition{Claim: "/kubernetes.io/pod", Equals: "worker-1"}, nested, false},
		{Condition{Claim: "/kubernetes.io/pod/name/x", Equals: "worker-1"}, nested, false},
		{Condition{Claim: "aud", Equals: "writ"}, nested, false}, // a list is no value
		{Condition{Claim: "n", Equals: "12"}, flags, true},
		{Condition{Claim: "b", Equals: "true"}, flags, true},
		{Condition{Claim: "list", Equals: "a"}, flags, false},
		{Condition{Claim: "empty", Equals: ""}, flags, false},
		{Condition{Claim: "/a~1b", Equals: "x"}, flags, true},
		{Condition{Claim: "/a/b/c~0d", Equals: "y"}, flags, true},
		{Condition{Claim: "email", Equals: "eve@example.com"}, flags, false}, // not verified
		{Condition{Claim: "email", Glob: "a*@example.com"}, verified, true},
	} {
		if got := tt.c.holds(tt.of); got != tt.want {
			t.Errorf("%+v: %v", tt.c, got)
		}
	}
}

func TestConditionsThatAreRefused(t *testing.T) {
	for name, c := range map[string]Condition{
		"no claim":          {Equals: "x"},
		"nothing":           {Claim: "sub"},
		"two":               {Claim: "sub", Equals: "x", OneOf: []string{"y"}},
		"empty value":       {Claim: "sub", OneOf: []string{"x", ""}},
		"star first":        {Claim: "sub", Glob: "*/deploy"},
		"only a star":       {Claim: "sub", Glob: "*"},
		"two stars":         {Claim: "sub", Glob: "x/**"},
		"many stars":        {Claim: "sub", Glob: "x*a*b*c*d*e"},
		"no star":           {Claim: "sub", Glob: "x"},
		"star in equals":    {Claim: "sub", Equals: "x/*"},
		"star in one_of":    {Claim: "sub", OneOf: []string{"x/*"}},
		"path of nothing":   {Claim: "/", Equals: "x"},
		"one_of of nothing": {Claim: "sub", OneOf: []string{}},
	} {
		if err := c.check(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func presetIssuer(url, preset string, conditions ...Condition) Issuer {
	return Issuer{URL: url, Preset: preset, Audiences: []string{"writ"}, Conditions: conditions}
}

func gitHub(conditions ...Condition) Issuer {
	return presetIssuer("https://token.actions.githubusercontent.com", "", conditions...)
}

func gitLab(conditions ...Condition) Issuer {
	return presetIssuer("https://gitlab.com", "", conditions...)
}

func cluster(conditions ...Condition) Issuer {
	return presetIssuer("https://kubernetes.default.svc", presetKubernetes, conditions...)
}

func ruled(is Issuer, when ...Condition) Issuer {
	is.GroupRules = []GroupRule{{Groups: []string{"deployers"}, When: when}}
	return is
}

func TestIssuersThatLetTooManyIn(t *testing.T) {
	owner := Condition{Claim: "repository_owner_id", Equals: "65"}
	group := Condition{Claim: "namespace_path", Equals: "my-group"}
	for name, is := range map[string]Issuer{
		"github without an owner":          gitHub(),
		"github by branch only":            gitHub(Condition{Claim: "ref", Equals: "refs/heads/main"}),
		"github by environment only":       gitHub(Condition{Claim: "environment", Equals: "production"}),
		"github by an owner's beginning":   gitHub(Condition{Claim: "repository_owner", Glob: "octo*"}),
		"github by an id's beginning":      gitHub(Condition{Claim: "repository_owner_id", Glob: "6*"}),
		"github by any owner's repository": gitHub(Condition{Claim: "repository", Glob: "o*/octo-repo"}),
		"github by any owner's subject":    gitHub(Condition{Claim: "sub", Glob: "repo:o*/octo-repo:ref:refs/heads/main"}),
		"github by a subject of no repo":   gitHub(Condition{Claim: "sub", Equals: "octo-org/octo-repo"}),
		"github with one open alternative": gitHub(Condition{Claim: "repository", OneOf: []string{"octo-org/a", "octo-org"}}, Condition{Claim: "sub", Glob: "repo:*"}),
		"github by workflow name":          gitHub(owner, Condition{Claim: "workflow", Equals: "deploy"}),
		"github by half a ref":             gitHub(owner, Condition{Claim: "ref", Equals: "main"}),
		"github rule by workflow name":     ruled(gitHub(owner), Condition{Claim: "workflow", Equals: "deploy"}),
		"github rule by half a ref":        ruled(gitHub(owner), Condition{Claim: "ref", Equals: "main"}),
		"github rule without a when":       ruled(gitHub(owner)),
		"github rule with a bad glob":      ruled(gitHub(owner), Condition{Claim: "repository", Glob: "*/a"}),
		"github people":                    func() Issuer { is := gitHub(owner); is.Kind = "person"; return is }(),
		"gitlab without a group":           gitLab(),
		"gitlab by branch only":            gitLab(Condition{Claim: "ref", Equals: "main"}, Condition{Claim: "ref_type", Equals: "branch"}),
		"gitlab by a group's beginning":    gitLab(Condition{Claim: "namespace_path", Glob: "my*"}),
		"gitlab by a branch or a tag":      gitLab(group, Condition{Claim: "ref", Equals: "main"}),
		"gitlab rule by a branch or a tag": ruled(gitLab(group), Condition{Claim: "ref", Equals: "main"}),
		"kubernetes without a namespace":   cluster(),
		"kubernetes in any namespace":      cluster(Condition{Claim: "sub", Glob: "system:serviceaccount:sh*:worker"}),
		"kubernetes by pod only":           cluster(Condition{Claim: "/kubernetes.io/pod/name", Equals: "worker-1"}),
		"unknown preset":                   presetIssuer("https://x.example", "circleci", owner),
		"rule without groups":              {URL: "https://x.example", Audiences: []string{"writ"}, Kind: "job", GroupRules: []GroupRule{{When: []Condition{owner}}}},
	} {
		if got, err := is.complete(); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
}

func TestPresets(t *testing.T) {
	owner := Condition{Claim: "repository_owner_id", Equals: "65"}
	main := Condition{Claim: "ref", Equals: "refs/heads/main"}
	group := Condition{Claim: "namespace_path", Equals: "my-group"}
	for _, tt := range []struct {
		name   string
		issuer Issuer
		token  string
		who    string
		kind   string
		groups []string // nil is a refusal
	}{
		{"github", gitHub(owner), gitHubToken, "github:repo:octo-org/octo-repo:ref:refs/heads/main", "job", []string{}},
		{"github, on main", ruled(gitHub(owner), Condition{Claim: "repository", Equals: "octo-org/octo-repo"}, main), gitHubToken, "github:repo:octo-org/octo-repo:ref:refs/heads/main", "job", []string{"deployers"}},
		{"github, another repository's main", ruled(gitHub(owner), Condition{Claim: "repository", Equals: "octo-org/octo-repo"}, main),
			strings.ReplaceAll(gitHubToken, "octo-org/octo-repo", "octo-org/other"), "github:repo:octo-org/other:ref:refs/heads/main", "job", []string{}},
		{"github, another branch", ruled(gitHub(owner), main), strings.ReplaceAll(gitHubToken, "heads/main", "heads/main2"), "github:repo:octo-org/octo-repo:ref:refs/heads/main2", "job", []string{}},
		{"github, a fork", gitHub(Condition{Claim: "repository", Glob: "octo-org/*"}), strings.ReplaceAll(gitHubToken, "octo-org/octo-repo", "evil/octo-repo"), "", "", nil},
		{"github, a fork with the owner's name inside", gitHub(Condition{Claim: "sub", Equals: "repo:octo-org/octo-repo:ref:refs/heads/main"}),
			strings.ReplaceAll(gitHubToken, `"repo:octo-org`, `"repo:evil/octo-org`), "", "", nil},
		{"github, another owner", gitHub(owner), strings.ReplaceAll(gitHubToken, `"65"`, `"66"`), "", "", nil},
		{"github, a pull request", gitHub(owner), strings.ReplaceAll(gitHubToken, `"push"`, `"pull_request"`), "", "", nil},
		{"github, a pull request's target", gitHub(owner), strings.ReplaceAll(gitHubToken, `"push"`, `"pull_request_target"`), "", "", nil},
		{"github, a pull request's subject", gitHub(owner), strings.ReplaceAll(gitHubToken, ":ref:refs/heads/main", ":pull_request"), "", "", nil},
		{"github, a pull request that was asked for", gitHub(owner, Condition{Claim: "event_name", OneOf: []string{"push", "pull_request"}}),
			strings.ReplaceAll(gitHubToken, `"push"`, `"pull_request"`), "github:repo:octo-org/octo-repo:ref:refs/heads/main", "job", []string{}},
		{"gitlab", ruled(gitLab(group), Condition{Claim: "ref", Equals: "main"}, Condition{Claim: "ref_type", Equals: "branch"}), gitLabToken, "gitlab:project_path:my-group/my-project:ref_type:branch:ref:main", "job", []string{"deployers"}},
		{"gitlab, a tag named main", ruled(gitLab(group), Condition{Claim: "ref", Equals: "main"}, Condition{Claim: "ref_type", Equals: "branch"}),
			strings.ReplaceAll(gitLabToken, `branch"`, `tag"`), "gitlab:project_path:my-group/my-project:ref_type:branch:ref:main", "job", []string{}},
		{"gitlab, a subgroup", gitLab(group), strings.ReplaceAll(gitLabToken, `"my-group"`, `"my-group/sub"`), "", "", nil},
		{"gitlab, a merge request", gitLab(group), strings.ReplaceAll(gitLabToken, `"push"`, `"merge_request_event"`), "", "", nil},
		{"kubernetes", cluster(Condition{Claim: "sub", Equals: "system:serviceaccount:shop:worker"}), kubernetesToken, "kubernetes:system:serviceaccount:shop:worker", "service", []string{}},
		{"kubernetes, by namespace", ruled(cluster(Condition{Claim: "/kubernetes.io/namespace", Equals: "shop"}), Condition{Claim: "/kubernetes.io/serviceaccount/name", Equals: "worker"}), kubernetesToken, "kubernetes:system:serviceaccount:shop:worker", "service", []string{"deployers"}},
		{"kubernetes, another namespace", cluster(Condition{Claim: "sub", Glob: "system:serviceaccount:shop:*"}), strings.ReplaceAll(kubernetesToken, ":shop:", ":evil:"), "", "", nil},
		{"kubernetes, a namespace in the name", cluster(Condition{Claim: "sub", Glob: "system:serviceaccount:shop:*"}), strings.ReplaceAll(kubernetesToken, ":shop:worker", ":shop:x:worker"), "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			is, err := tt.issuer.complete()
			if err != nil {
				t.Fatal(err)
			}
			c := claimsOf(t, tt.token)
			if err := is.admits(c); (err != nil) != (tt.groups == nil) {
				t.Fatalf("admitted: %v", err)
			} else if err != nil {
				return
			}
			p, acted, err := (&verifier{issuer: is}).principal(c)
			if err != nil || acted || p.ID != tt.who || p.Kind != tt.kind || !slices.Equal(p.Groups, tt.groups) {
				t.Fatalf("got %+v, %v", p, err)
			}
		})
	}
}

func TestUniqueMembers(t *testing.T) {
	for text, ok := range map[string]bool{
		`{}`: true, `{"a":1,"b":{"a":2},"c":[{"a":1},{"a":2}],"d":"a"}`: true, `{"a":"b","b":"a"}`: true, `{"a":["a","a"]}`: true,
		`{"sub":"x","sub":"y"}`: false, `{"sub":"x","SUB":"y"}`: false, `{"a":{"b":1,"b":2}}`: false, `{"a":[{"x":1,"x":1}]}`: false,
		`{"a":{"z":1},"a":1}`: false, `{`: false,
	} {
		if err := uniqueMembers([]byte(text)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("octo-org/*", "octo-org/octo-repo")
	f.Add("a*b*c", "aXbYc")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if (Condition{Claim: "x", Glob: pattern}).check() != nil || len(pattern)+len(s) > 200 {
			return
		}
		if !globMatches(pattern, s) {
			return
		}
		literal, _, _ := strings.Cut(pattern, "*")
		if !strings.HasPrefix(s, literal) || len(s) < len(pattern) {
			t.Fatalf("%q matches %q", pattern, s)
		}
		for _, sep := range separators {
			if strings.Count(s, string(sep)) != strings.Count(pattern, string(sep)) {
				t.Fatalf("%q matches %q over %q", pattern, s, sep)
			}
		}
	})
}

func FuzzUniqueMembers(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,{"c":null}]},"A":2}`))
	f.Add([]byte(`[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m map[string]json.RawMessage
		if json.Unmarshal(data, &m) != nil || uniqueMembers(data) != nil {
			return
		}
		seen := map[string]bool{}
		for name := range m {
			if seen[strings.ToLower(name)] {
				t.Fatalf("two members are %q", name)
			}
			seen[strings.ToLower(name)] = true
		}
	})
}
