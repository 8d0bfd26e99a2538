package tunnel_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscreds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/authority"
	"github.com/writhq/writ/controlplane/internal/checkpoints"
	broker "github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/controlplane/internal/tunnel"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/token"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// bundle lets agents have everything on env=dev; a delete wants one of dba.
const bundle = `
@id("request") permit (principal in Group::"agents", action in [Action::"access:request", Action::"session:open"], resource);
@id("read") permit (principal in Group::"agents", action == Action::"sql:select", resource);
`

var agent = policy.Principal{Kind: policy.KindAgent, ID: "agent-7", Name: "agent-7", Issuer: "https://idp.test", Groups: []string{"agents"}}

// plane is a control plane without its people's side, on a real store and
// behind real TLS.
type plane struct {
	t         *testing.T
	clock     *clock
	store     *store.Store
	authority *authority.Authority
	resources *resources.Inventory
	broker    *broker.Broker
	sessions  *sessions.Book
	sweeper   *sessions.Sweeper
	locks     *locks.Locks
	policies  *policies.Policies
	approvals *approvals.Approvals
	edges     *edges.Registry
	records   *auditlog.Log
	objects   *switchable
	issuer    *token.Issuer
	keys      *authority.Keyring
	directory *directory
	roles     *roles.Roles
	reader    *reader
	server    *tunnel.Server
	address   string
	stop      func()
	meanwhile func() // while a role is assumed
	assumed   chan broker.Assumption
}

// clock is the real one, moved on by hand.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// switchable is a folder whose writes can be made to fail.
type switchable struct {
	*auditlog.Folder
	mu     sync.Mutex
	broken bool
}

func (s *switchable) fail(broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = broken
}

func (s *switchable) Put(ctx context.Context, key string, data []byte) error {
	s.mu.Lock()
	broken := s.broken
	s.mu.Unlock()
	if broken {
		return fmt.Errorf("%w: disk full", auditlog.ErrStorage)
	}
	return s.Folder.Put(ctx, key, data)
}

// directory is what the newest sign-ins say.
type directory struct {
	mu      sync.Mutex
	people  map[string]policy.Principal
	broken  bool
	failed  int
	changed chan string
}

func newDirectory() *directory {
	return &directory{people: map[string]policy.Principal{}, changed: make(chan string, 100)}
}

func (d *directory) signIn(p policy.Principal) {
	d.mu.Lock()
	d.people[p.ID] = p
	d.mu.Unlock()
	d.changed <- p.ID
}

// failures counts the reads that failed.
func (d *directory) failures() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

func (d *directory) breakDown(broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = broken
}

func (d *directory) PrincipalIn(_ *store.Tx, name string) (policy.Principal, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		d.failed++
		return policy.Principal{}, false, store.ErrUnavailable
	}
	p, ok := d.people[name]
	return p, ok, nil
}

func (d *directory) Narrow(_ context.Context, p policy.Principal) (policy.Principal, error) {
	return p.Narrowed(func(name string) (policy.Principal, bool, error) { return d.PrincipalIn(nil, name) })
}

func (d *directory) FollowPrincipals(ctx context.Context, changed func(string)) error {
	changed("")
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case name := <-d.changed:
			changed(name)
		}
	}
}

// fixedAWS gives credentials at once, after meanwhile, and tells of the newest roles that were assumed.
type fixedAWS struct {
	meanwhile *func()
	assumed   chan broker.Assumption
}

func (fixedAWS) Credentials(context.Context, string, string) (aws.CredentialsProvider, error) {
	return awscreds.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""), nil
}

func (f fixedAWS) AssumeRole(_ context.Context, a broker.Assumption) (aws.Credentials, error) {
	select {
	case f.assumed <- a:
	default:
	}
	if *f.meanwhile != nil {
		(*f.meanwhile)()
	}
	return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token"}, nil
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	return newPlaneOn(t, store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")}, nil)
}

func newPlaneOn(t *testing.T, state store.Config, log hclog.Logger) *plane {
	t.Helper()
	ctx := t.Context()
	p := &plane{t: t, clock: &clock{}, directory: newDirectory(), assumed: make(chan broker.Assumption, 100)}
	dir := t.TempDir()
	p.store = must[*store.Store](t)(store.Open(ctx, state))
	t.Cleanup(func() { _ = p.store.Close() })
	sealer := must[seal.Sealer](t)(seal.FileOrNew(filepath.Join(dir, "seal.key")))
	p.authority = must[*authority.Authority](t)(authority.Open(ctx, authority.Config{Store: p.store, Sealer: sealer, Names: []string{"127.0.0.1"}, Clock: p.clock.now}))
	ring := func(purpose string) *authority.Keyring {
		return must[*authority.Keyring](t)(authority.OpenKeyring(ctx, authority.KeyringConfig{Store: p.store, Sealer: sealer, Purpose: purpose, Clock: p.clock.now}))
	}
	tokenKeys, policyKeys := ring("access-tokens"), ring("policy")
	p.resources = must[*resources.Inventory](t)(resources.New(resources.Config{Store: p.store, Sealer: sealer, Now: p.clock.now, Rand: rand.Reader}))
	p.broker = must[*broker.Broker](t)(broker.New(broker.Config{Store: p.store, Secrets: p.resources, AWS: fixedAWS{&p.meanwhile, p.assumed}, Rand: rand.Reader, Now: p.clock.now}))
	p.sessions = must[*sessions.Book](t)(sessions.New(sessions.Config{Store: p.store, Leases: p.broker, Now: p.clock.now}))
	p.locks = must[*locks.Locks](t)(locks.New(locks.Config{Store: p.store, Sessions: p.sessions, Now: p.clock.now, Rand: rand.Reader}))
	p.policies = must[*policies.Policies](t)(policies.New(policies.Config{Store: p.store, Keyring: policyKeys, Now: p.clock.now}))
	p.edges = must[*edges.Registry](t)(edges.New(edges.Config{Store: p.store, Authority: p.authority, Replica: "cp-1", Rand: rand.Reader, Now: p.clock.now}))
	p.objects = &switchable{Folder: must[*auditlog.Folder](t)(auditlog.OpenFolder(filepath.Join(dir, "objects")))}
	entries := must[*checkpoints.Log](t)(checkpoints.Open(ctx, checkpoints.Config{Store: p.store, Objects: p.objects, Origin: "test/audit", Key: ring("records").Private(), Replica: "cp-1"}))
	p.records = must[*auditlog.Log](t)(auditlog.New(auditlog.Config{Objects: p.objects, Sessions: p.sessions, Registrar: entries, Replica: "cp-1", Now: p.clock.now, Poll: 50 * time.Millisecond}))
	p.approvals = must[*approvals.Approvals](t)(approvals.New(approvals.Config{
		Store: p.store, Policies: p.policies, Resources: p.resources, Locks: p.locks, Directory: p.directory, Sessions: p.sessions,
		Records: p.records, Now: p.clock.now, Rand: rand.Reader, RequestRate: 1000,
	}))
	p.reader = &reader{}
	p.roles = must[*roles.Roles](t)(roles.New(roles.Config{Store: p.store, Resources: p.resources, Policies: p.policies, Reader: p.reader, Now: p.clock.now}))
	p.sweeper = must[*sessions.Sweeper](t)(sessions.NewSweeper(sessions.SweeperConfig{Book: p.sessions, Grants: p.approvals, Presence: p.edges}))
	p.keys = tokenKeys
	p.issuer = must[*token.Issuer](t)(token.NewIssuer("writ", tokenKeys.Private))
	conf := must[*tls.Config](t)(p.authority.ServerTLS())
	conf.Time = p.clock.now
	p.server = must[*tunnel.Server](t)(tunnel.New(tunnel.Config{
		Store: p.store, Edges: p.edges, Sessions: p.sessions, Credentials: p.broker, Records: p.records, Approvals: p.approvals,
		Resources: p.resources, Roles: p.roles, Policies: p.policies, Locks: p.locks, Principals: p.directory,
		Tokens: must[*token.Verifier](t)(token.NewVerifier("writ", tokenKeys.Public())),
		TLS:    conf, TokenKeys: tokenKeys.Public, PolicyKeys: policyKeys.Public, ClientKeys: tokenKeys,
		MaskingKey: []byte("0123456789abcdef"), SweepInterval: 300 * time.Millisecond, Now: p.clock.now, Logger: log,
	}))
	p.push(bundle)
	p.serve()
	return p
}

func (p *plane) serve() {
	p.t.Helper()
	lis := must[net.Listener](p.t)(net.Listen("tcp", "127.0.0.1:0"))
	p.address = lis.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.server.Run(ctx, lis) }()
	var once sync.Once
	p.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				p.t.Errorf("server: %v", err)
			}
		})
	}
	p.t.Cleanup(func() { p.stop() })
}

func (p *plane) push(text string) policies.Revision {
	p.t.Helper()
	return must[policies.Revision](p.t)(p.policies.Push(p.t.Context(), policies.Push{Files: map[string][]byte{"main.cedar": []byte(text)}, Author: "alice"}))
}

// apply puts a resource into the inventory that the edges serve.
func (p *plane) apply(name string, cred resources.Credential, edges ...string) {
	p.t.Helper()
	_, err := p.resources.Apply(p.t.Context(), []resources.Resource{{
		Name: name, Labels: map[string]string{"env": "dev"}, Edges: edges,
		Postgres: &resources.Postgres{Endpoint: "db.test:5432", Database: "orders", Credential: cred},
	}}, false)
	if err != nil {
		p.t.Fatal(err)
	}
}

func static() resources.Credential {
	return resources.Credential{Static: &resources.Static{User: "app", Password: "hunter2"}}
}

func dynamic() resources.Credential {
	return resources.Credential{Dynamic: &resources.Dynamic{AdminUser: "admin", AdminPassword: "hunter3", MemberOf: []string{"readers"}}}
}

// grant gives the agent the resource for an hour and returns an access token.
func (p *plane) grant(resource string) (approvals.Grant, string) {
	p.t.Helper()
	_, g, err := p.approvals.Create(p.t.Context(), approvals.Ask{Principal: agent, Resource: resource, Duration: time.Hour, Reason: "look at orders"})
	if err != nil || g == nil {
		p.t.Fatalf("grant: %v %v", g, err)
	}
	return *g, p.token(*g, resource)
}

func (p *plane) token(g approvals.Grant, resource string) string {
	p.t.Helper()
	now := p.clock.now()
	return must[string](p.t)(p.issuer.Issue(token.Claims{
		Grant: g.ID, Subject: g.Principal.ID, Audience: token.ResourceAudience(resource), IssuedAt: now, NotBefore: now, Expires: g.ExpiresAt,
	}))
}

// refusals returns the reasons of the refusals that were recorded.
func (p *plane) refusals() []audit.Record {
	p.t.Helper()
	all := must[[]audit.Record](p.t)(p.records.AdminRecords(p.t.Context(), 1000))
	var found []audit.Record
	for _, r := range all {
		if r.Kind == audit.KindRefusal {
			found = append(found, r)
		}
	}
	return found
}

func (p *plane) wantRefusal(method string) audit.Record {
	p.t.Helper()
	for _, r := range p.refusals() {
		for _, a := range r.Attrs {
			if a.Name == "method" && strings.HasSuffix(a.Value, "/"+method) {
				return r
			}
		}
	}
	p.t.Fatalf("no refusal of %s was recorded", method)
	return audit.Record{}
}

// edge is an enrolled edge that speaks edge.v1 by hand.
type edge struct {
	plane  *plane
	name   string
	boot   string
	cert   tls.Certificate
	conn   *grpc.ClientConn
	tunnel edgev1.TunnelServiceClient
}

func csr(t testing.TB) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return key, must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))
}

func (p *plane) joinToken(name string) string {
	p.t.Helper()
	return must[edges.JoinToken](p.t)(p.edges.CreateJoinToken(p.t.Context(), name, []string{"127.0.0.1"}, 0, "alice")).Secret.Reveal()
}

// dial connects with a client certificate, or without one.
func (p *plane) dial(cert *tls.Certificate) *grpc.ClientConn {
	p.t.Helper()
	conf := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: p.authority.Roots(), ServerName: identity.ControlPlane, Time: p.clock.now}
	if cert != nil {
		conf.Certificates = []tls.Certificate{*cert}
	}
	conn := must[*grpc.ClientConn](p.t)(grpc.NewClient("passthrough:///"+p.address, grpc.WithTransportCredentials(credentials.NewTLS(conf))))
	p.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (p *plane) enrol(joinToken string) (*edgev1.EnrolResponse, tls.Certificate, error) {
	p.t.Helper()
	key, client := csr(p.t)
	_, serving := csr(p.t)
	resp, err := edgev1.NewEnrolmentServiceClient(p.dial(nil)).Enrol(p.t.Context(), &edgev1.EnrolRequest{JoinToken: joinToken, ClientCsr: client, ServingCsr: serving})
	if err != nil {
		return nil, tls.Certificate{}, err
	}
	block, _ := pem.Decode(resp.GetCertificates().GetClientChain())
	return resp, tls.Certificate{Certificate: [][]byte{block.Bytes}, PrivateKey: key}, nil
}

func (p *plane) newEdge(name string) *edge {
	p.t.Helper()
	_, cert, err := p.enrol(p.joinToken(name))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.edgeWith(name, cert)
}

func (p *plane) edgeWith(name string, cert tls.Certificate) *edge {
	conn := p.dial(&cert)
	return &edge{plane: p, name: name, boot: "boot-" + name, cert: cert, conn: conn, tunnel: edgev1.NewTunnelServiceClient(conn)}
}

// linked is an open link whose messages are sorted by kind.
type linked struct {
	t        *testing.T
	stream   grpc.BidiStreamingClient[edgev1.LinkRequest, edgev1.LinkResponse]
	state    chan *edgev1.State
	policy   chan *edgev1.PolicyRevision
	ack      chan *edgev1.HeartbeatAck
	ends     chan *edgev1.EndSessions
	sweeps   chan *edgev1.SweepLeases
	changes  chan *edgev1.PrincipalChanged
	closed   chan error
	sequence uint64
}

func (e *edge) link(sessions ...string) *linked {
	e.plane.t.Helper()
	t := e.plane.t
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var stream grpc.BidiStreamingClient[edgev1.LinkRequest, edgev1.LinkResponse]
	l := &linked{
		t: t, state: make(chan *edgev1.State, 100), policy: make(chan *edgev1.PolicyRevision, 100), ack: make(chan *edgev1.HeartbeatAck, 100),
		ends: make(chan *edgev1.EndSessions, 100), sweeps: make(chan *edgev1.SweepLeases, 100), changes: make(chan *edgev1.PrincipalChanged, 100), closed: make(chan error, 1),
	}
	stream = must[grpc.BidiStreamingClient[edgev1.LinkRequest, edgev1.LinkResponse]](t)(e.tunnel.Link(ctx))
	l.stream = stream
	err := stream.Send(&edgev1.LinkRequest{Message: &edgev1.LinkRequest_Hello{Hello: &edgev1.Hello{
		Boot: e.boot, Version: "test", Endpoints: []string{"127.0.0.1:5432"}, KubernetesEndpoints: []string{"127.0.0.1:6443"},
		AwsEndpoints: []string{"127.0.0.1:5170"},
		Sessions:     sessions,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	go l.read()
	return l
}

func (l *linked) read() {
	for {
		m, err := l.stream.Recv()
		if err != nil {
			l.closed <- err
			return
		}
		switch m := m.GetMessage().(type) {
		case *edgev1.LinkResponse_State:
			l.state <- m.State
		case *edgev1.LinkResponse_Policy:
			l.policy <- m.Policy
		case *edgev1.LinkResponse_HeartbeatAck:
			l.ack <- m.HeartbeatAck
		case *edgev1.LinkResponse_EndSessions:
			l.ends <- m.EndSessions
		case *edgev1.LinkResponse_PrincipalChanged:
			l.changes <- m.PrincipalChanged
		case *edgev1.LinkResponse_SweepLeases:
			l.sweeps <- m.SweepLeases
		}
	}
}

const patience = 20 * time.Second

// await returns the next value; silence fails the test.
func await[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s came", what)
		panic("unreachable")
	}
}

func (l *linked) beat(st *edgev1.State, p *edgev1.PolicyRevision, sessions ...string) {
	l.t.Helper()
	l.sequence++
	err := l.stream.Send(&edgev1.LinkRequest{Message: &edgev1.LinkRequest_Heartbeat{Heartbeat: &edgev1.Heartbeat{
		Sequence: l.sequence, StateDigest: st.GetDigest(), Revision: p.GetNumber(), PolicyDigest: p.GetDigest(), Sessions: sessions,
	}}})
	if err != nil {
		l.t.Fatal(err)
	}
}

// connect enrols, links and waits until the edge has everything.
func (p *plane) connect(name string) (*edge, *linked, *edgev1.State, *edgev1.PolicyRevision) {
	p.t.Helper()
	e := p.newEdge(name)
	p.awaitReady(e)
	l := e.link()
	return e, l, await(p.t, "state", l.state), await(p.t, "policy", l.policy)
}

// awaitReady returns when the server has read its state.
func (p *plane) awaitReady(e *edge) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if p.server.Ready() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.t.Fatal("server does not become ready")
}

const session1 = "ses-01hzzzzzzzzzzzzzzzzzzzzzz1"

func (e *edge) open(session, access string) (*edgev1.OpenSessionResponse, error) {
	return e.tunnel.OpenSession(e.plane.t.Context(), &edgev1.OpenSessionRequest{
		AccessToken: access, Protocol: "postgres", ClientAddr: "10.0.0.1:999", Application: "psql", Session: session,
	})
}
