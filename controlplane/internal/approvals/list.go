package approvals

import (
	"context"
	"fmt"
	"strings"

	"github.com/writhq/writ/controlplane/internal/store"
)

// Filter narrows a list of requests or grants. Its zero value lists the newest 100 of everybody's.
type Filter struct {
	Principal string // with Owner, only what has exactly this principal
	Resource  string
	State     State // of requests; empty is every state
	Ended     bool  // of grants: also those that are over
	// NeedsReview lists break-glass grants that nobody has reviewed, ended or not.
	NeedsReview bool
	// Size is at most 500; 0 is 100.
	Size int
	// After is what the page before returned.
	After string
}

// Sizes of pages.
const (
	defaultPage = 100
	maxPage     = 500
	readAhead   = 50 // rows read at a time, at least
	maxRead     = 20_000
)

func (f Filter) complete(prefix string) (Filter, error) {
	switch {
	case f.Size < 0 || f.Size > maxPage:
		return f, fmt.Errorf("%w: page_size: %d; use at most %d", ErrInvalid, f.Size, maxPage)
	case f.Size == 0:
		f.Size = defaultPage
	}
	if f.After != "" && checkID(prefix, f.After) != nil {
		return f, store.ErrPage
	}
	return f, nil
}

// ListRequests returns requests, newest first, and what the page after it has in After, which is empty on the last. An
// After of another list is store.ErrPage.
func (a *Approvals) ListRequests(ctx context.Context, f Filter) ([]Request, string, error) {
	f, err := f.complete(requestPrefix)
	if err != nil {
		return nil, "", err
	}
	now := a.cfg.Now()
	accept := func(r Request) (Request, bool) {
		r = r.at(now)
		return r, (f.Principal == "" || r.Principal.ID == f.Principal) && (f.Resource == "" || r.Resource == f.Resource) &&
			(f.State == "" || r.State == f.State)
	}
	id := func(r Request) string { return r.ID }
	if f.Principal != "" {
		return page(ctx, f, byIndex(a.filed, a.requests, store.Key(fold(f.Principal), "")), accept, id)
	}
	return page(ctx, f, directly(a.requests), accept, id)
}

// ListGrants is ListRequests for grants.
func (a *Approvals) ListGrants(ctx context.Context, f Filter) ([]Grant, string, error) {
	f, err := f.complete(grantPrefix)
	if err != nil {
		return nil, "", err
	}
	now := a.cfg.Now()
	accept := func(g Grant) (Grant, bool) {
		return g, (f.Principal == "" || g.Principal.ID == f.Principal) && (f.Resource == "" || g.Resource == f.Resource) &&
			(f.Ended || f.NeedsReview || !g.over(now)) && (!f.NeedsReview || g.BreakGlass && g.Review == nil)
	}
	id := func(g Grant) string { return g.ID }
	switch {
	case f.NeedsReview:
		return page(ctx, f, byIndex(a.unreviewed, a.grants, ""), accept, id)
	case f.Principal != "":
		return page(ctx, f, byIndex(a.owned, a.grants, store.Key(fold(f.Principal), "")), accept, id)
	}
	return page(ctx, f, directly(a.grants), accept, id)
}

// AllGrants lists everybody's active grants, newest first; ended also all others.
func (a *Approvals) AllGrants(ctx context.Context, ended bool) ([]Grant, error) {
	entries, _, err := a.grants.List(ctx, store.ListOptions{})
	now := a.cfg.Now()
	var out []Grant
	for _, e := range entries {
		if ended || e.Value.Active(now) {
			out = append(out, e.Value)
		}
	}
	return out, err
}

// rows reads up to n rows whose keys come after one, which is empty at the start. The last key it saw goes with them;
// it is empty at the end.
type rows[T any] func(ctx context.Context, after string, n int) (found []T, last string, err error)

// directly reads a collection in its own order.
func directly[T any](from *store.Collection[T]) rows[T] {
	return func(ctx context.Context, after string, n int) ([]T, string, error) {
		entries, _, err := from.List(ctx, store.ListOptions{After: after, Limit: n})
		if err != nil || len(entries) == 0 {
			return nil, "", err
		}
		found := make([]T, len(entries))
		for i, e := range entries {
			found[i] = e.Value
		}
		return found, entries[len(entries)-1].Key, nil
	}
}

// byIndex reads what the index holds in one folder: ids, under keys that end as those of the collection. What the index
// still names although it is gone is left out.
func byIndex[T any](index *store.Collection[string], from *store.Collection[T], folder string) rows[T] {
	return func(ctx context.Context, after string, n int) ([]T, string, error) {
		if after != "" {
			after = folder + after
		}
		entries, _, err := index.List(ctx, store.ListOptions{Prefix: folder, After: after, Limit: n})
		if err != nil || len(entries) == 0 {
			return nil, "", err
		}
		var found []T
		for _, e := range entries {
			row, err := from.Get(ctx, newest(e.Value))
			if gone(err) != nil {
				return nil, "", err
			}
			if err == nil {
				found = append(found, row.Value)
			}
		}
		return found, strings.TrimPrefix(entries[len(entries)-1].Key, folder), nil
	}
}

// page fills one page with what accept lets through. It reads maxRead rows at most; then the page is short, and the
// next goes on from there.
func page[T any](ctx context.Context, f Filter, read rows[T], accept func(T) (T, bool), id func(T) string) ([]T, string, error) {
	after, last := "", ""
	if f.After != "" {
		after = newest(f.After)
	}
	var out []T
	for seen := 0; seen < maxRead; {
		found, next, err := read(ctx, after, max(readAhead, f.Size+1))
		if err != nil || next == "" {
			return out, "", err
		}
		for _, row := range found {
			seen++
			if row, ok := accept(row); ok {
				if len(out) == f.Size {
					return out, last, nil
				}
				out = append(out, row)
			}
			last = id(row)
		}
		after = next
	}
	return out, last, nil
}
