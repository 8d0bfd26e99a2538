package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// LeaseID identifies a lease across replicas and restarts.
type LeaseID int64

// Lease keeps keys alive for as long as somebody renews it.
type Lease struct {
	store *Store
	id    LeaseID
	ttl   time.Duration
}

// Lease grants a new lease. ttl counts in whole seconds, rounded up; etcd may
// make a very short one longer.
func (s *Store) Lease(ctx context.Context, ttl time.Duration) (*Lease, error) {
	if ttl <= 0 {
		return nil, errors.New("lease: ttl must be positive")
	}
	ctx, cancel := s.bound(ctx)
	defer cancel()
	resp, err := s.client.Grant(ctx, int64((ttl+time.Second-1)/time.Second))
	if err != nil {
		return nil, fmt.Errorf("grant lease: %w", s.fault(ctx, err))
	}
	return &Lease{store: s, id: LeaseID(resp.ID), ttl: time.Duration(resp.TTL) * time.Second}, nil
}

// Attach returns the lease with an id that was granted earlier, perhaps by
// another replica. It fails with ErrLeaseLost when it has ended.
func (s *Store) Attach(ctx context.Context, id LeaseID) (*Lease, error) {
	ctx, cancel := s.bound(ctx)
	defer cancel()
	resp, err := s.client.TimeToLive(ctx, clientv3.LeaseID(id))
	if err != nil {
		return nil, fmt.Errorf("attach lease: %w", s.fault(ctx, err))
	}
	if resp.TTL <= 0 {
		return nil, ErrLeaseLost
	}
	return &Lease{store: s, id: id, ttl: time.Duration(resp.GrantedTTL) * time.Second}, nil
}

// ID is what WithLease takes.
func (l *Lease) ID() LeaseID { return l.id }

// TTL is how long the lease lives after a renewal.
func (l *Lease) TTL() time.Duration { return l.ttl }

// Renew starts the lease's time anew. It fails with ErrLeaseLost when the
// lease has ended; ErrUnavailable leaves that open.
func (l *Lease) Renew(ctx context.Context) error {
	ctx, cancel := l.store.bound(ctx)
	defer cancel()
	if _, err := l.store.client.KeepAliveOnce(ctx, clientv3.LeaseID(l.id)); err != nil {
		return fmt.Errorf("renew lease: %w", l.store.fault(ctx, err))
	}
	return nil
}

// KeepAlive renews the lease now and then on, until ctx ends, and returns its
// error. It returns ErrLeaseLost as soon as the lease has ended or, counted by
// this process from the last answered renewal, may have ended.
func (l *Lease) KeepAlive(ctx context.Context) error {
	deadline := time.Now().Add(l.ttl)
	for {
		sent := time.Now()
		err := l.renewBy(ctx, deadline)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			deadline = sent.Add(l.ttl)
			pause(ctx, l.ttl/3)
		case errors.Is(err, ErrLeaseLost), !time.Now().Before(deadline):
			return ErrLeaseLost
		default:
			pause(ctx, 50*time.Millisecond)
		}
	}
}

func (l *Lease) renewBy(ctx context.Context, deadline time.Time) error {
	ctx, cancel := context.WithDeadlineCause(ctx, deadline, errOpTimeout)
	defer cancel()
	return l.Renew(ctx)
}

// Revoke ends the lease and deletes its keys now. A lease that has already
// ended is no error.
func (l *Lease) Revoke(ctx context.Context) error {
	ctx, cancel := l.store.bound(ctx)
	defer cancel()
	_, err := l.store.client.Revoke(ctx, clientv3.LeaseID(l.id))
	if err = l.store.fault(ctx, err); err != nil && !errors.Is(err, ErrLeaseLost) {
		return fmt.Errorf("revoke lease: %w", err)
	}
	return nil
}
