// Package clitest has fakes of what writ talks to: a control plane that keeps its state in memory, and an edge that
// speaks PostgreSQL. They are served over real TLS on loopback.
package clitest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

// ControlPlane is a fake of every access.v1 service. What it decides is simple: a resource labelled approval=GROUP
// wants one approver of that group, one labelled closed=yes is denied, any other is granted at once.
type ControlPlane struct {
	accessv1connect.UnimplementedIdentityServiceHandler
	accessv1connect.UnimplementedRequestServiceHandler
	accessv1connect.UnimplementedGrantServiceHandler
	accessv1connect.UnimplementedApprovalServiceHandler

	// URL, CAPEM and Pin are how to reach it.
	URL   string
	CAPEM []byte
	Pin   string

	authority *authority

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced with every change
	waiting    chan struct{} // gets a value for every call that begins to wait
	next       int
	people     map[string]*accessv1.Principal // by token
	proofs     map[string]*accessv1.Principal // by OIDC or admin token
	resources  map[string]*accessv1.Resource
	requests   []*accessv1.AccessRequest
	grants     []*accessv1.Grant
	holds      []*accessv1.HeldCommand
	locks      []*accessv1.Lock
	deliveries []*accessv1.Delivery
	edges      []*accessv1.Edge
	sessions   []*accessv1.Session
	records    map[string][]*accessv1.Record // by session
	admin      []*accessv1.Record
	revisions  []*accessv1.PullPolicyResponse
	tokens     map[string]string // access token to grant
	endpoints  []string
	awsEdges   []string
	providers  []*accessv1.OpenIDProvider
}

// StartControlPlane serves a fake until the test ends.
func StartControlPlane(t testing.TB) *ControlPlane {
	t.Helper()
	auth, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	c := &ControlPlane{
		CAPEM: auth.pem, Pin: auth.pin, authority: auth, changed: make(chan struct{}), waiting: make(chan struct{}, 100),
		people: map[string]*accessv1.Principal{}, proofs: map[string]*accessv1.Principal{},
		resources: map[string]*accessv1.Resource{}, records: map[string][]*accessv1.Record{}, tokens: map[string]string{},
	}
	server := httptest.NewUnstartedServer(c.handler())
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{auth.leaf}}
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	c.URL = server.URL
	return c
}

func (c *ControlPlane) handler() http.Handler {
	mux := http.NewServeMux()
	opts := connect.WithInterceptors(identify{c})
	mount := func(path string, h http.Handler) { mux.Handle(path, h) }
	mount(accessv1connect.NewIdentityServiceHandler(c, opts))
	mount(accessv1connect.NewResourceServiceHandler(c, opts))
	mount(accessv1connect.NewRequestServiceHandler(c, opts))
	mount(accessv1connect.NewGrantServiceHandler(c, opts))
	mount(accessv1connect.NewApprovalServiceHandler(c, opts))
	mount(accessv1connect.NewPolicyServiceHandler(c, opts))
	mount(accessv1connect.NewSessionServiceHandler(c, opts))
	mount(accessv1connect.NewAuditServiceHandler(c, opts))
	mount(accessv1connect.NewEdgeServiceHandler(c, opts))
	mount(accessv1connect.NewLockServiceHandler(c, opts))
	mount(accessv1connect.NewNotificationServiceHandler(c, opts))
	return mux
}

// Waiting gives a value for every caller that began to wait: for a request, or for a followed session.
func (c *ControlPlane) Waiting() <-chan struct{} { return c.waiting }

func (c *ControlPlane) waits() {
	select {
	case c.waiting <- struct{}{}:
	default:
	}
}

// AddPrincipal lets a caller in by its login token, and by an OIDC or admin token that Login takes.
func (c *ControlPlane) AddPrincipal(login, proof string, p *accessv1.Principal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.people[login], c.proofs[proof] = p, p
}

// AddProvider offers a sign-in at an identity provider.
func (c *ControlPlane) AddProvider(p *accessv1.OpenIDProvider) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.providers = append(c.providers, p)
}

// AddEndpoint names an edge's address in every token from now on.
func (c *ControlPlane) AddEndpoint(address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endpoints = append(c.endpoints, address)
}

// AddAccount adds an AWS account to the inventory.
func (c *ControlPlane) AddAccount(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resources[name] = &accessv1.Resource{Name: name, Target: &accessv1.Resource_Aws{Aws: &accessv1.AwsTarget{
		Account: "123456789012", RoleArn: "arn:aws:iam::123456789012:role/writ/" + name,
	}}}
}

// AddHold files a held command.
func (c *ControlPlane) AddHold(h *accessv1.HeldCommand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holds = append(c.holds, h)
}

// AddSession keeps a session with its records.
func (c *ControlPlane) AddSession(s *accessv1.Session, records ...*accessv1.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions = append(c.sessions, s)
	c.records[s.GetId()] = records
}

// AddAdminRecord keeps a record of a call.
func (c *ControlPlane) AddAdminRecord(r *accessv1.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.admin = append(c.admin, r)
}

// touch wakes who waits for a change. The caller holds mu.
func (c *ControlPlane) touch() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// newID returns the next id with a prefix. The caller holds mu.
func (c *ControlPlane) newID(prefix string) string {
	c.next++
	return fmt.Sprintf("%s-%d", prefix, c.next)
}

func missing(what string) error {
	return connect.NewError(connect.CodeNotFound, fmt.Errorf("%s is not there", what))
}

func refused(code connect.Code, text string) error { return connect.NewError(code, errors.New(text)) }

type callerKey struct{}

type caller struct {
	token     string
	principal *accessv1.Principal
}

func callerOf(ctx context.Context) caller {
	who, _ := ctx.Value(callerKey{}).(caller)
	return who
}

// identify lets callers with a known token through, and everybody to what it takes to sign in.
type identify struct{ c *ControlPlane }

func (i identify) check(ctx context.Context, procedure string, header http.Header) (context.Context, error) {
	if procedure == accessv1connect.IdentityServiceLoginProcedure || procedure == accessv1connect.IdentityServiceListSignInMethodsProcedure {
		return ctx, nil
	}
	token := strings.TrimPrefix(header.Get("Authorization"), "Bearer ")
	i.c.mu.Lock()
	p := i.c.people[token]
	i.c.mu.Unlock()
	if p == nil {
		return nil, refused(connect.CodeUnauthenticated, "the token is not valid")
	}
	return context.WithValue(ctx, callerKey{}, caller{token, p}), nil
}

// WrapUnary implements connect.Interceptor.
func (i identify) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, err := i.check(ctx, req.Spec().Procedure, req.Header())
		if err != nil {
			return nil, err
		}
		return next(ctx, req)
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (i identify) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (i identify) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		ctx, err := i.check(ctx, conn.Spec().Procedure, conn.RequestHeader())
		if err != nil {
			return err
		}
		return next(ctx, conn)
	}
}
