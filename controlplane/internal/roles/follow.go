package roles

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/store"
)

const (
	// staleInterval is how often it is looked whether what is known has become stale.
	staleInterval = 15 * time.Second
	// againInterval is how long it takes until the store is asked again.
	againInterval = time.Second
)

// Known is a role of which something is known.
type Known struct {
	RoleARN string
	Digest  string   // of the analysis
	Actions []string // the privileged ones
}

// Follow calls changed with all that is known, by resource, now and after every change of it, until ctx ends. A resource that is missing
// there has no role, or one of which nothing is known.
func (r *Roles) Follow(ctx context.Context, changed func(map[string]Known)) error {
	f := &follower{roles: r, changed: changed, rows: map[string]row{}, actions: map[string][]string{}}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return r.rows.Follow(ctx, func(all []store.Entry[row], _ store.Revision) { f.reset(ctx, all) }, func(e store.Event[row]) { f.note(ctx, e) })
	})
	g.Go(func() error { return r.cfg.Policies.Follow(ctx, func(policies.Revision) { f.publish(ctx) }) })
	g.Go(func() error { return f.tick(ctx) })
	return g.Wait()
}

// tick publishes time and again: what is known becomes stale by itself, and what the store could not say is asked again.
func (f *follower) tick(ctx context.Context) error {
	again, stale := time.NewTicker(againInterval), time.NewTicker(staleInterval)
	defer again.Stop()
	defer stale.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
			if f.failed.Load() {
				f.publish(ctx)
			}
		case <-stale.C:
			f.publish(ctx)
		}
	}
}

// follower is one consumer's copy.
type follower struct {
	roles   *Roles
	changed func(map[string]Known)
	failed  atomic.Bool // nothing could be told

	mu      sync.Mutex
	rows    map[string]row
	begun   bool                // rows are a whole
	told    map[string]Known    // nil before the first
	actions map[string][]string // by the digest of the analysis
}

func (f *follower) reset(ctx context.Context, all []store.Entry[row]) {
	f.mu.Lock()
	clear(f.rows)
	for _, e := range all {
		f.rows[e.Key] = e.Value
	}
	f.begun = true
	f.mu.Unlock()
	f.publish(ctx)
}

func (f *follower) note(ctx context.Context, e store.Event[row]) {
	f.mu.Lock()
	if e.Deleted {
		delete(f.rows, e.Key)
	} else {
		f.rows[e.Key] = e.Value
	}
	f.mu.Unlock()
	f.publish(ctx)
}

// publish tells what holds now, if it is another than before. While the store cannot be read it tells nothing; it is called again.
func (f *follower) publish(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.begun {
		return
	}
	known, err := f.known(ctx)
	f.failed.Store(err != nil)
	if err != nil {
		if ctx.Err() == nil {
			f.roles.cfg.Logger.Warn("work out what is known of roles", "error", err)
		}
		return
	}
	if f.told != nil && maps.EqualFunc(f.told, known, func(a, b Known) bool { return a.RoleARN == b.RoleARN && a.Digest == b.Digest }) {
		return
	}
	f.told = known
	f.changed(maps.Clone(known))
}

func (f *follower) known(ctx context.Context) (map[string]Known, error) {
	r, known, used := f.roles, map[string]Known{}, map[string][]string{}
	set, _, err := r.cfg.Policies.Current(ctx)
	if err != nil {
		return nil, err
	}
	catalog := r.catalog(set)
	for name, w := range f.rows {
		_, digest := w.facts(w.RoleARN, catalog.Digest(), r.cfg.Now(), r.cfg.Stale)
		if digest == "" {
			continue
		}
		actions, err := f.actionsOf(ctx, digest)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		used[digest], known[name] = actions, Known{RoleARN: w.RoleARN, Digest: digest, Actions: actions}
	}
	f.actions = used
	return known, nil
}

// actionsOf are the privileged actions of an analysis, which never changes.
func (f *follower) actionsOf(ctx context.Context, digest string) ([]string, error) {
	if actions, ok := f.actions[digest]; ok {
		return actions, nil
	}
	a, err := f.roles.Analysis(ctx, digest)
	if err != nil {
		return nil, err
	}
	f.actions[digest] = append([]string{}, a.Actions...)
	return f.actions[digest], nil
}
