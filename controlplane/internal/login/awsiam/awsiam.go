// Package awsiam verifies that a caller holds the credentials of an AWS role: the caller signs an
// sts:GetCallerIdentity request and does not send it; Writ sends it, and STS says whose signature it is. What may be
// sent is pinned, so that neither another request nor one that was signed for somebody else says anything.
package awsiam

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/policy"
)

// What callers branch on.
var (
	// ErrProof is a proof that is refused. What it says is for the caller.
	ErrProof = errors.New("the signed AWS request is refused")
	// ErrUnavailable is an STS that cannot be asked now.
	ErrUnavailable = errors.New("AWS STS cannot be reached")
)

// Config says which AWS roles may sign in. Nobody may by default.
type Config struct {
	// ServerID is what the signed header X-Writ-Server-Id must say: the host name by which clients call this control
	// plane. It keeps a request that was signed for one server from another. Required with any role.
	ServerID string `yaml:"server_id"`
	// Regions whose STS endpoints are asked, the default one first. Required with any role.
	Regions []string `yaml:"regions"`
	// Endpoint replaces the address of every region's STS, for example that of a VPC endpoint. The request keeps the
	// Host that it was signed for. https, except on loopback addresses. Default: the region's public endpoint.
	Endpoint string `yaml:"endpoint,omitempty"`
	// Roles who may sign in; the first that matches counts.
	Roles []Role `yaml:"roles"`
}

// Role is one AWS role, or several that are named alike.
type Role struct {
	// Account is its 12 digits. Required.
	Account string `yaml:"account"`
	// Role is the role's name without its path; * stands for one or more characters, and is not the first. Required.
	Role string `yaml:"role"`
	// Kind of principal: agent, job or service. Required.
	Kind string `yaml:"kind"`
	// Groups are given to the principal.
	Groups []string `yaml:"groups,omitempty"`
	// Name is what follows "aws:" in the principal's name; it begins with a letter. Default: account/role.
	Name string `yaml:"name,omitempty"`
}

// Enabled reports whether any role may sign in.
func (c Config) Enabled() bool { return len(c.Roles) > 0 }

// Prefix begins the names of all principals that sign in with AWS.
const Prefix = "aws:"

var (
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)
	rolePattern    = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-][A-Za-z0-9+=,.@_*-]{0,63}$`)
	namePattern    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,63}$`)
	serverPattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$`)
)

func (c Config) check() error {
	switch {
	case !serverPattern.MatchString(c.ServerID):
		return errors.New("server_id: give the host name by which clients call this control plane")
	case len(c.Regions) == 0 || slices.ContainsFunc(c.Regions, func(r string) bool { return !regionPattern.MatchString(r) }):
		return fmt.Errorf("regions: %q; name at least one such as eu-west-1", c.Regions)
	}
	if err := checkEndpoint(c.Endpoint); err != nil {
		return err
	}
	taken := map[string]bool{}
	for _, r := range c.Roles {
		if err := r.check(); err != nil {
			return fmt.Errorf("roles: %s/%s: %w", r.Account, r.Role, err)
		}
		if r.Name != "" && taken[r.Name] {
			return fmt.Errorf("roles: name %q is given twice", r.Name)
		}
		taken[r.Name] = true
	}
	return nil
}

func (r Role) check() error {
	switch {
	case !accountPattern.MatchString(r.Account):
		return errors.New("account: give its 12 digits")
	case !rolePattern.MatchString(r.Role):
		return errors.New("role: give the role's name without its path; a * must not be first")
	case r.Kind != policy.KindAgent && r.Kind != policy.KindJob && r.Kind != policy.KindService:
		return fmt.Errorf("kind: %q is not agent, job or service", r.Kind)
	case slices.Contains(r.Groups, ""):
		return errors.New("groups: one is empty")
	case r.Name != "" && (!namePattern.MatchString(r.Name) || strings.Contains(r.Role, "*")):
		return errors.New("name: begin it with a letter, and give it to one role only")
	}
	return nil
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Path != "" && u.Path != "/" {
		return errors.New("endpoint: not an address without a path")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Scheme != "https" && !(u.Scheme == "http" && err == nil && addr.IsLoopback()) {
		return errors.New("endpoint: must be https")
	}
	return nil
}

// Verifier verifies proofs. It is safe for concurrent use.
type Verifier struct {
	cfg    Config
	nonces *Nonces
	client *http.Client
	now    func() time.Time
}

// New returns a Verifier, or says what is wrong with the configuration.
func New(cfg Config, nonces *Nonces, now func() time.Time) (*Verifier, error) {
	if nonces == nil || now == nil {
		return nil, errors.New("aws_iam: nonces and clock are required")
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("aws_iam: %w", err)
	}
	return &Verifier{cfg: cfg, nonces: nonces, client: newClient(), now: now}, nil
}

// Verified is who signed.
type Verified struct {
	Principal policy.Principal
	Signed    time.Time // the time in the signature
	Nonce     NonceID   // to be spent
}

// Verify checks a proof and asks STS whose signature it is. The nonce is genuine and not expired, but for the caller to
// spend.
func (v *Verifier) Verify(ctx context.Context, p Proof) (Verified, error) {
	checked, err := v.check(p)
	if err != nil {
		return Verified{}, err
	}
	who, err := v.ask(ctx, checked)
	if err != nil {
		return Verified{}, err
	}
	principal, err := v.principal(who)
	return Verified{Principal: principal, Signed: checked.signed, Nonce: checked.nonce}, err
}

// principal is the configured principal of a role; any other caller is nobody.
func (v *Verifier) principal(who caller) (policy.Principal, error) {
	for _, r := range v.cfg.Roles {
		if r.Account != who.account || !matches(r.Role, who.role) {
			continue
		}
		name := Prefix + who.account + "/" + who.role
		if r.Name != "" {
			name = Prefix + r.Name
		}
		return policy.Principal{
			Kind: r.Kind, ID: name, Name: name, Issuer: "aws-iam", Groups: slices.Sorted(slices.Values(r.Groups)),
			Attrs: map[string]string{"aws_account": who.account, "aws_role": who.role, "aws_session": who.session},
		}, nil
	}
	return policy.Principal{}, fmt.Errorf("%w: role %s of account %s may not sign in here", ErrProof, who.role, who.account)
}

func matches(pattern, name string) bool {
	literal, rest, star := strings.Cut(pattern, "*")
	tail, ok := strings.CutPrefix(name, literal)
	if !ok || !star {
		return ok && tail == ""
	}
	for i := 1; i <= len(tail); i++ {
		if matches(rest, tail[i:]) {
			return true
		}
	}
	return false
}
