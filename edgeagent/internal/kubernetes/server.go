// Package kubernetes serves Kubernetes clients: it reads every request to an API server, takes it through the pipeline,
// and passes it on as the principal, with a credential that the client never sees.
package kubernetes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/httpserve"
	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
	"github.com/writhq/writ/edgeagent/internal/signin"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/mask"
)

// Config is what a Server needs. Everything without a stated default is required.
type Config struct {
	Pipeline *enforce.Pipeline
	Broker   signin.Broker
	Dialer   *upstream.Dialer
	// TLS serves clients; there is no other way in.
	TLS *tls.Config
	// Keys are those that access tokens are signed with now.
	Keys func() identity.Keys
	// MaxSessions bounds the signed-in clients. Default 1000.
	MaxSessions int
	// MaxRequests bounds the requests in the air. Default 4000.
	MaxRequests int
	// MaxBody bounds a request's body in bytes. Default 3 MiB, the API server's own limit.
	MaxBody int
	// Patience is how long a client waits for approvers before it is told to come back. Default 5 min.
	Patience time.Duration
	// Idle is how long a signed-in client is remembered between two requests. Default 5 min.
	Idle   time.Duration
	Clock  func() time.Time // default time.Now
	Logger hclog.Logger
}

// Server serves Kubernetes clients. It is safe for concurrent use.
type Server struct {
	cfg      Config
	log      hclog.Logger
	clusters clusters
	clients  *signin.Pool[*client]
	streams  *stream.Proxy
	maskKey  atomic.Pointer[mask.Key]
	slots    httpserve.Slots
}

// New returns a server, or an error that names what is missing.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Pipeline == nil || cfg.Broker == nil || cfg.Dialer == nil || cfg.Keys == nil:
		return nil, errors.New("kubernetes: Pipeline, Broker, Dialer and Keys are required")
	case cfg.TLS == nil:
		return nil, errors.New("kubernetes: TLS is required")
	}
	setDefault(&cfg.MaxSessions, 1000)
	setDefault(&cfg.MaxRequests, 4000)
	setDefault(&cfg.MaxBody, 3<<20)
	setDefault(&cfg.Patience, 5*time.Minute)
	setDefault(&cfg.Idle, 5*time.Minute)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	s := &Server{cfg: cfg, log: cfg.Logger, slots: make(httpserve.Slots, cfg.MaxRequests), streams: stream.New(stream.Config{})}
	s.clusters.byName = map[string]*cluster{}
	var err error
	s.clients, err = signin.New(signin.Config[*client]{
		Pipeline: cfg.Pipeline, Keys: cfg.Keys, Max: cfg.MaxSessions, Idle: cfg.Idle, Clock: cfg.Clock,
		Attach: s.attach, Detach: func(c *client) { c.out.close() },
	})
	return s, err
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// SetResources replaces the clusters served and the key of hash masks. Sessions that run keep what they were opened with,
// unless their cluster is gone or changed: those end.
func (s *Server) SetResources(resources []*Resource, maskKey []byte) error {
	if len(maskKey) > 0 {
		key, err := mask.NewKey(maskKey)
		if err != nil {
			return fmt.Errorf("masking key: %w", err)
		}
		s.maskKey.Store(&key)
	}
	gone, err := s.clusters.set(resources, s.hashKey())
	for _, name := range gone {
		s.cfg.Pipeline.EndResource(name, "the resource was changed or removed")
	}
	return err
}

func (s *Server) hashKey() mask.Key {
	if k := s.maskKey.Load(); k != nil {
		return *k
	}
	return mask.Key{}
}

// maxHeader bounds a request's line and headers in bytes: the command of an exec stands in the line.
const maxHeader = 256 << 10

// Serve accepts clients until ctx ends, and returns when their requests have ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	config := s.cfg.TLS.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	config.DynamicRecordSizingDisabled = true // clients are near, and lists are large
	server := httpserve.New(ctx, s, s.log)
	server.TLSConfig, server.MaxHeaderBytes, server.IdleTimeout = config, maxHeader, 5*time.Minute
	defer s.clients.CloseAll()
	if err := httpserve.Run(ctx, server, func() error { return server.ServeTLS(l, "", "") }); err != nil {
		return fmt.Errorf("serve kubernetes clients: %w", err)
	}
	return nil
}
