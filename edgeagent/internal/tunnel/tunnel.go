// Package tunnel is the edge's one outbound connection: it enrols, keeps the
// certificates fresh, holds the lease, receives policy and state, carries
// sessions, holds and records to the control plane. It is the only part of the
// edge that speaks edge.v1.
package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/edgeagent/internal/policycache"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
)

const (
	beatEvery   = 5 * time.Second
	silence     = 12 * time.Second // without an acknowledgement, look for another replica
	maxLease    = time.Minute
	callTimeout = 10 * time.Second
)

// Config is what a Client needs. Everything without a stated default is
// required.
type Config struct {
	// Address of the control plane's edge listener, "host:port".
	Address string
	// StateDir keeps the edge's keys and certificates; it is made with mode
	// 0700. Nothing else is written there.
	StateDir string
	// JoinToken and Pin are needed for the first start, and for another
	// enrolment later. A token that was used stays without effect.
	JoinToken string
	Pin       string
	// Names are the DNS names and IP addresses to ask for in the serving
	// certificate. Default all that the join token allows.
	Names []string
	// Boot is new for every process start: letters, digits and dashes.
	Boot string
	// Version is told to the control plane. Default empty.
	Version string
	Policy  *policycache.Cache
	// Now defaults to time.Now.
	Now func() time.Time
	// Proxy says which HTTP proxy to go through. Default
	// http.ProxyFromEnvironment, which reads HTTPS_PROXY and NO_PROXY.
	Proxy func(*http.Request) (*url.URL, error)
	// Dial defaults to net.Dialer.
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	Logger hclog.Logger // nil discards
}

func (c *Config) complete() error {
	if c.Address == "" || c.StateDir == "" || c.Boot == "" || c.Policy == nil {
		return errors.New("tunnel: address, state dir, boot and policy cache are required")
	}
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		return fmt.Errorf("tunnel: address %q is not host:port", c.Address)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Proxy == nil {
		c.Proxy = http.ProxyFromEnvironment
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: callTimeout}).DialContext
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return nil
}

// Hooks are what the tunnel tells the rest of the edge, and asks of it. All
// but KubernetesEndpoints, AWSEndpoints, AWSAuthority and OldestUnshipped are required. They are called from one goroutine except
// Sweep, which has one of its own, and must not block, again except Sweep.
type Hooks struct {
	// Endpoints returns where PostgreSQL clients connect, as "host:port".
	Endpoints func() []string
	// KubernetesEndpoints returns where Kubernetes clients connect, as
	// "host:port". Default none.
	KubernetesEndpoints func() []string
	// AWSEndpoints returns where AWS clients connect, as "host:port". Default
	// none.
	AWSEndpoints func() []string
	// AWSAuthority (DER) signs for AWS's hosts here. Default none.
	AWSAuthority []byte
	// Sessions returns the ids of the live sessions.
	Sessions func() []string
	// EndSessions ends sessions now.
	EndSessions func(ids []string, reason, by string)
	// PrincipalChanged says who acts in these sessions from their next command on.
	PrincipalChanged func(ids []string, p policy.Principal)
	// State replaces what the edge knows of resources and locks.
	State func(State)
	// Sweep drops roles that ended sessions left and settles their leases.
	Sweep func(ctx context.Context, leases []Sweep)
	// OldestUnshipped is the age of the oldest record not yet shipped.
	OldestUnshipped func() time.Duration
}

func (h *Hooks) complete() error {
	if h.Endpoints == nil || h.Sessions == nil || h.EndSessions == nil || h.PrincipalChanged == nil || h.State == nil || h.Sweep == nil {
		return errors.New("tunnel: all hooks but KubernetesEndpoints, AWSEndpoints, AWSAuthority and OldestUnshipped are required")
	}
	if h.KubernetesEndpoints == nil {
		h.KubernetesEndpoints = func() []string { return nil }
	}
	if h.AWSEndpoints == nil {
		h.AWSEndpoints = func() []string { return nil }
	}
	if h.OldestUnshipped == nil {
		h.OldestUnshipped = func() time.Duration { return 0 }
	}
	return nil
}

// Client is the edge's end of the tunnel. It is safe for concurrent use.
type Client struct {
	cfg     Config
	lease   *Lease
	ready   chan struct{} // closed with the first state and lease
	readied sync.Once
	state   atomic.Pointer[State]

	mu   sync.Mutex
	id   *enrolment
	conn *connection
	// retired are former connections, oldest first.
	retired []*connection
	closed  bool
	moved   chan struct{} // closed and replaced when conn is replaced
}

// Open returns a client with an identity: the one in StateDir, or a new one
// that it gets with the join token. It does not retry; nothing is kept of an
// enrolment that failed.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, lease: newLease(cfg.Now), ready: make(chan struct{}), moved: make(chan struct{})}
	id, err := loadOrEnrol(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c.id = id
	if c.conn, err = c.dial(); err != nil {
		return nil, err
	}
	return c, nil
}

// Edge returns the edge's name.
func (c *Client) Edge() string { return c.identity().Name }

// Names returns the names that the edge's serving certificate may carry.
func (c *Client) Names() []string { return c.identity().Names }

// Lease returns the edge's permission to act.
func (c *Client) Lease() *Lease { return c.lease }

// Ready is closed when the edge has its first state and lease.
func (c *Client) Ready() <-chan struct{} { return c.ready }

// CurrentState returns what the edge knows now; the zero State before Ready.
func (c *Client) CurrentState() State {
	if st := c.state.Load(); st != nil {
		return *st
	}
	return State{}
}

// ServingCertificate is for the tls.Config of the edge's listeners; the
// certificate is renewed beneath it.
func (c *Client) ServingCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.identity().serving, nil
}

// Authority returns the PEM of the authority that signs for edges.
func (c *Client) Authority() []byte { return []byte(c.identity().CA) }

func (c *Client) identity() *enrolment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// Run keeps the tunnel up until ctx ends. It returns an error only when it
// cannot go on.
func (c *Client) Run(ctx context.Context, hooks Hooks) error {
	if err := hooks.complete(); err != nil {
		return err
	}
	defer c.shut()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.keepLinked(ctx, hooks) })
	g.Go(func() error { return c.keepFresh(ctx) })
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Close gives the connection up; for a client that was opened but not run.
func (c *Client) Close() { c.shut() }

var _ identity.Present = (*Client)(nil).present

// present is the client certificate of the newest enrolment or renewal.
func (c *Client) present() (*tls.Certificate, error) { return c.identity().client, nil }
