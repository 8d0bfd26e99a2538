package tunnel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/pkg/policy"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// Principals knows what the newest sign-ins say.
type Principals interface {
	// FollowPrincipals calls changed with the name of each principal whose newest sign-in may say something else than
	// before, with "" for all of them. It returns with ctx.
	FollowPrincipals(ctx context.Context, changed func(name string)) error
	// Narrow returns p without the groups that it and its delegators have lost since.
	Narrow(ctx context.Context, p policy.Principal) (policy.Principal, error)
}

// concerns reports whether the principal, or one whom it acts for, has that name.
func concerns(s sessions.Session, name string) bool {
	return name == "" || s.Principal.ID == name ||
		slices.ContainsFunc(s.Principal.Delegators, func(d policy.Principal) bool { return d.ID == name })
}

// principalChanged has the edges told who now acts in the sessions that a principal is part of.
func (b *board) principalChanged(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		if concerns(s, name) {
			b.tellPrincipal(s)
		}
	}
}

// live returns a session, as far as this replica knows.
func (b *board) live(id string) (sessions.Session, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.sessions[id]
	return s, ok
}

// orderChange has the link tell its edge who acts in sessions.
func (l *link) orderChange(ids ...string) {
	l.keepChanges(ids)
	l.wakeUp()
}

func (l *link) keepChanges(ids []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.changes[id] = true
	}
}

func (l *link) takeChanges() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := slices.Collect(maps.Keys(l.changes))
	clear(l.changes)
	return ids
}

// errUnread is a principal that could not be read from the store.
var errUnread = errors.New("who acts in a session cannot be read")

// pushChanges tells the edge who now acts in sessions. What cannot be read stays ordered, and fails with errUnread.
func (l *link) pushChanges(ctx context.Context) error {
	ids := l.takeChanges()
	for i, id := range ids {
		s, live := l.server.board.live(id)
		if !live {
			continue
		}
		now, err := l.server.cfg.Principals.Narrow(ctx, s.Principal)
		if err != nil {
			l.keepChanges(ids[i:])
			return fmt.Errorf("%w: %w", errUnread, err)
		}
		if err := l.tellPrincipal(s, now); err != nil {
			return err
		}
	}
	return nil
}

// tellPrincipal sends who acts in a session, unless the edge has heard nothing else.
func (l *link) tellPrincipal(s sessions.Session, now policy.Principal) error {
	if !l.told[s.ID] && sameGroups(s.Principal, now) {
		return nil
	}
	l.told[s.ID] = true
	return l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_PrincipalChanged{PrincipalChanged: &edgev1.PrincipalChanged{
		Principal: convert.Principal(now), Sessions: []string{s.ID},
	}}})
}

// sameGroups reports whether narrowing took nothing away.
func sameGroups(a, b policy.Principal) bool {
	return slices.Equal(a.Groups, b.Groups) &&
		slices.EqualFunc(a.Delegators, b.Delegators, func(x, y policy.Principal) bool { return slices.Equal(x.Groups, y.Groups) })
}
