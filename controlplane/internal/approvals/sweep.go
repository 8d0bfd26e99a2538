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
	return errors.Join(
		a.sweepRequests(ctx), a.sweepHolds(ctx), a.sweepGrants(ctx), a.sweepRates(ctx),
		a.sweepAsked(ctx, a.asked), a.sweepAsked(ctx, a.commands),
	)
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
		case r.State == Pending && r.Role != nil:
			err = errors.Join(err, a.bringUp(ctx, r.ID))
		case r.State != Pending && now.Sub(r.DecidedAt) > a.cfg.Retention:
			err = errors.Join(err, forget(ctx, a.filed, store.Key(fold(r.Principal.ID), e.Key)), forget(ctx, a.requests, e.Key))
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
		switch {
		case !g.over(now):
		case g.BreakGlass && g.Review == nil: // it is kept until somebody reviews it
			if g.DueNoted.IsZero() {
				err = errors.Join(err, a.noteDue(ctx, e))
			}
		case now.Sub(g.ExpiresAt) >= a.cfg.Retention:
			err = errors.Join(err, forget(ctx, a.owned, store.Key(fold(g.Principal.ID), e.Key)), forget(ctx, a.grants, e.Key))
		}
	}
	return err
}

// noteDue tells once that a break-glass grant waits for its review.
func (a *Approvals) noteDue(ctx context.Context, e store.Entry[Grant]) error {
	return ignoreStale(a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		g := e.Value
		g.DueNoted = a.cfg.Now().UTC()
		if err := a.grants.In(tx).Replace(e.Key, g, e.Revision); err != nil {
			return err
		}
		return a.publish(tx, Event{Kind: ReviewDue, Grant: &g})
	}))
}

// sweepRates forgets who asked for nothing of late.
func (a *Approvals) sweepRates(ctx context.Context) error {
	entries, _, err := a.rates.List(ctx, store.ListOptions{})
	for _, e := range entries {
		if len(e.Value.at(a.cfg.Now()).Asked) == 0 {
			err = errors.Join(err, a.forgetStale(ctx, func(tx *store.Tx) error { return forgetAt(tx, a.rates, e) }))
		}
	}
	return err
}

// sweepAsked forgets waits and denials that are over.
func (a *Approvals) sweepAsked(ctx context.Context, rows *store.Collection[askedRow]) error {
	entries, _, err := rows.List(ctx, store.ListOptions{})
	for _, e := range entries {
		if !a.cfg.Now().Before(e.Value.ExpiresAt) {
			err = errors.Join(err, a.forgetStale(ctx, func(tx *store.Tx) error { return forgetAt(tx, rows, e) }))
		}
	}
	return err
}

func (a *Approvals) forgetStale(ctx context.Context, step func(*store.Tx) error) error {
	return ignoreStale(gone(a.cfg.Store.Update(ctx, step)))
}

// forgetAt deletes an entry unless it has changed since it was read.
func forgetAt[T any](tx *store.Tx, from *store.Collection[T], e store.Entry[T]) error {
	now, err := from.In(tx).Get(e.Key)
	if err != nil || now.Revision != e.Revision {
		return err
	}
	return from.In(tx).Delete(e.Key)
}

// ignoreStale takes it as done when somebody else changed the entry first.
func ignoreStale(err error) error {
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

func forget[T any](ctx context.Context, from *store.Collection[T], key string) error {
	_, err := from.Delete(ctx, key)
	return gone(err)
}
