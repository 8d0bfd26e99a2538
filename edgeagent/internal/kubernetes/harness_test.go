package kubernetes

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/enforce/enforcetest"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/test/kubetest"
)

// bed is an edge's Kubernetes side before a real API server, with the control plane faked.
type bed struct {
	*enforcetest.Bed
	t      testing.TB
	lab    *kubetest.Lab
	server *Server
	url    string
	caPEM  []byte
	res    *Resource
}

// impersonator may act as anybody whom the edge names, and nothing else.
const impersonator = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: writ-impersonator}
rules:
- {apiGroups: [""], resources: [users, groups], verbs: [impersonate]}
- {apiGroups: [authentication.k8s.io], resources: [userextras/writ.dev/session, userextras/writ.dev/grant, userextras/writ.dev/on-behalf-of], verbs: [impersonate]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: writ-impersonator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: writ-impersonator}
subjects: [{kind: User, name: writ-edge, apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: writ-agents}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: Group, name: "writ:agents", apiGroup: rbac.authorization.k8s.io}]
`

const permitAll = `
@id("all") permit (principal, action in [Action::"session:open", Action::"k8s:all", Action::"k8s:reveal"], resource);
`

const maskSecrets = `
@id("mask-secret") @mask("redact") forbid (principal, action == Action::"k8s:reveal", resource in DataClass::"secret");
`

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{t: t, lab: apiserver.Lab(t)}
	b.lab.Apply(t, impersonator)
	cert, key := b.lab.ClientCertificate(t, "writ-edge")
	b.res = &Resource{
		Policy:   policy.Resource{Name: "lab", Kind: "kubernetes", Labels: map[string]string{"env": "dev"}},
		Endpoint: strings.TrimPrefix(b.lab.Server, "https://"), AllowLoopback: true, Version: 1,
		TLS: upstream.TLS{Mode: upstream.VerifyFull, CAPEM: b.lab.CAPEM},
	}
	who := policy.Principal{Kind: policy.KindAgent, ID: "ada", Name: "ada", Groups: []string{"agents"}}
	b.Bed = enforcetest.New(t, who, b.res.Policy, func() enforce.Credential {
		return enforce.Credential{Lease: "lease-1", User: "writ-edge", ClientCertificate: bytes.Clone(cert), Password: bytes.Clone(key), ExpiresAt: time.Now().Add(time.Hour)}
	})
	b.Policies.Set(t, permitAll+maskSecrets)
	b.serve()
	return b
}

func (b *bed) serve() {
	b.t.Helper()
	dialer, err := upstream.New(upstream.Config{})
	if err != nil {
		b.t.Fatal(err)
	}
	var config *tls.Config
	config, b.caPEM = testTLS(b.t)
	b.server, err = New(Config{
		Pipeline: b.Pipeline, Broker: b.Control, Dialer: dialer, TLS: config, Keys: func() identity.Keys { return b.Keys }, Patience: 2 * time.Second,
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: testWriter{b.t}}),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.server.SetResources([]*Resource{b.res}, []byte("0123456789abcdef0123456789abcdef")); err != nil {
		b.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.url = "https://" + ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.server.Serve(ctx, ln) }()
	b.t.Cleanup(func() { cancel(); <-done })
}

// kubeconfig writes one for kubectl through the edge.
func (b *bed) kubeconfig() string {
	b.t.Helper()
	dir := b.t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":%q,"certificate-authority":%q}}],
"users":[{"name":"u","user":{"token":%q}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}`, b.url, ca, b.Token(b.t, "grant-1"))
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(ca, b.caPEM, 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return file
}

// kubectl runs one through the edge, and returns what it printed together with how it ended.
func (b *bed) kubectl(stdin string, args ...string) (string, error) {
	b.t.Helper()
	return b.kubectlVersion("", stdin, args...)
}

func (b *bed) kubectlVersion(version, stdin string, args ...string) (string, error) {
	b.t.Helper()
	k, err := b.lab.FindKubectl(version)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	cmd := k.Command(ctx, b.kubeconfig(), args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// client is an HTTP client with a token of its own.
func (b *bed) client() *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b.caPEM)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true, DisableCompression: true}}
}

// do sends a request with headers "Name: value", and returns the status and the body.
func (b *bed) do(method, path, body string, headers ...string) (int, string) {
	b.t.Helper()
	resp := b.send(method, path, body, headers...)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// send is do for an answer that the caller reads and closes.
func (b *bed) send(method, path, body string, headers ...string) *http.Response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.Token(b.t, "grant-1"))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header[name] = append(req.Header[name], value)
	}
	resp, err := b.client().Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

func testTLS(t testing.TB) (*tls.Config, []byte) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "edge"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
