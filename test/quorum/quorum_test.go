package quorum

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/anishathalye/porcupine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

const (
	clients   = 100 // who vote, and who use, each
	people    = 70  // behind the clients that vote
	approvers = 20  // that are wanted
)

// approval is the one that everybody is after.
type approval struct {
	plane    *plane
	edge     *edge
	history  history
	hold     string
	digest   string
	revision uint64
}

// Law 9 under fire: a hundred clients vote on one held command and a hundred use its approval, at both replicas and all
// the time, while the leader of the cluster and one replica are killed. Exactly one use goes through, for exactly as
// many distinct people as are wanted, and all that anybody was told fits one order of events.
func TestOneApprovalUnderFire(t *testing.T) {
	etcd := startCluster(t)
	p := startPlane(t, etcd)
	a := &approval{plane: p, edge: enrol(t, p, p.publish()), history: history{began: time.Now()}}
	const survivor, victim = 1, 0
	token := p.accessToken()
	a.revision = a.edge.link(survivor)
	a.edge.open(survivor, token)
	a.hold = a.edge.hold(survivor, approvers, a.revision)
	a.digest = a.shown(t, survivor).GetDigest()

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var crowd sync.WaitGroup
	for i := range clients {
		voter := a.voter(i)
		crowd.Go(func() { a.votes(ctx, t, i, voter) })
		crowd.Go(func() { a.uses(ctx, t, clients+i) })
	}
	a.after(ctx, t, approvers/4)
	leader := etcd.leader(t)
	etcd.members[leader].Kill()
	t.Logf("killed the leader %s after %d votes", etcd.members[leader].Name, a.history.count(counted))
	a.after(ctx, t, approvers/2)
	p.replicas[victim].Kill()
	t.Logf("killed a replica after %d votes", a.history.count(counted))
	crowd.Wait()
	a.judge(t, survivor)
}

// after waits until so many votes are counted.
func (a *approval) after(ctx context.Context, t *testing.T, votes int) {
	t.Helper()
	for a.history.count(counted) < votes {
		if ctx.Err() != nil {
			t.Fatalf("%d votes are counted, want %d", a.history.count(counted), votes)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// judge looks at what came of it.
func (a *approval) judge(t *testing.T, replica int) {
	t.Helper()
	end := a.shown(t, replica)
	a.history.do(0, input{what: read}, func() output { return output{answer: seen, state: stateOf(end)} })
	if end.GetState() != accessv1.HoldState_HOLD_STATE_SPENT {
		t.Errorf("in the end it is %s", end.GetState())
	}
	if n := len(stateOf(end).list()); n != approvers {
		t.Errorf("%d distinct people approved, want %d", n, approvers)
	}
	if n := a.history.count(used); n > 1 || n == 0 && a.history.count(unknown) == 0 {
		t.Errorf("it was used %d times", n)
	}
	t.Logf("%d operations, of which %d went unanswered", len(a.history.ops), a.history.count(unknown))
	switch porcupine.CheckOperationsTimeout(model(approvers), binding(a.history.certain(stateOf(end))), 2*time.Minute) {
	case porcupine.Illegal:
		t.Error("what the clients were told fits no order of events")
	case porcupine.Unknown:
		t.Error("no order of events was found in time")
	}
}

// stateOf is what a held command shows, with each person by the name that all of its sign-ins share.
func stateOf(h *accessv1.HeldCommand) state {
	s := state{}
	for _, v := range h.GetVotes() {
		if v.GetApprove() {
			s = s.with(personOf(v.GetVoter()))
		}
	}
	s.spent = h.GetState() == accessv1.HoldState_HOLD_STATE_SPENT
	return s
}

// personOf is the person behind a sign-in: dba-7@example.com.
func personOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	return name
}

// voter is a person's sign-in. There are more clients than people, so some people have two.
func (a *approval) voter(i int) *http.Client {
	subject := fmt.Sprintf("dba-%d-%d", i%people, i/people)
	return a.plane.as(subject, fmt.Sprintf("dba-%d@example.com", i%people), "person", "dba")
}

// votes votes until it is told for certain what became of the vote.
func (a *approval) votes(ctx context.Context, t *testing.T, client int, voter *http.Client) {
	in := input{what: vote, person: fmt.Sprintf("dba-%d", client%people)}
	final := []answer{counted, voted, closed}
	for try := client; ctx.Err() == nil; try++ {
		service := accessv1connect.NewApprovalServiceClient(voter, "https://"+a.plane.replicas[try%2].access)
		out := a.history.do(client, in, func() output {
			resp, err := service.Approve(ctx, &accessv1.ApproveRequest{Id: a.hold, Digest: a.digest})
			return voteAnswer(t, resp, err)
		})
		if slices.Contains(final, out.answer) {
			return
		}
		pause(ctx)
	}
	t.Errorf("voter %d was never told what became of the vote", client)
}

func voteAnswer(t *testing.T, resp *accessv1.ApproveResponse, err error) output {
	if err == nil {
		return output{answer: counted, votes: len(resp.GetApproval().GetCommand().GetVotes())}
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable:
		if errors.Is(err, syscall.ECONNREFUSED) {
			return output{answer: never}
		}
	case connect.CodeAlreadyExists:
		return output{answer: voted}
	case connect.CodeFailedPrecondition:
		return output{answer: closed}
	case connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeNotFound, connect.CodeInvalidArgument:
		t.Errorf("vote: %v", err)
	}
	return output{}
}

// uses asks for the release until it is told that it, or somebody else, got it.
func (a *approval) uses(ctx context.Context, t *testing.T, client int) {
	for try := client; ctx.Err() == nil; try++ {
		out := a.history.do(client, input{what: use}, func() output {
			return useAnswer(t, a.edge.spend(ctx, try%2, a.hold, a.revision))
		})
		if out.answer == used || out.answer == spent {
			return
		}
		pause(ctx)
	}
	t.Errorf("client %d was never told who used it", client)
}

func useAnswer(t *testing.T, err error) output {
	s := status.Convert(err)
	switch {
	case err == nil:
		return output{answer: used}
	case s.Code() == codes.Unavailable && strings.Contains(s.Message(), "connection refused"):
		return output{answer: never}
	case s.Code() == codes.PermissionDenied && strings.Contains(s.Message(), "has been used"):
		return output{answer: spent}
	case s.Code() == codes.PermissionDenied && strings.Contains(s.Message(), "is not approved"):
		return output{answer: early}
	case s.Code() == codes.PermissionDenied, s.Code() == codes.FailedPrecondition, s.Code() == codes.NotFound, s.Code() == codes.InvalidArgument:
		t.Errorf("use: %v", err)
	}
	return output{}
}

// pause keeps a client from asking without end; how long is by chance, so that clients meet in every order.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(400 * time.Millisecond)):
	}
}

func (a *approval) shown(t *testing.T, replica int) *accessv1.HeldCommand {
	t.Helper()
	auditor := a.plane.as("root", "root@example.com", "person", "writ-admins")
	resp, err := accessv1connect.NewApprovalServiceClient(auditor, "https://"+a.plane.replicas[replica].access).
		GetApproval(t.Context(), &accessv1.GetApprovalRequest{Id: a.hold})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetApproval().GetCommand()
}
