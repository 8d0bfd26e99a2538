package login

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/policy"
)

// The presets. GitHub: https://docs.github.com/actions/reference/openid-connect-reference; GitLab:
// https://docs.gitlab.com/ci/secrets/id_token_authentication; Kubernetes: "Service account token volume projection".
const (
	presetGitHub     = "github"
	presetGitLab     = "gitlab"
	presetKubernetes = "kubernetes"
)

// preset is what is known of the tokens of one kind of issuer.
type preset struct {
	kind       string
	prefix     string
	attributes []string
	// owners are the claims that say whose workload it is. One of them must be pinned.
	owners map[string]func(value string) bool
	// hint says how to pin one.
	hint string
	// foreign is a claim, and its values, of runs that code from outside may have started. They are refused unless a
	// condition names that claim.
	foreign       string
	foreignValues []string
	// check refuses a condition that does not mean what it seems to.
	check func(c Condition, all []Condition) error
}

var presets = map[string]preset{
	presetGitHub: {
		kind: policy.KindJob, prefix: "github:",
		attributes: []string{"repository", "ref", "environment", "event_name", "job_workflow_ref", "actor", "run_id"},
		owners: map[string]func(string) bool{
			"repository_owner_id": literal, "repository_id": literal, "repository_owner": literal,
			"repository": literalOwner(""), "sub": literalOwner("repo:"),
		},
		hint:    "for example claim: repository_owner_id, equals: \"123456\": every repository at GitHub has tokens of this issuer",
		foreign: "event_name", foreignValues: []string{"pull_request", "pull_request_target"},
		check: checkGitHub,
	},
	presetGitLab: {
		kind: policy.KindJob, prefix: "gitlab:",
		attributes: []string{"project_path", "ref", "ref_type", "ref_protected", "environment", "pipeline_source", "user_login", "job_id"},
		owners: map[string]func(string) bool{
			"namespace_id": literal, "project_id": literal, "namespace_path": literalOwner(""), "project_path": literalOwner(""),
			"sub": literalOwner("project_path:"),
		},
		hint:    "for example claim: namespace_path, equals: \"example\": every project there has tokens of this issuer",
		foreign: "pipeline_source", foreignValues: []string{"merge_request_event", "external_pull_request_event"},
		check: checkGitLab,
	},
	presetKubernetes: {
		kind: policy.KindService, prefix: "kubernetes:",
		owners: map[string]func(string) bool{
			"sub": literalNamespace, "/kubernetes.io/namespace": literal,
		},
		hint:  "for example claim: sub, equals: \"system:serviceaccount:shop:worker\": every pod has tokens of this issuer",
		check: func(Condition, []Condition) error { return nil },
	},
}

// literal has no pattern in it.
func literal(value string) bool { return !strings.Contains(value, "*") }

// literalOwner begins with prefix and one whole path segment without a pattern.
func literalOwner(prefix string) func(string) bool {
	return func(value string) bool {
		rest, ok := strings.CutPrefix(value, prefix)
		owner, _, _ := strings.Cut(rest, "/")
		return ok && owner != "" && literal(owner)
	}
}

// literalNamespace names the namespace in system:serviceaccount:NAMESPACE:NAME.
func literalNamespace(value string) bool {
	rest, ok := strings.CutPrefix(value, "system:serviceaccount:")
	namespace, name, more := strings.Cut(rest, ":")
	return ok && more && namespace != "" && name != "" && literal(namespace)
}

// completePreset finds the preset and fills in what it knows.
func (is Issuer) completePreset() (Issuer, error) {
	if u, err := url.Parse(is.URL); is.Preset == "" && err == nil {
		switch u.Hostname() {
		case "token.actions.githubusercontent.com":
			is.Preset = presetGitHub
		case "gitlab.com":
			is.Preset = presetGitLab
		}
	}
	if is.Preset == "" {
		return is, nil
	}
	p, ok := presets[is.Preset]
	if !ok {
		return is, fmt.Errorf("issuer %q: preset: %q is not github, gitlab or kubernetes", is.URL, is.Preset)
	}
	if is.Kind == "" {
		is.Kind = p.kind
	}
	if is.NamePrefix == "" {
		is.NamePrefix = p.prefix
	}
	if is.PrincipalClaim == "" {
		is.PrincipalClaim = "sub"
	}
	if is.AttributeClaims == nil {
		is.AttributeClaims = slices.Clone(p.attributes)
	}
	return is, nil
}

// checkPreset demands that the issuer's tokens are pinned to an owner.
func (is Issuer) checkPreset(demands []Condition) error {
	p, ok := presets[is.Preset]
	if !ok {
		return nil
	}
	if is.Kind == policy.KindPerson || is.KindClaim != "" {
		return fmt.Errorf("preset: %s tokens are of workloads; leave kind and kind_claim out, or say job, agent or service", is.Preset)
	}
	if !p.pinned(demands) {
		return errors.New("conditions: none says whose workloads may sign in; " + p.hint)
	}
	return p.checkAll(demands)
}

// checkPresetRule refuses a rule that does not mean what it seems to, with all that must hold besides.
func (is Issuer) checkPresetRule(all []Condition) error {
	p, ok := presets[is.Preset]
	if !ok {
		return nil
	}
	return p.checkAll(all)
}

func (p preset) checkAll(all []Condition) error {
	for _, c := range all {
		if valid, owner := p.owners[c.Claim]; owner && slices.ContainsFunc(c.values(), func(v string) bool { return !valid(v) }) {
			return fmt.Errorf("claim %q: %q does not name its owner whole, so somebody else's would do", c.Claim, c.values())
		}
		if err := p.check(c, all); err != nil {
			return err
		}
	}
	return nil
}

func (p preset) pinned(all []Condition) bool {
	return slices.ContainsFunc(all, func(c Condition) bool {
		valid, owner := p.owners[c.Claim]
		return owner && !slices.ContainsFunc(c.values(), func(v string) bool { return !valid(v) })
	})
}

func checkGitHub(c Condition, _ []Condition) error {
	switch {
	case c.Claim == "workflow":
		return errors.New("claim \"workflow\": every repository gives its workflows the names it likes; use job_workflow_ref")
	case c.Claim == "ref" && slices.ContainsFunc(c.values(), func(v string) bool { return !strings.HasPrefix(v, "refs/") }):
		return fmt.Errorf("claim \"ref\": %q: GitHub's begin with refs/heads/ or refs/tags/", c.values())
	}
	return nil
}

func checkGitLab(c Condition, all []Condition) error {
	typed := slices.ContainsFunc(all, func(o Condition) bool { return o.Claim == "ref_type" })
	if c.Claim == "ref" && !typed {
		return errors.New("claim \"ref\": a tag may be named like a branch; add a condition on ref_type")
	}
	return nil
}

// presetAdmits refuses runs that somebody from outside may have started: a token of one is as good as what its code is.
func (is Issuer) presetAdmits(c claims) error {
	p, ok := presets[is.Preset]
	if !ok || p.foreign == "" || slices.ContainsFunc(is.demands(), func(d Condition) bool { return d.Claim == p.foreign }) {
		return nil
	}
	source, _ := c.scalar(p.foreign)
	subject, _ := c.scalar("sub")
	if slices.Contains(p.foreignValues, source) || is.Preset == presetGitHub && strings.HasSuffix(subject, ":pull_request") {
		return fmt.Errorf("%w: it is of a run for a pull request, whose code others may have written", ErrProof)
	}
	return nil
}
