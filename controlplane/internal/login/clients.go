package login

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
)

// BrowserClient is Writ's registration at an issuer for people with a browser: the authorization code flow with PKCE.
// Its redirect address is the control plane's public address and "/signin/callback".
type BrowserClient struct {
	// ID is the client id. Required for people to sign in with a browser. ID tokens of this flow are for this audience.
	ID string `yaml:"client_id,omitempty"`
	// SecretFile holds the client secret. Default: a public client, which has none.
	SecretFile string `yaml:"client_secret_file,omitempty"`
	// Scopes to ask for. Default: openid, profile, email.
	Scopes []string `yaml:"scopes,omitempty"`
}

// DeviceClient is the command line's registration at an issuer: the device authorization flow (RFC 8628), as a public
// client.
type DeviceClient struct {
	// ID is the client id. Required for people to sign in with `writ login`. Tokens for this audience are accepted.
	ID string `yaml:"client_id,omitempty"`
	// Scopes to ask for. Default: openid, profile, email.
	Scopes []string `yaml:"scopes,omitempty"`
}

// maxClientSecret bounds a client secret's file in bytes.
const maxClientSecret = 4 << 10

// Provider is an issuer at which people can sign in.
type Provider struct {
	Name         string
	Issuer       string
	Browser      bool     // with a browser, at this control plane
	DeviceClient string   // client id for `writ login`; may be empty
	DeviceScopes []string // to ask for with it
}

// Providers lists the issuers at which people can sign in, in the order of the configuration.
func (l *Logins) Providers() []Provider {
	var all []Provider
	for _, is := range l.issuers {
		if is.Browser.ID == "" && is.Device.ID == "" {
			continue
		}
		p := Provider{Name: is.Name, Issuer: is.URL, Browser: is.Browser.ID != "", DeviceClient: is.Device.ID}
		if is.Device.ID != "" {
			p.DeviceScopes = slices.Clone(is.Device.Scopes)
		}
		all = append(all, p)
	}
	return all
}

// completeClients fills in what people need to sign in. An ID token of the device flow is for the device client, and
// so that is an audience.
func (is Issuer) completeClients() (Issuer, error) {
	if u, err := url.Parse(is.URL); is.Name == "" && err == nil {
		is.Name = u.Host
	}
	if !validName(is.Name) {
		return is, fmt.Errorf("issuer %q: name: %q is not a name for people", is.URL, is.Name)
	}
	for setting, c := range map[string]struct {
		id     string
		scopes *[]string
	}{"browser": {is.Browser.ID, &is.Browser.Scopes}, "device": {is.Device.ID, &is.Device.Scopes}} {
		if c.id == "" && len(*c.scopes) > 0 {
			return is, fmt.Errorf("issuer %q: %s: scopes without a client_id", is.URL, setting)
		}
		if len(*c.scopes) == 0 {
			*c.scopes = []string{"openid", "profile", "email"}
		}
		if !slices.Contains(*c.scopes, "openid") {
			return is, fmt.Errorf("issuer %q: %s: scopes: openid must be among them", is.URL, setting)
		}
		if slices.ContainsFunc(*c.scopes, func(s string) bool { return s == "" || strings.ContainsAny(s, " \t\r\n") }) {
			return is, fmt.Errorf("issuer %q: %s: scopes: one entry for each scope", is.URL, setting)
		}
	}
	if is.Browser.ID == "" && is.Browser.SecretFile != "" {
		return is, fmt.Errorf("issuer %q: browser: client_secret_file without a client_id", is.URL)
	}
	if is.Device.ID != "" && !slices.Contains(is.Audiences, is.Device.ID) {
		is.Audiences = append(slices.Clone(is.Audiences), is.Device.ID)
	}
	return is, nil
}

// secret reads the client secret; empty for a public client.
func (c BrowserClient) secret() (string, error) {
	if c.SecretFile == "" {
		return "", nil
	}
	raw, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return "", fmt.Errorf("browser: client_secret_file: %w", err)
	}
	secret := strings.TrimSpace(string(raw))
	if secret == "" || len(raw) > maxClientSecret {
		return "", fmt.Errorf("browser: client_secret_file: %s is empty or larger than %d bytes", c.SecretFile, maxClientSecret)
	}
	return secret, nil
}
