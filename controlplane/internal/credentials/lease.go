// Package credentials brokers what a session signs in with upstream: it mints
// a short-lived credential per session, remembers what must be taken back, and
// never stores a secret. Secrets pass through memory to one edge.
package credentials

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
)

// State is where a lease stands.
type State string

// The states. Only Ending needs work: the role must be dropped at the target.
const (
	Issued  State = "issued"
	Ending  State = "ending"
	Settled State = "settled"
)

// Kind says where a credential came from.
type Kind string

// The kinds.
const (
	KindStatic  Kind = "static"
	KindDynamic Kind = "dynamic"
	KindRDSIAM  Kind = "rds_iam"
)

// ErrNotFound: no lease has that id.
var ErrNotFound = errors.New("no such credential lease")

// ErrInUse: the lease's session is live.
var ErrInUse = errors.New("credential lease is in use")

// Lease is a credential that was handed out. It holds no secret.
type Lease struct {
	ID        string    `json:"id"`
	Session   string    `json:"session"`
	Resource  string    `json:"resource"`
	Edge      string    `json:"edge"`
	Kind      Kind      `json:"kind"`
	Role      string    `json:"role,omitempty"` // to drop at the target
	State     State     `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// PutIn writes a fresh lease, in the transaction that creates its session.
func (b *Broker) PutIn(tx *store.Tx, lease Lease) error {
	return b.leases.In(tx).Create(lease.ID, lease)
}

// EndIn ends a lease. One with a role waits until the role is known to be
// gone; the others are settled, since nothing of them is left at the target.
func (b *Broker) EndIn(tx *store.Tx, id string) error {
	e, err := b.leases.In(tx).Get(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if e.Value.State != Issued {
		return nil
	}
	e.Value.EndedAt = b.cfg.Now().UTC()
	e.Value.State = Settled
	if e.Value.Role != "" {
		e.Value.State = Ending
	}
	return b.leases.In(tx).Put(id, e.Value)
}

// Get returns a lease.
func (b *Broker) Get(ctx context.Context, id string) (Lease, error) {
	e, err := b.leases.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrKey) {
		return Lease{}, ErrNotFound
	}
	return e.Value, err
}

// Settle notes that the lease's role no longer exists. A lease whose session
// is live can be settled by the session's own edge alone (it drops the role
// before it closes the session); else ErrInUse. Settling twice is no error.
func (b *Broker) Settle(ctx context.Context, id, edge string) error {
	return b.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := b.leases.In(tx).Get(id)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrKey) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		if e.Value.State == Issued && e.Value.Edge != edge {
			return ErrInUse
		}
		if e.Value.EndedAt.IsZero() {
			e.Value.EndedAt = b.cfg.Now().UTC()
		}
		e.Value.State = Settled
		return b.leases.In(tx).Put(id, e.Value)
	})
}

// Unsettled returns the leases that ended at least grace ago and whose role
// may still exist.
func (b *Broker) Unsettled(ctx context.Context, grace time.Duration) ([]Lease, error) {
	entries, _, err := b.leases.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	now := b.cfg.Now()
	var found []Lease
	for _, e := range entries {
		if e.Value.State == Ending && now.Sub(e.Value.EndedAt) >= grace {
			found = append(found, e.Value)
		}
	}
	return found, nil
}

// keepSettled is how long a settled lease can be looked up.
const keepSettled = time.Hour

// Prune forgets leases that were settled a while ago.
func (b *Broker) Prune(ctx context.Context) error {
	entries, _, err := b.leases.List(ctx, store.ListOptions{})
	if err != nil {
		return fmt.Errorf("prune leases: %w", err)
	}
	for _, e := range entries {
		if e.Value.State != Settled || b.cfg.Now().Sub(e.Value.EndedAt) < keepSettled {
			continue
		}
		if _, err := b.leases.Delete(ctx, e.Key); err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("prune leases: %w", err)
		}
	}
	return nil
}

// Run prunes, on one replica at a time, until ctx ends.
func (b *Broker) Run(ctx context.Context) error {
	return b.cfg.Store.Campaign(ctx, "lease-pruner", func(ctx context.Context) error {
		tick := time.NewTicker(10 * time.Minute)
		defer tick.Stop()
		for {
			if err := b.Prune(ctx); err != nil && ctx.Err() == nil {
				b.cfg.Logger.Warn("prune credential leases", "error", err)
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-tick.C:
			}
		}
	})
}
