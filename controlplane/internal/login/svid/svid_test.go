package svid

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/writhq/writ/pkg/policy"
)

// authority is a trust domain's signing key.
type authority struct {
	key *ecdsa.PrivateKey
	id  string
}

func newAuthority(t *testing.T, id string) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key, id}
}

// bundle is a JWK set whose keys are for a use.
func bundleOf(t *testing.T, use string, all ...authority) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, a := range all {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: a.key.Public(), KeyID: a.id, Use: use})
	}
	data, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// svid makes a good SVID of the worker, with other claims in their place; nil leaves one out.
func (a authority) svid(t *testing.T, more map[string]any) string {
	t.Helper()
	claims := map[string]any{
		"sub": "spiffe://prod.example/ns/shop/sa/worker", "aud": []string{"writ"}, "iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(),
	}
	for name, value := range more {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: a.key, KeyID: a.id}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var rules = []Rule{
	{Path: "/ns/shop/sa/worker", Kind: policy.KindAgent, Groups: []string{"shop", "agents"}},
	{Path: "/ns/shop/sa/*", Kind: policy.KindService},
}

func newVerifier(t *testing.T, bundle []byte) (*Verifier, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.json")
	write(t, path, bundle)
	v, err := New(Config{TrustDomain: "prod.example", BundleFile: path, Audiences: []string{"writ"}, Rules: rules}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return v, path
}

func TestSVIDs(t *testing.T) {
	own, other := newAuthority(t, "k1"), newAuthority(t, "k1")
	v, _ := newVerifier(t, bundleOf(t, "jwt-svid", own))
	got, err := v.Verify(t.Context(), own.svid(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	p := got.Principal
	if p.ID != "spiffe://prod.example/ns/shop/sa/worker" || p.Issuer != "spiffe://prod.example" || p.Kind != policy.KindAgent ||
		!slices.Equal(p.Groups, []string{"agents", "shop"}) || time.Since(got.Issued) > time.Minute || time.Until(got.Expires) > 5*time.Minute {
		t.Fatalf("got %+v", got)
	}
	if got, err := v.Verify(t.Context(), own.svid(t, map[string]any{"sub": "spiffe://prod.example/ns/shop/sa/other"})); err != nil || got.Principal.Kind != policy.KindService || len(got.Principal.Groups) > 0 {
		t.Fatalf("the second rule: %+v, %v", got, err)
	}
	past, future := time.Now().Add(-time.Second).Unix(), time.Now().Add(5*time.Minute).Unix()
	for name, raw := range map[string]string{
		"another trust domain":        own.svid(t, map[string]any{"sub": "spiffe://dev.example/ns/shop/sa/worker"}),
		"a trust domain that ends so": own.svid(t, map[string]any{"sub": "spiffe://evil.prod.example/ns/shop/sa/worker"}),
		"a trust domain in the path":  own.svid(t, map[string]any{"sub": "spiffe://dev.example/prod.example/ns/shop/sa/worker"}),
		"another audience":            own.svid(t, map[string]any{"aud": []string{"vault"}}),
		"no audience":                 own.svid(t, map[string]any{"aud": nil}),
		"expired a second ago":        own.svid(t, map[string]any{"exp": past}),
		"no expiry":                   own.svid(t, map[string]any{"exp": nil}),
		"not yet":                     own.svid(t, map[string]any{"nbf": future}),
		"issued in the future":        own.svid(t, map[string]any{"iat": future}),
		"no time of issue":            own.svid(t, map[string]any{"iat": nil}),
		"no subject":                  own.svid(t, map[string]any{"sub": nil}),
		"no SPIFFE ID":                own.svid(t, map[string]any{"sub": "worker"}),
		"the trust domain itself":     own.svid(t, map[string]any{"sub": "spiffe://prod.example"}),
		"a path that climbs":          own.svid(t, map[string]any{"sub": "spiffe://prod.example/ns/shop/../shop/sa/worker"}),
		"another namespace":           own.svid(t, map[string]any{"sub": "spiffe://prod.example/ns/evil/sa/worker"}),
		"a longer path":               own.svid(t, map[string]any{"sub": "spiffe://prod.example/ns/shop/sa/worker/x"}),
		"another case":                own.svid(t, map[string]any{"sub": "spiffe://prod.example/ns/shop/SA/worker"}),
		"a key of another domain":     other.svid(t, nil),
		"a key of nobody":             newAuthority(t, "k9").svid(t, nil),
		"no key id":                   authority{own.key, ""}.svid(t, nil),
		"garbage":                     "a.b.c",
		"nothing":                     "",
		"too long":                    own.svid(t, map[string]any{"x": string(make([]byte, maxSVID))}),
	} {
		if got, err := v.Verify(t.Context(), raw); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestBundleFileIsReadWhenItChanges(t *testing.T) {
	before, after := newAuthority(t, "k1"), newAuthority(t, "k1")
	v, path := newVerifier(t, bundleOf(t, "jwt-svid", before))
	write(t, path, bundleOf(t, "jwt-svid", after, newAuthority(t, "k2")))
	if _, err := v.Verify(t.Context(), after.svid(t, nil)); err != nil {
		t.Fatalf("a new key: %v", err)
	}
	if _, err := v.Verify(t.Context(), before.svid(t, nil)); !errors.Is(err, ErrProof) {
		t.Fatalf("a key that is gone: %v", err)
	}
	write(t, path, []byte("{"))
	for range 2 {
		if _, err := v.Verify(t.Context(), after.svid(t, nil)); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("a broken bundle: %v", err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), after.svid(t, nil)); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("no bundle: %v", err)
	}
}

func TestBundleFromAnAddress(t *testing.T) {
	first, second := newAuthority(t, "k1"), newAuthority(t, "k2")
	served, fetches, down := bundleOf(t, "jwt-svid", first), 0, false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches++
		if down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write(served)
	}))
	defer srv.Close()
	ahead := time.Duration(0)
	v, err := New(Config{TrustDomain: "prod.example", BundleURL: srv.URL, Audiences: []string{"writ"}, Rules: rules}, func() time.Time { return time.Now().Add(ahead) })
	if err != nil || fetches > 0 {
		t.Fatal(err, fetches)
	}
	for range 3 {
		if _, err := v.Verify(t.Context(), first.svid(t, nil)); err != nil || fetches != 1 {
			t.Fatal(err, fetches)
		}
	}
	served = bundleOf(t, "jwt-svid", second)
	for range 20 {
		if _, err := v.Verify(t.Context(), second.svid(t, nil)); err == nil || fetches > 1 {
			t.Fatal("made-up key ids flood the address", err, fetches)
		}
	}
	ahead = 6 * time.Second
	if _, err := v.Verify(t.Context(), second.svid(t, nil)); err != nil || fetches != 2 {
		t.Fatal(err, fetches)
	}
	down, ahead = true, 10*time.Minute
	if _, err := v.Verify(t.Context(), second.svid(t, map[string]any{"exp": time.Now().Add(time.Hour).Unix()})); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("an old bundle is used while there is no new one: %v", err)
	}
}

func TestBundles(t *testing.T) {
	own := newAuthority(t, "k1")
	for name, tt := range map[string]struct {
		data []byte
		ok   bool
	}{
		"bundle":          {bundleOf(t, "jwt-svid", own), true},
		"plain JWK set":   {bundleOf(t, "sig", own), true},
		"without a use":   {bundleOf(t, "", own), true},
		"X.509 keys only": {bundleOf(t, "x509-svid", own), false},
		"no id":           {bundleOf(t, "", authority{own.key, ""}), false},
		"no keys":         {[]byte(`{"keys":[]}`), false},
		"nothing":         {nil, false},
	} {
		path := filepath.Join(t.TempDir(), "b")
		write(t, path, tt.data)
		_, err := New(Config{TrustDomain: "prod.example", BundleFile: path, Audiences: []string{"writ"}, Rules: rules}, time.Now)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b")
	write(t, path, bundleOf(t, "jwt-svid", newAuthority(t, "k1")))
	good := Config{TrustDomain: "prod.example", BundleFile: path, Audiences: []string{"writ"}, Rules: rules}
	for name, edit := range map[string]func(*Config){
		"a SPIFFE ID for a domain": func(c *Config) { c.TrustDomain = "spiffe://prod.example/x" },
		"upper case domain":        func(c *Config) { c.TrustDomain = "Prod.example" },
		"no audience":              func(c *Config) { c.Audiences = nil },
		"no bundle":                func(c *Config) { c.BundleFile = "" },
		"two bundles":              func(c *Config) { c.BundleURL = "https://x.example" },
		"a missing bundle":         func(c *Config) { c.BundleFile += "x" },
		"plain http":               func(c *Config) { c.BundleFile, c.BundleURL = "", "http://x.example/b" },
		"path without a slash":     func(c *Config) { c.Rules = []Rule{{Path: "ns/shop", Kind: "job"}} },
		"any namespace":            func(c *Config) { c.Rules = []Rule{{Path: "/ns/*/sa/worker", Kind: "job"}} },
		"several segments":         func(c *Config) { c.Rules = []Rule{{Path: "/ns/shop/**", Kind: "job"}} },
		"people":                   func(c *Config) { c.Rules = []Rule{{Path: "/a", Kind: "person"}} },
		"no kind":                  func(c *Config) { c.Rules = []Rule{{Path: "/a"}} },
		"an empty group":           func(c *Config) { c.Rules = []Rule{{Path: "/a", Kind: "job", Groups: []string{""}}} },
	} {
		cfg := good
		edit(&cfg)
		if _, err := New(cfg, time.Now); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(good, time.Now); err != nil {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJzdWIiOiJzcGlmZmU6Ly9wcm9kLmV4YW1wbGUvYSJ9.AAAA")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, raw string) {
		v := &Verifier{cfg: Config{Audiences: []string{"writ"}}, now: time.Now}
		if _, err := v.Verify(t.Context(), raw); !errors.Is(err, ErrProof) {
			t.Fatalf("%q: %v", raw, err)
		}
		keyID(raw)
	})
}
