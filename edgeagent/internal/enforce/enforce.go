// Package enforce is the pipeline that every protocol goes through: identify,
// decide, hold, forward, mask, record. It knows no protocol, no gRPC and no etcd.
// A protocol opens a [Session], asks [Session.Begin] for a [Flight] before it writes
// anything to the target, and ends the flight with what became of it.
package enforce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// Policies gives the policies to enforce.
type Policies interface {
	// Current returns the enforced set and its revision; ok is false before the first
	// revision, which denies everything.
	Current() (set *policy.Set, revision uint64, ok bool)
}

// Lease is the edge's permission to act at all.
type Lease interface {
	// Valid reports whether the lease holds at this moment.
	Valid() bool
	// Lost is closed when the lease that is held now ends.
	Lost() <-chan struct{}
}

// Records is where records become durable.
type Records interface {
	// Append takes over a copy of rec, durable within the spool's flush interval.
	Append(rec []byte) (spool.Position, error)
	// Sync returns when everything up to pos is durable.
	Sync(ctx context.Context, pos spool.Position) error
}

// Control is what the pipeline asks of the control plane.
type Control interface {
	// OpenSession verifies the token and leases a credential. A refusal is a *Denied.
	OpenSession(ctx context.Context, ask Admission) (Admitted, error)
	// RenewSession returns until when the session may go on.
	RenewSession(ctx context.Context, session string) (time.Time, error)
	// CloseSession ends the session and its credential lease.
	CloseSession(ctx context.Context, session, reason string) error
	// Hold files a held command. Ending ctx withdraws it.
	Hold(ctx context.Context, ask HoldRequest) (Held, error)
	// Spend turns an approved hold into exactly one release.
	Spend(ctx context.Context, hold, session string, digest [audit.HashSize]byte, revision uint64) (approvers []string, err error)
}

// Config is what a Pipeline needs. Everything without a stated default is required.
type Config struct {
	// Edge is this edge's name, Boot is new for every process start.
	Edge, Boot string
	Policies   Policies
	Lease      Lease
	Records    Records
	Control    Control
	// HoldTimeout bounds the wait for approvers where policy states no time. Default 10 min.
	HoldTimeout time.Duration
	// SyncTimeout bounds the wait for the spool to make an intent durable. Default 10 s.
	SyncTimeout time.Duration
	// Clock defaults to time.Now. Rand is read for ids and defaults to crypto/rand.
	Clock  func() time.Time
	Rand   io.Reader
	Logger hclog.Logger
}

// Pipeline admits sessions and decides their commands. It is safe for concurrent use.
type Pipeline struct {
	cfg Config
	ids *audit.IDSource
	own *journal // the edge's own events and refusals before a session exists

	stopped chan struct{} // closed when Run ends

	mu    sync.Mutex
	live  map[string]*Session
	locks []Lock
	roles map[policy.ResourceName]*policy.Role // of AWS accounts, as far as they are known now
	// opening holds the sessions that are being opened, with the principal where that changed meanwhile.
	opening map[string]*policy.Principal
}

// New returns a pipeline, or an error that names what is missing.
func New(cfg Config) (*Pipeline, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	ids, err := audit.NewIDSource(cfg.Rand)
	if err != nil {
		return nil, fmt.Errorf("make id source: %w", err)
	}
	p := &Pipeline{cfg: cfg, ids: ids, live: make(map[string]*Session), opening: make(map[string]*policy.Principal), stopped: make(chan struct{})}
	if p.own, err = p.newJournal(EdgeChain(cfg.Edge, cfg.Boot)); err != nil {
		return nil, err
	}
	return p, nil
}

// EdgeChain is the session id of the records that an edge keeps about itself, among
// them refusals of clients that never got a session.
func EdgeChain(edge, boot string) string { return "edge:" + edge + ":" + boot }

// Run ends every session when the edge's lease is lost, and returns when ctx ends
// after the remaining sessions were told so. It is called once.
func (p *Pipeline) Run(ctx context.Context) error {
	defer close(p.stopped)
	for {
		select {
		case <-ctx.Done():
			p.endAll(&Ended{Reason: "the edge is shutting down"})
			return nil
		case <-p.cfg.Lease.Lost():
			p.endAll(&Ended{Reason: "the edge lost its lease from the control plane"})
			if !p.awaitLease(ctx) {
				return nil
			}
		}
	}
}

// awaitLease polls for a new lease, ending what a race let through meanwhile.
func (p *Pipeline) awaitLease(ctx context.Context) bool {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !p.cfg.Lease.Valid() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
			p.endAll(&Ended{Reason: "the edge lost its lease from the control plane"})
		}
	}
	return true
}

// Sessions returns the ids of the live sessions.
func (p *Pipeline) Sessions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	ids := make([]string, 0, len(p.live))
	for id := range p.live {
		ids = append(ids, id)
	}
	return ids
}

// EndSessions ends the named sessions that are live.
func (p *Pipeline) EndSessions(ids []string, reason, by string) {
	for _, id := range ids {
		p.mu.Lock()
		s := p.live[id]
		p.mu.Unlock()
		if s != nil {
			s.end(&Ended{Reason: reason, By: by})
		}
	}
}

func (p *Pipeline) endAll(why *Ended) {
	p.mu.Lock()
	all := make([]*Session, 0, len(p.live))
	for _, s := range p.live {
		all = append(all, s)
	}
	p.mu.Unlock()
	for _, s := range all {
		s.end(why)
	}
}

func (c *Config) complete() error {
	switch {
	case c.Edge == "" || c.Boot == "":
		return errors.New("enforce: Edge and Boot are required")
	case c.Policies == nil || c.Lease == nil || c.Records == nil || c.Control == nil:
		return errors.New("enforce: Policies, Lease, Records and Control are required")
	case c.Rand == nil:
		return errors.New("enforce: Rand is required")
	}
	if c.HoldTimeout <= 0 {
		c.HoldTimeout = 10 * time.Minute
	}
	if c.SyncTimeout <= 0 {
		c.SyncTimeout = 10 * time.Second
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return nil
}

// EndResource ends the sessions on a resource.
func (p *Pipeline) EndResource(name, reason string) {
	p.mu.Lock()
	var hit []*Session
	for _, s := range p.live {
		if string(s.who.Resource.Name) == name {
			hit = append(hit, s)
		}
	}
	p.mu.Unlock()
	for _, s := range hit {
		s.end(&Ended{Reason: reason})
	}
}
