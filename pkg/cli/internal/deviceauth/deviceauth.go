// Package deviceauth signs a person in at an OpenID provider from a terminal: the person goes to an address with any
// browser and enters a code (OAuth 2.0 Device Authorization Grant, RFC 8628).
package deviceauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

var (
	// ErrDenied is a sign-in that the person or the provider refused.
	ErrDenied = errors.New("the sign-in was refused")
	// ErrExpired is a code that nobody entered in time.
	ErrExpired = errors.New("nobody signed in before the code expired")
)

// Config says where to sign in and as which client. All but Scopes is required.
type Config struct {
	// Issuer is the provider's URL: https, or http on this machine.
	Issuer string
	// ClientID is of a public client that may use the device flow.
	ClientID string
	Scopes   []string
	// Transport calls the provider.
	Transport http.RoundTripper
	// Sleep waits for so long or until ctx ends.
	Sleep func(ctx context.Context, d time.Duration) error
	Now   func() time.Time
}

// Client is one client of one provider.
type Client struct {
	cfg  Config
	http *http.Client
}

// New returns a client. It contacts nobody.
func New(cfg Config) (*Client, error) {
	if cfg.ClientID == "" || cfg.Transport == nil || cfg.Sleep == nil || cfg.Now == nil {
		return nil, errors.New("device sign-in needs a client id, a transport, a clock and a way to wait")
	}
	if !secure(cfg.Issuer) {
		return nil, fmt.Errorf("the issuer %q is not an https address", cfg.Issuer)
	}
	return &Client{cfg: cfg, http: &http.Client{
		Transport: cfg.Transport, Timeout: callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// secure reports whether an address is https, or on this machine.
func secure(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && addr.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}

// Prompt is what the person is told.
type Prompt struct {
	Address  string // where to go
	Complete string // the same with the code in it; may be empty
	Code     string // what to enter there
	Expires  time.Time

	endpoint, device string
	interval         time.Duration
}

// Bounds of what a provider may ask for.
const (
	callTimeout     = 30 * time.Second
	defaultInterval = 5 * time.Second // RFC 8628, section 3.2
	slowDown        = 5 * time.Second // section 3.5
	maxInterval     = time.Minute
	maxLifetime     = 30 * time.Minute
)

// Start asks the provider for a code.
func (c *Client) Start(ctx context.Context) (Prompt, error) {
	found, err := c.discover(ctx)
	if err != nil {
		return Prompt{}, err
	}
	var resp authorization
	err = c.post(ctx, found.DeviceEndpoint, url.Values{"client_id": {c.cfg.ClientID}, "scope": {strings.Join(c.cfg.Scopes, " ")}}, &resp)
	if err != nil {
		return Prompt{}, fmt.Errorf("ask for a code: %w", err)
	}
	p, err := resp.prompt(c.cfg.Now())
	p.endpoint = found.TokenEndpoint
	return p, err
}

// Wait asks until the person has signed in, and returns the ID token. It fails with ErrDenied, with ErrExpired or with
// the cause of ctx.
func (c *Client) Wait(ctx context.Context, p Prompt) (string, error) {
	interval := p.interval
	for {
		if err := c.cfg.Sleep(ctx, interval); err != nil {
			return "", err
		}
		if !c.cfg.Now().Before(p.Expires) {
			return "", ErrExpired
		}
		idToken, err := c.poll(ctx, p)
		if err == nil {
			return idToken, nil
		}
		if interval, err = next(interval, err); err != nil {
			return "", err
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
	}
}

func (c *Client) poll(ctx context.Context, p Prompt) (string, error) {
	var resp struct {
		IDToken string `json:"id_token"`
	}
	err := c.post(ctx, p.endpoint, url.Values{
		"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
		"device_code": {p.device}, "client_id": {c.cfg.ClientID},
	}, &resp)
	if err == nil && resp.IDToken == "" {
		return "", errors.New("the provider gave no ID token; its client must be allowed the scope openid")
	}
	return resp.IDToken, err
}

// next is how long to wait after a poll that failed so, or the error that ends the waiting (RFC 8628, section 3.5).
func next(interval time.Duration, err error) (time.Duration, error) {
	var refused *Refusal
	switch {
	case errors.Is(err, errUnreachable): // back off, and try for as long as the code is good
		return min(2*interval, maxInterval), nil
	case !errors.As(err, &refused):
		return 0, err
	}
	switch refused.Code {
	case "authorization_pending":
		return interval, nil
	case "slow_down":
		return min(interval+slowDown, maxInterval), nil
	case "access_denied":
		return 0, ErrDenied
	case "expired_token":
		return 0, ErrExpired
	}
	return 0, err
}
