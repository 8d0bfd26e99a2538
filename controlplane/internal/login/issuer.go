package login

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/policy"
)

// Issuer is an OIDC issuer whose ID tokens are accepted.
type Issuer struct {
	// URL is compared byte for byte with the "iss" claim. https, except on loopback addresses. Required.
	URL string `yaml:"url"`
	// Audiences lists the accepted "aud" values, of which a token needs one. Required.
	Audiences []string `yaml:"audiences"`
	// PrincipalClaim names the claim that names the principal. Default: email when email_verified is true, else sub.
	PrincipalClaim string `yaml:"principal_claim,omitempty"`
	// NamePrefix starts the name of each of its principals, for example "ci:". Only one issuer may have none.
	NamePrefix string `yaml:"name_prefix,omitempty"`
	// GroupsClaim names the claim that lists the groups. Default "groups".
	GroupsClaim string `yaml:"groups_claim,omitempty"`
	// Groups are given to each of its principals besides.
	Groups []string `yaml:"groups,omitempty"`
	// Kind of its principals: person, agent, job or service. With KindClaim it is the default for tokens without that
	// claim; one of the two is required.
	Kind string `yaml:"kind,omitempty"`
	// KindClaim names the claim that says the kind.
	KindClaim string `yaml:"kind_claim,omitempty"`
	// OnBehalfOfClaim names the claim that lists for whom the principal acts, nearest first. Default "on_behalf_of".
	OnBehalfOfClaim string `yaml:"on_behalf_of_claim,omitempty"`
	// AttributeClaims are copied to the principal's attributes.
	AttributeClaims []string `yaml:"attribute_claims,omitempty"`
	// Preset is what kind of issuer it is: github, gitlab or kubernetes. It fills in what is not set, and refuses settings
	// and tokens that would let in more than was meant. Default: github or gitlab for the address of either, else none.
	Preset string `yaml:"preset,omitempty"`
	// Require lists claims that must have exactly these values.
	Require map[string]string `yaml:"require,omitempty"`
	// Conditions are further demands on claims; all must hold.
	Conditions []Condition `yaml:"conditions,omitempty"`
	// GroupRules give groups to the tokens for which their conditions hold.
	GroupRules []GroupRule `yaml:"group_rules,omitempty"`
	// JWKSFile holds the issuer's keys as a JWK set, for an issuer that cannot be reached. It is read again when it is
	// 15 minutes old, or for a key it does not have. Default: the keys are fetched.
	JWKSFile string `yaml:"jwks_file,omitempty"`
	// JWKSURL is where the issuer's keys are, for an issuer without a discovery document. https, except on loopback
	// addresses. Default: what the discovery document says.
	JWKSURL string `yaml:"jwks_url,omitempty"`
	// CAFile holds PEM certificates that sign the issuer's own. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty"`
	// Name is what people know the issuer by, for example "Example Corp". Default: the host of URL.
	Name string `yaml:"name,omitempty"`
	// Browser lets people sign in with a browser. Default: they cannot.
	Browser BrowserClient `yaml:"browser,omitempty"`
	// Device lets people sign in with `writ login`. Default: they cannot.
	Device DeviceClient `yaml:"device,omitempty"`
}

// reserved starts the names of Writ's own principals.
const reserved = "writ:"

// complete fills in defaults and refuses what is missing or unsafe.
func (is Issuer) complete() (Issuer, error) {
	is, err := is.completePreset()
	if err != nil {
		return is, err
	}
	if is.GroupsClaim == "" {
		is.GroupsClaim = "groups"
	}
	if is.OnBehalfOfClaim == "" {
		is.OnBehalfOfClaim = "on_behalf_of"
	}
	switch {
	case len(is.Audiences) == 0 || slices.Contains(is.Audiences, ""):
		return is, fmt.Errorf("issuer %q: audiences: name at least one", is.URL)
	case is.Kind == "" && is.KindClaim == "":
		return is, fmt.Errorf("issuer %q: kind: say person, agent, job or service, or name a kind_claim", is.URL)
	case is.Kind != "" && !validKind(is.Kind):
		return is, fmt.Errorf("issuer %q: kind: %q is not person, agent, job or service", is.URL, is.Kind)
	case strings.HasPrefix(is.NamePrefix, reserved) || strings.HasPrefix(reserved, is.NamePrefix) && is.NamePrefix != "":
		return is, fmt.Errorf("issuer %q: name_prefix: %q is kept for Writ's own principals", is.URL, is.NamePrefix)
	}
	if err := is.checkURL(); err != nil {
		return is, err
	}
	if err := errors.Join(is.checkKeys(), is.checkConditions()); err != nil {
		return is, fmt.Errorf("issuer %q: %w", is.URL, err)
	}
	return is.completeClients()
}

func (is Issuer) checkURL() error {
	u, err := url.Parse(is.URL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("issuer %q: url: not an issuer's address; use one such as https://login.example.com", is.URL)
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return fmt.Errorf("issuer %q: url: must be https", is.URL)
	}
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback() || host == "localhost"
}

func validKind(kind string) bool {
	return kind == policy.KindPerson || kind == policy.KindAgent || kind == policy.KindJob || kind == policy.KindService
}

// roots returns the certificates of CAFile, or nil for the system's.
func (is Issuer) roots() (*x509.CertPool, error) {
	if is.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(is.CAFile)
	if err != nil {
		return nil, fmt.Errorf("issuer %q: ca_file: %w", is.URL, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("issuer %q: ca_file: %s holds no certificate", is.URL, is.CAFile)
	}
	return pool, nil
}

// checkIssuers refuses issuers that could give two principals one name.
func checkIssuers(issuers []Issuer) error {
	for i, a := range issuers {
		for _, b := range issuers[:i] {
			switch {
			case a.URL == b.URL:
				return fmt.Errorf("issuer %q: url: configured twice", a.URL)
			case a.NamePrefix == b.NamePrefix:
				return fmt.Errorf("issuers %q and %q: name_prefix: both have %q, so that their principals could share names", b.URL, a.URL, a.NamePrefix)
			case a.NamePrefix != "" && b.NamePrefix != "" &&
				(strings.HasPrefix(a.NamePrefix, b.NamePrefix) || strings.HasPrefix(b.NamePrefix, a.NamePrefix)):
				return fmt.Errorf("issuers %q and %q: name_prefix: one begins with the other", b.URL, a.URL)
			}
		}
	}
	return nil
}

var errForeignName = errors.New("the name belongs to another issuer")

// checkNames refuses a principal that is named like another issuer's, or acts for one of another issuer.
func checkNames(p policy.Principal, is Issuer, all []Issuer) error {
	err := checkName(p.ID, is, all)
	for _, d := range p.Delegators {
		err = errors.Join(err, checkName(d.ID, is, all))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, errForeignName)
	}
	return nil
}

// checkName refuses a name of this issuer that begins like another's.
func checkName(name string, is Issuer, all []Issuer) error {
	if strings.HasPrefix(name, reserved) {
		return errForeignName
	}
	for _, other := range all {
		if other.URL != is.URL && other.NamePrefix != "" && strings.HasPrefix(name, other.NamePrefix) {
			return errForeignName
		}
	}
	return nil
}
