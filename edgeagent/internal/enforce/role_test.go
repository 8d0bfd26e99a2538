package enforce

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/writhq/writ/pkg/policy"
)

const byRole = `
@id("open") permit (principal, action == Action::"session:open", resource);
@id("closed") forbid (principal, action == Action::"session:open", resource) when { resource has role && resource.role.arn like "*/root" };
@id("call") permit (principal, action in Action::"aws:all", resource);
@id("power") forbid (principal, action in Action::"aws:all", resource) when { resource.role.privileged };
`

var harmless, powerful, unknown = &policy.Role{ARN: "r", Privileges: []string{}}, &policy.Role{ARN: "r", Privileges: []string{"iam:PassRole"}}, &policy.Role{ARN: "r"}

// calling opens a session on an account with the role, and returns what says whether it may call AWS.
func calling(t *testing.T, role *policy.Role) (*Pipeline, func() bool, *admitting) {
	t.Helper()
	set, err := policy.Compile(policy.Bundle{Files: map[string][]byte{"p.cedar": []byte(byRole)}})
	if err != nil {
		t.Fatal(err)
	}
	control := &admitting{who: policy.Principal{Kind: policy.KindAgent, ID: "bot"}, role: role}
	p := newPipeline(t, &scarce{}, control)
	p.cfg.Policies = inForce{set}
	s := open(t, p)
	sub := &Subject{Asks: []Ask{{Facts: policy.AWSCall{Action: "s3:GetObject"}.Facts(), Questions: []policy.Question{
		{Action: policy.AWSGet, Entity: policy.ResourceName("shop").AWSResource(policy.AWSResourceInfo{Service: "s3", ARN: "*", ARNKnown: true})},
	}}}}
	return p, func() bool {
		t.Helper()
		f, err := s.Begin(t.Context(), &Command{Subject: sub})
		var denied *Denied
		switch {
		case err == nil:
			f.End(Outcome{})
			return true
		case errors.As(err, &denied) && denied.Cause == CausePolicy:
			return false
		}
		t.Fatal(err)
		return false
	}, control
}

// What becomes known of a role counts at the next command of sessions that run.
func TestRoleOfARunningSession(t *testing.T) {
	p, allowed, _ := calling(t, harmless)
	for i, step := range []struct {
		role *policy.Role
		want bool
	}{{harmless, true}, {powerful, false}, {harmless, true}, {unknown, false}, {harmless, true}} {
		p.SetRoles(map[policy.ResourceName]*policy.Role{"shop": step.role})
		if got := allowed(); got != step.want {
			t.Errorf("step %d, %+v: allowed %t", i, step.role, got)
		}
	}
	p.SetRoles(map[policy.ResourceName]*policy.Role{"shop": powerful})
	p.SetRoles(map[policy.ResourceName]*policy.Role{"other": harmless})
	if allowed() {
		t.Error("another account's role counted")
	}
}

// A session that was let in by what is no longer known is not opened.
func TestRoleThatChangesWhileASessionIsOpened(t *testing.T) {
	p, _, control := calling(t, harmless)
	control.during = func(string) { p.SetRoles(map[policy.ResourceName]*policy.Role{"shop": powerful}) }
	_, err := p.Open(t.Context(), Admission{Protocol: "aws", ClientAddr: netip.MustParseAddrPort("10.0.0.1:9")})
	if !errors.Is(err, errRole) {
		t.Fatalf("got %v", err)
	}
	control.role = powerful
	if _, err := p.Open(t.Context(), Admission{Protocol: "aws", ClientAddr: netip.MustParseAddrPort("10.0.0.1:9")}); err != nil {
		t.Fatalf("got %v", err)
	}
}
