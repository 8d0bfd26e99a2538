package roles

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/iampolicy"
)

// urgent bounds reading a role while somebody waits for a decision, and calm how often that is done for one role.
const (
	urgent = 8 * time.Second
	calm   = 5 * time.Second
)

// Freshen reads the role of an account again if what is known of it is older than Config.Fresh. Resources of other kinds have none.
// What cannot be read leaves behind what it means: FactsIn says it. The error is the store's, or that ctx has ended.
func (r *Roles) Freshen(ctx context.Context, res resources.Resource) error {
	if res.AWS == nil {
		return nil
	}
	fresh, err := r.fresh(ctx, res)
	if err != nil || fresh {
		return err
	}
	return r.refresh(ctx, res, urgent)
}

// fresh reports whether there is no need, or no use, to ask AWS.
func (r *Roles) fresh(ctx context.Context, res resources.Resource) (bool, error) {
	set, _, err := r.cfg.Policies.Current(ctx)
	if err != nil {
		return false, err
	}
	catalog := r.catalog(set)
	e, err := r.rows.Get(ctx, res.Name)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	w, now := e.Value, r.cfg.Now()
	if w.RoleARN != res.AWS.RoleARN || w.Version != res.Version || w.Catalog != catalog.Digest() && w.Digest != "" {
		return false, err
	}
	known := w.Digest != "" && w.Problem == "" && now.Sub(w.ReadAt) < r.cfg.Fresh
	return known || now.Sub(w.TriedAt) < calm, err
}

// refresh reads a role and writes down what came of it. Callers of one moment share one reading.
func (r *Roles) refresh(ctx context.Context, res resources.Resource, most time.Duration) error {
	done := r.reading.DoChan(fmt.Sprint(res.Name, "/", res.Version), func() (any, error) {
		// Whoever asks first may give up, or stop to be the one that reads; the others still wait for it.
		ctx, cancel := context.WithTimeout(context.Background(), most+5*time.Second)
		defer cancel()
		return nil, r.readOnce(ctx, res, most)
	})
	select {
	case got := <-done:
		return got.Err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *Roles) readOnce(ctx context.Context, res resources.Resource, most time.Duration) error {
	began := r.cfg.Now().UTC()
	set, _, err := r.cfg.Policies.Current(ctx)
	if err != nil {
		return err
	}
	catalog := r.catalog(set)
	reading, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	role, failed := r.cfg.Reader.Read(reading, *res.AWS)
	var found Analysis
	if failed == nil {
		found, failed = analyse(role, catalog, began)
	}
	problem := problemOf(failed)
	if failed != nil {
		r.cfg.Logger.Warn("a role cannot be read", "resource", res.Name, "role", res.AWS.RoleARN, "problem", problem, "error", failed)
	}
	err = r.write(ctx, res, began, found, problem)
	if errors.Is(err, store.ErrTooLarge) && problem == "" {
		return r.write(ctx, res, began, Analysis{}, TooLarge)
	}
	return err
}

// write keeps the outcome of one attempt, unless a later one has been kept or the resource is another by now.
func (r *Roles) write(ctx context.Context, res resources.Resource, began time.Time, found Analysis, problem Problem) error {
	return r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		now, err := r.cfg.Resources.GetIn(tx, res.Name)
		if errors.Is(err, resources.ErrNotFound) || err == nil && (now.UID != res.UID || now.Version != res.Version) {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := r.rows.In(tx).Get(res.Name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if e.Value.TriedAt.After(began) {
			return nil
		}
		next := e.Value.after(res, began, found, problem)
		if problem == "" {
			if err := r.keep(tx, found); err != nil {
				return err
			}
		}
		return r.rows.In(tx).Put(res.Name, next)
	})
}

// after is the row once an attempt is over. What was known stays known for a while where AWS could not be asked; where it refused, or
// what it said is not understood, nothing is known from then on.
func (w row) after(res resources.Resource, began time.Time, found Analysis, problem Problem) row {
	next := row{RoleARN: res.AWS.RoleARN, Version: res.Version, TriedAt: began, Problem: problem}
	switch {
	case problem == "":
		next.Digest, next.Catalog, next.ReadAt = found.Digest, found.Catalog, began
	case problem == Unreachable && w.RoleARN == next.RoleARN:
		next.Digest, next.Catalog, next.ReadAt = w.Digest, w.Catalog, w.ReadAt
	}
	return next
}

// problemOf says what a failed attempt means.
func problemOf(err error) Problem {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrRefused):
		return Refused
	case errors.Is(err, ErrTooLarge), errors.Is(err, iampolicy.ErrTooLarge):
		return TooLarge
	case errors.Is(err, ErrUnclear), errors.Is(err, iampolicy.ErrSyntax), errors.Is(err, iampolicy.ErrRole):
		return Unclear
	}
	return Unreachable
}
