// Package oidctest is a small OIDC issuer for tests and the demo: discovery, keys and signed ID tokens over real HTTP,
// and the ways in which a token can be wrong.
package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Claims are the claims of a token. What a token needs and is not given is filled in: iss, iat, exp (1 h) and, with an
// email, email_verified. A claim of nil is left out.
type Claims map[string]any

// Issuer is a running issuer on a loopback address. It is safe for concurrent use.
type Issuer struct {
	url    string
	server *http.Server
	now    func() time.Time

	mu     sync.Mutex
	keys   []key
	down   bool
	visits *visits

	fetches atomic.Int64
}

// key is one signing key; the last of an issuer signs.
type key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   crypto.Signer
}

// Start runs an issuer on addr, such as "127.0.0.1:0", with one ES256 key. Close it.
func Start(addr string) (*Issuer, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start issuer: %w", err)
	}
	is := &Issuer{url: "http://" + l.Addr().String(), now: time.Now}
	if err := is.Rotate(jose.ES256); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", is.discovery)
	mux.HandleFunc("GET /keys", is.jwks)
	mux.HandleFunc("/authorize", is.authorize)
	mux.HandleFunc("POST /token", is.redeem)
	is.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = is.server.Serve(l) }() // ends with Close
	return is, nil
}

// URL is the issuer's URL, without a slash at its end.
func (is *Issuer) URL() string { return is.url }

// Close stops the issuer.
func (is *Issuer) Close() error { return is.server.Close() }

// SetDown makes the issuer answer every request with an error, or answer again.
func (is *Issuer) SetDown(down bool) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.down = down
}

// Fetches counts how often the keys were asked for.
func (is *Issuer) Fetches() int64 { return is.fetches.Load() }

// Rotate adds a key, RS256 or ES256, that signs from now on. The others still verify.
func (is *Issuer) Rotate(algorithm jose.SignatureAlgorithm) error {
	var private crypto.Signer
	var err error
	switch algorithm {
	case jose.RS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return fmt.Errorf("rotate: unsupported algorithm %q", algorithm)
	}
	if err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	is.keys = append(is.keys, key{id: fmt.Sprintf("key-%d", len(is.keys)+1), algorithm: algorithm, private: private})
	return nil
}

func (is *Issuer) current() key {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.keys[len(is.keys)-1]
}

func (is *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	is.answer(w, map[string]any{
		"issuer": is.url, "jwks_uri": is.url + "/keys",
		"authorization_endpoint": is.url + "/authorize", "token_endpoint": is.url + "/token",
		"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"none"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256", "RS256"},
	})
}

func (is *Issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	is.fetches.Add(1)
	var set jose.JSONWebKeySet
	is.mu.Lock()
	for _, k := range is.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(k.algorithm), Use: "sig"})
	}
	is.mu.Unlock()
	is.answer(w, set)
}

func (is *Issuer) answer(w http.ResponseWriter, body any) {
	is.mu.Lock()
	down := is.down
	is.mu.Unlock()
	if down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the client is gone
}

// Token returns a good ID token.
func (is *Issuer) Token(claims Claims) (string, error) {
	k := is.current()
	return is.sign(claims, k.algorithm, k.private, k.id)
}

// complete fills in what a token needs.
func (is *Issuer) complete(claims Claims) Claims {
	now := is.now()
	full := Claims{"iss": is.url, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	if _, ok := claims["email"]; ok {
		full["email_verified"] = true
	}
	maps.Copy(full, claims)
	for name, value := range full {
		if value == nil {
			delete(full, name)
		}
	}
	return full
}

func (is *Issuer) sign(claims Claims, algorithm jose.SignatureAlgorithm, with any, kid string) (string, error) {
	opts := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		opts = opts.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: with}, opts)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	payload, err := json.Marshal(is.complete(claims))
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return signed.CompactSerialize()
}
