package enforce

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// scarce is a spool that can be full.
type scarce struct {
	full    bool
	records []audit.Record
}

func (s *scarce) Append(rec []byte) (spool.Position, error) {
	if s.full {
		return 0, spool.ErrFull
	}
	r, err := audit.Decode(rec)
	s.records = append(s.records, r)
	return spool.Position(len(s.records)), err
}

func (s *scarce) Sync(context.Context, spool.Position) error { return nil }

// away is a control plane that cannot be reached at first.
type away struct {
	Control
	mu     sync.Mutex
	down   bool
	asked  int
	closed []string
}

func (a *away) OpenSession(context.Context, Admission) (Admitted, error) {
	return Admitted{}, &Denied{Cause: CauseControl, Reason: "the control plane cannot be asked now"}
}

func (a *away) CloseSession(_ context.Context, session, _ string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if a.down {
		return errors.New("unreachable")
	}
	a.closed = append(a.closed, session)
	return nil
}

func (a *away) set(down bool) {
	a.mu.Lock()
	a.down = down
	a.mu.Unlock()
}

type holding struct{}

func (holding) Valid() bool           { return true }
func (holding) Lost() <-chan struct{} { return nil }

type anything struct{}

func (anything) Current() (*policy.Set, uint64, bool) { return nil, 1, true }

func newPipeline(t *testing.T, records Records, control Control) *Pipeline {
	t.Helper()
	p, err := New(Config{Edge: "edge-a", Boot: "b1", Policies: anything{}, Lease: holding{}, Records: records, Control: control, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestChainHasNoGapWhereTheSpoolWasFull(t *testing.T) {
	records := &scarce{}
	j := newPipeline(t, records, &away{}).own
	for _, full := range []bool{false, true, true, false, true, false} {
		records.full = full
		_, err := j.write(&audit.Record{Kind: audit.KindRefusal, Decision: audit.Deny})
		if errors.Is(err, spool.ErrFull) != full {
			t.Fatalf("full is %v, but the error %v", full, err)
		}
	}
	if err := audit.VerifyChain(records.records); err != nil || len(records.records) != 3 {
		t.Errorf("%d records, %v", len(records.records), err)
	}
}

func TestSessionIsClosedOnceTheControlPlaneIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		control := &away{down: true}
		p := newPipeline(t, &scarce{}, control)
		p.closeRemote("ses-1", "over")
		time.Sleep(10 * time.Second)
		control.set(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(control.closed) != 1 || control.closed[0] != "ses-1" {
			t.Errorf("closed %v after %d calls", control.closed, control.asked)
		}
	})
}

func TestClosingGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		control := &away{down: true}
		newPipeline(t, &scarce{}, control).closeRemote("ses-1", "over")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if asked := control.asked; asked < 5 || asked > 20 {
			t.Errorf("%d calls", asked)
		}
	})
}

// An answer that was lost may have been a yes.
func TestUnansweredOpenIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		control := &away{}
		_, err := newPipeline(t, &scarce{}, control).Open(t.Context(), Admission{Token: "t"})
		var denied *Denied
		if !errors.As(err, &denied) || denied.Cause != CauseControl {
			t.Fatalf("got %v", err)
		}
		synctest.Wait()
		if len(control.closed) != 1 {
			t.Errorf("closed %v", control.closed)
		}
	})
}
