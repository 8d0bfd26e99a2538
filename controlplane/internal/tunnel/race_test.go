package tunnel_test

import (
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/pkg/audit"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// Law 8: whatever order a revocation and an opening take, no session outlives
// the revocation.
func TestRevocationRacesOpening(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	for round := range 15 {
		g, access := p.grant("orders-db")
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() { _, _ = e.open(fmt.Sprintf("ses-%020d%06d", round, i), access) })
		}
		wg.Go(func() {
			if round%2 == 0 {
				_, _, err := p.approvals.Revoke(t.Context(), approvals.Revocation{Grant: g.ID, By: "alice", Reason: "now"})
				if err != nil {
					t.Error(err)
				}
				return
			}
			lock, _, err := p.locks.Create(t.Context(), locks.Order{Target: locks.Grant, Name: g.ID, Reason: "now", By: "alice"})
			if err != nil {
				t.Error(err)
			}
			_ = lock
		})
		wg.Wait()
		live, err := p.sessions.List(t.Context(), sessions.Query{})
		if err != nil || len(live.Sessions) != 0 {
			t.Fatalf("round %d: %d sessions live after the revocation, %v", round, len(live.Sessions), err)
		}
	}
}

func TestRemovedEdgeShipsNoMoreOnAnOpenStream(t *testing.T) {
	p := newPlane(t)
	p.apply("orders-db", static(), "edge-a")
	e, _, _, _ := p.connect("edge-a")
	stream, err := e.tunnel.Ship(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	send := func(sequence uint64) error {
		block := blockOf(t, "edge-a", "edge:edge-a:"+e.boot, audit.KindEdge)
		if err := stream.Send(&edgev1.ShipRequest{Boot: e.boot, Sequence: sequence, Block: block}); err != nil {
			return err
		}
		_, err := stream.Recv()
		return err
	}
	if err := send(1); err != nil {
		t.Fatal(err)
	}
	if err := p.edges.Remove(t.Context(), "edge-a", "alice"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "ship on an open stream", send(2), codes.PermissionDenied)
}
