package approvals_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/pkg/iampolicy"
)

const byRole = `
@id("ask") permit (principal, action == Action::"access:request", resource);
@id("power") @approval("2 of sre") forbid (principal, action == Action::"access:request", resource)
when { resource has role && resource.role.privileged } unless { context.approved };
@id("never") forbid (principal, action == Action::"access:request", resource)
when { resource has role && resource.role.privileges.contains("iam:PassRole") };
`

// reader is what AWS says the account's role may do; empty is that it refuses.
type reader struct {
	mu     sync.Mutex
	action string
}

func (r *reader) allow(action string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.action = action
}

func (r *reader) Read(_ context.Context, account resources.AWS) (iampolicy.Role, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.action == "" {
		return iampolicy.Role{}, roles.ErrRefused
	}
	p, err := iampolicy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + r.action + `","Resource":"*"}}`))
	return iampolicy.Role{ARN: account.RoleARN, Inline: []iampolicy.Document{{Name: "p", Policy: p}}}, err
}

// withAccount is a fixture with the account "cloud", whose role may do one thing.
func withAccount(t *testing.T, action string) (*fixture, *reader) {
	f, r := setUp(t), &reader{action: action}
	known, err := roles.New(roles.Config{Store: f.store, Resources: f.resources, Policies: f.policies, Reader: r, Now: f.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	cfg := f.config()
	cfg.Roles = known
	f.Approvals = must[*approvals.Approvals](t)(approvals.New(cfg))
	f.push(t, byRole)
	_, err = f.resources.Apply(t.Context(), []resources.Resource{{Name: "cloud", Edges: []string{"edge-1"}, AWS: &resources.AWS{
		Account: "111122223333", RoleARN: "arn:aws:iam::111122223333:role/r", Credential: resources.AccountCredential{AssumeRole: &resources.AssumeRole{}},
	}}}, false)
	if err != nil {
		t.Fatal(err)
	}
	return f, r
}

// What the role may do at the moment of asking decides.
func TestRoleDecides(t *testing.T) {
	f, r := withAccount(t, "s3:GetObject")
	for _, step := range []struct {
		action string
		want   approvals.State
	}{{"s3:GetObject", approvals.Granted}, {"rds:DeleteDBInstance", approvals.Pending}, {"s3:GetObject", approvals.Granted}, {"", approvals.Pending}} {
		f.clock.advance(time.Minute)
		r.allow(step.action)
		got := f.ask(t, agent("bot"+step.action+string(step.want)), "cloud")
		if got.State != step.want || got.Role == nil || got.Role.ARN != "arn:aws:iam::111122223333:role/r" ||
			(got.Role.Analysis == "") != (step.action == "") || got.Role.Privileged() != (step.want == approvals.Pending) {
			t.Errorf("%q: %s, %+v", step.action, got.State, got.Role)
		}
	}
	f.clock.advance(time.Minute)
	r.allow("iam:PassRole")
	var denied *approvals.Denied
	if _, _, err := f.Create(t.Context(), approvals.Ask{Principal: agent("bot"), Resource: "cloud", Reason: "test"}); !errors.As(err, &denied) {
		t.Errorf("got %v", err)
	}
	if got := f.ask(t, agent("bot"), "staging"); got.Role != nil {
		t.Errorf("a database has the role %+v", got.Role)
	}
}

// An approval is for the role as it was shown: when it may do something else, people look again, and votes from before are void.
func TestRoleThatChangesWhileItIsVotedOn(t *testing.T) {
	f, r := withAccount(t, "rds:DeleteDBInstance")
	asked := f.ask(t, agent("bot"), "cloud")
	if s, err := f.approve(t, person("ann", "sre"), asked.ID, asked.Digest); err != nil || len(s.Request.Votes) != 1 {
		t.Fatal(s, err)
	}
	r.allow("rds:DeleteDBCluster")
	f.clock.advance(time.Minute)
	if _, err := f.approve(t, person("ben", "sre"), asked.ID, asked.Digest); !errors.Is(err, approvals.ErrDigest) {
		t.Fatalf("a vote for another role: %v", err)
	}
	now := must[approvals.Request](t)(f.Request(t.Context(), asked.ID))
	if now.Digest == asked.Digest || now.Role.Analysis == asked.Role.Analysis || len(now.Votes) != 0 || now.State != approvals.Pending {
		t.Fatalf("shown is %+v", now)
	}
	for i, who := range []string{"ben", "ann"} {
		s, err := f.approve(t, person(who, "sre"), asked.ID, now.Digest)
		if err != nil || (s.Request.State == approvals.Granted) != (i == 1) {
			t.Fatalf("%s: %s, %v", who, s.Request.State, err)
		}
	}
}

// A request that waits is brought up to what is known without anybody voting, and decided by it.
func TestRoleThatChangesWhileItWaits(t *testing.T) {
	for action, want := range map[string]approvals.State{"s3:GetObject": approvals.Granted, "iam:PassRole": approvals.Refused, "rds:DeleteDBCluster": approvals.Pending, "rds:DeleteDBInstance": approvals.Pending} {
		f, r := withAccount(t, "rds:DeleteDBInstance")
		asked := f.ask(t, agent("bot"), "cloud")
		r.allow(action)
		f.clock.advance(time.Minute)
		f.ask(t, agent("other"), "staging")
		_, _, _ = f.Create(t.Context(), approvals.Ask{Principal: agent("other"), Resource: "cloud", Reason: "test"}) // reads the role
		if err := f.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := must[approvals.Request](t)(f.Request(t.Context(), asked.ID))
		if now.State != want || (now.Digest == asked.Digest) != (action == "rds:DeleteDBInstance") {
			t.Errorf("%s: %s", action, now.State)
		}
	}
}

// Without anybody who knows roles, all are privileged.
func TestNobodyKnowsRoles(t *testing.T) {
	f, _ := withAccount(t, "s3:GetObject")
	f.Approvals = must[*approvals.Approvals](t)(approvals.New(f.config()))
	if got := f.ask(t, agent("bot"), "cloud"); got.State != approvals.Pending || !got.Role.Privileged() || got.Role.Problem != roles.NotRead {
		t.Errorf("%s, %+v", got.State, got.Role)
	}
}
