package store_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/writhq/writ/controlplane/internal/store"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// everyStore runs a test against each kind of store a user can have.
func everyStore(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Run("embedded", func(t *testing.T) { test(t, openEmbedded(t)) })
	t.Run("external", func(t *testing.T) {
		server := startServer(t)
		test(t, server.open(t))
	})
}

func openEmbedded(t testing.TB) *store.Store {
	return open(t, store.Config{DataDir: privateDir(t)})
}

func privateDir(t testing.TB) string { return filepath.Join(t.TempDir(), "data") }

func open(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// server is a real etcd with TLS and client certificates, as a user runs it.
type server struct {
	etcd *embed.Etcd
	url  string
	tls  store.TLSFiles
}

func startServer(t testing.TB) *server {
	t.Helper()
	files := writeCerts(t)
	anyPort := []url.URL{{Scheme: "https", Host: "127.0.0.1:0"}}
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	cfg.ListenPeerUrls, cfg.ListenClientUrls = nil, anyPort
	cfg.AdvertisePeerUrls, cfg.AdvertiseClientUrls = anyPort, anyPort
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.TickMs, cfg.ElectionMs = 20, 200
	cfg.ClientTLSInfo.TrustedCAFile = files.CA
	cfg.ClientTLSInfo.CertFile, cfg.ClientTLSInfo.KeyFile = files.Cert, files.Key
	cfg.ClientTLSInfo.ClientCertAuth = true
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(etcd.Close)
	<-etcd.Server.ReadyNotify()
	return &server{etcd: etcd, url: "https://" + etcd.Clients[0].Addr().String(), tls: files}
}

func (s *server) open(t testing.TB) *store.Store {
	return open(t, store.Config{Endpoints: []string{s.url}, TLS: s.tls})
}

func writeCerts(t testing.TB) store.TLSFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert := writePEM(t, dir, "cert.pem", "CERTIFICATE", der)
	return store.TLSFiles{CA: cert, Cert: cert, Key: writePEM(t, dir, "key.pem", "PRIVATE KEY", keyDER)}
}

func writePEM(t testing.TB, dir, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRefuses(t *testing.T) {
	open755 := t.TempDir()
	if err := os.Chmod(open755, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]store.Config{
		"nothing":             {},
		"prefix without ends": {DataDir: privateDir(t), Prefix: "writ"},
		"prefix of nothing":   {DataDir: privateDir(t), Prefix: "//"},
		"prefix with a gap":   {DataDir: privateDir(t), Prefix: "/a//b/"},
		"shared data dir":     {DataDir: open755},
		"plain text remote":   {Endpoints: []string{"http://10.0.0.1:2379"}},
		"plain text by name":  {Endpoints: []string{"http://localhost.example:2379"}},
		"no scheme":           {Endpoints: []string{"10.0.0.1:2379"}},
		"half a key pair":     {Endpoints: []string{"https://127.0.0.1:1"}, TLS: store.TLSFiles{Cert: "x"}},
		"missing ca":          {Endpoints: []string{"https://127.0.0.1:1"}, TLS: store.TLSFiles{CA: "/nonexistent"}},
		"negative timeout":    {DataDir: privateDir(t), OpTimeout: -1},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := store.Open(t.Context(), cfg)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			t.Log(err)
		})
	}
}

func TestOpenUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	_, err = store.Open(t.Context(), store.Config{
		Endpoints: []string{"http://" + l.Addr().String()}, DialTimeout: 300 * time.Millisecond, OpTimeout: 100 * time.Millisecond,
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
}

func TestOpenWithoutClientCertificate(t *testing.T) {
	server := startServer(t)
	_, err := store.Open(t.Context(), store.Config{
		Endpoints: []string{server.url}, TLS: store.TLSFiles{CA: server.tls.CA},
		DialTimeout: 500 * time.Millisecond, OpTimeout: 200 * time.Millisecond,
	})
	if err == nil {
		t.Fatal("opened without a client certificate")
	}
}

func TestOpenTwice(t *testing.T) {
	dir := privateDir(t)
	open(t, store.Config{DataDir: dir})
	if _, err := store.Open(t.Context(), store.Config{DataDir: dir}); !errors.Is(err, store.ErrInUse) {
		t.Fatalf("got %v, want ErrInUse", err)
	}
}

func TestEmbeddedListensNowhere(t *testing.T) {
	before := listeners(t)
	openEmbedded(t)
	if after := listeners(t); after != before {
		t.Fatalf("%d listening sockets, want %d", after, before)
	}
}

func listeners(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc")
	}
	n := 0
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && len(target) > 7 && target[:7] == "socket:" {
			n++
		}
	}
	return n
}

func TestValuesSurviveRestart(t *testing.T) {
	dir := privateDir(t)
	s, err := store.Open(t.Context(), store.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Define[string](s, "notes").Put(t.Context(), "a", "kept"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("closed in %v", time.Since(start))
	e, err := store.Define[string](open(t, store.Config{DataDir: dir}), "notes").Get(t.Context(), "a")
	if err != nil || e.Value != "kept" {
		t.Fatalf("got %v, %v", e, err)
	}
}

func TestAfterClose(t *testing.T) {
	s, err := store.Open(t.Context(), store.Config{DataDir: privateDir(t)})
	if err != nil {
		t.Fatal(err)
	}
	notes := store.Define[string](s, "notes")
	running := make(chan error, 1)
	go func() { running <- s.Run(context.Background()) }()
	following := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		following <- notes.Follow(context.Background(),
			func([]store.Entry[string], store.Revision) { close(ready) }, func(store.Event[string]) {})
	}()
	<-ready
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatalf("second close: %v", err)
	}
	if err := <-following; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("follow ended with %v", err)
	}
	if err := <-running; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("run ended with %v", err)
	}
	if _, err := notes.Get(t.Context(), "a"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("get after close: %v", err)
	}
}
