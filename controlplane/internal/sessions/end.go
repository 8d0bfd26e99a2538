package sessions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/store"
)

// Filter selects live sessions: those that match everything that is set, in
// whatever case it is written. The zero Filter selects none.
type Filter struct {
	IDs       []string
	Principal string // also whom the principal acts for
	Resource  string
	Edge      string
	Grant     string
}

func (f Filter) empty() bool {
	return len(f.IDs) == 0 && f.Principal == "" && f.Resource == "" && f.Edge == "" && f.Grant == ""
}

func (f Filter) matches(s Session) bool {
	return !f.empty() &&
		(len(f.IDs) == 0 || slices.Contains(f.IDs, s.ID)) &&
		matches(f.Principal, append([]string{s.Principal.ID}, s.Principal.OnBehalfOf...)...) &&
		matches(f.Resource, s.Resource) && matches(f.Edge, s.Edge) && matches(f.Grant, s.Grant)
}

func matches(wanted string, names ...string) bool {
	return wanted == "" || slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, wanted) })
}

// End ends the live sessions that match, on every edge, and returns how many.
// The edges hear of it from the replica they are linked to. It goes on after a
// failure and returns the first.
func (b *Book) End(ctx context.Context, f Filter, reason, by string) (int, error) {
	if f.empty() {
		return 0, errors.New("end sessions: nothing selects them")
	}
	entries, _, err := b.live.List(ctx, store.ListOptions{})
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	n := 0
	for _, e := range entries {
		if !f.matches(e.Value) {
			continue
		}
		ended, endErr := b.endOne(ctx, e.Key, reason, by)
		if err == nil && endErr != nil {
			err = fmt.Errorf("end session %s: %w", e.Key, endErr)
		}
		if ended {
			n++
		}
	}
	return n, err
}

// EndGrantSessions ends the live sessions of a grant.
func (b *Book) EndGrantSessions(ctx context.Context, grant, reason, by string) (int, error) {
	return b.End(ctx, Filter{Grant: grant}, reason, by)
}

// EndSessions ends the live sessions that a lock on a target covers.
func (b *Book) EndSessions(ctx context.Context, target locks.Target, name, reason, by string) (int, error) {
	switch target {
	case locks.Principal:
		return b.End(ctx, Filter{Principal: name}, reason, by)
	case locks.Resource:
		return b.End(ctx, Filter{Resource: name}, reason, by)
	case locks.Edge:
		return b.End(ctx, Filter{Edge: name}, reason, by)
	case locks.Grant:
		return b.End(ctx, Filter{Grant: name}, reason, by)
	}
	return 0, fmt.Errorf("end sessions: unknown target %q", target)
}

// Close ends a session on behalf of its edge. One that has ended, or never
// was, is no error; one of another edge is ErrForeign.
func (b *Book) Close(ctx context.Context, edge, id, reason string) error {
	err := b.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		s, err := b.LiveIn(tx, id, edge)
		if err != nil {
			return err
		}
		return b.endIn(tx, s, reason, "")
	})
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrEnded) {
		return nil
	}
	return err
}

func (b *Book) endOne(ctx context.Context, id, reason, by string) (ended bool, err error) {
	err = b.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := b.live.In(tx).Get(id)
		ended = err == nil
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return b.endIn(tx, e.Value, reason, by)
	})
	return ended && err == nil, err
}

// endIn moves the session to the ended ones and ends its credential with it.
func (b *Book) endIn(tx *store.Tx, s Session, reason, by string) error {
	if err := b.live.In(tx).Delete(s.ID); err != nil {
		return err
	}
	s.EndedAt, s.EndReason, s.EndedBy = b.cfg.Now().UTC(), reason, by
	if err := b.ended.In(tx).Put(s.ID, s); err != nil {
		return err
	}
	if err := b.index(tx, s); err != nil {
		return err
	}
	if s.Lease == "" {
		return nil
	}
	return b.cfg.Leases.EndIn(tx, s.Lease)
}
