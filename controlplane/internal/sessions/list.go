package sessions

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/store"
)

const (
	defaultList = 100
	maxList     = 1000
)

// Query narrows a List.
type Query struct {
	All       bool // also ended ones
	Principal string
	Resource  string
	Limit     int // at most 1000; 0 is 100
}

// List returns sessions, newest first.
func (b *Book) List(ctx context.Context, q Query) ([]Session, error) {
	if q.Limit <= 0 {
		q.Limit = defaultList
	}
	q.Limit = min(q.Limit, maxList)
	found, err := b.pick(ctx, b.live, q)
	if err != nil {
		return nil, err
	}
	if q.All {
		ended, err := b.pick(ctx, b.ended, q)
		if err != nil {
			return nil, err
		}
		found = append(found, ended...)
	}
	slices.SortFunc(found, func(a, b Session) int { return b.StartedAt.Compare(a.StartedAt) })
	return found[:min(len(found), q.Limit)], nil
}

func (b *Book) pick(ctx context.Context, from *store.Collection[Session], q Query) ([]Session, error) {
	entries, _, err := from.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var found []Session
	for _, e := range entries {
		s := e.Value
		if (q.Principal == "" || s.Principal.ID == q.Principal) && (q.Resource == "" || s.Resource == q.Resource) {
			found = append(found, s)
		}
	}
	return found, nil
}

// Describe tells the audit log whose a session is.
func (b *Book) Describe(ctx context.Context, id string) (auditlog.Session, error) {
	s, err := b.Get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return auditlog.Session{}, auditlog.ErrUnknownSession
	}
	return auditlog.Session{ID: s.ID, Edge: s.Edge, Started: s.StartedAt, Ended: s.EndedAt}, err
}

// Follow keeps a consumer's copy of the live sessions right until ctx ends:
// snapshot replaces everything it has, opened adds or changes one, ended
// removes one by its id. All are called from this goroutine.
func (b *Book) Follow(ctx context.Context, snapshot func([]Session), opened func(Session), ended func(id string)) error {
	return b.live.Follow(ctx, func(entries []store.Entry[Session], _ store.Revision) {
		all := make([]Session, len(entries))
		for i, e := range entries {
			all[i] = e.Value
		}
		snapshot(all)
	}, func(ev store.Event[Session]) {
		if ev.Deleted {
			ended(ev.Key)
			return
		}
		opened(ev.Value)
	})
}
