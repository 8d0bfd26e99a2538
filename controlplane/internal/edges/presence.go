package edges

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
)

// presenceTTL is how long an edge counts as connected after its last renewal.
const presenceTTL = 15 * time.Second

// Presence is a connected edge.
type Presence struct {
	Edge        string    `json:"edge"`
	Replica     string    `json:"replica"`
	Link        string    `json:"link"` // this connection among the edge's
	Boot        string    `json:"boot"`
	Version     string    `json:"version,omitempty"`
	Endpoints   []string  `json:"endpoints,omitempty"`  // for PostgreSQL clients
	Kubernetes  []string  `json:"kubernetes,omitempty"` // endpoints for Kubernetes clients
	AWS         []string  `json:"aws,omitempty"`        // endpoints for AWS clients
	AWSCA       []byte    `json:"aws_ca,omitempty"`     // DER; signs for AWS's hosts there
	Revision    uint64    `json:"revision,omitempty"`   // of the policy it enforces
	Error       string    `json:"error,omitempty"`      // why it cannot enforce a newer one
	ConnectedAt time.Time `json:"connected_at"`
}

// Attendance keeps an edge's presence alive. Its methods are for one
// goroutine.
type Attendance struct {
	registry *Registry
	presence Presence
	lease    *store.Lease
	lag      time.Duration // at the last renewal
	noted    sighting      // as last written
}

// sighting is when a connected edge was last noted, which is seldom, and how it was.
type sighting struct {
	At  time.Time     `json:"at"`
	Lag time.Duration `json:"lag,omitempty"` // age of its oldest record that was not shipped
}

// An edge is noted every noteEvery. One whose records begin or cease to lag by more than lagging is noted sooner, but not
// within noteRest of the last time.
const (
	noteEvery = time.Minute
	noteRest  = 15 * time.Second
	lagging   = 10 * time.Second
)

// due tells whether an edge that is seen again is to be noted.
func (s sighting) due(now time.Time, lag time.Duration) bool {
	since := now.Sub(s.At)
	return since > noteEvery || since > noteRest && (lag > lagging) != (s.Lag > lagging)
}

// Announce makes the edge present, in the place of an older connection of it.
func (r *Registry) Announce(ctx context.Context, p Presence) (*Attendance, error) {
	link, err := r.random()
	if err != nil {
		return nil, err
	}
	p.Replica, p.Link, p.ConnectedAt = r.cfg.Replica, link, r.cfg.Now().UTC()
	a := &Attendance{registry: r, presence: p}
	if err := a.write(ctx, true); err != nil {
		return nil, fmt.Errorf("announce edge: %w", err)
	}
	a.note(ctx)
	return a, nil
}

// write puts the presence under a fresh lease if it has none. Unless first,
// the place must not be another connection's.
func (a *Attendance) write(ctx context.Context, first bool) error {
	r := a.registry
	if a.lease == nil {
		lease, err := r.cfg.Store.Lease(ctx, presenceTTL)
		if err != nil {
			return err
		}
		a.lease = lease
	}
	return r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := r.live.In(tx).Get(a.presence.Edge)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if !first && err == nil && e.Value.Link != a.presence.Link {
			return ErrSuperseded
		}
		return r.live.In(tx).Put(a.presence.Edge, a.presence, store.WithLease(a.lease.ID()))
	})
}

// Renew keeps the edge present; lag is the age of its oldest record that was not shipped. It fails with ErrSuperseded
// when a newer connection of the edge has taken over.
func (a *Attendance) Renew(ctx context.Context, lag time.Duration) error {
	a.lag = max(lag, 0)
	err := a.lease.Renew(ctx)
	if errors.Is(err, store.ErrLeaseLost) {
		a.lease = nil
		err = a.write(ctx, false)
	}
	if err != nil {
		return fmt.Errorf("renew presence: %w", err)
	}
	if a.noted.due(a.registry.cfg.Now(), a.lag) {
		a.note(ctx)
	}
	return nil
}

// Enforces notes which policy revision the edge enforces, and why no newer one.
func (a *Attendance) Enforces(ctx context.Context, revision uint64, failure string) error {
	if a.presence.Revision == revision && a.presence.Error == failure {
		return nil
	}
	a.presence.Revision, a.presence.Error = revision, failure
	if err := a.write(ctx, false); err != nil {
		return fmt.Errorf("note revision: %w", err)
	}
	return nil
}

// Leave ends the presence, unless a newer connection has it.
func (a *Attendance) Leave(ctx context.Context) error {
	a.note(ctx)
	if a.lease == nil {
		return nil
	}
	return a.lease.Revoke(ctx)
}

// note writes when the edge was last seen, and how; losing that is no reason to fail.
func (a *Attendance) note(ctx context.Context) {
	r := a.registry
	a.noted = sighting{At: r.cfg.Now().UTC(), Lag: a.lag}
	if _, err := r.seen.Put(ctx, a.presence.Edge, a.noted); err != nil {
		r.cfg.Logger.Warn("note edge as seen", "edge", a.presence.Edge, "error", err)
	}
}

// Status is an edge and, when it is connected, its presence.
type Status struct {
	Edge
	Connected bool
	Presence  Presence
	SeenAt    time.Time
	// RecordLag is the age of its oldest record that was not shipped, when it was last noted, which is every minute.
	RecordLag time.Duration
}

// List returns all edges by name.
func (r *Registry) List(ctx context.Context) ([]Status, error) {
	edges, _, err := r.edges.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list edges: %w", err)
	}
	present, err := r.Present(ctx)
	if err != nil {
		return nil, err
	}
	seen, _, err := r.seen.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list edges: %w", err)
	}
	noted := map[string]sighting{}
	for _, e := range seen {
		noted[e.Key] = e.Value
	}
	all := make([]Status, len(edges))
	for i, e := range edges {
		p, ok := present[e.Key]
		all[i] = Status{Edge: e.Value, Connected: ok, Presence: p, SeenAt: noted[e.Key].At, RecordLag: noted[e.Key].Lag}
		if ok {
			all[i].SeenAt = r.cfg.Now().UTC()
		}
	}
	return all, nil
}

// Present returns the connected edges by name.
func (r *Registry) Present(ctx context.Context) (map[string]Presence, error) {
	entries, _, err := r.live.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list connected edges: %w", err)
	}
	present := make(map[string]Presence, len(entries))
	for _, e := range entries {
		present[e.Key] = e.Value
	}
	return present, nil
}

// Boots returns the boot of every connected edge, by the edge's name.
func (r *Registry) Boots(ctx context.Context) (map[string]string, error) {
	present, err := r.Present(ctx)
	boots := make(map[string]string, len(present))
	for name, p := range present {
		boots[name] = p.Boot
	}
	return boots, err
}
