// Package login says who is asking: it verifies ID tokens of the configured issuers, keeps login tokens (only their
// hashes), offers the one-time admin token of a first start, and remembers the newest groups of everybody who came.
package login

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/token"
)

// What callers branch on. Their texts are for people.
var (
	// ErrUnauthenticated is a call without a valid token.
	ErrUnauthenticated = errors.New("sign in first")
	// ErrProof is a proof of identity that is refused.
	ErrProof = errors.New("the proof of identity is refused")
	// ErrIssuerUnavailable is an issuer whose keys cannot be fetched now.
	ErrIssuerUnavailable = errors.New("the identity provider cannot be reached")
)

// Lifetime is how long a login token is valid.
const Lifetime = 12 * time.Hour

// Role is what a caller may do in the control plane.
type Role string

// The roles. Everybody who is signed in is a member.
const (
	Member  Role = "member"
	Admin   Role = "admin"
	Auditor Role = "auditor"
)

// RoleGroups says which groups have which role. Nobody has a role by default.
type RoleGroups struct {
	Admin   []string `yaml:"admin"`
	Auditor []string `yaml:"auditor"`
}

// Caller is who makes a call.
type Caller struct {
	Principal policy.Principal
	Roles     []Role
	Expires   time.Time
	login     string // key of its login, when it came with a login token
}

// Is reports whether the caller has one of the roles.
func (c Caller) Is(roles ...Role) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(c.Roles, r) })
}

// Config is what the logins need. Store, Locks and Now are required.
type Config struct {
	Store   *store.Store
	Locks   *locks.Locks
	Issuers []Issuer
	AWS     AWSConfig
	SPIFFE  SPIFFEConfig
	// NonceKey is the key of nonces for AWS, the same on all replicas; at least 32 bytes where AWS roles sign in.
	NonceKey []byte
	Roles    RoleGroups
	Now      func() time.Time
	Logger   hclog.Logger // nil discards
}

// Logins signs principals in. It is safe for concurrent use.
type Logins struct {
	cfg       Config
	issuers   []Issuer
	verifiers map[string]*verifier // by issuer URL, byte for byte
	rows      *store.Collection[loginRow]
	owned     *store.Collection[struct{}] // keys of logins, by whom they are of or act for
	people    *store.Collection[personRow]
	admin     *store.Collection[adminRow]
	spent     *store.Collection[struct{}] // nonces
	workloads workloads

	clientSecrets map[string]string // for the browser flow, by issuer URL
}

// loginRow is a login token at rest, under its hash.
type loginRow struct {
	Principal policy.Principal `json:"principal"`
	Issued    time.Time        `json:"issued"` // the proof
	Expires   time.Time        `json:"expires"`
	Local     bool             `json:"local,omitempty"` // it came by the admin token
	// Behind is the key of the login that it was delegated with, and ends with.
	Behind string `json:"behind,omitempty"`
}

// personRow is what the newest proof of a principal said.
type personRow struct {
	Principal policy.Principal `json:"principal"`
	Issued    time.Time        `json:"issued"`
	// SignedOut is when the principal was last signed out everywhere: proofs from before then count no more.
	SignedOut time.Time `json:"signed_out,omitzero"`
}

// New checks the issuers and returns the logins kept in cfg.Store. It contacts no issuer.
func New(cfg Config) (*Logins, error) {
	if cfg.Store == nil || cfg.Locks == nil || cfg.Now == nil {
		return nil, errors.New("login: store, locks and clock are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	l := &Logins{
		cfg: cfg, verifiers: map[string]*verifier{}, clientSecrets: map[string]string{},
		rows:   store.Define[loginRow](cfg.Store, "logins"),
		owned:  store.Define[struct{}](cfg.Store, "logins-of"),
		people: store.Define[personRow](cfg.Store, "principals"),
		admin:  store.Define[adminRow](cfg.Store, "admin-token"),
		spent:  store.Define[struct{}](cfg.Store, "login-nonces"),
	}
	for _, is := range cfg.Issuers {
		is, err := is.complete()
		if err != nil {
			return nil, fmt.Errorf("oidc: %w", err)
		}
		l.issuers = append(l.issuers, is)
		if l.verifiers[is.URL], err = newVerifier(is, cfg.Now); err != nil {
			return nil, fmt.Errorf("oidc: %w", err)
		}
		if l.clientSecrets[is.URL], err = is.Browser.secret(); err != nil {
			return nil, fmt.Errorf("oidc: issuer %q: %w", is.URL, err)
		}
	}
	var err error
	if l.workloads, err = newWorkloads(cfg); err != nil {
		return nil, err
	}
	if err := checkIssuers(cfg.namespaces(l.issuers)); err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	return l, nil
}

// SignIn is a new login.
type SignIn struct {
	Token  token.Secret
	Caller Caller
}

func (l *Logins) verifyIDToken(ctx context.Context, raw string) (verified, error) {
	issuer, err := unverifiedIssuer(raw)
	if err != nil {
		return verified{}, err
	}
	ver, ok := l.verifiers[issuer]
	if !ok {
		return verified{}, fmt.Errorf("%w: its issuer is not configured here", ErrProof)
	}
	v, err := ver.verify(ctx, raw)
	if err != nil {
		return verified{}, err
	}
	return v, checkNames(v.principal, ver.issuer, l.cfg.namespaces(l.issuers))
}

// signIn makes a login, in one transaction with what else belongs to it.
func (l *Logins) signIn(ctx context.Context, v verified, local bool, also func(*store.Tx) error) (SignIn, error) {
	return l.signInFor(ctx, v, nil, local, also)
}

// signInFor is signIn on behalf of whom the standing is of; nil is nobody.
func (l *Logins) signInFor(ctx context.Context, v verified, behind standing, local bool, also func(*store.Tx) error) (SignIn, error) {
	secret := token.NewSecret(token.LoginSecret)
	lease, err := l.cfg.Store.Lease(ctx, Lifetime)
	if err != nil {
		return SignIn{}, err
	}
	var caller Caller
	err = l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		row := loginRow{Issued: v.issued, Expires: l.cfg.Now().Add(Lifetime).UTC(), Local: local}
		if err := also(tx); err != nil {
			return err
		}
		if row.Principal, err = l.standingOf(tx, v, local); err != nil {
			return err
		}
		if behind != nil {
			if row, err = l.delegate(tx, row, behind); err != nil {
				return err
			}
		}
		caller = l.caller(row, secret.Hash().String())
		if !local && caller.Is(Admin) {
			if err := l.closeAdminToken(tx); err != nil {
				return err
			}
		}
		return l.keep(tx, caller.login, row, lease.ID())
	})
	if err != nil {
		return SignIn{}, errors.Join(err, lease.Revoke(context.WithoutCancel(ctx)))
	}
	return SignIn{Token: secret, Caller: caller}, nil
}

// standingOf returns the principal of a proof with the groups that count now. It refuses who is locked or signed out.
func (l *Logins) standingOf(tx *store.Tx, v verified, local bool) (policy.Principal, error) {
	if err := errors.Join(l.checkLocks(tx, v.principal), l.checkSignedOut(tx, v)); err != nil || local {
		return v.principal, err
	}
	if v.acted {
		return l.actor(tx, v.principal)
	}
	return l.remember(tx, v)
}

func (l *Logins) checkLocks(tx *store.Tx, p policy.Principal) error {
	return l.cfg.Locks.CheckIn(tx, locks.Subject{Principals: append([]string{p.ID}, p.OnBehalfOf...)})
}

// remember keeps the groups of the newest proof and returns the principal as the newest proof describes it: an older
// token does not bring back what its owner has lost since.
func (l *Logins) remember(tx *store.Tx, v verified) (policy.Principal, error) {
	key := store.Key(v.principal.ID)
	e, err := l.people.In(tx).Get(key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return v.principal, err
	}
	if known := err == nil; known && e.Value.Issued.After(v.issued) && e.Value.Principal.Issuer == v.principal.Issuer {
		v.principal.Groups = common(v.principal.Groups, e.Value.Principal.Groups)
		return v.principal, nil
	} else if known && !v.issued.After(e.Value.Issued) && samePrincipal(e.Value.Principal, v.principal) {
		return v.principal, nil
	}
	return v.principal, l.people.In(tx).Put(key, personRow{Principal: v.principal, Issued: v.issued, SignedOut: e.Value.SignedOut})
}

func samePrincipal(a, b policy.Principal) bool {
	return a.Issuer == b.Issuer && a.Kind == b.Kind && a.Email == b.Email && slices.Equal(a.Groups, b.Groups) &&
		slices.Equal(a.OnBehalfOf, b.OnBehalfOf)
}

func common(a, b []string) []string {
	var both []string
	for _, g := range a {
		if slices.Contains(b, g) {
			both = append(both, g)
		}
	}
	return both
}

// PrincipalIn returns what the newest proof of that principal said; ok is false when there was none.
func (l *Logins) PrincipalIn(tx *store.Tx, name string) (p policy.Principal, ok bool, err error) {
	e, err := l.people.In(tx).Get(store.Key(name))
	if errors.Is(err, store.ErrNotFound) {
		return policy.Principal{}, false, nil
	}
	return e.Value.Principal, err == nil, err
}

// Identify says who carries a bearer token, which is a login token or an ID token of a configured issuer.
func (l *Logins) Identify(ctx context.Context, bearer string) (Caller, error) {
	stand, err := l.verifyBearer(ctx, bearer)
	if err != nil {
		return Caller{}, err
	}
	var c Caller
	err = l.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		c, err = stand(tx)
		return err
	})
	if err != nil {
		return Caller{}, err
	}
	return c, nil
}

// standing reads in a transaction who the carrier of a verified bearer token is now.
type standing func(*store.Tx) (Caller, error)

func (l *Logins) verifyBearer(ctx context.Context, bearer string) (standing, error) {
	if bearer == "" {
		return nil, ErrUnauthenticated
	}
	if secret, err := token.ParseSecret(token.LoginSecret, bearer); err == nil {
		return func(tx *store.Tx) (Caller, error) { return l.byLogin(tx, secret.Hash().String()) }, nil
	}
	v, err := l.verifyIDToken(ctx, bearer)
	if errors.Is(err, ErrIssuerUnavailable) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnauthenticated, err)
	}
	return func(tx *store.Tx) (Caller, error) {
		p, err := l.standingOf(tx, v, false)
		return l.caller(loginRow{Principal: p, Expires: v.expires}, ""), err
	}, nil
}

// byLogin says who a login is of. A delegated one ends with the login that it was delegated with.
func (l *Logins) byLogin(tx *store.Tx, key string) (Caller, error) {
	e, err := l.rows.In(tx).Get(key)
	row := e.Value
	if err == nil && row.Behind != "" {
		_, err = l.rows.In(tx).Get(row.Behind)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && !l.cfg.Now().Before(row.Expires) {
		return Caller{}, fmt.Errorf("%w: the login has ended", ErrUnauthenticated)
	}
	if err != nil {
		return Caller{}, err
	}
	if err := l.checkLocks(tx, row.Principal); err != nil {
		return Caller{}, err
	}
	if !row.Local {
		if row.Principal, err = l.NarrowIn(tx, row.Principal); err != nil {
			return Caller{}, err
		}
	}
	return l.caller(row, key), nil
}

// caller adds the roles that the configuration gives the principal's groups. Who acts for somebody else is a member and
// nothing more.
func (l *Logins) caller(row loginRow, key string) Caller {
	c := Caller{Principal: row.Principal, Roles: []Role{Member}, Expires: row.Expires, login: key}
	if row.Local {
		c.Roles = append(c.Roles, Admin)
		return c
	}
	if len(row.Principal.OnBehalfOf) > 0 {
		return c
	}
	if len(common(l.cfg.Roles.Admin, row.Principal.Groups)) > 0 {
		c.Roles = append(c.Roles, Admin)
	}
	if len(common(l.cfg.Roles.Auditor, row.Principal.Groups)) > 0 {
		c.Roles = append(c.Roles, Auditor)
	}
	return c
}
