package roles

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
)

const (
	lookInterval = 10 * time.Second // at what is due
	readers      = 8                // roles read at a time
	tidyInterval = time.Hour
)

// Run reads roles when they are due: on one replica at a time, until ctx ends.
func (r *Roles) Run(ctx context.Context) error {
	return r.cfg.Store.Campaign(ctx, "role-reader", r.lead)
}

func (r *Roles) lead(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	signal := func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.cfg.Resources.Follow(ctx, func([]resources.Resource) { signal() }) })
	g.Go(func() error { return r.cfg.Policies.Follow(ctx, func(policies.Revision) { signal() }) })
	g.Go(func() error { return r.work(ctx, wake) })
	return g.Wait()
}

// work looks whenever something changed, and time and again.
func (r *Roles) work(ctx context.Context, wake <-chan struct{}) error {
	look, tidy := time.NewTicker(lookInterval), time.NewTicker(tidyInterval)
	defer look.Stop()
	defer tidy.Stop()
	for {
		if err := r.Look(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.Warn("read roles", "error", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tidy.C:
			if err := r.Tidy(ctx); err != nil && ctx.Err() == nil {
				r.cfg.Logger.Warn("forget roles", "error", err)
			}
		case <-wake:
		case <-look.C:
		}
	}
}

// Look reads every role that is due, and forgets those whose resource is gone.
func (r *Roles) Look(ctx context.Context) error {
	set, _, err := r.cfg.Policies.Current(ctx)
	if err != nil {
		return err
	}
	catalog := r.catalog(set)
	rows, err := r.byName(ctx)
	if err != nil {
		return err
	}
	all, err := r.cfg.Resources.List(ctx)
	if err != nil {
		return err
	}
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(readers)
	for _, res := range all {
		w, seen := rows[res.Name]
		if res.AWS == nil {
			continue
		}
		delete(rows, res.Name)
		if !seen || r.due(w, res, catalog.Digest()) {
			g.Go(func() error { return r.refresh(reading, res, r.cfg.ReadTimeout) })
		}
	}
	err = g.Wait()
	for name := range rows {
		err = errors.Join(err, r.forget(ctx, name))
	}
	return err
}

// due reports whether a role is to be read.
func (r *Roles) due(w row, res resources.Resource, catalog string) bool {
	age := r.cfg.Now().Sub(w.TriedAt)
	switch {
	case w.RoleARN != res.AWS.RoleARN || w.Version != res.Version, w.Digest != "" && w.Catalog != catalog && age >= calm:
		return true
	case w.Problem != "":
		return age >= r.cfg.Retry
	}
	return age >= r.cfg.Period
}

func (r *Roles) byName(ctx context.Context) (map[string]row, error) {
	entries, _, err := r.rows.List(ctx, store.ListOptions{})
	rows := make(map[string]row, len(entries))
	for _, e := range entries {
		rows[e.Key] = e.Value
	}
	return rows, err
}

// forget drops a row whose resource is gone.
func (r *Roles) forget(ctx context.Context, name string) error {
	return r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		res, err := r.cfg.Resources.GetIn(tx, name)
		if err == nil && res.AWS != nil {
			return nil
		}
		if err != nil && !errors.Is(err, resources.ErrNotFound) {
			return err
		}
		if err := r.rows.In(tx).Delete(name); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return nil
	})
}

// Tidy forgets analyses that held of no role for long.
func (r *Roles) Tidy(ctx context.Context) error {
	entries, _, err := r.analyses.List(ctx, store.ListOptions{})
	if err != nil {
		return err
	}
	for _, e := range entries {
		if r.cfg.Now().Sub(e.Value.KeptAt) < kept {
			continue
		}
		_, gone := r.analyses.Delete(ctx, e.Key)
		if !errors.Is(gone, store.ErrNotFound) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
