package authority_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/authority"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/identity"
)

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "data")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newSealer(t testing.TB) seal.Sealer {
	t.Helper()
	s, err := seal.FileOrNew(filepath.Join(t.TempDir(), "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newAuthority(t testing.TB, clock *clock, names ...string) *authority.Authority {
	t.Helper()
	a, err := authority.Open(t.Context(), authority.Config{
		Store: openStore(t), Sealer: newSealer(t), Names: names, Clock: clock.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func request(t testing.TB, key any, template x509.CertificateRequest) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func parse(t testing.TB, chain []byte) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode(chain)
	if block == nil || len(rest) > 0 {
		t.Fatal("want exactly one certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func pair(t testing.TB, key any, chain []byte) identity.Present {
	cert := tls.Certificate{Certificate: [][]byte{parse(t, chain).Raw}, PrivateKey: key}
	return func() (*tls.Certificate, error) { return &cert, nil }
}

func edgeClient(t testing.TB, a *authority.Authority, name string) identity.Present {
	t.Helper()
	key := newKey(t)
	issued, err := a.EdgeClient(name, "enrolment-1", request(t, key, x509.CertificateRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	return pair(t, key, issued.Chain)
}

// handshake connects a client to a server over a real socket and returns what
// the server saw, or the first error of either side.
func handshake(t testing.TB, server, client *tls.Config, now func() time.Time) (tls.ConnectionState, error) {
	t.Helper()
	server, client = server.Clone(), client.Clone()
	server.Time, client.Time = now, now
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type result struct {
		state tls.ConnectionState
		err   error
	}
	served := make(chan result, 1)
	go func() {
		raw, err := l.Accept()
		if err != nil {
			served <- result{err: err}
			return
		}
		defer raw.Close()
		conn := tls.Server(raw, server)
		err = conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		served <- result{conn.ConnectionState(), err}
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1)) // TLS 1.3 clients learn here that they were refused
		conn.Close()
	} else {
		l.Close()
	}
	r := <-served
	return r.state, errors.Join(err, r.err)
}

func TestEdgeEnrolsAndSignsIn(t *testing.T) {
	clock := newClock()
	a := newAuthority(t, clock)
	server, err := a.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	enrol, err := identity.EnrolTLS(a.Pin(), clock.now)
	if err != nil {
		t.Fatal(err)
	}
	state, err := handshake(t, server, enrol, clock.now)
	if err != nil || state.Version != tls.VersionTLS13 {
		t.Fatalf("enrol: %v", err)
	}
	if _, err := identity.EdgeName(state); !errors.Is(err, identity.ErrNotEdge) {
		t.Fatalf("an enrolling edge is already one: %v", err)
	}
	dial, err := identity.EdgeTLS(edgeClient(t, a, "prod-eu-1"), a.Roots())
	if err != nil {
		t.Fatal(err)
	}
	state, err = handshake(t, server, dial, clock.now)
	if err != nil {
		t.Fatal(err)
	}
	edge, err := identity.PeerEdge(state)
	if err != nil || edge.Name != "prod-eu-1" || edge.Enrolment != "enrolment-1" || edge.Serial == "" {
		t.Fatalf("got %+v, %v", edge, err)
	}
	clock.advance(24*time.Hour + time.Second)
	if _, err := handshake(t, server, dial, clock.now); err == nil {
		t.Fatal("an expired edge certificate still signs in")
	}
}

func TestPinnedDialRefuses(t *testing.T) {
	clock := newClock()
	a, other := newAuthority(t, clock), newAuthority(t, clock)
	rogue := newKey(t)
	serving, err := a.EdgeServing("rogue", request(t, rogue, x509.CertificateRequest{}), []string{"rogue.example"})
	if err != nil {
		t.Fatal(err)
	}
	otherServer, err := other.ServerCertificate()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(a.PEM())
	with := func(key any, chain ...[]byte) *tls.Config {
		cert := &tls.Certificate{Certificate: chain, PrivateKey: key}
		c, err := identity.ServerTLS(func() (*tls.Certificate, error) { return cert, nil }, a.Roots())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	rogueLeaf := parse(t, serving.Chain).Raw
	enrol, err := identity.EnrolTLS(a.Pin(), clock.now)
	if err != nil {
		t.Fatal(err)
	}
	for name, server := range map[string]*tls.Config{
		"another authority":               with(otherServer.PrivateKey, otherServer.Certificate...),
		"another, with the pinned beside": with(otherServer.PrivateKey, otherServer.Certificate[0], block.Bytes),
		"leaf only":                       with(otherServer.PrivateKey, otherServer.Certificate[0]),
		"an edge of the same authority":   with(rogue, rogueLeaf, block.Bytes),
		"the authority itself, no key":    with(rogue, block.Bytes),
	} {
		if _, err := handshake(t, server, enrol, clock.now); !errors.Is(err, identity.ErrPin) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dial, err := identity.EdgeTLS(edgeClient(t, a, "e"), a.Roots())
	if err != nil {
		t.Fatal(err)
	}
	for name, server := range map[string]*tls.Config{
		"another authority":             with(otherServer.PrivateKey, otherServer.Certificate...),
		"an edge of the same authority": with(rogue, rogueLeaf, block.Bytes),
	} {
		if _, err := handshake(t, server, dial, clock.now); err == nil {
			t.Errorf("an enrolled edge talks to %s", name)
		}
	}
}

func TestServerRefusesForeignClients(t *testing.T) {
	clock := newClock()
	a, other := newAuthority(t, clock), newAuthority(t, clock)
	server, err := a.ServerTLS()
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	serving, err := a.EdgeServing("e", request(t, key, x509.CertificateRequest{}), []string{"db.example"})
	if err != nil {
		t.Fatal(err)
	}
	for name, present := range map[string]identity.Present{
		"another authority's edge": edgeClient(t, other, "e"),
		"a serving certificate":    pair(t, key, serving.Chain),
	} {
		dial, err := identity.EdgeTLS(present, a.Roots())
		if err != nil {
			t.Fatal(err)
		}
		if state, err := handshake(t, server, dial, clock.now); err == nil {
			_, err := identity.EdgeName(state)
			t.Errorf("%s: connected, name: %v", name, err)
		}
	}
	old := identity.ClientTLS(a.Roots())
	old.ServerName, old.MinVersion, old.MaxVersion = identity.ControlPlane, tls.VersionTLS12, tls.VersionTLS12
	if _, err := handshake(t, server, old, clock.now); err == nil {
		t.Error("TLS 1.2 connected")
	}
}

func TestServerCertificateRenewsItself(t *testing.T) {
	clock := newClock()
	a := newAuthority(t, clock, "writ.example", "10.1.2.3")
	first, err := a.ServerCertificate()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"writ.example", "10.1.2.3", identity.ControlPlane} {
		if err := first.Leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	clock.advance(15 * time.Hour)
	if same, err := a.ServerCertificate(); err != nil || same != first {
		t.Fatalf("renewed early: %v", err)
	}
	clock.advance(2 * time.Hour)
	second, err := a.ServerCertificate()
	if err != nil || second == first || !second.Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Fatalf("not renewed: %v", err)
	}
}

func TestRequestsRefused(t *testing.T) {
	a := newAuthority(t, newClock())
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := request(t, newKey(t), x509.CertificateRequest{})
	broken := append([]byte(nil), good...)
	broken[len(broken)-1] ^= 1
	for name, csr := range map[string][]byte{
		"empty": nil, "garbage": []byte("x"), "trailing": append(good[:len(good):len(good)], 0), "broken signature": broken,
		"P-224": request(t, weak, x509.CertificateRequest{}), "RSA 1024": request(t, small, x509.CertificateRequest{}),
		"huge": make([]byte, authority.MaxRequest+1),
	} {
		if _, err := a.EdgeClient("e", "1", csr); !errors.Is(err, authority.ErrRequest) {
			t.Errorf("client, %s: %v", name, err)
		}
		if _, err := a.EdgeServing("e", csr, []string{"db.example"}); !errors.Is(err, authority.ErrRequest) {
			t.Errorf("serving, %s: %v", name, err)
		}
	}
	for _, name := range []string{"", "A", "a/b", "../x"} {
		if _, err := a.EdgeClient(name, "1", good); !errors.Is(err, authority.ErrRequest) {
			t.Errorf("edge name %q: %v", name, err)
		}
	}
	if _, err := a.EdgeClient("e", "", good); !errors.Is(err, authority.ErrRequest) {
		t.Errorf("no enrolment: %v", err)
	}
}

// Whatever a request asks for, a client certificate says only what it should.
func TestClientCertificateIgnoresWhatTheRequestAsks(t *testing.T) {
	a := newAuthority(t, newClock())
	csr := request(t, newKey(t), x509.CertificateRequest{
		DNSNames: []string{identity.ControlPlane}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)},
		URIs: []*url.URL{identity.EdgeURI("other")},
	})
	issued, err := a.EdgeClient("e", "1", csr)
	if err != nil {
		t.Fatal(err)
	}
	cert := parse(t, issued.Chain)
	if len(cert.DNSNames)+len(cert.IPAddresses) != 0 || len(cert.URIs) != 1 || cert.URIs[0].String() != "spiffe://writ/edge/e" || cert.IsCA {
		t.Fatalf("names %v %v %v", cert.DNSNames, cert.IPAddresses, cert.URIs)
	}
	if got := time.Until(cert.NotAfter); got > 24*time.Hour || got < 23*time.Hour {
		t.Fatalf("lives %v", got)
	}
}

func TestServingNames(t *testing.T) {
	a := newAuthority(t, newClock(), "writ.example", "10.9.9.9", "localhost", "127.0.0.1")
	given := []string{"Orders.DB.example", "10.1.1.1", "localhost", "127.0.0.1", "::1"}
	for name, c := range map[string]struct {
		allowed []string
		ask     x509.CertificateRequest
		want    string // names, or "" for a refusal
	}{
		"all":               {allowed: given, want: "localhost orders.db.example 10.1.1.1 127.0.0.1 ::1"},
		"some":              {allowed: given, ask: x509.CertificateRequest{DNSNames: []string{"orders.db.example"}}, want: "orders.db.example"},
		"one address":       {allowed: given, ask: x509.CertificateRequest{IPAddresses: []net.IP{net.IPv4(10, 1, 1, 1)}}, want: "10.1.1.1"},
		"not given":         {allowed: given, ask: x509.CertificateRequest{DNSNames: []string{"orders.db.example", "db.example"}}},
		"address not given": {allowed: given, ask: x509.CertificateRequest{IPAddresses: []net.IP{net.IPv4(10, 1, 1, 2)}}},
		"identity":          {allowed: given, ask: x509.CertificateRequest{URIs: []*url.URL{identity.EdgeURI("e")}}},
		"mail":              {allowed: given, ask: x509.CertificateRequest{EmailAddresses: []string{"a@b"}}},
		"nothing given":     {},
		"control plane":     {allowed: []string{identity.ControlPlane}},
		"our domain":        {allowed: []string{"x.writ.internal"}},
		"our domain itself": {allowed: []string{"WRIT.internal"}},
		"its name":          {allowed: []string{"writ.example"}},
		"its address":       {allowed: []string{"10.9.9.9"}},
		"its mapped":        {allowed: []string{"::ffff:10.9.9.9"}},
		"wildcard":          {allowed: []string{"*.example"}},
		"dot at the end":    {allowed: []string{"writ.example."}},
		"any address":       {allowed: []string{"0.0.0.0"}},
		"zone":              {allowed: []string{"fe80::1%eth0"}},
		"odd address":       {allowed: []string{"010.9.9.9"}},
		"number":            {allowed: []string{"168364297"}},
		"empty name":        {allowed: []string{""}},
		"null byte":         {allowed: []string{"a\x00.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			issued, err := a.EdgeServing("e", request(t, newKey(t), c.ask), c.allowed)
			if c.want == "" {
				if !errors.Is(err, authority.ErrRequest) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			cert := parse(t, issued.Chain)
			got := append([]string(nil), cert.DNSNames...)
			for _, ip := range cert.IPAddresses {
				got = append(got, ip.String())
			}
			if strings.Join(got, " ") != c.want || len(cert.URIs) != 0 {
				t.Fatalf("got %v %v", got, cert.URIs)
			}
			if len(cert.ExtKeyUsage) != 1 || cert.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
				t.Fatalf("usage %v", cert.ExtKeyUsage)
			}
		})
	}
}

// The constraint in the root holds even against a leaf that it signed.
func TestRootIsNoGeneralAuthority(t *testing.T) {
	a := newAuthority(t, newClock())
	root := parse(t, a.PEM())
	if !root.IsCA || !root.MaxPathLenZero || root.KeyUsage != x509.KeyUsageCertSign {
		t.Fatalf("root: %+v", root.KeyUsage)
	}
	if len(root.PermittedURIDomains) != 1 || root.PermittedURIDomains[0] != "writ" {
		t.Fatalf("permitted %v", root.PermittedURIDomains)
	}
}

// psql and most SDKs verify with OpenSSL.
func TestOpenSSLAccepts(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	a := newAuthority(t, newClock())
	serving, err := a.EdgeServing("e", request(t, newKey(t), x509.CertificateRequest{}), []string{"db.example", "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	client, err := a.EdgeClient("e", "1", request(t, newKey(t), x509.CertificateRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := write("ca.pem", a.PEM())
	for _, args := range [][]string{
		{"-purpose", "sslserver", "-verify_hostname", "db.example", write("serving.pem", serving.Chain)},
		{"-purpose", "sslserver", "-verify_ip", "127.0.0.1", write("serving.pem", serving.Chain)},
		{"-purpose", "sslclient", write("client.pem", client.Chain)},
	} {
		out, err := exec.Command(openssl, append([]string{"verify", "-x509_strict", "-CAfile", ca}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
}

func TestReplicasAgree(t *testing.T) {
	s, sealer := openStore(t), newSealer(t)
	pins := make([]identity.Pin, 8)
	var wg sync.WaitGroup
	for i := range pins {
		wg.Go(func() {
			a, err := authority.Open(t.Context(), authority.Config{Store: s, Sealer: sealer})
			if err != nil {
				t.Error(err)
				return
			}
			pins[i] = a.Pin()
		})
	}
	wg.Wait()
	for _, pin := range pins {
		if pin.IsZero() || pin != pins[0] {
			t.Fatalf("pins differ: %v", pins)
		}
	}
	_, err := authority.Open(t.Context(), authority.Config{Store: s, Sealer: newSealer(t)})
	if !errors.Is(err, seal.ErrOpen) {
		t.Fatalf("opened with another seal key: %v", err)
	}
	if _, err := authority.Open(t.Context(), authority.Config{Store: s, Sealer: seal.None()}); !errors.Is(err, seal.ErrNotConfigured) {
		t.Fatalf("opened without a seal key: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	s, sealer := openStore(t), newSealer(t)
	for name, cfg := range map[string]authority.Config{
		"no store":   {Sealer: sealer},
		"no sealer":  {Store: s},
		"bad name":   {Store: s, Sealer: sealer, Names: []string{"*.example"}},
		"short life": {Store: s, Sealer: sealer, EdgeLifetime: time.Second},
	} {
		if _, err := authority.Open(t.Context(), cfg); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func FuzzEdgeServing(f *testing.F) {
	a := newAuthority(f, newClock())
	f.Add(request(f, newKey(f), x509.CertificateRequest{DNSNames: []string{"db.example"}}), "db.example")
	f.Add([]byte{0x30, 0x80}, "10.0.0.1")
	f.Fuzz(func(t *testing.T, csr []byte, allowed string) {
		issued, err := a.EdgeServing("e", csr, []string{allowed})
		if err == nil && parse(t, issued.Chain).VerifyHostname(identity.ControlPlane) == nil {
			t.Fatal("an edge got the control plane's name")
		}
	})
}
