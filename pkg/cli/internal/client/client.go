// Package client makes the access.v1 clients that writ calls the control plane with: over verified TLS only, with
// the caller's token, and never by a redirect.
package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"connectrpc.com/connect"

	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// callTimeout bounds a unary call that comes without a deadline.
const callTimeout = 30 * time.Second

// maxResponse bounds one message of the server, in bytes.
const maxResponse = 64 << 20

// Config says how to reach the control plane.
type Config struct {
	// Server is its URL, "https://host:port".
	Server string
	// CAPEM are the certificates to trust; empty is the system's.
	CAPEM []byte
	// Pin is "sha256:" and the hex SHA-256 of the authority's public key; excludes CAPEM.
	Pin string
	// Token is sent as bearer; empty sends none, which only Login accepts.
	Token string
	// Dial connects. Required.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now is the clock. Required.
	Now func() time.Time
	// NotThrough is the "host:port" of a proxy that is not used, though the environment names it: an edge, which reaches
	// nothing but AWS. Empty is none.
	NotThrough string
}

// Clients are the services of the control plane.
type Clients struct {
	Identity  accessv1connect.IdentityServiceClient
	Resources accessv1connect.ResourceServiceClient
	Requests  accessv1connect.RequestServiceClient
	Grants    accessv1connect.GrantServiceClient
	Approvals accessv1connect.ApprovalServiceClient
	Policies  accessv1connect.PolicyServiceClient
	Sessions  accessv1connect.SessionServiceClient
	Audit     accessv1connect.AuditServiceClient
	Edges     accessv1connect.EdgeServiceClient
	Locks     accessv1connect.LockServiceClient

	Notifications accessv1connect.NotificationServiceClient
}

// New returns clients that connect with the first call.
func New(cfg Config) (*Clients, error) {
	if cfg.Dial == nil || cfg.Now == nil {
		return nil, errors.New("client needs a dial function and a clock")
	}
	if err := CheckServer(cfg.Server); err != nil {
		return nil, err
	}
	trusted, err := trust(cfg.CAPEM, cfg.Pin, cfg.Now)
	if err != nil {
		return nil, err
	}
	web := &http.Client{
		Transport: &http.Transport{
			Proxy: without(cfg.NotThrough, http.ProxyFromEnvironment), DialContext: cfg.Dial, TLSClientConfig: trusted,
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("the control plane does not redirect") },
	}
	return newClients(web, cfg.Server, connect.WithInterceptors(caller{token: cfg.Token}), connect.WithReadMaxBytes(maxResponse)), nil
}

// without is what choose says, but for one proxy.
func without(proxy string, choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		u, err := choose(r)
		if err == nil && u != nil && u.Host == proxy {
			return nil, nil
		}
		return u, err
	}
}

func newClients(web *http.Client, server string, opts ...connect.ClientOption) *Clients {
	return &Clients{
		Identity:  accessv1connect.NewIdentityServiceClient(web, server, opts...),
		Resources: accessv1connect.NewResourceServiceClient(web, server, opts...),
		Requests:  accessv1connect.NewRequestServiceClient(web, server, opts...),
		Grants:    accessv1connect.NewGrantServiceClient(web, server, opts...),
		Approvals: accessv1connect.NewApprovalServiceClient(web, server, opts...),
		Policies:  accessv1connect.NewPolicyServiceClient(web, server, opts...),
		Sessions:  accessv1connect.NewSessionServiceClient(web, server, opts...),
		Audit:     accessv1connect.NewAuditServiceClient(web, server, opts...),
		Edges:     accessv1connect.NewEdgeServiceClient(web, server, opts...),
		Locks:     accessv1connect.NewLockServiceClient(web, server, opts...),

		Notifications: accessv1connect.NewNotificationServiceClient(web, server, opts...),
	}
}

// CheckServer refuses what is not "https://host[:port]".
func CheckServer(server string) error {
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return errors.New("the server is not a URL")
	case u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("the server %q is not https://host:port", server)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/"):
		return errors.New("the server is https://host:port, without user, path or query")
	}
	return nil
}

// caller adds the token to every call and a deadline to unary ones.
type caller struct{ token string }

func (c caller) authorize(h http.Header) {
	if c.token != "" {
		h.Set("Authorization", "Bearer "+c.token)
	}
}

// WrapUnary implements connect.Interceptor.
func (c caller) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, callTimeout)
			defer cancel()
		}
		c.authorize(req.Header())
		return next(ctx, req)
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (c caller) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		c.authorize(conn.RequestHeader())
		return conn
	}
}

// WrapStreamingHandler implements connect.Interceptor; a client has no handlers.
func (c caller) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}
