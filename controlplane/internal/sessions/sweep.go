package sessions

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/store"
)

// Grants tells whether a grant can still be used.
type Grants interface {
	// AdmitIn returns the grant if it can be used for that now.
	AdmitIn(tx *store.Tx, adm approvals.Admission) (approvals.Grant, error)
}

// Presence tells which edges are connected.
type Presence interface {
	// Boots returns the boot of every connected edge, by the edge's name.
	Boots(ctx context.Context) (map[string]string, error)
}

// SweeperConfig is what a Sweeper needs. Everything without a stated default
// is required.
type SweeperConfig struct {
	Book     *Book
	Grants   Grants
	Presence Presence
	// Interval between two looks. Default 1 s.
	Interval time.Duration
	// LostAfter is how long an edge may be away before its sessions are
	// closed; longer than an edge's lease, after which the edge itself has
	// ended them. Default 20 s.
	LostAfter time.Duration
	// Keep and MaxKept bound the ended sessions that stay listed. Default
	// 30 days and 10,000.
	Keep    time.Duration
	MaxKept int
	Logger  hclog.Logger // nil discards
}

// Sweeper closes the sessions whose grant or edge is gone. One replica at a
// time does the work.
type Sweeper struct {
	cfg   SweeperConfig
	away  map[string]time.Time // edge to when it was first missed
	prune time.Time
}

// NewSweeper returns a sweeper.
func NewSweeper(cfg SweeperConfig) (*Sweeper, error) {
	if cfg.Book == nil || cfg.Grants == nil || cfg.Presence == nil {
		return nil, errors.New("session sweeper: a book, grants and presence are required")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	if cfg.LostAfter <= 0 {
		cfg.LostAfter = 20 * time.Second
	}
	if cfg.Keep <= 0 {
		cfg.Keep = 30 * 24 * time.Hour
	}
	if cfg.MaxKept <= 0 {
		cfg.MaxKept = 10_000
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	return &Sweeper{cfg: cfg}, nil
}

// Run sweeps until ctx ends, while this replica leads.
func (s *Sweeper) Run(ctx context.Context) error {
	return s.cfg.Book.cfg.Store.Campaign(ctx, "session-sweeper", func(ctx context.Context) error {
		s.away = map[string]time.Time{}
		tick := time.NewTicker(s.cfg.Interval)
		defer tick.Stop()
		for {
			if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.Warn("sweep sessions", "error", err)
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-tick.C:
			}
		}
	})
}

// Sweep looks once.
func (s *Sweeper) Sweep(ctx context.Context) error {
	entries, _, err := s.cfg.Book.live.List(ctx, store.ListOptions{})
	if err != nil {
		return err
	}
	boots, err := s.cfg.Presence.Boots(ctx)
	if err != nil {
		return err
	}
	now := s.cfg.Book.cfg.Now()
	s.notice(entries, boots, now)
	for _, e := range entries {
		err = errors.Join(err, s.judge(ctx, e.Value, boots, now))
	}
	return errors.Join(err, s.pruneEnded(ctx, now))
}

// notice keeps since when each edge with sessions is away.
func (s *Sweeper) notice(entries []store.Entry[Session], boots map[string]string, now time.Time) {
	away := map[string]time.Time{}
	for _, e := range entries {
		edge := e.Value.Edge
		if _, connected := boots[edge]; connected {
			continue
		}
		away[edge] = now
		if since, ok := s.away[edge]; ok {
			away[edge] = since
		}
	}
	s.away = away
}

func (s *Sweeper) judge(ctx context.Context, session Session, boots map[string]string, now time.Time) error {
	boot, connected := boots[session.Edge]
	switch {
	case connected && boot != session.Boot:
		return s.end(ctx, session, "the edge restarted")
	case !connected && now.Sub(s.away[session.Edge]) > s.cfg.LostAfter:
		return s.end(ctx, session, "edge lost")
	case !now.Before(session.ExpiresAt):
		return s.expire(ctx, session, now)
	}
	return nil
}

func (s *Sweeper) end(ctx context.Context, session Session, reason string) error {
	_, err := s.cfg.Book.endOne(ctx, session.ID, reason, "")
	return err
}

// expire ends the session unless its grant was extended.
func (s *Sweeper) expire(ctx context.Context, session Session, now time.Time) error {
	b := s.cfg.Book
	return b.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := b.live.In(tx).Get(session.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		grant, err := s.cfg.Grants.AdmitIn(tx, e.Value.Admission())
		if errors.Is(err, store.ErrUnavailable) {
			return err
		}
		if err == nil && now.Before(grant.ExpiresAt) {
			return b.ExtendIn(tx, e.Value, grant.ExpiresAt)
		}
		return b.endIn(tx, e.Value, "the grant expired", "")
	})
}

// pruneEnded forgets old ended sessions, once an hour.
func (s *Sweeper) pruneEnded(ctx context.Context, now time.Time) error {
	if now.Before(s.prune) {
		return nil
	}
	entries, _, err := s.cfg.Book.ended.List(ctx, store.ListOptions{})
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b store.Entry[Session]) int { return b.Value.EndedAt.Compare(a.Value.EndedAt) })
	for i, e := range entries {
		if i < s.cfg.MaxKept && now.Sub(e.Value.EndedAt) < s.cfg.Keep {
			continue
		}
		if err := s.cfg.Book.forget(ctx, e.Value); err != nil {
			return err
		}
	}
	s.prune = now.Add(time.Hour)
	return nil
}

// forget removes an ended session and all that is kept about it. What is gone already is no error.
func (b *Book) forget(ctx context.Context, s Session) error {
	return b.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		for _, err := range []error{
			b.ended.In(tx).Delete(s.ID), b.newest.In(tx).Delete(indexKey(s)), b.counts.In(tx).Delete(s.ID),
		} {
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}
