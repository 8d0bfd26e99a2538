package login

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that an ID token may be signed with: only ones with a public key.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

const (
	fetchTimeout = 10 * time.Second
	maxDocument  = 1 << 20 // bytes of a discovery or key document
	// minFetch is the shortest time between two fetches from one issuer, so that tokens with made-up key ids cannot
	// make the control plane flood it.
	minFetch = 5 * time.Second
	// maxAge is how long fetched keys are used before they are fetched anew, so that a key that an issuer withdrew
	// stops counting.
	maxAge = 15 * time.Minute
)

// remoteKeys are an issuer's public keys, found by discovery when they are first needed.
type remoteKeys struct {
	issuer Issuer
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	found   document // zero when it must be looked up anew
	keys    jose.JSONWebKeySet
	fetched time.Time // last success
	tried   time.Time // last attempt
	failure error     // of the last attempt
}

func newRemoteKeys(is Issuer, now func() time.Time) (*remoteKeys, error) {
	roots, err := is.roots()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        time.Minute,
	}
	client := &http.Client{
		Transport: limited{transport}, Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &remoteKeys{issuer: is, client: client, now: now}, nil
}

// limited cuts response bodies off at maxDocument.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxDocument), resp.Body}
	}
	return resp, err
}

// VerifySignature returns the payload of a token that one of the issuer's keys signed.
func (k *remoteKeys) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	sig, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	header := sig.Signatures[0].Header
	keys, err := k.find(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if !usable(key, header.Algorithm) {
			continue
		}
		if payload, err := sig.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the issuer signed this token")
}

func usable(key jose.JSONWebKey, algorithm string) bool {
	return key.IsPublic() && key.Valid() && (key.Use == "" || key.Use == "sig") && (key.Algorithm == "" || key.Algorithm == algorithm)
}

// find returns the keys with that id, or all when the token names none.
func (k *remoteKeys) find(ctx context.Context, id string) ([]jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fresh := !k.fetched.IsZero() && k.now().Sub(k.fetched) < maxAge
	if found := k.match(id); fresh && len(found) > 0 {
		return found, nil
	}
	if !k.tried.IsZero() && k.now().Sub(k.tried) < minFetch {
		if fresh || k.failure == nil {
			return k.match(id), nil
		}
		return nil, k.failure
	}
	k.tried = k.now()
	if k.failure = k.fetch(ctx); k.failure != nil {
		return nil, k.failure
	}
	k.fetched = k.now()
	return k.match(id), nil
}

func (k *remoteKeys) match(id string) []jose.JSONWebKey {
	if id == "" {
		return k.keys.Keys
	}
	return k.keys.Key(id)
}

// fetch reads the discovery document, the first time, and the keys. It does not end with the caller's call, which
// others may wait for.
func (k *remoteKeys) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	if k.issuer.JWKSFile != "" {
		set, err := readKeys(k.issuer.JWKSFile)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrIssuerUnavailable, err)
		}
		k.keys = set
		return nil
	}
	if k.issuer.JWKSURL != "" {
		k.found.JWKSURI = k.issuer.JWKSURL
	}
	if k.found.JWKSURI == "" {
		doc, err := k.discover(ctx)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrIssuerUnavailable, err)
		}
		k.found = doc
	}
	var set jose.JSONWebKeySet
	if err := k.get(ctx, k.found.JWKSURI, &set); err != nil {
		k.found = document{} // it may have moved
		return fmt.Errorf("%w: %w", ErrIssuerUnavailable, err)
	}
	k.keys = set
	return nil
}

// document is what Writ reads of an issuer's discovery document (OpenID Connect Discovery 1.0, section 3; RFC 9207,
// section 3).
type document struct {
	JWKSURI       string   `json:"jwks_uri"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	ClientAuth    []string `json:"token_endpoint_auth_methods_supported"`
	NamesItself   bool     `json:"authorization_response_iss_parameter_supported"`
}

// document returns the issuer's discovery document.
func (k *remoteKeys) document(ctx context.Context) (document, error) {
	if _, err := k.find(ctx, ""); err != nil {
		return document{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.found, nil
}

func (k *remoteKeys) discover(ctx context.Context) (document, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, k.client), k.issuer.URL)
	if err != nil {
		return document{}, fmt.Errorf("discover: %w", err)
	}
	var doc document
	if err := provider.Claims(&doc); err != nil {
		return document{}, fmt.Errorf("discover: %w", err)
	}
	if !secureAddress(doc.JWKSURI) {
		return document{}, errors.New("discover: jwks_uri is not an https address")
	}
	return doc, nil
}

// secureAddress reports whether an address is https, or on this machine.
func secureAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

func (k *remoteKeys) get(ctx context.Context, uri string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("get keys: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("get keys: %w", err)
	}
	return nil
}
