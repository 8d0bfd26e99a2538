package tunnel_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/pkg/iampolicy"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// reader is what AWS says of every role: one inline policy.
type reader struct {
	mu     sync.Mutex
	policy string // empty is that AWS refuses
}

func (r *reader) set(policy string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policy = policy
}

func (r *reader) Read(_ context.Context, account resources.AWS) (iampolicy.Role, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.policy == "" {
		return iampolicy.Role{}, roles.ErrRefused
	}
	p, err := iampolicy.Parse([]byte(r.policy))
	return iampolicy.Role{ARN: account.RoleARN, Inline: []iampolicy.Document{{Name: "p", Policy: p}}}, err
}

func allowing(action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"*"}]}`
}

// privileges are those that an edge is told of the account, nil where it is told nothing.
func privileges(st *edgev1.State, account string) []string {
	for _, p := range st.GetRoles() {
		if slices.Contains(p.GetAccounts(), account) {
			return append([]string{}, p.GetActions()...)
		}
	}
	return nil
}

// Edges hear of every change of what a role may do, and that it is not known.
func TestEdgesHearOfRoles(t *testing.T) {
	p := newPlane(t)
	p.applyAccount("prod", "edge-a")
	_, l, st, _ := p.connect("edge-a")
	if got := privileges(st, "prod"); got != nil {
		t.Fatalf("an edge was told %v of a role that was never read", got)
	}
	for _, step := range []struct {
		policy string
		want   []string
	}{{allowing("s3:GetObject"), []string{}}, {allowing("iam:PassRole"), []string{"iam:PassRole"}}, {"", nil}, {allowing("s3:*"), nil}} {
		p.reader.set(step.policy)
		p.clock.advance(11 * time.Minute)
		if err := p.roles.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := privileges(await(t, "state", l.state), "prod")
		if step.policy == allowing("s3:*") {
			if !slices.Contains(got, "s3:PutBucketPolicy") || len(got) < 20 {
				t.Errorf("s3:* is told as %v", got)
			}
			continue
		}
		if (got == nil) != (step.want == nil) || !slices.Equal(got, step.want) {
			t.Errorf("%s: told %v, want %v", step.policy, got, step.want)
		}
	}
	// What is known of one role says nothing of another, which the account has from now on.
	r := must[resources.Resource](t)(p.resources.Get(t.Context(), "prod"))
	r.AWS.RoleARN = prodRole + "2"
	if _, err := p.resources.Apply(t.Context(), []resources.Resource{r}, false); err != nil {
		t.Fatal(err)
	}
	if got := privileges(await(t, "state", l.state), "prod"); got != nil {
		t.Errorf("told %v of another role", got)
	}
}

// A session's keys are narrowed to what its grant is for.
func TestKeysAreNarrowedToTheGrant(t *testing.T) {
	p := newPlane(t)
	p.applyAccount("prod", "edge-a")
	e, _, _, _ := p.connect("edge-a")
	for _, c := range []struct {
		session string
		actions []string
		reads   bool
	}{{session1, []string{"aws:read"}, true}, {session1[:len(session1)-1] + "2", nil, false}} {
		_, g, err := p.approvals.Create(t.Context(), approvals.Ask{Principal: agent, Resource: "prod", Actions: c.actions, Duration: time.Hour, Reason: "look"})
		if err != nil || g == nil {
			t.Fatal(g, err)
		}
		if _, err := e.openAs("aws", c.session, p.token(*g, "prod")); err != nil {
			t.Fatal(err)
		}
		if got := (<-p.assumed).Policy; strings.Contains(got, `"s3:P*"`) != c.reads {
			t.Errorf("%v: narrowed to %s", c.actions, got)
		}
		if _, err := e.refresh(c.session); err != nil {
			t.Fatal(err)
		}
		if got := (<-p.assumed).Policy; strings.Contains(got, `"s3:P*"`) != c.reads {
			t.Errorf("%v: renewed, narrowed to %s", c.actions, got)
		}
	}
}
