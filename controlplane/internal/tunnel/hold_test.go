package tunnel_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

var dba = policy.Principal{Kind: policy.KindPerson, ID: "dora", Name: "dora", Issuer: "https://idp.test", Groups: []string{"dba"}}

// held opens a session and files a held command in it.
func held(t *testing.T, p *plane, e *edge) (grpc.ServerStreamingClient[edgev1.HoldResponse], *edgev1.HoldResponse, []byte, context.CancelFunc) {
	t.Helper()
	_, access := p.grant("orders-db")
	if _, err := e.open(session1, access); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("delete from orders"))
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream := must[grpc.ServerStreamingClient[edgev1.HoldResponse]](t)(e.tunnel.Hold(ctx, &edgev1.HoldRequest{
		Session: session1, Statement: "delete from orders", Actions: []string{"sql:delete"}, Digest: digest[:],
		Requirements: []*accessv1.Requirement{{Count: 1, Group: "dba"}}, PolicyIds: []string{"prod-delete"}, Revision: 1, Reason: "bulk",
	}))
	first := must[*edgev1.HoldResponse](t)(stream.Recv())
	if first.GetState() != "pending" || first.GetId() == "" {
		t.Fatalf("first answer: %v", first)
	}
	return stream, first, digest[:], cancel
}

func TestHoldIsApprovedAndSpentOnce(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	stream, first, digest, _ := held(t, p, e)
	h := must[approvals.Hold](t)(p.approvals.Hold(t.Context(), first.GetId()))
	if h.Principal.ID != agent.ID || h.RequestReason != "look at orders" || h.Edge != "edge-a" || h.Session != session1 {
		t.Fatalf("filed: %+v", h)
	}
	spend := func(digest []byte, revision uint64) error {
		_, err := e.tunnel.SpendApproval(t.Context(), &edgev1.SpendApprovalRequest{Hold: h.ID, Session: session1, Digest: digest, Revision: revision})
		return err
	}
	wantCode(t, "spend before the vote", spend(digest, 1), codes.PermissionDenied)
	if _, err := p.approvals.Vote(t.Context(), approvals.Ballot{ID: h.ID, Digest: h.Digest, Approve: true, Voter: dba}); err != nil {
		t.Fatal(err)
	}
	verdict := must[*edgev1.HoldResponse](t)(stream.Recv())
	if verdict.GetState() != "approved" || len(verdict.GetBy()) != 1 || verdict.GetBy()[0] != "dora" {
		t.Fatalf("verdict: %v", verdict)
	}
	other := sha256.Sum256([]byte("delete from customers"))
	wantCode(t, "another command", spend(other[:], 1), codes.PermissionDenied)
	wantCode(t, "another revision", spend(digest, 2), codes.FailedPrecondition)

	var mu sync.Mutex
	spent := 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if spend(digest, 1) == nil {
				mu.Lock()
				spent++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if spent != 1 {
		t.Fatalf("spent %d times", spent)
	}
}

func TestHoldIsWithdrawnWithItsCall(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	_, first, _, cancel := held(t, p, e)
	cancel()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if h, err := p.approvals.Hold(t.Context(), first.GetId()); err == nil && h.State == approvals.Withdrawn {
			return
		}
	}
	t.Fatal("the held command was not withdrawn")
}

func TestHoldWithABadRequirementIsRefused(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	_, access := p.grant("orders-db")
	if _, err := e.open(session1, access); err != nil {
		t.Fatal(err)
	}
	stream := must[grpc.ServerStreamingClient[edgev1.HoldResponse]](t)(e.tunnel.Hold(t.Context(), &edgev1.HoldRequest{Session: session1, Revision: 1}))
	_, err := stream.Recv()
	wantCode(t, "hold", err, codes.InvalidArgument)
	if rec := p.wantRefusal("Hold"); rec.Principal != agent.ID {
		t.Fatalf("record: %+v", rec)
	}
}

func TestHundredEdgesReconnect(t *testing.T) {
	p := newPlane(t)
	const n = 100
	all := make([]*edge, n)
	for i := range all {
		all[i] = p.newEdge(fmt.Sprintf("edge-%d", i))
	}
	p.awaitReady(all[0])
	connectAll := func() []*linked {
		links := make([]*linked, n)
		for i, e := range all {
			links[i] = e.link()
		}
		for _, l := range links {
			st := await(t, "state", l.state)
			rev := await(t, "policy", l.policy)
			l.beat(st, rev)
			await(t, "ack", l.ack)
		}
		return links
	}
	connectAll()
	p.stop()
	p.serve() // on another port, as another replica would
	for i, e := range all {
		all[i] = p.edgeWith(e.name, e.cert)
	}
	links := connectAll()
	p.push(bundle + "// changed\n")
	for _, l := range links {
		if rev := await(t, "new revision", l.policy); rev.GetNumber() != 2 {
			t.Fatalf("revision %d", rev.GetNumber())
		}
	}
}
