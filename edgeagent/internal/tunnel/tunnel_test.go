package tunnel

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/token"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const permit = `@id("read") permit (principal in Group::"agents", action == Action::"sql:select", resource);`

func TestEnrolKeepsItsIdentity(t *testing.T) {
	p := newFakePlane(t)
	dir := filepath.Join(t.TempDir(), "state")
	cfg := p.config(dir)
	for range 2 { // the second start uses what is stored
		c, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if c.Edge() != "edge-a" {
			t.Fatalf("edge %q", c.Edge())
		}
		c.Close()
	}
	if len(p.enrols) != 1 || p.enrols[0] != cfg.JoinToken {
		t.Fatalf("%d enrolments", len(p.enrols))
	}
	cfg.JoinToken = ""
	c, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.JoinToken = token.NewSecret(token.JoinSecret).Reveal() // a new one: enrol anew
	if c, err = Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if len(p.enrols) != 2 {
		t.Fatalf("%d enrolments", len(p.enrols))
	}
}

func TestEnrolRefuses(t *testing.T) {
	p := newFakePlane(t)
	impostor := newFakePlane(t)
	p2 := newFakePlane(t) // the right authority, but an edge's serving certificate
	p2.ca = p.ca
	p2.listen("127.0.0.1:0", p.ca.server("localhost"))
	for _, tt := range []struct {
		name   string
		change func(cfg *Config)
		want   error
	}{
		{"wrong pin", func(cfg *Config) { cfg.Pin = impostor.pin() }, nil},
		{"another control plane", func(cfg *Config) { cfg.Address = impostor.address }, nil},
		{"a certificate that is not the control plane's", func(cfg *Config) { cfg.Address = p2.address }, nil},
		{"no pin", func(cfg *Config) { cfg.Pin = "" }, nil},
		{"no token", func(cfg *Config) { cfg.JoinToken = "" }, ErrNotEnrolled},
		{"not a token", func(cfg *Config) { cfg.JoinToken = "hunter2" }, token.ErrSecret},
		{"no address", func(cfg *Config) { cfg.Address = "" }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := p.config(filepath.Join(t.TempDir(), "state"))
			tt.change(&cfg)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c, err := Open(ctx, cfg)
			if err == nil {
				c.Close()
				t.Fatal("enrolled")
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("got %v", err)
			}
			if cfg.JoinToken != "" && strings.Contains(err.Error(), cfg.JoinToken) {
				t.Fatal("the error holds the join token")
			}
			if _, err := os.Stat(filepath.Join(cfg.StateDir, identityFile)); err == nil {
				t.Fatal("an identity was stored")
			}
		})
	}
	if len(p.enrols)+len(impostor.enrols)+len(p2.enrols) != 0 {
		t.Fatal("a join token was sent to somebody that is not the pinned control plane")
	}
}

func TestEnrolAcceptsThePinnedAuthorityOnly(t *testing.T) {
	p := newFakePlane(t)
	pin := p.pin()
	p.with(func() { p.ca = newAuthority(t) }) // the certificates come from elsewhere
	cfg := p.config(filepath.Join(t.TempDir(), "state"))
	cfg.Pin = pin
	if _, err := Open(t.Context(), cfg); !errors.Is(err, identity.ErrPin) {
		t.Fatalf("got %v", err)
	}
}

func TestStoredIdentityIsChecked(t *testing.T) {
	p := newFakePlane(t)
	for _, tt := range []struct {
		name   string
		damage func(path string) error
	}{
		{"damaged", func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) }},
		{"of others", func(path string) error { return os.Chmod(path, 0o644) }},
		{"another name", func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, []byte(strings.Replace(string(data), `"edge-a"`, `"edge-b"`, 1)), 0o600)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := p.config(filepath.Join(t.TempDir(), "state"))
			c, err := Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if err := tt.damage(filepath.Join(cfg.StateDir, identityFile)); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrIdentity) || strings.Contains(err.Error(), "PRIVATE") {
				t.Fatalf("got %v", err)
			}
		})
	}
	cfg := p.config(t.TempDir())
	if err := os.Chmod(cfg.StateDir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), cfg); err == nil {
		t.Fatal("a state dir that others can read was taken")
	}
}

func (p *fakePlane) linked() *fakeLink {
	p.t.Helper()
	return await(p.t, "link", p.links)
}

func (l *fakeLink) policy(t *testing.T, r *edgev1.PolicyRevision) {
	t.Helper()
	if err := l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_Policy{Policy: r}}); err != nil {
		t.Fatal(err)
	}
}

func TestLinkAppliesStateAndPolicy(t *testing.T) {
	p := newFakePlane(t)
	r := p.run(p.config(t.TempDir() + "/s"))
	hello := await(t, "hello", p.hellos)
	if hello.GetBoot() != "boot-1" || len(hello.GetSessions()) != 1 || len(hello.GetEndpoints()) != 1 || len(hello.GetKubernetesEndpoints()) != 1 ||
		len(hello.GetAwsEndpoints()) != 1 {
		t.Fatalf("hello: %v", hello)
	}
	l := p.linked()
	await(t, "readiness", r.Ready())
	st := r.CurrentState()
	if res, ok := st.Resource("orders-db"); !ok || res.Policy().Labels["env"] != "dev" || res.Postgres.TLS.Mode != VerifyFull {
		t.Fatalf("state: %+v", st)
	}
	if !r.Lease().Valid() {
		t.Fatal("no lease after readiness")
	}
	if _, _, ok := r.policy.Current(); ok {
		t.Fatal("a policy is in force before the first")
	}
	l.policy(t, p.revision(5, permit))
	if e := await(t, "ack", p.enforced); e.GetRevision() != 5 || e.GetError() != "" {
		t.Fatalf("enforced: %v", e)
	}
	forged := p.revision(7, permit)
	forged.Signature[3] ^= 1
	for _, tt := range []struct {
		name string
		r    *edgev1.PolicyRevision
	}{
		{"replayed older revision", p.revision(4, permit)},
		{"forged revision", forged},
		{"revision that does not compile", p.revision(6, "permit (")},
		{"garbage", &edgev1.PolicyRevision{Number: 9, Bundle: []byte{0xff}}},
	} {
		l.policy(t, tt.r)
		if e := await(t, "ack", p.enforced); e.GetRevision() != 5 || e.GetError() == "" {
			t.Fatalf("%s: %v", tt.name, e)
		}
		if _, number, ok := r.policy.Current(); !ok || number != 5 {
			t.Fatalf("%s: revision %d is in force", tt.name, number)
		}
	}
	bad := p.stateWith("other-db")
	bad.TokenKeys = []*edgev1.PublicKey{{Id: "x", Ed25519: []byte("short")}}
	if err := l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_State{State: bad}}); err != nil {
		t.Fatal(err)
	}
	if err := l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_EndSessions{EndSessions: &edgev1.EndSessions{Sessions: []string{"ses-1"}}}}); err != nil {
		t.Fatal(err)
	}
	await(t, "order to end", r.ends)
	if _, ok := r.CurrentState().Resource("orders-db"); !ok {
		t.Fatal("a bad state replaced a good one")
	}
	if err := l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_SweepLeases{SweepLeases: &edgev1.SweepLeases{
		Leases: []*edgev1.SweepLeases_Lease{{Id: "lease-1", Resource: "orders-db", Role: "writ_s_x"}},
	}}}); err != nil {
		t.Fatal(err)
	}
	if s := await(t, "sweep", r.sweeps); len(s) != 1 || s[0] != (Sweep{"lease-1", "orders-db", "writ_s_x"}) {
		t.Fatalf("sweep: %v", s)
	}
}

func TestChangedPrincipalArrivesWhole(t *testing.T) {
	p := newFakePlane(t)
	r := p.run(p.config(t.TempDir() + "/s"))
	await(t, "readiness", r.Ready())
	l := await(t, "link", p.links)
	err := l.send(&edgev1.LinkResponse{Message: &edgev1.LinkResponse_PrincipalChanged{PrincipalChanged: &edgev1.PrincipalChanged{
		Sessions: []string{"ses-1"},
		Principal: &accessv1.Principal{
			Name: "bot", Kind: accessv1.PrincipalKind_PRINCIPAL_KIND_AGENT, Groups: []string{"agents"}, OnBehalfOf: []string{"alice"},
			Delegators: []*accessv1.Principal{{
				Name: "alice", Kind: accessv1.PrincipalKind_PRINCIPAL_KIND_PERSON, Email: "a@example.com", Groups: []string{"dba"},
				Attributes: map[string]string{"email": "forged@example.com", "team": "shop"},
			}},
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	got := await(t, "changed principal", r.principals)
	want := changedPrincipal{[]string{"ses-1"}, policy.Principal{
		Kind: policy.KindAgent, ID: "bot", Name: "bot", Groups: []string{"agents"}, OnBehalfOf: []string{"alice"}, Attrs: map[string]string{},
		Delegators: []policy.Principal{{
			Kind: policy.KindPerson, ID: "alice", Name: "alice", Email: "a@example.com", Groups: []string{"dba"}, Attrs: map[string]string{"team": "shop"},
		}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestLeaseEndsWithTheControlPlane(t *testing.T) {
	p := newFakePlane(t)
	p.lease = 700 * time.Millisecond
	r := p.run(p.config(t.TempDir() + "/s"))
	await(t, "readiness", r.Ready())
	lost := r.Lease().Lost()
	p.server.Stop()
	await(t, "end of the lease", lost)
	if r.Lease().Valid() {
		t.Fatal("the lease outlived the control plane")
	}
	p.lease = 15 * time.Second
	p.listen(p.address, p.ca.server(identity.ControlPlane))
	awaitTrue(t, "lease after the control plane came back", r.Lease().Valid)
}

func TestReconnectsAndTellsWhatItEnforces(t *testing.T) {
	p := newFakePlane(t)
	r := p.run(p.config(t.TempDir() + "/s"))
	await(t, "hello", p.hellos)
	p.linked().policy(t, p.revision(5, permit))
	await(t, "ack", p.enforced)
	p.server.Stop()
	p.listen(p.address, p.ca.server(identity.ControlPlane))
	if hello := await(t, "second hello", p.hellos); hello.GetRevision() != 5 || len(hello.GetPolicyDigest()) == 0 {
		t.Fatalf("hello: %v", hello)
	}
	_ = r
}

func TestCertificatesRenewThemselves(t *testing.T) {
	p := newFakePlane(t)
	p.ca.life = 2 * time.Second
	dir := t.TempDir() + "/s"
	r := p.run(p.config(dir))
	first, err := r.ServingCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	awaitTrue(t, "a link with the renewed certificate", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.renews > 0 && len(p.serials) == 2
	})
	second, err := r.ServingCertificate(nil)
	if err != nil || second.Leaf.SerialNumber.Cmp(first.Leaf.SerialNumber) == 0 {
		t.Fatal("the serving certificate was not renewed")
	}
	stored, err := loadEnrolment(dir)
	if err != nil || stored.serving.Leaf.SerialNumber.Cmp(second.Leaf.SerialNumber) != 0 {
		t.Fatalf("the renewed identity is not stored: %v", err)
	}
}

func TestOpenSession(t *testing.T) {
	p := newFakePlane(t)
	r := p.run(p.config(t.TempDir() + "/s"))
	await(t, "readiness", r.Ready())
	ask := enforce.Admission{Session: "ses-1", Token: "writ_x", Protocol: "postgres", ClientAddr: netip.MustParseAddrPort("10.0.0.1:9")}
	answer := &edgev1.OpenSessionResponse{
		Principal: &accessv1.Principal{Name: "agent-7", Kind: accessv1.PrincipalKind_PRINCIPAL_KIND_AGENT, Email: "a@b.c", Attributes: map[string]string{"email": "a@b.c", "team": "x"}},
		Resource:  "orders-db", Grant: "grant-1", Actions: []string{"sql:select"}, RequestReason: "why",
		Credential: &edgev1.Credential{Lease: "lease-1", User: "u", Password: []byte("pw"), Role: &edgev1.Role{MemberOf: []string{"r"}, ConnectionLimit: 2}},
	}
	p.open = func(*edgev1.OpenSessionRequest) (*edgev1.OpenSessionResponse, error) { return answer, nil }
	got, err := r.OpenSession(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if got.Principal.ID != "agent-7" || got.Principal.Email != "a@b.c" || got.Principal.Attrs["email"] != "" || got.Principal.Attrs["team"] != "x" ||
		got.Resource.Name != "orders-db" || got.Credential.Role.ConnectionLimit != 2 || len(got.Actions) != 1 {
		t.Fatalf("got %+v", got)
	}
	answer.Resource = "unheard-of"
	var denied *enforce.Denied
	if _, err := r.OpenSession(t.Context(), ask); !errors.As(err, &denied) || denied.Cause != enforce.CauseControl {
		t.Fatalf("got %v", err)
	}
	if len(p.closed) != 1 || p.closed[0] != "ses-1" {
		t.Fatalf("the session was not given back: %v", p.closed)
	}
	for _, tt := range []struct {
		code  codes.Code
		cause enforce.Cause
		shown bool
	}{
		{codes.Unauthenticated, enforce.CauseIdentity, true},
		{codes.PermissionDenied, enforce.CauseIdentity, true},
		{codes.Unavailable, enforce.CauseControl, false},
		{codes.Internal, enforce.CauseControl, false},
		{codes.Unknown, enforce.CauseControl, false},
	} {
		p.open = func(*edgev1.OpenSessionRequest) (*edgev1.OpenSessionResponse, error) {
			return nil, status.Error(tt.code, "because")
		}
		_, err := r.OpenSession(t.Context(), ask)
		if !errors.As(err, &denied) || denied.Cause != tt.cause || (denied.Reason == "because") != tt.shown {
			t.Fatalf("%s: %+v", tt.code, err)
		}
	}
	if err := r.SettleLease(t.Context(), "lease-gone"); err != nil {
		t.Fatal(err)
	}
	if err := r.SettleLease(t.Context(), "lease-other"); status.Code(errors.Unwrap(err)) != codes.PermissionDenied {
		t.Fatalf("got %v", err)
	}
}

func TestHold(t *testing.T) {
	p := newFakePlane(t)
	r := p.run(p.config(t.TempDir() + "/s"))
	await(t, "readiness", r.Ready())
	type stream = grpc.ServerStreamingServer[edgev1.HoldResponse]
	pending := &edgev1.HoldResponse{Id: "hold-1", State: "pending"}
	for _, tt := range []struct {
		last string
		want enforce.HoldState
	}{{"approved", enforce.HoldApproved}, {"denied", enforce.HoldDenied}, {"expired", enforce.HoldExpired}, {"withdrawn", enforce.HoldDenied}, {"", enforce.HoldDenied}} {
		p.hold = func(_ *edgev1.HoldRequest, s stream) error {
			for range 2 {
				if err := s.Send(pending); err != nil {
					return err
				}
			}
			return s.Send(&edgev1.HoldResponse{Id: "hold-1", State: tt.last, By: []string{"dora"}, Comment: "c"})
		}
		held, err := r.Hold(t.Context(), enforce.HoldRequest{Session: "ses-1"})
		if err != nil || held.ID != "hold-1" {
			t.Fatalf("%+v, %v", held, err)
		}
		if v := await(t, "verdict", held.Decided); v.State != tt.want || v.By[0] != "dora" || v.Comment != "c" {
			t.Fatalf("%q: %+v", tt.last, v)
		}
	}

	withdrawn := make(chan struct{})
	p.hold = func(_ *edgev1.HoldRequest, s stream) error {
		if err := s.Send(pending); err != nil {
			return err
		}
		<-s.Context().Done()
		close(withdrawn)
		return s.Context().Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	held, err := r.Hold(ctx, enforce.HoldRequest{Session: "ses-1"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	await(t, "withdrawal", withdrawn)
	if v, ok := <-held.Decided; ok {
		t.Fatalf("a verdict came: %+v", v)
	}

	p.hold = func(_ *edgev1.HoldRequest, s stream) error {
		return errors.Join(s.Send(pending), status.Error(codes.Unavailable, "gone"))
	}
	if held, err = r.Hold(t.Context(), enforce.HoldRequest{}); err != nil {
		t.Fatal(err)
	}
	if v, ok := <-held.Decided; ok {
		t.Fatalf("a verdict came from a lost control plane: %+v", v)
	}
}

// proxy is an HTTP proxy that can CONNECT and counts it.
type proxy struct {
	mu     sync.Mutex
	lis    net.Listener
	auth   []string
	status string
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{lis: lis, status: "200 OK"}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = lis.Close(); wg.Wait() })
	return p
}

func (p *proxy) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	req, err := http.ReadRequest(r)
	if err != nil || req.Method != http.MethodConnect {
		return
	}
	p.mu.Lock()
	p.auth = append(p.auth, req.Header.Get("Proxy-Authorization"))
	answer := p.status
	p.mu.Unlock()
	_, _ = io.WriteString(conn, "HTTP/1.1 "+answer+"\r\n\r\n")
	if answer != "200 OK" {
		return
	}
	target, err := net.Dial("tcp", req.Host)
	if err != nil {
		return
	}
	defer target.Close()
	go func() { _, _ = io.Copy(target, r); _ = target.Close() }()
	_, _ = io.Copy(conn, target)
}

func (p *proxy) setting(user *url.Userinfo) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		if req.URL.Scheme != "https" {
			return nil, errors.New("asked for another scheme")
		}
		return &url.URL{Scheme: "http", Host: p.lis.Addr().String(), User: user}, nil
	}
}

func TestGoesThroughTheProxy(t *testing.T) {
	p := newFakePlane(t)
	px := newProxy(t)
	cfg := p.config(t.TempDir() + "/s")
	cfg.Proxy = px.setting(url.UserPassword("edge", "secret"))
	r := p.run(cfg)
	await(t, "readiness through the proxy", r.Ready())
	px.mu.Lock()
	defer px.mu.Unlock()
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("edge:secret"))
	if len(px.auth) < 2 || px.auth[0] != want { // to enrol, and to stay
		t.Fatalf("proxy saw %d connections, %q", len(px.auth), px.auth)
	}
}

func TestProxyThatRefuses(t *testing.T) {
	p := newFakePlane(t)
	px := newProxy(t)
	px.status = "407 Proxy Authentication Required"
	cfg := p.config(t.TempDir() + "/s")
	cfg.Proxy = px.setting(url.UserPassword("edge", "topsecret"))
	_, err := Open(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "407") || strings.Contains(err.Error(), "topsecret") {
		t.Fatalf("got %v", err)
	}
}
