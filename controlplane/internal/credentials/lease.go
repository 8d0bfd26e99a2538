// Package credentials brokers what a session signs in with upstream: it mints
// a short-lived credential per session, remembers what must be taken back, and
// never stores a secret. Secrets pass through memory to one edge.
package credentials

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/resources"
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

	KindEKS               Kind = "eks"
	KindServiceAccount    Kind = "service_account"
	KindClientCertificate Kind = "client_certificate"

	KindAssumeRole Kind = "assume_role"
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
	if err := b.leases.In(tx).Create(lease.ID, lease); err != nil {
		return err
	}
	return b.indexIn(tx, lease)
}

// change writes another state of a lease.
func (b *Broker) change(tx *store.Tx, lease Lease) error {
	if err := b.leases.In(tx).Put(lease.ID, lease); err != nil {
		return err
	}
	return b.indexIn(tx, lease)
}

// indexIn lists the lease under its resource for as long as its role may exist there.
func (b *Broker) indexIn(tx *store.Tx, lease Lease) error {
	open, key := b.open.In(tx), store.Key(lease.Resource, lease.ID)
	if lease.Role != "" && lease.State != Settled {
		return open.Put(key, lease)
	}
	if err := open.Delete(key); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
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
	return b.change(tx, e.Value)
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
		return b.change(tx, e.Value)
	})
}

// Unsettled returns the leases of some resources that ended at least grace ago and whose role may still exist. It reads
// only those resources' open leases.
func (b *Broker) Unsettled(ctx context.Context, grace time.Duration, served ...string) ([]Lease, error) {
	now := b.cfg.Now()
	var found []Lease
	for _, name := range served {
		entries, _, err := b.open.List(ctx, store.ListOptions{Prefix: store.Key(name, "")})
		if err != nil {
			return nil, fmt.Errorf("list leases of %s: %w", name, err)
		}
		for _, e := range entries {
			if e.Value.State == Ending && now.Sub(e.Value.EndedAt) >= grace {
				found = append(found, e.Value)
			}
		}
	}
	return found, nil
}

// givenUp is how long after the end of its session a role may hold up the removal of its resource. Nobody can sign in
// with it by then, and a target that was out of reach for so long may not come back.
const givenUp = time.Hour

// NoneOpenIn fails with resources.ErrInUse while roles of sessions may exist at a resource that its removal would leave
// there.
func (b *Broker) NoneOpenIn(tx *store.Tx, resource string) error {
	entries, err := b.open.In(tx).List(store.Key(resource, ""))
	if errors.Is(err, store.ErrTooLarge) {
		return fmt.Errorf("%w: more than %d roles of its sessions are still at its target", resources.ErrInUse, store.MaxTx)
	}
	if err != nil {
		return err
	}
	n := 0
	for _, e := range entries {
		if e.Value.State == Issued || b.cfg.Now().Sub(e.Value.EndedAt) < givenUp {
			n++
		}
	}
	if n > 0 {
		return fmt.Errorf("%w: roles of %d of its sessions are still at its target", resources.ErrInUse, n)
	}
	return nil
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
