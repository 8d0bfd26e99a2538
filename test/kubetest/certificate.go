package kubetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// ClientCertificate makes a certificate by which the API server knows a user and its groups, and its key, in PEM.
func (l *Lab) ClientCertificate(t testing.TB, user string, groups ...string) (cert, key []byte) {
	t.Helper()
	cert, key, err := l.issue(user, groups)
	if err != nil {
		t.Fatalf("client certificate of %s: %v", user, err)
	}
	return cert, key
}

func (l *Lab) issue(user string, groups []string) (cert, key []byte, err error) {
	authority, err := tls.LoadX509KeyPair(l.info.ClientCACert, l.info.ClientCAKey)
	if err != nil {
		return nil, nil, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: user, Organization: groups}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, private.Public(), authority.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

// Client calls the API server directly as a user, by a client certificate.
func (l *Lab) Client(t testing.TB, user string, groups ...string) *http.Client {
	t.Helper()
	pair, err := tls.X509KeyPair(l.ClientCertificate(t, user, groups...))
	if err != nil {
		t.Fatal(err)
	}
	c := l.client(&pair)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// UserKubeconfig writes a kubeconfig that goes to the API server directly, as a user by a client certificate.
func (l *Lab) UserKubeconfig(t testing.TB, user string, groups ...string) string {
	t.Helper()
	cert, key := l.ClientCertificate(t, user, groups...)
	return l.kubeconfig(t, map[string]string{"client-certificate-data": encode(cert), "client-key-data": encode(key)})
}

// TokenKubeconfig writes a kubeconfig that goes to the API server directly, by a bearer token.
func (l *Lab) TokenKubeconfig(t testing.TB, token string) string {
	t.Helper()
	return l.kubeconfig(t, map[string]string{"token": token})
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func (l *Lab) kubeconfig(t testing.TB, user map[string]string) string {
	t.Helper()
	named := func(kind string, value any) []any { return []any{map[string]any{"name": "lab", kind: value}} }
	config, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "lab", "users": named("user", user),
		"clusters": named("cluster", map[string]string{"server": l.Server, "certificate-authority-data": encode(l.CAPEM)}),
		"contexts": named("context", map[string]string{"cluster": "lab", "user": "lab"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
