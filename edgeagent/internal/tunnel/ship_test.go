package tunnel

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/pkg/audit"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

type shipping struct {
	p     *fakePlane
	spool *spool.Spool
	ids   *audit.IDSource
	chain *audit.Chain
}

func newShipping(t *testing.T, ship func(*edgev1.ShipRequest) (bool, error)) *shipping {
	t.Helper()
	p := newFakePlane(t)
	p.ship = ship
	sp, err := spool.Open(spool.Config{Dir: t.TempDir() + "/spool", Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sp.Close() })
	s := &shipping{p: p, spool: sp}
	if s.ids, err = audit.NewIDSource(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if s.chain, err = audit.NewChain("edge-a", "ses-1"); err != nil {
		t.Fatal(err)
	}
	c, err := Open(t.Context(), p.config(t.TempDir()+"/s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	sh, err := NewShipper(ShipperConfig{Client: c, Spool: sp, Linger: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sh.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("shipper: %v", err)
		}
	})
	return s
}

func (s *shipping) append(t *testing.T, n int) spool.Position {
	t.Helper()
	var pos spool.Position
	for range n {
		b, err := s.chain.Append(nil, &audit.Record{ID: s.ids.Next(time.Now()), Time: time.Now(), Kind: audit.KindCommand})
		if err != nil {
			t.Fatal(err)
		}
		if pos, err = s.spool.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	return pos
}

func (s *shipping) awaitAck(t *testing.T, pos spool.Position) {
	t.Helper()
	awaitTrue(t, "acknowledgement in the spool", func() bool { return s.spool.Stats().Acked >= pos })
}

func recordsOf(t *testing.T, block []byte) [][]byte {
	t.Helper()
	dec, err := audit.NewBlockDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	h, records, err := dec.Decode(block)
	if err != nil || h.Edge != "edge-a" {
		t.Fatalf("%+v, %v", h, err)
	}
	return records
}

func TestShipsInOrderAndAcknowledges(t *testing.T) {
	s := newShipping(t, func(*edgev1.ShipRequest) (bool, error) { return true, nil })
	total := 0
	var seq, sent uint64
	for _, n := range []int{1, 500, 3} {
		s.awaitAck(t, s.append(t, n))
		total += n
	}
	for len(s.p.blocks) > 0 {
		b := <-s.p.blocks
		if b.GetSequence() != sent+1 || b.GetBoot() != "boot-1" {
			t.Fatalf("block %d after %d", b.GetSequence(), sent)
		}
		sent = b.GetSequence()
		for _, raw := range recordsOf(t, b.GetBlock()) {
			r, err := audit.Decode(raw)
			if err != nil || r.Seq != seq+1 {
				t.Fatalf("record %d after %d, %v", r.Seq, seq, err)
			}
			seq = r.Seq
		}
	}
	if seq != uint64(total) {
		t.Fatalf("%d of %d records arrived", seq, total)
	}
}

func TestShipsTheSameBlockAgainAfterALoss(t *testing.T) {
	var mu sync.Mutex
	lost := 0
	s := newShipping(t, func(*edgev1.ShipRequest) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		if lost < 2 { // stored or not, the edge does not hear of it
			lost++
			return false, status.Error(codes.Unavailable, "gone")
		}
		return true, nil
	})
	pos := s.append(t, 5)
	first := await(t, "block", s.p.blocks)
	if s.spool.Stats().Acked >= pos {
		t.Fatal("the spool gave up records that nobody acknowledged")
	}
	for range 2 {
		again := await(t, "block again", s.p.blocks)
		if again.GetSequence() != first.GetSequence() || !bytes.Equal(again.GetBlock(), first.GetBlock()) {
			t.Fatal("another block was sent in its place")
		}
	}
	s.awaitAck(t, pos)
}

func TestRefusedRecordsStay(t *testing.T) {
	s := newShipping(t, func(*edgev1.ShipRequest) (bool, error) { return false, status.Error(codes.PermissionDenied, "no") })
	pos := s.append(t, 2)
	for range 2 {
		await(t, "block", s.p.blocks)
	}
	if s.spool.Stats().Acked >= pos {
		t.Fatal("refused records were given up")
	}
}
