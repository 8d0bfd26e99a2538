package approvals

import (
	"context"
	"errors"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
)

const sweepInterval = 10 * time.Second

// Run writes down what has expired and forgets what is older than Retention, on one replica at a time, until ctx ends.
// Nothing depends on it for its meaning: what is over counts as over before it is swept.
func (a *Approvals) Run(ctx context.Context) error {
	return a.cfg.Store.Campaign(ctx, "approvals-sweeper", func(ctx context.Context) error {
		tick := time.NewTicker(sweepInterval)
		defer tick.Stop()
		for {
			if err := a.Sweep(ctx); err != nil && ctx.Err() == nil {
				a.cfg.Logger.Warn("sweep approvals", "error", err)
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-tick.C:
			}
		}
	})
}

// Sweep looks once. It goes on after a failure and returns them all.
func (a *Approvals) Sweep(ctx context.Context) error {
	return errors.Join(a.sweepRequests(ctx), a.sweepHolds(ctx), a.sweepGrants(ctx))
}

func (a *Approvals) sweepRequests(ctx context.Context) error {
	entries, _, err := a.requests.List(ctx, store.ListOptions{})
	now := a.cfg.Now()
	for _, e := range entries {
		r := e.Value.at(now)
		switch {
		case r.State == Expired && e.Value.State == Pending:
			err = errors.Join(err, ignoreStale(a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
				if err := a.requests.In(tx).Replace(e.Key, r, e.Revision); err != nil {
					return err
				}
				return errors.Join(a.dequeue(tx, r), a.publishRequest(tx, r))
			})))
		case r.State != Pending && now.Sub(r.DecidedAt) > a.cfg.Retention:
			err = errors.Join(err, forget(ctx, a.requests, e.Key))
		}
	}
	return err
}

func (a *Approvals) sweepHolds(ctx context.Context) error {
	entries, _, err := a.holds.List(ctx, store.ListOptions{})
	now := a.cfg.Now()
	for _, e := range entries {
		h := e.Value.at(now)
		switch {
		case h.State == Expired && e.Value.State != Expired:
			err = errors.Join(err, ignoreStale(a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
				if err := a.holds.In(tx).Replace(e.Key, h, e.Revision); err != nil {
					return err
				}
				return errors.Join(a.unwait(tx, h), a.publishHold(tx, h))
			})))
		case h.State != Pending && h.State != Approved && now.Sub(h.DecidedAt) > a.cfg.Retention:
			err = errors.Join(err, forget(ctx, a.holds, e.Key))
		case h.State == Pending || h.State == Approved:
			err = errors.Join(err, a.withdrawOrphan(ctx, h))
		}
	}
	return err
}

// withdrawOrphan takes back a held command whose session ended without doing so: its edge, or the replica that
// the edge was linked to, died.
func (a *Approvals) withdrawOrphan(ctx context.Context, h Hold) error {
	lives, err := a.cfg.Sessions.SessionLives(ctx, h.Session)
	if err != nil || lives {
		return err
	}
	_, err = a.WithdrawHold(ctx, h.ID)
	if errors.Is(err, ErrNotPending) || errors.Is(err, ErrSpent) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (a *Approvals) sweepGrants(ctx context.Context) error {
	entries, _, err := a.grants.List(ctx, store.ListOptions{})
	now := a.cfg.Now()
	for _, e := range entries {
		g := e.Value
		if g.Active(now) || now.Sub(g.ExpiresAt) < a.cfg.Retention {
			continue
		}
		err = errors.Join(err, forget(ctx, a.owned, store.Key(fold(g.Principal.ID), g.ID)), forget(ctx, a.grants, g.ID))
	}
	return err
}

// unwait takes a held command off its session's list.
func (a *Approvals) unwait(tx *store.Tx, h Hold) error {
	err := a.waiting.In(tx).Delete(store.Key(h.Session, h.ID))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// ignoreStale takes it as done when somebody else changed the entry first.
func ignoreStale(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

func forget[T any](ctx context.Context, from *store.Collection[T], key string) error {
	if _, err := from.Delete(ctx, key); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}
