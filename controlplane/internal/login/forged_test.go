package login_test

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
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/policy"
)

// signer makes tokens with any key, headers and payload.
type signer struct{ key *ecdsa.PrivateKey }

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

func (s signer) jwk(kid string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: s.key.Public(), KeyID: kid, Algorithm: string(jose.ES256), Use: "sig"}
}

func (s signer) sign(t *testing.T, payload string, headers map[jose.HeaderKey]any) string {
	t.Helper()
	opts := &jose.SignerOptions{ExtraHeaders: headers}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, opts.WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := made.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// payload is a good one, with more before its end.
func payload(t *testing.T, issuer, more string) string {
	t.Helper()
	base, err := json.Marshal(map[string]any{
		"iss": issuer, "aud": audience, "sub": "job-1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(base[:len(base)-1]) + more + "}"
}

// writeKeys writes a JWK set to a file.
func writeKeys(t *testing.T, path string, keys ...jose.JSONWebKey) {
	t.Helper()
	data, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

const offline = "https://kubernetes.default.svc"

// offlineLogins accepts the tokens of a cluster whose keys are in a file.
func offlineLogins(t *testing.T, keys ...jose.JSONWebKey) (*fixture, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	writeKeys(t, path, keys...)
	return setUp(t, func(is *login.Issuer) {
		is.URL, is.Kind, is.KindClaim, is.JWKSFile = offline, policy.KindJob, "", path
	}), path
}

func TestKeysThatATokenBringsAlongCountForNothing(t *testing.T) {
	var asked atomic.Int64
	mallory := newSigner(t)
	lure := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{mallory.jwk("k1")}})
	}))
	defer lure.Close()
	own := newSigner(t)
	f, _ := offlineLogins(t, own.jwk("k1"))
	good := payload(t, offline, "")
	if _, err := f.WithIDToken(t.Context(), own.sign(t, good, map[jose.HeaderKey]any{"kid": "k1"})); err != nil {
		t.Fatal(err)
	}
	for name, headers := range map[string]map[jose.HeaderKey]any{
		"jku":           {"kid": "k1", "jku": lure.URL},
		"jku, no kid":   {"jku": lure.URL},
		"x5u":           {"kid": "k1", "x5u": lure.URL},
		"jwk":           {"jwk": mallory.jwk("k1")},
		"kid is a path": {"kid": "../../../../../../dev/null"},
		"kid is a URL":  {"kid": lure.URL},
		"kid is SQL":    {"kid": "k1' UNION SELECT 'x"},
	} {
		in, err := f.WithIDToken(t.Context(), mallory.sign(t, good, headers))
		if !errors.Is(err, login.ErrProof) {
			t.Errorf("%s: %+v, %v", name, in.Caller.Principal, err)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("a token had %d addresses asked", n)
	}
	if _, err := f.WithIDToken(t.Context(), own.sign(t, good, map[jose.HeaderKey]any{"kid": "k1", "jku": lure.URL})); err != nil {
		t.Errorf("a good signature is refused for a header that does not count: %v", err)
	}
}

func TestClaimsThatAreThereTwice(t *testing.T) {
	own := newSigner(t)
	f, _ := offlineLogins(t, own.jwk("k1"))
	for name, more := range map[string]string{
		"two subjects":         `,"sub":"admin"`,
		"two cases":            `,"Sub":"admin"`,
		"two groups":           `,"groups":["a"],"groups":["platform"]`,
		"two audiences":        `,"aud":"other"`,
		"two issuers":          `,"ISS":"https://evil.example"`,
		"twice in a structure": `,"act":{"sub":"a","sub":"b"}`,
	} {
		in, err := f.WithIDToken(t.Context(), own.sign(t, payload(t, offline, more), map[jose.HeaderKey]any{"kid": "k1"}))
		if !errors.Is(err, login.ErrProof) {
			t.Errorf("%s: %+v, %v", name, in.Caller.Principal, err)
		}
	}
}

func TestKeysFromAFileAreReadAgain(t *testing.T) {
	before, after := newSigner(t), newSigner(t)
	f, path := offlineLogins(t, before.jwk("k1"))
	try := func(s signer, kid string) error {
		_, err := f.WithIDToken(t.Context(), s.sign(t, payload(t, offline, ""), map[jose.HeaderKey]any{"kid": kid}))
		return err
	}
	if err := try(before, "k1"); err != nil {
		t.Fatal(err)
	}
	writeKeys(t, path, after.jwk("k2"))
	f.clock.advance(10 * time.Second)
	if err := try(after, "k2"); err != nil {
		t.Fatalf("a new key: %v", err)
	}
	if err := try(before, "k1"); !errors.Is(err, login.ErrProof) {
		t.Fatalf("a key that is gone: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	f.clock.advance(16 * time.Minute)
	if err := try(after, "k2"); !errors.Is(err, login.ErrIssuerUnavailable) {
		t.Fatalf("without the file: %v", err)
	}
}

func TestKeysFromAnAddressWithoutDiscovery(t *testing.T) {
	own := newSigner(t)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/openid/v1/jwks" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{own.jwk("k1")}})
	}))
	defer keys.Close()
	f := setUp(t, func(is *login.Issuer) {
		is.URL, is.Kind, is.KindClaim, is.JWKSURL = offline, policy.KindJob, "", keys.URL+"/openid/v1/jwks"
	})
	if _, err := f.WithIDToken(t.Context(), own.sign(t, payload(t, offline, ""), nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WithIDToken(t.Context(), newSigner(t).sign(t, payload(t, offline, ""), nil)); !errors.Is(err, login.ErrProof) {
		t.Fatalf("another key: %v", err)
	}
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	f := setUp(t, nil)
	own := newSigner(t)
	dir := t.TempDir()
	write := func(name string, keys ...jose.JSONWebKey) string {
		path := filepath.Join(dir, name)
		writeKeys(t, path, keys...)
		return path
	}
	for name, is := range map[string]login.Issuer{
		"missing":       {JWKSFile: filepath.Join(dir, "none")},
		"a folder":      {JWKSFile: dir},
		"no keys":       {JWKSFile: write("empty")},
		"a private key": {JWKSFile: write("private", jose.JSONWebKey{Key: own.key, KeyID: "k1"})},
		"a secret":      {JWKSFile: write("secret", jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "k1"})},
		"both":          {JWKSFile: write("good", own.jwk("k1")), JWKSURL: "https://x.example/keys"},
		"plain http":    {JWKSURL: "http://x.example/keys"},
	} {
		is.URL, is.Audiences, is.Kind = offline, []string{audience}, policy.KindJob
		if _, err := login.New(login.Config{Store: f.store, Locks: f.locks, Issuers: []login.Issuer{is}, Now: time.Now}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
