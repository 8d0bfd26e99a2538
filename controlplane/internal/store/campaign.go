package store

import (
	"context"
	"errors"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// leaderTTL is how long a dead leader keeps others waiting.
const leaderTTL = 10 * time.Second

type termKey struct{}

// term is one leadership: the key that stands for it, as created.
type term struct {
	store   *Store
	key     string
	created int64
}

func (t term) holds() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(t.key), "=", t.created)
}

// Campaign runs fn on at most one replica at a time. It waits to become the
// leader for name, calls fn, and returns what fn returned. When the leadership
// is lost meanwhile, it cancels fn's context with ErrNotLeader, waits for fn,
// and starts over.
//
// Writes with fn's context fail with ErrNotLeader once the leadership is lost,
// even if this process was stopped in between and has not noticed. Effects
// outside the store have no such fence.
func (s *Store) Campaign(ctx context.Context, name string, fn func(ctx context.Context) error) error {
	seats := Define[string](s, "leader")
	if err := checkKey(name); err != nil {
		return seats.wrap("campaign", name, err)
	}
	for tries := 0; ; tries++ {
		led, err := s.lead(ctx, seats, name, fn)
		if led && !errors.Is(err, ErrNotLeader) {
			return err
		}
		if err := s.final(ctx, err); err != nil {
			return err
		}
		switch {
		case led:
			tries = 0
			s.log.Warn("leadership lost", "name", name)
		case errors.Is(err, ErrExists):
			tries = 0
			s.awaitVacancy(ctx, seats, name)
		default:
			s.log.Warn("cannot campaign", "name", name, "error", err)
		}
		backoff(ctx, tries)
	}
}

// lead tries to take the seat once and, having it, runs fn.
func (s *Store) lead(ctx context.Context, seats *Collection[string], name string, fn func(ctx context.Context) error) (led bool, err error) {
	lease, err := s.Lease(ctx, leaderTTL)
	if err != nil {
		return false, err
	}
	defer func() { // resign, also when ctx has ended
		_ = lease.Revoke(context.WithoutCancel(ctx))
	}()
	rev, err := seats.Create(ctx, name, "", WithLease(lease.ID()))
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		if lease.KeepAlive(ctx) == ErrLeaseLost {
			cancel(ErrNotLeader)
		}
	}()
	err = fn(context.WithValue(ctx, termKey{}, term{store: s, key: seats.root + name, created: int64(rev)}))
	if err != nil && context.Cause(ctx) == ErrNotLeader {
		err = ErrNotLeader
	}
	cancel(nil)
	<-kept
	return true, err
}

// awaitVacancy returns when the seat may be free.
func (s *Store) awaitVacancy(ctx context.Context, seats *Collection[string], name string) {
	entries, at, err := seats.List(ctx, ListOptions{Prefix: name})
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Key != name {
			continue
		}
		for ev, err := range seats.Watch(ctx, name, at) {
			if err != nil || ev.Deleted && ev.Key == name {
				return
			}
		}
	}
}
