package tunnel_test

import (
	"slices"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/pkg/policy"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// delegated is the agent on behalf of alice, whose groups were proven.
func delegated(groups ...string) policy.Principal {
	p := agent
	p.OnBehalfOf = []string{"alice"}
	p.Delegators = []policy.Principal{{Kind: policy.KindPerson, ID: "alice", Name: "alice", Issuer: agent.Issuer, Groups: groups}}
	return p
}

// delegatedSession opens a session of the agent for alice, who is in the groups agents and pii.
func (p *plane) delegatedSession(e *edge) {
	p.t.Helper()
	_, g, err := p.approvals.Create(p.t.Context(), approvals.Ask{
		Principal: delegated("agents", "pii"), Resource: "orders-db", Duration: time.Hour, Reason: "look at orders",
	})
	if err != nil || g == nil {
		p.t.Fatalf("grant: %v %v", g, err)
	}
	resp, err := e.open(session1, p.token(*g, "orders-db"))
	if err != nil {
		p.t.Fatal(err)
	}
	if d := resp.GetPrincipal().GetDelegators(); len(d) != 1 || !slices.Equal(d[0].GetGroups(), []string{"agents", "pii"}) {
		p.t.Fatalf("the edge is not told for whom: %v", resp.GetPrincipal())
	}
}

func signedIn(id string, groups ...string) policy.Principal {
	return policy.Principal{Kind: policy.KindPerson, ID: id, Issuer: agent.Issuer, Groups: groups}
}

// wantGroups awaits the change that leaves the agent and alice with these groups.
func (l *linked) wantGroups(own, hers []string) {
	l.t.Helper()
	var got *edgev1.PrincipalChanged
	for range 10 {
		got = await(l.t, "change", l.changes)
		p := got.GetPrincipal()
		if slices.Equal(got.GetSessions(), []string{session1}) && slices.Equal(p.GetGroups(), own) && slices.Equal(p.GetDelegators()[0].GetGroups(), hers) {
			return
		}
	}
	l.t.Fatalf("got %v", got)
}

func TestEdgesHearWhoLostAGroup(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, l, st, rev := p.connect("edge-a")
	p.delegatedSession(e)

	p.directory.signIn(signedIn("bob"))
	p.directory.signIn(signedIn("alice", "agents", "new"))
	l.wantGroups([]string{"agents"}, []string{"agents"})
	p.directory.signIn(signedIn("agent-7", "others"))
	l.wantGroups(nil, []string{"agents"})
	p.directory.signIn(signedIn("agent-7", "agents", "admins"))
	p.directory.signIn(signedIn("alice", "agents", "pii"))
	l.wantGroups([]string{"agents"}, []string{"agents", "pii"})

	p.directory.breakDown(true)
	p.directory.signIn(signedIn("alice"))
	l.beat(st, rev, session1)
	l.beat(st, rev, session1)
	p.directory.breakDown(false)
	l.beat(st, rev, session1)
	l.wantGroups([]string{"agents"}, nil)
}

func TestNoLeaseWhileGroupsCannotBeRead(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, l, st, rev := p.connect("edge-a")
	p.delegatedSession(e)
	l.beat(st, rev, session1)
	await(t, "acknowledgement", l.ack)

	p.directory.breakDown(true)
	p.directory.signIn(signedIn("alice"))
	for p.directory.failures() == 0 { // the link has tried to read them
		time.Sleep(time.Millisecond)
	}
	l.beat(st, rev, session1)
	p.apply("another-db", static(), "edge-a") // the link goes on
	for {
		if s := await(t, "state", l.state); len(s.GetResources()) == 2 {
			st = s
			break
		}
	}
	if len(l.ack) > 0 {
		t.Fatal("the lease was renewed though the edge acts on groups that nobody could read")
	}
	p.directory.breakDown(false)
	l.beat(st, rev, session1)
	await(t, "acknowledgement", l.ack)
	if len(l.changes) == 0 {
		t.Fatal("the acknowledgement came before the change")
	}
}

func TestReconnectedEdgeHearsWhatItMissed(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, l, _, _ := p.connect("edge-a")
	p.delegatedSession(e)
	p.directory.signIn(signedIn("alice"))
	l.wantGroups([]string{"agents"}, nil)
	if err := l.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	await(t, "end of the link", l.closed)
	p.directory.signIn(signedIn("alice", "agents", "pii")) // it came back meanwhile
	e.link(session1).wantGroups([]string{"agents"}, []string{"agents", "pii"})
}

func TestLostGroupsCountWhenASessionIsOpened(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	_, g, err := p.approvals.Create(t.Context(), approvals.Ask{Principal: delegated("agents", "pii"), Resource: "orders-db", Duration: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	p.directory.signIn(signedIn("alice", "agents", "root"))
	p.directory.signIn(signedIn("agent-7", "agents", "root"))
	resp, err := e.open(session1, p.token(*g, "orders-db"))
	if err != nil {
		t.Fatal(err)
	}
	who := resp.GetPrincipal()
	if !slices.Equal(who.GetGroups(), []string{"agents"}) || !slices.Equal(who.GetDelegators()[0].GetGroups(), []string{"agents"}) {
		t.Fatalf("opened for %v", who)
	}
}
