package deviceauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxBody bounds a provider's answer in bytes.
const maxBody = 1 << 20

// errUnreachable is a provider that cannot be asked now.
var errUnreachable = errors.New("the identity provider cannot be reached")

// Refusal is an error of the provider (RFC 6749, section 5.2).
type Refusal struct{ Code, Description string }

func (r *Refusal) Error() string {
	if r.Description == "" {
		return "the identity provider says " + r.Code
	}
	return "the identity provider says " + r.Code + ": " + r.Description
}

// metadata is what is read of a discovery document (RFC 8628, section 4).
type metadata struct {
	Issuer         string `json:"issuer"`
	DeviceEndpoint string `json:"device_authorization_endpoint"`
	TokenEndpoint  string `json:"token_endpoint"`
}

// discover reads the provider's discovery document.
func (c *Client) discover(ctx context.Context) (metadata, error) {
	var m metadata
	address := strings.TrimSuffix(c.cfg.Issuer, "/") + "/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return m, err
	}
	if err := c.do(req, &m); err != nil {
		return m, fmt.Errorf("look the provider up: %w", err)
	}
	switch {
	case m.Issuer != c.cfg.Issuer:
		return m, fmt.Errorf("look the provider up: it calls itself %q", m.Issuer)
	case m.DeviceEndpoint == "":
		return m, errors.New("the provider offers no sign-in by code")
	case !secure(m.DeviceEndpoint) || !secure(m.TokenEndpoint):
		return m, errors.New("the provider's endpoints are not https addresses")
	}
	return m, nil
}

func (c *Client) post(ctx context.Context, endpoint string, form url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.do(req, into)
}

// do calls the provider and reads its answer, or its error as a Refusal.
func (c *Client) do(req *http.Request, into any) error {
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil || resp.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%w: it answers %s", errUnreachable, resp.Status)
	}
	if resp.StatusCode == http.StatusOK {
		return decode(body, into)
	}
	return refusal(resp.StatusCode, body)
}

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return errors.New("the identity provider's answer cannot be read")
	}
	return nil
}

func refusal(status int, body []byte) error {
	var said struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &said) != nil || said.Code == "" {
		return fmt.Errorf("the identity provider answers %d", status)
	}
	return &Refusal{Code: said.Code, Description: said.Description}
}

// authorization is a device authorization response (RFC 8628, section 3.2).
type authorization struct {
	DeviceCode string  `json:"device_code"`
	UserCode   string  `json:"user_code"`
	Address    string  `json:"verification_uri"`
	Complete   string  `json:"verification_uri_complete"`
	ExpiresIn  float64 `json:"expires_in"` // seconds
	Interval   float64 `json:"interval"`   // seconds
}

// prompt checks the response. A person is sent to https addresses only.
func (a authorization) prompt(now time.Time) (Prompt, error) {
	if a.DeviceCode == "" || a.UserCode == "" || !(a.ExpiresIn > 0) || !(a.Interval >= 0) || !secure(a.Address) {
		return Prompt{}, errors.New("the identity provider's answer is not a sign-in by code")
	}
	p := Prompt{
		Address: a.Address, Code: a.UserCode, device: a.DeviceCode,
		Expires: now.Add(seconds(a.ExpiresIn, maxLifetime)), interval: seconds(a.Interval, maxInterval),
	}
	if secure(a.Complete) {
		p.Complete = a.Complete
	}
	if p.interval == 0 {
		p.interval = defaultInterval
	}
	p.interval = max(p.interval, time.Second)
	return p, nil
}

// seconds turns s into a duration of at most limit.
func seconds(s float64, limit time.Duration) time.Duration {
	if s >= limit.Seconds() {
		return limit
	}
	return time.Duration(s * float64(time.Second))
}
