package approvals_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/pkg/policy"
)

var oneDBA = policy.Approval{Count: 1, Group: "dba"}

// approved files a held command and has it approved.
func (f *fixture) approved(t *testing.T) approvals.Hold {
	t.Helper()
	h := f.held(t, f.granted(t, agent("bot")), oneDBA)
	bob := person("bob", "dba")
	f.directory.set(bob)
	got, err := f.approve(t, bob, h.ID, h.Digest)
	if err != nil || got.Hold.State != approvals.Approved {
		t.Fatal(got.Hold, err)
	}
	return *got.Hold
}

func TestSpendOnce(t *testing.T) {
	f := setUp(t)
	h := f.approved(t)
	var good, spent atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			by, err := f.Spend(t.Context(), f.spending(h))
			switch {
			case err == nil && len(by) == 1 && by[0] == "bob":
				good.Add(1)
			case errors.Is(err, approvals.ErrSpent):
				spent.Add(1)
			}
		})
	}
	wg.Wait()
	if good.Load() != 1 || spent.Load() != 99 {
		t.Fatalf("%d releases, %d refused as spent", good.Load(), spent.Load())
	}
}

func TestSpendIsForExactlyThat(t *testing.T) {
	f := setUp(t)
	h := f.approved(t)
	other := sha256.Sum256([]byte("DELETE FROM orders;"))
	for name, tt := range map[string]struct {
		edit func(*approvals.Spending)
		want error
	}{
		"one byte changed":  {func(s *approvals.Spending) { s.Digest = other[:] }, approvals.ErrDigest},
		"no digest":         {func(s *approvals.Spending) { s.Digest = nil }, approvals.ErrDigest},
		"another session":   {func(s *approvals.Spending) { s.Session = "ses-2" }, approvals.ErrNotFound},
		"another edge":      {func(s *approvals.Spending) { s.Edge = "edge-2" }, approvals.ErrNotFound},
		"a former revision": {func(s *approvals.Spending) { s.Revision-- }, approvals.ErrPolicyChanged},
		"another hold":      {func(s *approvals.Spending) { s.Hold = "hold-" + "00000000000000000000000000" }, approvals.ErrNotFound},
		"a path":            {func(s *approvals.Spending) { s.Hold = "hold-../grants/x" }, approvals.ErrNotFound},
	} {
		s := f.spending(h)
		tt.edit(&s)
		if _, err := f.Spend(t.Context(), s); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Spend(t.Context(), f.spending(h)); err != nil {
		t.Fatalf("the refusals used it up: %v", err)
	}
}

func TestVotesOnHeldCommandsAreForWhatWasShown(t *testing.T) {
	f := setUp(t)
	g := f.granted(t, agent("bot"))
	h, other := f.held(t, g, oneDBA), f.held(t, f.granted(t, agent("bot2")), oneDBA)
	for name, digest := range map[string]string{"another's": other.Digest, "cut": h.Digest[1:], "none": ""} {
		if _, err := f.approve(t, person("bob", "dba"), h.ID, digest); !errors.Is(err, approvals.ErrDigest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSpendAsksAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*testing.T, *fixture, approvals.Hold)
		want   error
	}{
		"not approved": {nil, approvals.ErrNotApproved},
		"policy changed": {func(t *testing.T, f *fixture, _ approvals.Hold) { f.push(t, open+"\n// more") },
			approvals.ErrPolicyChanged},
		"approver lost the role": {func(_ *testing.T, f *fixture, _ approvals.Hold) { f.directory.set(person("bob", "interns")) },
			approvals.ErrNotApproved},
		"approver locked": {func(t *testing.T, f *fixture, _ approvals.Hold) { f.lock(t, locks.Principal, "bob") },
			approvals.ErrNotApproved},
		"asker locked": {func(t *testing.T, f *fixture, _ approvals.Hold) { f.lock(t, locks.Principal, "bot") },
			locks.ErrLocked},
		"resource locked": {func(t *testing.T, f *fixture, _ approvals.Hold) { f.lock(t, locks.Resource, "dev") },
			locks.ErrLocked},
		"grant revoked": {func(t *testing.T, f *fixture, h approvals.Hold) {
			if _, _, err := f.Revoke(t.Context(), approvals.Revocation{Grant: h.Grant, By: "x"}); err != nil {
				t.Fatal(err)
			}
		}, approvals.ErrEnded},
		"expired": {func(_ *testing.T, f *fixture, _ approvals.Hold) { f.clock.advance(10 * time.Minute) },
			approvals.ErrNotApproved},
		"withdrawn": {func(t *testing.T, f *fixture, h approvals.Hold) {
			if _, err := f.WithdrawHold(t.Context(), h.ID); err != nil {
				t.Fatal(err)
			}
		}, approvals.ErrNotApproved},
		"session ended": {func(t *testing.T, f *fixture, h approvals.Hold) {
			f.ended.gone = map[string]bool{h.Session: true}
			if err := f.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, approvals.ErrNotApproved},
	} {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			var h approvals.Hold
			if tt.change == nil {
				h = f.held(t, f.granted(t, agent("bot")), oneDBA)
			} else {
				h = f.approved(t)
				tt.change(t, f, h)
			}
			if by, err := f.Spend(t.Context(), f.spending(h)); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, %v; want %v", by, err, tt.want)
			}
		})
	}
}

func (f *fixture) lock(t *testing.T, target locks.Target, name string) {
	t.Helper()
	if _, _, err := f.locks.Create(t.Context(), locks.Order{Target: target, Name: name, Reason: "test"}); err != nil {
		t.Fatal(err)
	}
}

func TestHoldsThatAreRefused(t *testing.T) {
	f := setUp(t)
	g := f.granted(t, agent("bot"))
	good := approvals.Hold{
		Principal: g.Principal, Resource: "dev", Edge: "edge-1", Session: "ses-1", Grant: g.ID,
		Statement: "DELETE", Command: commandDigest[:], Requirements: []policy.Approval{oneDBA}, Revision: 1,
	}
	for name, edit := range map[string]func(*approvals.Hold){
		"nobody asked":        func(h *approvals.Hold) { h.Requirements = nil },
		"nobody of a group":   func(h *approvals.Hold) { h.Requirements = []policy.Approval{{Group: "dba"}} },
		"minus one":           func(h *approvals.Hold) { h.Requirements = []policy.Approval{{Count: -1, Group: "dba"}} },
		"no group":            func(h *approvals.Hold) { h.Requirements = []policy.Approval{{Count: 1}} },
		"no digest":           func(h *approvals.Hold) { h.Command = nil },
		"an older revision":   func(h *approvals.Hold) { h.Revision = 0 },
		"an edge beside it":   func(h *approvals.Hold) { h.Edge = "edge-2" },
		"another's grant":     func(h *approvals.Hold) { h.Principal.ID = "eve" },
		"a month":             func(h *approvals.Hold) { h.Timeout = 30 * 24 * time.Hour },
		"too long to be read": func(h *approvals.Hold) { h.Statement = string(make([]byte, 300<<10)) },
	} {
		h := good
		edit(&h)
		if _, err := f.File(t.Context(), h); err == nil {
			t.Errorf("%s: filed", name)
		}
	}
	forged := good
	forged.Principal.Groups, forged.RequestReason = []string{"dba"}, "harmless"
	h, err := f.File(t.Context(), forged)
	if err != nil || h.RequestReason != g.Reason || len(h.Principal.Groups) != 1 || h.Principal.Groups[0] != "agents" {
		t.Fatalf("the edge's word was taken for the grant's: %+v, %v", h, err)
	}
}

func TestWatch(t *testing.T) {
	f := setUp(t)
	h := f.held(t, f.granted(t, agent("bot")), policy.Approval{Count: 2, Group: "dba"})
	states := make(chan approvals.Hold, 10)
	go func() {
		defer close(states)
		for h, err := range f.Watch(t.Context(), h.ID) {
			if err != nil {
				return
			}
			states <- h
		}
	}()
	if first := <-states; first.State != approvals.Pending || len(first.Votes) != 0 {
		t.Fatalf("got %+v", first)
	}
	for _, name := range []string{"bob", "cid"} {
		if _, err := f.approve(t, person(name, "dba"), h.ID, h.Digest); err != nil {
			t.Fatal(err)
		}
	}
	var last approvals.Hold
	for last = range states {
	}
	if last.State != approvals.Approved || len(last.Approvers()) != 2 {
		t.Fatalf("got %+v", last)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	f := setUp(t)
	h := f.held(t, f.granted(t, agent("bot")), oneDBA)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range f.Watch(ctx, h.ID) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Fatalf("got %v", last)
	}
}
