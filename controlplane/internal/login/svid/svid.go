// Package svid verifies SPIFFE JWT-SVIDs of one trust domain (https://github.com/spiffe/spiffe, standards/JWT-SVID.md) and
// says which principals they are.
package svid

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"

	"github.com/writhq/writ/pkg/policy"
)

// What callers branch on.
var (
	// ErrProof is an SVID that is refused. What it says is for its owner.
	ErrProof = errors.New("the JWT-SVID is refused")
	// ErrUnavailable is a bundle that cannot be had now.
	ErrUnavailable = errors.New("the trust domain's bundle cannot be read")
)

// Config says which workloads of a trust domain may sign in. None may by default.
type Config struct {
	// TrustDomain is its name, for example prod.example.com.
	TrustDomain string `yaml:"trust_domain"`
	// BundleFile holds the trust domain's bundle, or its JWT keys as a JWK set. It is read again when it changes.
	BundleFile string `yaml:"bundle_file,omitempty"`
	// BundleURL is where the bundle is instead, authenticated by the web's certificates. https, except on loopback
	// addresses. It is fetched again every 5 minutes, and for a key it does not have.
	BundleURL string `yaml:"bundle_url,omitempty"`
	// CAFile holds PEM certificates for BundleURL. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty"`
	// Audiences lists the accepted "aud" values, of which an SVID needs one. Required.
	Audiences []string `yaml:"audiences"`
	// Rules say what principals there are; the first that matches counts, and who matches none may not sign in.
	Rules []Rule `yaml:"rules"`
}

// Rule is the workloads under one pattern.
type Rule struct {
	// Path of the SPIFFE ID; * stands for one or more characters of one segment.
	Path string `yaml:"path"`
	// Kind of principal: agent, job or service. Required.
	Kind string `yaml:"kind"`
	// Groups are given to the principal.
	Groups []string `yaml:"groups,omitempty"`
}

// Enabled reports whether there is a trust domain.
func (c Config) Enabled() bool { return c.TrustDomain != "" }

// Prefix begins the names of all principals that sign in with an SVID: their names are their SPIFFE IDs.
const Prefix = "spiffe://"

const (
	maxSVID  = 32 << 10 // bytes
	maxStars = 4
	leeway   = time.Minute // by which the issuer's clock may be ahead
)

func (c Config) check() (spiffeid.TrustDomain, error) {
	td, err := spiffeid.TrustDomainFromString(c.TrustDomain)
	switch {
	case err != nil || td.Name() != c.TrustDomain:
		return td, fmt.Errorf("trust_domain: %q is not one; use one such as prod.example.com", c.TrustDomain)
	case (c.BundleFile == "") == (c.BundleURL == ""):
		return td, errors.New("bundle_file and bundle_url: give one")
	case len(c.Audiences) == 0 || slices.Contains(c.Audiences, ""):
		return td, errors.New("audiences: name at least one")
	}
	for _, r := range c.Rules {
		if err := r.check(); err != nil {
			return td, fmt.Errorf("rules: %q: %w", r.Path, err)
		}
	}
	return td, nil
}

func (r Rule) check() error {
	if spiffeid.ValidatePath(strings.ReplaceAll(r.Path, "*", "x")) != nil || r.Path == "" {
		return errors.New("path: not the path of a SPIFFE ID; begin it with /")
	}
	if strings.Contains(r.Path, "**") || strings.Count(r.Path, "*") > maxStars {
		return fmt.Errorf("path: a * stands for one segment, and there are at most %d", maxStars)
	}
	segments := strings.Split(r.Path[1:], "/")
	if segments[0] == "ns" && len(segments) > 1 && strings.Contains(segments[1], "*") {
		return errors.New("path: name the namespace, since whoever makes one chooses its name")
	}
	if r.Kind != policy.KindAgent && r.Kind != policy.KindJob && r.Kind != policy.KindService {
		return fmt.Errorf("kind: %q is not agent, job or service", r.Kind)
	}
	if slices.Contains(r.Groups, "") {
		return errors.New("groups: one is empty")
	}
	return nil
}

// matches compares segment by segment.
func (r Rule) matches(path string) bool {
	want, got := strings.Split(r.Path, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, segmentMatches)
}

func segmentMatches(pattern, s string) bool {
	literal, rest, star := strings.Cut(pattern, "*")
	tail, ok := strings.CutPrefix(s, literal)
	if !ok || !star {
		return ok && tail == ""
	}
	for i := 1; i <= len(tail); i++ {
		if segmentMatches(rest, tail[i:]) {
			return true
		}
	}
	return false
}

// Verifier verifies SVIDs. It is safe for concurrent use.
type Verifier struct {
	cfg    Config
	domain spiffeid.TrustDomain
	bundle *bundle
	now    func() time.Time
}

// New returns a Verifier, or says what is wrong with the configuration. A bundle file must be readable; a bundle's
// address is not contacted yet.
func New(cfg Config, now func() time.Time) (*Verifier, error) {
	if now == nil {
		return nil, errors.New("spiffe: a clock is required")
	}
	domain, err := cfg.check()
	if err != nil {
		return nil, fmt.Errorf("spiffe: %w", err)
	}
	b, err := newBundle(cfg, domain, now)
	if err != nil {
		return nil, fmt.Errorf("spiffe: %w", err)
	}
	return &Verifier{cfg: cfg, domain: domain, bundle: b, now: now}, nil
}

// Verified is what an SVID says.
type Verified struct {
	Principal policy.Principal
	Issued    time.Time
	Expires   time.Time
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProof, fmt.Sprintf(format, args...))
}

// Verify checks an SVID's signature, trust domain, audience and times, and finds its principal.
func (v *Verifier) Verify(ctx context.Context, raw string) (Verified, error) {
	if len(raw) > maxSVID {
		return Verified{}, refuse("it is too long")
	}
	claimed, err := jwtsvid.ParseInsecure(raw, v.cfg.Audiences)
	if err != nil {
		return Verified{}, refuse("it is no JWT-SVID for %s that is valid now", strings.Join(v.cfg.Audiences, " or "))
	}
	if claimed.ID.TrustDomain() != v.domain {
		return Verified{}, refuse("it is of another trust domain than %s", v.domain.Name())
	}
	keys, err := v.bundle.current(ctx, keyID(raw))
	if err != nil {
		return Verified{}, err
	}
	id, err := jwtsvid.ParseAndValidate(raw, keys, v.cfg.Audiences)
	if err != nil {
		return Verified{}, refuse("it does not verify")
	}
	issued, err := v.checkTimes(id)
	if err != nil {
		return Verified{}, err
	}
	p, err := v.principal(id.ID)
	return Verified{Principal: p, Issued: issued, Expires: id.Expiry}, err
}

// checkTimes allows an expired SVID no grace, and demands to know when it was issued.
func (v *Verifier) checkTimes(id *jwtsvid.SVID) (issued time.Time, err error) {
	iat, ok := id.Claims["iat"].(float64)
	if issued = time.Unix(int64(iat), 0); !ok || iat <= 0 || issued.After(v.now().Add(leeway)) {
		return issued, refuse("it does not say when it was issued")
	}
	if !v.now().Before(id.Expiry) {
		return issued, refuse("it is expired")
	}
	return issued, nil
}

func (v *Verifier) principal(id spiffeid.ID) (policy.Principal, error) {
	for _, r := range v.cfg.Rules {
		if r.matches(id.Path()) {
			return policy.Principal{
				Kind: r.Kind, ID: id.String(), Name: id.String(), Issuer: v.domain.IDString(), Groups: slices.Sorted(slices.Values(r.Groups)),
			}, nil
		}
	}
	return policy.Principal{}, refuse("%s may not sign in here", id)
}
