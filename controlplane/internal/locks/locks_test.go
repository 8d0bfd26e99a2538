package locks_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/store"
)

type ender struct {
	targets []locks.Target
	err     error
}

func (e *ender) EndSessions(_ context.Context, target locks.Target, _, _, _ string) (int, error) {
	e.targets = append(e.targets, target)
	return 3, e.err
}

func setUp(t *testing.T) (*locks.Locks, *ender) {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	e := new(ender)
	l, err := locks.New(locks.Config{Store: st, Sessions: e, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return l, e
}

func TestLock(t *testing.T) {
	l, e := setUp(t)
	ctx := t.Context()
	subject := locks.Subject{Principals: []string{"bot", "alice"}, Resource: "orders", Edge: "edge-1", Grant: "grant-1"}
	if err := l.Check(ctx, subject); err != nil {
		t.Fatal(err)
	}
	for target, name := range map[locks.Target]string{
		locks.Principal: "Alice", locks.Resource: "orders", locks.Edge: "edge-1", locks.Grant: "grant-1",
	} {
		lock, ended, err := l.Create(ctx, locks.Order{Target: target, Name: name, Reason: "incident", By: "eve"})
		if err != nil || ended != 3 {
			t.Fatal(ended, err)
		}
		if err := l.Check(ctx, subject); !errors.Is(err, locks.ErrLocked) {
			t.Errorf("%s: %v", target, err)
		}
		other := locks.Subject{Principals: []string{"alice2", name + "/x"}, Resource: "orders2", Edge: "edge-10", Grant: "grant-10"}
		if err := l.Check(ctx, other); err != nil {
			t.Errorf("%s: stops others too: %v", target, err)
		}
		if err := l.Remove(ctx, lock.ID, "eve"); err != nil {
			t.Fatal(err)
		}
		if err := l.Remove(ctx, lock.ID, "eve"); !errors.Is(err, locks.ErrNotFound) {
			t.Errorf("removed twice: %v", err)
		}
	}
	if err := l.Check(ctx, subject); err != nil {
		t.Errorf("after all were lifted: %v", err)
	}
	if len(e.targets) != 4 {
		t.Errorf("sessions were ended for %v", e.targets)
	}
}

// The lock stands even if the sessions that run cannot be ended now.
func TestLockStandsWhenEndingFails(t *testing.T) {
	l, e := setUp(t)
	e.err = errors.New("edge away")
	lock, _, err := l.Create(t.Context(), locks.Order{Target: locks.Edge, Name: "edge-1", Reason: "x"})
	if err == nil || lock.ID == "" {
		t.Fatal(lock, err)
	}
	if err := l.Check(t.Context(), locks.Subject{Edge: "edge-1"}); !errors.Is(err, locks.ErrLocked) {
		t.Fatal(err)
	}
}

func TestLocksThatAreRefused(t *testing.T) {
	l, _ := setUp(t)
	for name, o := range map[string]locks.Order{
		"no target":     {Name: "x", Reason: "x"},
		"other target":  {Target: "planet", Name: "x", Reason: "x"},
		"no name":       {Target: locks.Edge, Reason: "x"},
		"no reason":     {Target: locks.Edge, Name: "x", Reason: "  "},
		"negative ttl":  {Target: locks.Edge, Name: "x", Reason: "x", TTL: -time.Second},
		"ttl of a life": {Target: locks.Edge, Name: "x", Reason: "x", TTL: 100 * locks.MaxTTL},
	} {
		if _, _, err := l.Create(t.Context(), o); !errors.Is(err, locks.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFollowSeesLocksComeAndGo(t *testing.T) {
	l, _ := setUp(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	counts := make(chan int, 10)
	go func() { _ = l.Follow(ctx, func(all []locks.Lock) { counts <- len(all) }) }()
	await := func(want int) {
		t.Helper()
		for got := range counts {
			if got == want {
				return
			}
		}
	}
	await(0)
	if _, _, err := l.Create(ctx, locks.Order{Target: locks.Edge, Name: "edge-1", Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	await(1)
	if _, _, err := l.Create(ctx, locks.Order{Target: locks.Edge, Name: "edge-2", Reason: "x", TTL: time.Second}); err != nil {
		t.Fatal(err)
	}
	await(2)
	await(1) // the second one's time is over
}
