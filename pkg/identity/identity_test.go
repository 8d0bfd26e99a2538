package identity_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/identity"
)

func TestEdgeURI(t *testing.T) {
	good, err := url.Parse("spiffe://writ/edge/prod-eu-1")
	if err != nil {
		t.Fatal(err)
	}
	if name, err := identity.ParseEdgeURI(good); err != nil || name != "prod-eu-1" {
		t.Fatalf("got %q, %v", name, err)
	}
	for _, bad := range []string{
		"spiffe://writ/edge/", "spiffe://writ/edge", "spiffe://writ/edge/a/b", "spiffe://writ/edge/A",
		"spiffe://writ/edge/a%2Fb", "spiffe://writ/edge/%61", "spiffe://writ/edge/../edge/a", "spiffe://writ/agent/a",
		"spiffe://evil/edge/a", "spiffe://writ:1/edge/a", "spiffe://u@writ/edge/a", "https://writ/edge/a",
		"spiffe://writ/edge/a?x", "spiffe://writ/edge/a#x", "spiffe://WRIT/edge/a", "spiffe:writ/edge/a", "edge/a", "",
	} {
		u, err := url.Parse(bad)
		if err != nil {
			continue
		}
		if name, err := identity.ParseEdgeURI(u); !errors.Is(err, identity.ErrNotEdge) || name != "" {
			t.Errorf("%s: got %q, %v", bad, name, err)
		}
	}
}

func FuzzParseEdgeURI(f *testing.F) {
	f.Add("spiffe://writ/edge/prod")
	f.Add("spiffe://writ/edge/%70rod")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil {
			return
		}
		if name, err := identity.ParseEdgeURI(u); err == nil && identity.EdgeURI(name).String() != u.String() {
			t.Fatalf("%q gives %q", text, name)
		}
	})
}

func TestCheckEdgeName(t *testing.T) {
	for _, good := range []string{"a", "prod-eu-1", strings.Repeat("a", 63)} {
		if err := identity.CheckEdgeName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "A", "a.b", "a/b", "a b", "ä", "a\n", strings.Repeat("a", 64)} {
		if identity.CheckEdgeName(bad) == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestPin(t *testing.T) {
	cert := selfSigned(t, &x509.Certificate{})
	pin := identity.PinOf(cert)
	parsed, err := identity.ParsePin(pin.String())
	if err != nil || parsed != pin || !parsed.Matches(cert) {
		t.Fatalf("%s: %v", pin, err)
	}
	if parsed.Matches(selfSigned(t, &x509.Certificate{})) {
		t.Fatal("matches another key")
	}
	if (identity.Pin{}).Matches(cert) || !(identity.Pin{}).IsZero() || (identity.Pin{}).String() != "" {
		t.Fatal("the zero pin is something")
	}
	for _, bad := range []string{"", "sha256:", pin.String()[7:], pin.String() + "0", "sha1:" + pin.String()[7:], "sha256:" + strings.Repeat("g", 64)} {
		if got, err := identity.ParsePin(bad); err == nil || !got.IsZero() {
			t.Errorf("parsed %q", bad)
		}
	}
}

func FuzzParsePin(f *testing.F) {
	f.Add("sha256:" + strings.Repeat("0a", 32))
	f.Fuzz(func(t *testing.T, text string) {
		if pin, err := identity.ParsePin(text); err == nil && pin.String() != strings.ToLower(text) {
			t.Fatalf("%q gives %s", text, pin)
		}
	})
}

func TestKeys(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	id := identity.KeyID(public)
	given := map[string]ed25519.PublicKey{id: public}
	keys, err := identity.NewKeys(given)
	if err != nil {
		t.Fatal(err)
	}
	clear(given) // the set must not change with its source
	message := sha256.Sum256([]byte("x"))
	signature := ed25519.Sign(private, message[:])
	if err := keys.Verify(id, message[:], signature); err != nil {
		t.Fatal(err)
	}
	signature[0] ^= 1
	for name, err := range map[string]error{
		"flipped":   keys.Verify(id, message[:], signature),
		"empty":     keys.Verify(id, message[:], nil),
		"other id":  keys.Verify("x", message[:], ed25519.Sign(private, message[:])),
		"zero keys": identity.Keys{}.Verify(id, message[:], ed25519.Sign(private, message[:])),
	} {
		if !errors.Is(err, identity.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := identity.NewKeys(map[string]ed25519.PublicKey{"other": public}); err == nil {
		t.Error("accepted a key under another id")
	}
	if _, err := identity.NewKeys(map[string]ed25519.PublicKey{identity.KeyID(public[:31]): public[:31]}); err == nil {
		t.Error("accepted a short key")
	}
}

func TestEdgeNameNeedsVerifiedChain(t *testing.T) {
	edge := &x509.Certificate{URIs: []*url.URL{identity.EdgeURI("a")}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	change := func(f func(*x509.Certificate)) *x509.Certificate {
		c := *edge
		f(&c)
		return selfSigned(t, &c)
	}
	good := selfSigned(t, edge)
	state := func(cert *x509.Certificate) tls.ConnectionState {
		return tls.ConnectionState{
			HandshakeComplete: true, PeerCertificates: []*x509.Certificate{cert}, VerifiedChains: [][]*x509.Certificate{{cert}},
		}
	}
	if name, err := identity.EdgeName(state(good)); err != nil || name != "a" {
		t.Fatalf("got %q, %v", name, err)
	}
	unverified, early := state(good), state(good)
	unverified.VerifiedChains = nil
	early.HandshakeComplete = false
	for what, s := range map[string]tls.ConnectionState{
		"nothing":         {},
		"unverified":      unverified,
		"early":           early,
		"for servers":     state(change(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })),
		"no identity":     state(change(func(c *x509.Certificate) { c.URIs = nil })),
		"two identities":  state(change(func(c *x509.Certificate) { c.URIs = append(c.URIs[:1:1], identity.EdgeURI("b")) })),
		"common name":     state(change(func(c *x509.Certificate) { c.URIs = nil; c.Subject.CommonName = "a" })),
		"foreign domains": state(change(func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "x", Path: "/edge/a"}} })),
	} {
		if name, err := identity.EdgeName(s); !errors.Is(err, identity.ErrNotEdge) || name != "" {
			t.Errorf("%s: got %q, %v", what, name, err)
		}
	}
}

func TestTLSRefusesMissingParts(t *testing.T) {
	present := func() (*tls.Certificate, error) { return nil, nil }
	for name, make := range map[string]func() (*tls.Config, error){
		"server without roots":       func() (*tls.Config, error) { return identity.ServerTLS(present, nil) },
		"server without certificate": func() (*tls.Config, error) { return identity.ServerTLS(nil, x509.NewCertPool()) },
		"serving":                    func() (*tls.Config, error) { return identity.ServingTLS(nil) },
		"edge without roots":         func() (*tls.Config, error) { return identity.EdgeTLS(present, nil) },
		"edge without certificate":   func() (*tls.Config, error) { return identity.EdgeTLS(nil, x509.NewCertPool()) },
		"enrol without pin":          func() (*tls.Config, error) { return identity.EnrolTLS(identity.Pin{}, time.Now) },
	} {
		if c, err := make(); err == nil || c != nil {
			t.Errorf("%s: made %v", name, c)
		}
	}
}

func selfSigned(t testing.TB, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := *template
	c.SerialNumber = big.NewInt(1)
	if c.Subject.CommonName == "" {
		c.Subject = pkix.Name{CommonName: "test"}
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, &c, &c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
