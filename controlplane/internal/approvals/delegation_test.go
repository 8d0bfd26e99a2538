package approvals_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/pkg/policy"
)

// delegated is the bot on behalf of alice, who proved to be in the groups.
func delegated(groups ...string) policy.Principal {
	p := agent("bot", "alice")
	p.Delegators = []policy.Principal{{Kind: policy.KindPerson, ID: "alice", Groups: groups}}
	return p
}

// byGroup lets the group agents ask; staging waits for one of dba.
const byGroup = `
@id("ask") permit (principal in Group::"agents", action == Action::"access:request", resource);
@id("staging") @approval("1 of dba")
forbid (principal, action == Action::"access:request", resource in Label::"env=staging") unless { context.approved };
`

func TestRequestIsOfBoth(t *testing.T) {
	f := setUp(t)
	f.push(t, byGroup)
	ask := func(p policy.Principal) error {
		_, _, err := f.Create(t.Context(), approvals.Ask{Principal: p, Resource: "dev", Duration: time.Hour, Reason: "test"})
		return err
	}
	stranger := delegated("agents")
	stranger.Groups = nil
	var denied *approvals.Denied
	if err := ask(delegated("agents")); err != nil {
		t.Errorf("both may: %v", err)
	}
	if err := ask(delegated("others")); !errors.As(err, &denied) {
		t.Errorf("whom it acts for may not: %v", err)
	}
	if err := ask(stranger); !errors.As(err, &denied) {
		t.Errorf("it may not itself: %v", err)
	}
}

func TestGroupsLostWhileARequestWaits(t *testing.T) {
	f := setUp(t)
	f.push(t, byGroup)
	r := f.ask(t, delegated("agents"), "staging")
	f.directory.set(policy.Principal{Kind: policy.KindPerson, ID: "alice", Groups: []string{"others"}})
	got, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest)
	if err != nil || got.Request.State != approvals.Refused {
		t.Fatalf("granted for groups that are gone: %+v, %v", got.Request, err)
	}
}

func TestGroupsLostSinceTheGrant(t *testing.T) {
	f := setUp(t)
	g := f.granted(t, delegated("agents", "pii"))
	f.directory.set(policy.Principal{Kind: policy.KindPerson, ID: "alice", Groups: []string{"agents", "root"}})
	f.directory.set(policy.Principal{Kind: policy.KindAgent, ID: "bot", Groups: []string{"root"}})
	got, err := f.Admit(t.Context(), admission(g))
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Principal; len(p.Groups) > 0 || !slices.Equal(p.Delegators[0].Groups, []string{"agents"}) {
		t.Fatalf("admitted as %+v", p)
	}
}
