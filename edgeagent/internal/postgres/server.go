// Package postgres serves PostgreSQL clients: it speaks the protocol on both sides and
// takes every statement through the pipeline before the target sees it.
package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/mask"
)

// Config is what a Server needs. Everything without a stated default is required.
type Config struct {
	Pipeline *enforce.Pipeline
	Broker   Broker
	Dialer   *upstream.Dialer
	// TLS serves clients; connections without TLS are refused, but for unix sockets.
	TLS *tls.Config
	// MaxConnections bounds the clients served at once. Default 1000.
	MaxConnections int
	// SignInTimeout bounds the time from accept to a ready session. Default 30 s.
	SignInTimeout time.Duration
	Logger        hclog.Logger
}

// Server serves PostgreSQL clients. It is safe for concurrent use.
type Server struct {
	cfg     Config
	log     hclog.Logger
	targets targets
	cancels cancels
	key     atomic.Pointer[mask.Key]
	slots   chan struct{}
	wg      sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc
}

// New returns a server, or an error that names what is missing.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Pipeline == nil || cfg.Broker == nil || cfg.Dialer == nil:
		return nil, errors.New("postgres: Pipeline, Broker and Dialer are required")
	case cfg.TLS == nil:
		return nil, errors.New("postgres: TLS is required")
	}
	if cfg.MaxConnections <= 0 {
		cfg.MaxConnections = 1000
	}
	if cfg.SignInTimeout <= 0 {
		cfg.SignInTimeout = 30 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	s := &Server{cfg: cfg, log: cfg.Logger, slots: make(chan struct{}, cfg.MaxConnections)}
	s.targets.byName = map[string]*target{}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// SetResources replaces the resources served and the key of hash masks. Sessions that
// run keep what they were opened with, unless their resource is gone or changed: those end.
func (s *Server) SetResources(resources []*Resource, maskKey []byte) error {
	if len(maskKey) > 0 {
		key, err := mask.NewKey(maskKey)
		if err != nil {
			return fmt.Errorf("masking key: %w", err)
		}
		s.key.Store(&key)
	}
	s.targets.mu.Lock()
	defer s.targets.mu.Unlock()
	next := make(map[string]*target, len(resources))
	var errs []error
	for _, r := range resources {
		if old := s.targets.byName[r.Name()]; old != nil && old.res.Version == r.Version {
			next[r.Name()] = old
			continue
		}
		t, err := newTarget(s.ctx, r, s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		next[r.Name()] = t
	}
	for name, old := range s.targets.byName {
		if next[name] != old {
			old.stop()
			s.cfg.Pipeline.EndResource(name, "the resource was changed or removed")
		}
	}
	s.targets.byName = next
	return errors.Join(errs...)
}

// maskKey returns the key of hash masks; the zero Key hashes nothing.
func (s *Server) maskKey() mask.Key {
	if k := s.key.Load(); k != nil {
		return *k
	}
	return mask.Key{}
}

// Sweep drops roles that lost sessions left behind, and settles their leases.
func (s *Server) Sweep(ctx context.Context, sweeps []Sweep) {
	for _, w := range sweeps {
		t, err := s.targets.get(w.Resource)
		if err != nil {
			continue
		}
		t.endCredential(w.Lease, w.Role)
	}
}

// Serve accepts clients until ctx ends, and returns when their sessions have ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	defer s.stop()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				s.wg.Wait()
				return nil
			}
			var temporary net.Error
			if errors.As(err, &temporary) && temporary.Timeout() {
				continue
			}
			return fmt.Errorf("accept: %w", err)
		}
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			defer func() {
				if r := recover(); r != nil { // nobody else's session may end with this one
					s.log.Error("connection stopped by a panic", "panic", r, "stack", string(debug.Stack()))
				}
			}()
			s.serve(ctx, conn)
		}()
	}
}
