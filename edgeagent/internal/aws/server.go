// Package aws serves clients of the AWS API: it verifies what they signed, works out which operation on which resources they ask for,
// takes it through the pipeline, and signs it anew with a session of the account's role that the client never sees.
package aws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/semaphore"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/httpserve"
	"github.com/writhq/writ/edgeagent/internal/signin"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/sigv4"
)

// Config is what a Server needs. Everything without a stated default is required.
type Config struct {
	Pipeline *enforce.Pipeline
	Broker   signin.Broker
	Dialer   *upstream.Dialer
	Model    *awsmodel.Model
	// Authority signs the certificates of AWS's hosts for clients that come through CONNECT. Nil: there is no such way in.
	Authority *Authority
	// Keys are those that access tokens are signed with now.
	Keys func() identity.Keys
	// MaxSessions bounds the signed-in clients. Default 1000.
	MaxSessions int
	// MaxRequests bounds the requests in the air. Default 4000.
	MaxRequests int
	// MaxBuffer bounds what is held of a request whose body has to be read before it is decided, in bytes. Default 16 MiB.
	MaxBuffer int64
	// MaxBuffers bounds what is held of all requests together, in bytes; beyond it requests are told to come back. Default 256 MiB.
	MaxBuffers int64
	// Patience is how long a client waits for approvers before it is told to come back. Default 50 s, which is less than most
	// SDKs wait for an answer.
	Patience time.Duration
	// Idle is how long a signed-in client is remembered between two requests. Default 5 min.
	Idle   time.Duration
	Clock  func() time.Time // default time.Now
	Logger hclog.Logger
}

// Server serves AWS clients. It is safe for concurrent use.
type Server struct {
	cfg      Config
	log      hclog.Logger
	accounts accounts
	clients  *signin.Pool[*client]
	verifier *sigv4.Verifier
	signer   *sigv4.Signer
	slots    httpserve.Slots
	buffers  *semaphore.Weighted // bytes
}

const (
	keysRemembered    = 4096
	replaysRemembered = 20_000          // of one session
	replayGrace       = 2 * time.Second // clients whose requests carry nothing that differs sign two in one second alike
)

// New returns a server, or an error that names what is missing.
func New(cfg Config) (*Server, error) {
	if cfg.Pipeline == nil || cfg.Broker == nil || cfg.Dialer == nil || cfg.Model == nil || cfg.Keys == nil {
		return nil, errors.New("aws: Pipeline, Broker, Dialer, Model and Keys are required")
	}
	setDefault(&cfg.MaxSessions, 1000)
	setDefault(&cfg.MaxRequests, 4000)
	setDefault(&cfg.MaxBuffer, 16<<20)
	setDefault(&cfg.MaxBuffers, 256<<20)
	setDefault(&cfg.Patience, 50*time.Second)
	setDefault(&cfg.Idle, 5*time.Minute)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	keys := sigv4.NewKeys(keysRemembered)
	s := &Server{cfg: cfg, log: cfg.Logger, signer: sigv4.NewSigner(keys), slots: make(httpserve.Slots, cfg.MaxRequests), buffers: semaphore.NewWeighted(cfg.MaxBuffers)}
	var errs [2]error
	s.verifier, errs[0] = sigv4.NewVerifier(sigv4.VerifierConfig{Keys: keys, Now: cfg.Clock})
	s.clients, errs[1] = signin.New(signin.Config[*client]{
		Pipeline: cfg.Pipeline, Keys: cfg.Keys, Max: cfg.MaxSessions, Idle: cfg.Idle, Clock: cfg.Clock, PerToken: true,
		Attach: s.attach, Detach: func(c *client) { c.out.close() },
	})
	return s, errors.Join(errs[:]...)
}

func setDefault[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// SetResources replaces the accounts served. Sessions that run keep what they were opened with, unless their account is gone or changed:
// those end.
func (s *Server) SetResources(resources []*Resource) {
	for _, name := range s.accounts.set(resources) {
		s.cfg.Pipeline.EndResource(name, "the resource was changed or removed")
	}
}

// maxHeader bounds a request's line and headers in bytes: session tokens stand there.
const maxHeader = 64 << 10

// Serve accepts clients until ctx ends, and returns when their requests have ended. They come to the endpoint itself, or through it as
// a proxy (CONNECT).
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := s.httpServer(ctx, endpoint{s})
	defer s.clients.CloseAll()
	if err := httpserve.Run(ctx, server, func() error { return server.Serve(l) }); err != nil {
		return fmt.Errorf("serve AWS clients: %w", err)
	}
	return nil
}

func (s *Server) httpServer(ctx context.Context, h http.Handler) *http.Server {
	server := httpserve.New(ctx, h, s.log)
	server.MaxHeaderBytes, server.IdleTimeout = maxHeader, 2*time.Minute
	return server
}
