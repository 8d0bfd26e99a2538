// Package tunnel is the control plane's end of the edge connection: edge.v1
// over mutually authenticated TLS. It admits sessions, keeps each edge's lease
// and view of the world right, and takes in records.
package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/auditlog"
	broker "github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/token"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

const (
	streamWindow = 1 << 20
	connWindow   = 4 << 20
	maxMessage   = 4 << 20 // a block of 3 MiB and what is around it
	maxStreams   = 16384   // held commands and calls of one edge
	stopTimeout  = 3 * time.Second
)

// Config is what the tunnel needs. Everything without a stated default is
// required.
type Config struct {
	Store       *store.Store
	Edges       *edges.Registry
	Sessions    *sessions.Book
	Credentials *broker.Broker
	Records     *auditlog.Log
	Approvals   *approvals.Approvals
	Resources   *resources.Inventory
	Roles       *roles.Roles
	Policies    *policies.Policies
	Locks       *locks.Locks
	Tokens      *token.Verifier
	Principals  Principals

	// TLS is identity.ServerTLS of the authority.
	TLS *tls.Config
	// TokenKeys and PolicyKeys return the public keys in force; they are asked
	// every KeysInterval, also on behalf of Tokens.
	TokenKeys, PolicyKeys func() identity.Keys
	// ClientKeys are those that sign the tokens; what AWS clients sign with comes of them.
	ClientKeys awskey.Keys
	// MaskingKey is the key of stable hashes in masked values, the same on all
	// replicas; at least 16 bytes.
	MaskingKey []byte

	// Lease is how long an edge may act after sending a heartbeat. Default 15 s.
	Lease time.Duration
	// KeysInterval defaults to 2 s.
	KeysInterval time.Duration
	// SweepInterval is how often a connected edge is reminded of roles to drop.
	// Default 30 s.
	SweepInterval time.Duration
	Now           func() time.Time // default time.Now
	Logger        hclog.Logger     // nil discards
}

func (c *Config) complete() error {
	switch {
	case c.Store == nil, c.Edges == nil, c.Sessions == nil, c.Credentials == nil, c.Records == nil, c.Approvals == nil,
		c.Resources == nil, c.Roles == nil, c.Policies == nil, c.Locks == nil, c.Tokens == nil, c.Principals == nil:
		return errors.New("tunnel: store, edges, sessions, credentials, records, approvals, resources, roles, policies, locks, tokens and principals are required")
	case c.TLS == nil || c.TokenKeys == nil || c.PolicyKeys == nil || c.ClientKeys == nil:
		return errors.New("tunnel: tls and keys are required")
	case len(c.MaskingKey) < 16:
		return errors.New("tunnel: a masking key of at least 16 bytes is required")
	case c.TLS.ClientAuth != tls.VerifyClientCertIfGiven || c.TLS.MinVersion < tls.VersionTLS13:
		return errors.New("tunnel: tls must be 1.3 and verify client certificates")
	}
	setDefault(&c.Lease, 15*time.Second)
	setDefault(&c.KeysInterval, 2*time.Second)
	setDefault(&c.SweepInterval, 30*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return nil
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

// Server serves edge.v1.
type Server struct {
	edgev1.UnimplementedEnrolmentServiceServer
	edgev1.UnimplementedTunnelServiceServer
	cfg       Config
	board     *board
	strangers *refusalMeter
}

// New returns a server.
func New(cfg Config) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	return &Server{
		cfg:       cfg,
		board:     newBoard(cfg.MaskingKey, cfg.Now),
		strangers: &refusalMeter{limit: rate.NewLimiter(5, 50)},
	}, nil
}

// Run serves edges on lis until ctx ends, and follows the store for what they
// must know. It closes lis.
func (s *Server) Run(ctx context.Context, lis net.Listener) error {
	srv := s.grpcServer()
	g, ctx := errgroup.WithContext(ctx)
	s.follow(ctx, g)
	g.Go(func() error {
		<-ctx.Done()
		s.board.stopAll(errShutdown)
		stopGracefully(srv)
		return nil
	})
	g.Go(func() error {
		if err := srv.Serve(lis); err != nil && ctx.Err() == nil {
			return fmt.Errorf("serve edges: %w", err)
		}
		return nil
	})
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (s *Server) grpcServer() *grpc.Server {
	srv := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(s.cfg.TLS)),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 4 * time.Second, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
	)
	edgev1.RegisterEnrolmentServiceServer(srv, s)
	edgev1.RegisterTunnelServiceServer(srv, s)
	return srv
}

func stopGracefully(srv *grpc.Server) {
	done := make(chan struct{})
	go func() {
		srv.GracefulStop()
		close(done)
	}()
	t := time.NewTimer(stopTimeout)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
		srv.Stop()
		<-done
	}
}

// follow keeps the board right. A follower ends only with ctx or when the
// store is beyond repair, which ends the server.
func (s *Server) follow(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error {
		return s.cfg.Resources.Follow(ctx, func(all []resources.Resource) { s.board.setResources(all) })
	})
	g.Go(func() error { return s.cfg.Roles.Follow(ctx, s.board.setRoles) })
	g.Go(func() error {
		return s.cfg.Locks.Follow(ctx, func(all []locks.Lock) { s.board.setLocks(all) })
	})
	g.Go(func() error {
		return s.cfg.Policies.Follow(ctx, func(r policies.Revision) {
			if err := s.board.setPolicy(r); err != nil {
				s.cfg.Logger.Error("policy revision cannot be sent", "revision", r.Number, "error", err)
			}
		})
	})
	g.Go(func() error { return s.cfg.Edges.FollowEnrolments(ctx, s.board.enrolmentChanged) })
	g.Go(func() error { return s.cfg.Principals.FollowPrincipals(ctx, s.board.principalChanged) })
	g.Go(func() error {
		return s.cfg.Sessions.Follow(ctx, s.board.setSessions, s.board.sessionOpened, s.board.sessionEnded)
	})
	g.Go(func() error {
		tick := time.NewTicker(s.cfg.KeysInterval)
		defer tick.Stop()
		for {
			tokens := s.cfg.TokenKeys()
			s.cfg.Tokens.SetKeys(tokens)
			s.board.setKeys(tokens, s.cfg.PolicyKeys())
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-tick.C:
			}
		}
	})
}

// Ready tells whether the server has read what edges must know; until then it
// turns links away.
func (s *Server) Ready() bool { return s.board.ready() }

// LiveSessions returns how many live sessions each edge has, whichever replica it is linked to.
func (s *Server) LiveSessions() map[string]int { return s.board.liveByEdge() }
