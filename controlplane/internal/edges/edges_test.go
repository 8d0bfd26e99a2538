package edges_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/authority"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/identity"
)

func newRegistry(t *testing.T) (*edges.Registry, *time.Duration) {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(dir, "etcd")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	sealer, err := seal.FileOrNew(filepath.Join(dir, "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := authority.Open(t.Context(), authority.Config{Store: s, Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	ahead := new(time.Duration)
	r, err := edges.New(edges.Config{Store: s, Authority: ca, Replica: "cp-1", Rand: rand.Reader, Now: func() time.Time { return time.Now().Add(*ahead) }})
	if err != nil {
		t.Fatal(err)
	}
	return r, ahead
}

func csr(t *testing.T, names ...string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func join(t *testing.T, r *edges.Registry, name string, names ...string) string {
	t.Helper()
	j, err := r.CreateJoinToken(t.Context(), name, names, 0, "alice")
	if err != nil {
		t.Fatal(err)
	}
	return j.Secret.Reveal()
}

func peerOf(t *testing.T, certs edges.Certificates) identity.Edge {
	t.Helper()
	block, _ := pem.Decode(certs.Client)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	who, err := identity.EdgeOf(cert)
	if err != nil {
		t.Fatal(err)
	}
	return who
}

func TestManyEnrolmentsWithOneToken(t *testing.T) {
	r, _ := newRegistry(t)
	token := join(t, r, "edge-a")
	var mu sync.Mutex
	won := 0
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, _, err := r.Enrol(t.Context(), token, csr(t), csr(t))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, edges.ErrJoinToken) {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Fatalf("%d enrolments with one token", won)
	}
}

func TestNamesAreThoseOfTheToken(t *testing.T) {
	r, _ := newRegistry(t)
	token := join(t, r, "edge-a", "edge-a.internal")
	if _, _, err := r.Enrol(t.Context(), token, csr(t), csr(t, "bank.example")); !errors.Is(err, authority.ErrRequest) {
		t.Fatalf("a foreign name: %v", err)
	}
	edge, certs, err := r.Enrol(t.Context(), token, csr(t), csr(t, "edge-a.internal"))
	if err != nil || edge.Names[0] != "edge-a.internal" {
		t.Fatalf("%+v, %v", edge, err)
	}
	if peerOf(t, certs).Name != "edge-a" {
		t.Fatal("certificate of another edge")
	}
}

func TestAuthenticate(t *testing.T) {
	r, ahead := newRegistry(t)
	ctx := t.Context()
	_, certs, err := r.Enrol(ctx, join(t, r, "edge-a"), csr(t), csr(t))
	if err != nil {
		t.Fatal(err)
	}
	first := peerOf(t, certs)
	want := func(what string, peer identity.Edge, want error) {
		t.Helper()
		if _, err := r.Authenticate(ctx, peer); !errors.Is(err, want) {
			t.Fatalf("%s: got %v, want %v", what, err, want)
		}
	}
	want("enrolled", first, nil)
	stranger := first
	stranger.Name = "edge-z"
	want("unknown name", stranger, edges.ErrRefused)
	empty := first
	empty.Enrolment = ""
	want("no enrolment", empty, edges.ErrRefused)

	renewed, err := r.Renew(ctx, first, csr(t), csr(t))
	if err != nil {
		t.Fatal(err)
	}
	want("renewed", peerOf(t, renewed), nil)
	_, again, err := r.Enrol(ctx, join(t, r, "edge-a"), csr(t), csr(t))
	if err != nil {
		t.Fatal(err)
	}
	want("former enrolment", first, edges.ErrRefused)
	if _, err := r.Renew(ctx, first, csr(t), csr(t)); !errors.Is(err, edges.ErrRefused) {
		t.Fatalf("former enrolment renews: %v", err)
	}
	second := peerOf(t, again)
	want("second enrolment", second, nil)
	*ahead = 25 * time.Hour
	want("expired", second, edges.ErrRefused)
	*ahead = 0

	unspent := join(t, r, "edge-a")
	if err := r.Remove(ctx, "edge-a", "alice"); err != nil {
		t.Fatal(err)
	}
	want("removed", second, edges.ErrRefused)
	if _, _, err := r.Enrol(ctx, unspent, csr(t), csr(t)); !errors.Is(err, edges.ErrJoinToken) {
		t.Fatalf("a token from before the removal: %v", err)
	}
	if err := r.Remove(ctx, "nobody", "alice"); !errors.Is(err, edges.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := r.Enrol(ctx, join(t, r, "edge-a"), csr(t), csr(t)); err != nil {
		t.Fatalf("a removed edge cannot be taken back: %v", err)
	}
}

func TestCreateJoinTokenRefuses(t *testing.T) {
	r, _ := newRegistry(t)
	for _, tt := range []struct {
		name, edge string
		names      []string
		ttl        time.Duration
	}{
		{"bad name", "Edge_A", nil, 0},
		{"long ttl", "edge-a", nil, 25 * time.Hour},
		{"negative ttl", "edge-a", nil, -1},
		{"bad DNS name", "edge-a", []string{"a b"}, 0},
		{"wildcard", "edge-a", []string{"*.example.com"}, 0},
		{"too many names", "edge-a", make([]string, 21), 0},
	} {
		if _, err := r.CreateJoinToken(t.Context(), tt.edge, tt.names, tt.ttl, "alice"); !errors.Is(err, edges.ErrInvalid) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestNewerConnectionTakesOver(t *testing.T) {
	r, _ := newRegistry(t)
	ctx := t.Context()
	old, err := r.Announce(ctx, edges.Presence{Edge: "edge-a", Boot: "b1"})
	if err != nil {
		t.Fatal(err)
	}
	newer, err := r.Announce(ctx, edges.Presence{Edge: "edge-a", Boot: "b2"})
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Enforces(ctx, 7, ""); !errors.Is(err, edges.ErrSuperseded) {
		t.Fatalf("the older connection writes: %v", err)
	}
	if err := old.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if boots, err := r.Boots(ctx); err != nil || boots["edge-a"] != "b2" {
		t.Fatalf("%v, %v", boots, err)
	}
	if err := newer.Enforces(ctx, 3, "bad"); err != nil {
		t.Fatal(err)
	}
	if err := newer.Renew(ctx, 0); err != nil {
		t.Fatal(err)
	}
	present, err := r.Present(ctx)
	if err != nil || present["edge-a"].Revision != 3 || present["edge-a"].Error != "bad" {
		t.Fatalf("%+v, %v", present, err)
	}
	if err := newer.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if boots, err := r.Boots(ctx); err != nil || len(boots) != 0 {
		t.Fatalf("%v, %v", boots, err)
	}
}
