package svid

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

const (
	maxBundle    = 1 << 20 // bytes
	maxAge       = 5 * time.Minute
	minFetch     = 5 * time.Second // so that made-up key ids cannot make it flood the address
	fetchTimeout = 10 * time.Second
)

// bundle is the trust domain's keys, read anew when they may have changed.
type bundle struct {
	cfg    Config
	domain spiffeid.TrustDomain
	client *http.Client
	now    func() time.Time

	mu    sync.Mutex
	keys  *jwtbundle.Bundle
	read  time.Time   // last success
	tried time.Time   // last attempt
	file  os.FileInfo // as it was read
}

func newBundle(cfg Config, domain spiffeid.TrustDomain, now func() time.Time) (*bundle, error) {
	b := &bundle{cfg: cfg, domain: domain, now: now}
	if cfg.BundleFile != "" {
		return b, b.readFile()
	}
	u, err := url.Parse(cfg.BundleURL)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, errors.New("bundle_url: not an address")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && !(u.Scheme == "http" && err == nil && addr.IsLoopback()) {
		return nil, errors.New("bundle_url: must be https")
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, err
	}
	b.client = &http.Client{
		Timeout: fetchTimeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return b, nil
}

func (c Config) roots() (*x509.CertPool, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s holds no certificate", c.CAFile)
	}
	return pool, nil
}

// current returns the keys that count now. A file that changed, or that cannot be read, is never used as it was.
func (b *bundle) current(ctx context.Context, keyID string) (*jwtbundle.Bundle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	if b.cfg.BundleFile != "" {
		err = b.readChangedFile()
	} else if b.stale(keyID) {
		err = b.fetch(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return b.keys, nil
}

func (b *bundle) readChangedFile() error {
	info, err := os.Stat(b.cfg.BundleFile)
	if err != nil {
		return err
	}
	if b.file != nil && os.SameFile(info, b.file) && info.ModTime().Equal(b.file.ModTime()) && info.Size() == b.file.Size() {
		return nil
	}
	return b.readFile()
}

func (b *bundle) readFile() error {
	b.file = nil
	f, err := os.Open(b.cfg.BundleFile)
	if err != nil {
		return fmt.Errorf("bundle_file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("bundle_file: %w", err)
	}
	if err := b.take(f); err != nil {
		return fmt.Errorf("bundle_file: %w", err)
	}
	b.file = info
	return nil
}

// stale reports whether the bundle must be fetched, for its age or for a key it does not have.
func (b *bundle) stale(keyID string) bool {
	if b.keys == nil || b.now().Sub(b.read) >= maxAge {
		return true
	}
	_, known := b.keys.FindJWTAuthority(keyID)
	return !known && b.now().Sub(b.tried) >= minFetch
}

func (b *bundle) fetch(ctx context.Context) error {
	if !b.tried.IsZero() && b.now().Sub(b.tried) < minFetch {
		return errors.New("bundle_url: it could not be fetched a moment ago")
	}
	b.tried = b.now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.cfg.BundleURL, nil)
	if err != nil {
		return err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("bundle_url: %s", resp.Status)
	}
	if err := b.take(resp.Body); err != nil {
		return fmt.Errorf("bundle_url: %w", err)
	}
	b.read = b.now()
	return nil
}

// take replaces the keys by those that r holds.
func (b *bundle) take(r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxBundle+1))
	if err != nil {
		return err
	}
	if len(data) > maxBundle {
		return errors.New("it is too long")
	}
	keys, err := parseBundle(b.domain, data)
	if err != nil {
		return err
	}
	b.keys = keys
	return nil
}

// parseBundle reads a SPIFFE bundle, of which only the keys of JWT-SVIDs count, or a plain JWK set.
func parseBundle(domain spiffeid.TrustDomain, data []byte) (*jwtbundle.Bundle, error) {
	whole, err := spiffebundle.Parse(domain, data)
	if err != nil {
		return nil, errors.New("it is no bundle and no JWK set")
	}
	keys := whole.JWTBundle()
	if keys.Empty() && len(whole.X509Authorities()) == 0 {
		if keys, err = jwtbundle.Parse(domain, data); err != nil {
			return nil, errors.New("its keys cannot be read; each needs an id")
		}
	}
	if keys.Empty() {
		return nil, errors.New("it has no key of JWT-SVIDs")
	}
	return keys, nil
}

// keyID reads a token's "kid" header, only to see whether the bundle may be old.
func keyID(raw string) string {
	head, _, _ := strings.Cut(raw, ".")
	data, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return ""
	}
	var header struct {
		KeyID string `json:"kid"`
	}
	if json.Unmarshal(data, &header) != nil {
		return ""
	}
	return header.KeyID
}
