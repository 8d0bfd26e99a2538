package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/upstream"
)

// outbound is a session's way to its API server: a transport of its own, the credential, and who is impersonated.
type outbound struct {
	server    *Server
	session   *enforce.Session
	cluster   *cluster
	transport *http.Transport

	mu      sync.Mutex
	cred    enforce.Credential // what the control plane gave
	cert    *tls.Certificate
	bearer  []byte
	expires time.Time // of what signs in
	tried   time.Time // when it was last renewed
}

func newOutbound(s *Server, session *enforce.Session, c *cluster) *outbound {
	o := &outbound{server: s, session: session, cluster: c}
	o.transport = &http.Transport{
		DialTLSContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return o.dial(ctx, "h2", "http/1.1") },
		ForceAttemptHTTP2: true, DisableCompression: true, MaxIdleConns: 8, IdleConnTimeout: 90 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
	o.take(session.TakeCredential())
	return o
}

func (o *outbound) close() {
	o.transport.CloseIdleConnections()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cred.Wipe()
	clear(o.bearer)
	o.bearer, o.cert = nil, nil
}

// take keeps a credential; mu is held, or o is new.
func (o *outbound) take(cred enforce.Credential) {
	o.cred.Wipe()
	clear(o.bearer)
	o.cred, o.bearer, o.cert, o.expires = cred, nil, nil, cred.ExpiresAt
	if cred.TokenRequest != nil {
		o.expires = time.Time{}
	}
	switch {
	case len(cred.ClientCertificate) > 0:
		if pair, err := tls.X509KeyPair(cred.ClientCertificate, cred.Password); err == nil {
			o.cert = &pair
		}
	case cred.TokenRequest == nil:
		o.bearer = bytes.Clone(cred.Password)
	}
}

// dial reaches the API server over TLS with one of the protocols.
func (o *outbound) dial(ctx context.Context, protocols ...string) (net.Conn, error) {
	o.mu.Lock()
	cert := o.cert
	o.mu.Unlock()
	return o.connect(ctx, cert, protocols...)
}

// dialPlain is dial without a client certificate.
func (o *outbound) dialPlain(ctx context.Context) (net.Conn, error) {
	return o.connect(ctx, nil, "http/1.1")
}

func (o *outbound) connect(ctx context.Context, cert *tls.Certificate, protocols ...string) (net.Conn, error) {
	r := o.cluster.res
	return o.server.cfg.Dialer.DialTLS(ctx, upstream.Server{
		Address: r.Endpoint, TLS: r.TLS, Protocols: protocols, Certificate: cert, AllowLoopback: r.AllowLoopback,
	})
}

// renewAhead is how long before its end a credential is replaced.
const renewAhead = time.Minute

// renewPause is how long is waited between two tries while the old one still works.
const renewPause = 10 * time.Second

var errCredential = errors.New("no credential signs in at the cluster")

// signIn returns the headers that sign a request in and say who acts. It replaces a credential that is about to expire.
func (o *outbound) signIn(ctx context.Context) (http.Header, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.renew(ctx); err != nil && !o.usable() {
		return nil, err
	} else if err != nil {
		o.server.log.Warn("renew credential", "session", o.session.ID(), "error", err)
	}
	if !o.usable() {
		return nil, errCredential
	}
	h := impersonation(o.session, o.cluster.res.Groups)
	if o.bearer != nil {
		h.Set("Authorization", "Bearer "+string(o.bearer))
	}
	return h, nil
}

// usable reports whether something signs in at this moment; mu is held.
func (o *outbound) usable() bool {
	return (o.bearer != nil || o.cert != nil) && o.server.cfg.Clock().Before(o.expires)
}

// refused notes that the cluster did not take the credential, so that the next request comes with another.
func (o *outbound) refused() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expires, o.tried = time.Time{}, time.Time{}
	if o.cred.TokenRequest == nil {
		o.cred.ExpiresAt = time.Time{}
	}
}

// renew replaces what signs in when it is about to expire; mu is held. It tries again after ten seconds at the soonest.
func (o *outbound) renew(ctx context.Context) error {
	now := o.server.cfg.Clock()
	soon := now.Add(renewAhead)
	if o.usable() && (soon.Before(o.expires) || now.Sub(o.tried) < renewPause) {
		return nil
	}
	o.tried = now
	if len(o.cred.Password) == 0 || !soon.Before(o.cred.ExpiresAt) {
		cred, err := o.server.cfg.Broker.RefreshCredential(ctx, o.session.ID())
		if err != nil {
			return fmt.Errorf("refresh credential: %w", err)
		}
		o.take(cred)
	}
	if o.cred.TokenRequest == nil {
		return nil
	}
	return o.requestToken(ctx)
}

// tokenLife is what is asked for; the API server gives out nothing under ten minutes.
const tokenLife = time.Hour

// requestToken asks the cluster for a token of the session's service account; mu is held.
func (o *outbound) requestToken(ctx context.Context) error {
	want := o.cred.TokenRequest
	body, err := json.Marshal(map[string]any{
		"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
		"spec": map[string]any{"audiences": want.Audiences, "expirationSeconds": int(tokenLife / time.Second)},
	})
	if err != nil {
		return fmt.Errorf("ask for a token: %w", err)
	}
	path := "/api/v1/namespaces/" + url.PathEscape(want.Namespace) + "/serviceaccounts/" + url.PathEscape(want.ServiceAccount) + "/token"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+o.cluster.res.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return errors.New("ask for a token: bad address")
	}
	req.Header.Set("Authorization", "Bearer "+string(o.cred.Password))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	transport := &http.Transport{
		DialTLSContext:    func(ctx context.Context, _, _ string) (net.Conn, error) { return o.dialPlain(ctx) },
		DisableKeepAlives: true, DisableCompression: true,
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("ask for a token: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("ask for a token: %w", err)
	}
	var got struct {
		Status struct {
			Token               string    `json:"token"`
			ExpirationTimestamp time.Time `json:"expirationTimestamp"`
		} `json:"status"`
	}
	if resp.StatusCode != http.StatusCreated || json.Unmarshal(answer, &got) != nil || got.Status.Token == "" {
		return fmt.Errorf("ask for a token: the cluster answered %s", resp.Status)
	}
	clear(o.bearer)
	o.bearer, o.expires = []byte(got.Status.Token), got.Status.ExpirationTimestamp
	return nil
}
