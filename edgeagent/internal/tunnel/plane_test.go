package tunnel

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/edgeagent/internal/policycache"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/token"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

const patience = 20 * time.Second

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

func awaitTrue(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// authority is a certificate authority for a test.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	root *x509.Certificate
	life time.Duration // of edge certificates
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key, life: time.Hour}
	a.root = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, &key.PublicKey, time.Hour)
	return a
}

func (a *authority) sign(template, parent *x509.Certificate, key any, life time.Duration) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Second), time.Now().Add(life)
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

func (a *authority) server(name string) *tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.root, &key.PublicKey, time.Hour)
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.root.Raw}, PrivateKey: key}
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func (a *authority) edge(name string, clientCSR, servingCSR []byte) (*edgev1.Certificates, error) {
	client, err := x509.ParseCertificateRequest(clientCSR)
	if err != nil {
		return nil, err
	}
	serving, err := x509.ParseCertificateRequest(servingCSR)
	if err != nil {
		return nil, err
	}
	cc := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name, SerialNumber: "e1"}, URIs: []*url.URL{identity.EdgeURI(name)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.root, client.PublicKey, a.life)
	sc := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.root, serving.PublicKey, a.life)
	return &edgev1.Certificates{ClientChain: certPEM(cc), ServingChain: certPEM(sc), Ca: certPEM(a.root)}, nil
}

// fakePlane is a control plane that does as the test says.
type fakePlane struct {
	edgev1.UnimplementedEnrolmentServiceServer
	edgev1.UnimplementedTunnelServiceServer
	t       *testing.T
	ca      *authority
	signer  ed25519.PrivateKey
	address string
	server  *grpc.Server

	enforced chan *edgev1.Enforced
	hellos   chan *edgev1.Hello
	links    chan *fakeLink
	blocks   chan *edgev1.ShipRequest

	mu      sync.Mutex
	enrols  []string
	renews  int
	serials map[string]bool // of the client certificates that opened links
	lease   time.Duration
	silent  bool
	state   *edgev1.State
	open    func(*edgev1.OpenSessionRequest) (*edgev1.OpenSessionResponse, error)
	refresh func(*edgev1.RefreshCredentialRequest) (*edgev1.RefreshCredentialResponse, error)
	closed  []string
	hold    func(*edgev1.HoldRequest, grpc.ServerStreamingServer[edgev1.HoldResponse]) error
	ship    func(*edgev1.ShipRequest) (ack bool, err error)
}

// fakeLink is one link as the fake plane sees it.
type fakeLink struct {
	mu     sync.Mutex
	stream grpc.BidiStreamingServer[edgev1.LinkRequest, edgev1.LinkResponse]
}

func (l *fakeLink) send(m *edgev1.LinkResponse) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stream.Send(m)
}

func newFakePlane(t *testing.T) *fakePlane {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	p := &fakePlane{
		t: t, ca: newAuthority(t), signer: ed25519.NewKeyFromSeed(seed), lease: 15 * time.Second, serials: map[string]bool{},
		enforced: make(chan *edgev1.Enforced, 100), hellos: make(chan *edgev1.Hello, 1000), links: make(chan *fakeLink, 1000),
		blocks: make(chan *edgev1.ShipRequest, 1000),
	}
	p.state = p.stateWith("orders-db")
	p.listen("127.0.0.1:0", p.ca.server(identity.ControlPlane))
	return p
}

func (p *fakePlane) listen(addr string, cert *tls.Certificate) {
	p.t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(p.ca.root)
	conf, err := identity.ServerTLS(func() (*tls.Certificate, error) { return cert, nil }, roots)
	if err != nil {
		p.t.Fatal(err)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.address = lis.Addr().String()
	p.server = grpc.NewServer(grpc.Creds(credentials.NewTLS(conf)))
	edgev1.RegisterEnrolmentServiceServer(p.server, p)
	edgev1.RegisterTunnelServiceServer(p.server, p)
	srv := p.server
	go func() { _ = srv.Serve(lis) }()
	p.t.Cleanup(srv.Stop)
}

func (p *fakePlane) pin() string { return identity.PinOf(p.ca.root).String() }

func (p *fakePlane) stateWith(resources ...string) *edgev1.State {
	public := p.signer.Public().(ed25519.PublicKey)
	st := &edgev1.State{
		Version: 1, Digest: []byte("digest of " + filepath.Join(resources...)), MaskingKey: []byte("k"),
		PolicyKeys: []*edgev1.PublicKey{{Id: identity.KeyID(public), Ed25519: public}},
	}
	for _, r := range resources {
		st.Resources = append(st.Resources, &accessv1.Resource{
			Name: r, Labels: map[string]string{"env": "dev"},
			Target: &accessv1.Resource_Postgres{Postgres: &accessv1.PostgresTarget{Endpoint: "db:5432", Database: "d"}},
		})
	}
	return st
}

func (p *fakePlane) revision(number uint64, text string) *edgev1.PolicyRevision {
	files := map[string][]byte{"main.cedar": []byte(text)}
	digest := policy.Bundle{Files: files}.Digest()
	bundle, err := proto.Marshal(&accessv1.Bundle{Files: files})
	if err != nil {
		p.t.Fatal(err)
	}
	message := append([]byte("writ policy revision v1"), byte(number>>56), byte(number>>48), byte(number>>40), byte(number>>32), byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
	message = append(message, digest[:]...)
	return &edgev1.PolicyRevision{
		Number: number, Bundle: bundle, Digest: digest[:], KeyId: identity.KeyID(p.signer.Public().(ed25519.PublicKey)),
		Signature: ed25519.Sign(p.signer, message),
	}
}

func (p *fakePlane) with(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *fakePlane) Enrol(_ context.Context, req *edgev1.EnrolRequest) (*edgev1.EnrolResponse, error) {
	p.with(func() { p.enrols = append(p.enrols, req.GetJoinToken()) })
	certs, err := p.ca.edge("edge-a", req.GetClientCsr(), req.GetServingCsr())
	if err != nil {
		return nil, err
	}
	return &edgev1.EnrolResponse{Edge: "edge-a", Certificates: certs, Names: []string{"localhost"}}, nil
}

func (p *fakePlane) Renew(_ context.Context, req *edgev1.RenewRequest) (*edgev1.RenewResponse, error) {
	p.with(func() { p.renews++; p.ca.life = time.Hour })
	certs, err := p.ca.edge("edge-a", req.GetClientCsr(), req.GetServingCsr())
	return &edgev1.RenewResponse{Certificates: certs}, err
}

func (p *fakePlane) Link(stream grpc.BidiStreamingServer[edgev1.LinkRequest, edgev1.LinkResponse]) error {
	pr, _ := peer.FromContext(stream.Context())
	who, err := identity.PeerEdge(pr.AuthInfo.(credentials.TLSInfo).State)
	if err != nil {
		return status.Error(codes.Unauthenticated, err.Error())
	}
	p.with(func() { p.serials[who.Serial] = true })
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	l := &fakeLink{stream: stream}
	p.mu.Lock()
	st := p.state
	p.mu.Unlock()
	if err := l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_State{State: st}}); err != nil {
		return err
	}
	p.hellos <- m.GetHello()
	p.links <- l
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		if e := m.GetEnforced(); e != nil {
			p.enforced <- e
		}
		if h := m.GetHeartbeat(); h != nil {
			p.mu.Lock()
			lease, silent := p.lease, p.silent
			p.mu.Unlock()
			if silent {
				continue
			}
			ack := &edgev1.HeartbeatAck{Sequence: h.GetSequence(), Lease: durationpb.New(lease)}
			if err := l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_HeartbeatAck{HeartbeatAck: ack}}); err != nil {
				return err
			}
		}
	}
}

func (p *fakePlane) OpenSession(_ context.Context, req *edgev1.OpenSessionRequest) (*edgev1.OpenSessionResponse, error) {
	return p.open(req)
}

func (p *fakePlane) RefreshCredential(_ context.Context, req *edgev1.RefreshCredentialRequest) (*edgev1.RefreshCredentialResponse, error) {
	return p.refresh(req)
}

func (p *fakePlane) CloseSession(_ context.Context, req *edgev1.CloseSessionRequest) (*edgev1.CloseSessionResponse, error) {
	p.with(func() { p.closed = append(p.closed, req.GetSession()) })
	return &edgev1.CloseSessionResponse{}, nil
}

func (p *fakePlane) SettleLease(_ context.Context, req *edgev1.SettleLeaseRequest) (*edgev1.SettleLeaseResponse, error) {
	if req.GetLease() == "lease-gone" {
		return nil, status.Error(codes.NotFound, "no such lease")
	}
	return nil, status.Error(codes.PermissionDenied, "not yours")
}

func (p *fakePlane) Hold(req *edgev1.HoldRequest, stream grpc.ServerStreamingServer[edgev1.HoldResponse]) error {
	return p.hold(req, stream)
}

func (p *fakePlane) Ship(stream grpc.BidiStreamingServer[edgev1.ShipRequest, edgev1.ShipResponse]) error {
	for {
		req, err := stream.Recv()
		if err != nil {
			return err
		}
		p.blocks <- req
		ack, err := p.ship(req)
		if err != nil {
			return err
		}
		if !ack {
			continue
		}
		if err := stream.Send(&edgev1.ShipResponse{Sequence: req.GetSequence()}); err != nil {
			return err
		}
	}
}

func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

func (p *fakePlane) config(dir string) Config {
	return Config{
		Address: p.address, StateDir: dir, JoinToken: token.NewSecret(token.JoinSecret).Reveal(), Pin: p.pin(),
		Boot: "boot-1", Policy: policycache.New(), Proxy: noProxy,
	}
}

// running is a client that runs, and what its hooks were told.
type running struct {
	*Client
	policy *policycache.Cache
	states chan State
	ends   chan []string
	sweeps chan []Sweep
	stop   func()

	principals chan changedPrincipal
}

type changedPrincipal struct {
	sessions  []string
	principal policy.Principal
}

func (p *fakePlane) run(cfg Config) *running {
	p.t.Helper()
	c, err := Open(p.t.Context(), cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	r := &running{Client: c, policy: cfg.Policy, states: make(chan State, 1000), ends: make(chan []string, 10), sweeps: make(chan []Sweep, 10), principals: make(chan changedPrincipal, 10)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- c.Run(ctx, Hooks{
			Endpoints:           func() []string { return []string{"127.0.0.1:5432"} },
			KubernetesEndpoints: func() []string { return []string{"127.0.0.1:6443"} },
			AWSEndpoints:        func() []string { return []string{"127.0.0.1:5170"} },
			Sessions:            func() []string { return []string{"ses-1"} },
			EndSessions:         func(ids []string, _, _ string) { r.ends <- ids },
			PrincipalChanged: func(ids []string, p policy.Principal) {
				r.principals <- changedPrincipal{ids, p}
			},
			State: func(s State) { r.states <- s },
			Sweep: func(_ context.Context, s []Sweep) { r.sweeps <- s },
		})
	}()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				p.t.Errorf("run: %v", err)
			}
		})
	}
	p.t.Cleanup(r.stop)
	return r
}
