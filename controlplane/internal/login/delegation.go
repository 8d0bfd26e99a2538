package login

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Proof is what a principal signs in with: one of the first three.
type Proof struct {
	// IDToken is a token of a configured issuer.
	IDToken string
	// AWS is a signed GetCallerIdentity.
	AWS *AWSProof
	// SVID is a JWT-SVID of the configured trust domain.
	SVID string
	// OnBehalfOf is an ID token or login token of whom the principal acts for. Empty is nobody.
	OnBehalfOf string
}

// WithProof signs a principal in. On behalf of somebody, the login ends when either's does.
func (l *Logins) WithProof(ctx context.Context, p Proof) (SignIn, error) {
	v, spend, err := l.verify(ctx, p)
	if err != nil {
		return SignIn{}, err
	}
	var behind standing
	if p.OnBehalfOf != "" {
		if behind, err = l.verifyBearer(ctx, p.OnBehalfOf); err != nil {
			return SignIn{}, onBehalf(err)
		}
	}
	return l.signInFor(ctx, v, behind, false, spend)
}

// onBehalf makes a refusal of the second token a refusal of the proof.
func onBehalf(err error) error {
	if errors.Is(err, ErrUnauthenticated) {
		return fmt.Errorf("%w: on_behalf_of_token: it is not a valid login or ID token", ErrProof)
	}
	return fmt.Errorf("on_behalf_of_token: %w", err)
}

// WithIDToken exchanges an ID token for a login token.
func (l *Logins) WithIDToken(ctx context.Context, raw string) (SignIn, error) {
	return l.WithProof(ctx, Proof{IDToken: raw})
}

// delegate makes a login one on behalf of whom the standing is of.
func (l *Logins) delegate(tx *store.Tx, row loginRow, behind standing) (loginRow, error) {
	c, err := behind(tx)
	if err != nil {
		return row, onBehalf(err)
	}
	if row.Principal, err = actFor(row.Principal, c.Principal); err != nil {
		return row, err
	}
	if c.Expires.Before(row.Expires) {
		row.Expires = c.Expires
	}
	row.Behind = c.login
	return row, nil
}

// actFor returns p as one that acts for who, and for whom that one acts.
func actFor(p, who policy.Principal) (policy.Principal, error) {
	chain := slices.Concat(names(who), who.OnBehalfOf)
	behind := slices.Concat([]policy.Principal{alone(who)}, who.Delegators)
	switch {
	case p.Kind == policy.KindPerson:
		return p, fmt.Errorf("%w: people act for themselves; an agent, a job or a service signs in on behalf of somebody", ErrProof)
	case len(p.OnBehalfOf) > 0:
		return p, fmt.Errorf("%w: it already says on behalf of whom it acts", ErrProof)
	case strings.HasPrefix(who.ID, reserved):
		return p, fmt.Errorf("%w: nobody acts on behalf of %q", ErrProof, who.ID)
	case slices.ContainsFunc(chain, func(n string) bool { return strings.EqualFold(n, p.ID) }):
		return p, fmt.Errorf("%w: %q would act on behalf of itself", ErrProof, p.ID)
	case len(behind) > policy.MaxDelegators || len(chain) > maxChain:
		return p, fmt.Errorf("%w: more than %d stand behind it", ErrProof, policy.MaxDelegators)
	}
	p.OnBehalfOf, p.Delegators = chain, behind
	return p, nil
}

// names are those by which a principal is known in OnBehalfOf.
func names(p policy.Principal) []string {
	if p.Email == "" || p.Email == p.ID {
		return []string{p.ID}
	}
	return []string{p.ID, p.Email}
}

func alone(p policy.Principal) policy.Principal {
	p.OnBehalfOf, p.Delegators = nil, nil
	return p
}

// NarrowIn returns p without the groups that it, and each of its delegators, has lost since, as the newest sign-ins say.
func (l *Logins) NarrowIn(tx *store.Tx, p policy.Principal) (policy.Principal, error) {
	return p.Narrowed(func(name string) (policy.Principal, bool, error) { return l.PrincipalIn(tx, name) })
}

// Narrow is NarrowIn in a transaction of its own.
func (l *Logins) Narrow(ctx context.Context, p policy.Principal) (policy.Principal, error) {
	err := l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		now, err := l.NarrowIn(tx, p)
		p = now
		return err
	})
	return p, err
}

// FollowPrincipals calls changed with the name of each principal whose newest sign-in may say something else than
// before; with "" for all of them, at first and after a gap. It returns with ctx.
func (l *Logins) FollowPrincipals(ctx context.Context, changed func(name string)) error {
	return l.people.Follow(ctx, func([]store.Entry[personRow], store.Revision) { changed("") }, func(ev store.Event[personRow]) {
		changed(ev.Value.Principal.ID)
	})
}

// actor returns the principal of a token with an "act" claim with the groups that count now: its own are those of its own
// newest sign-in at that issuer, since the token's groups are the subject's.
func (l *Logins) actor(tx *store.Tx, p policy.Principal) (policy.Principal, error) {
	own, known, err := l.PrincipalIn(tx, p.ID)
	if err != nil {
		return p, err
	}
	if p.Groups = nil; known && own.Issuer == p.Issuer {
		p.Groups = own.Groups
	}
	return l.NarrowIn(tx, p)
}

// act is one actor of an "act" claim (RFC 8693, section 4.1).
type act struct {
	Subject string          `json:"sub"`
	Issuer  string          `json:"iss"`
	Act     json.RawMessage `json:"act"`
}

// delegated reads for whom the principal acts. A token with an "act" claim is of an agent that acts for the token's
// subject, whatever kind the subject is; acted reports one. Earlier actors are named, and prove nothing.
func (v *verifier) delegated(c claims, p policy.Principal) (_ policy.Principal, acted bool, err error) {
	chain, ok := c.list(v.issuer.OnBehalfOfClaim)
	if !ok || len(chain) > maxChain || slices.ContainsFunc(chain, func(n string) bool { return !validName(n) }) {
		return p, false, fmt.Errorf("%w: its claim %q is not a list of names", ErrProof, v.issuer.OnBehalfOfClaim)
	}
	raw, acted := c["act"]
	if !acted {
		p.OnBehalfOf = chain
		return p, false, nil
	}
	actors, err := v.actors(raw)
	if err != nil {
		return p, false, err
	}
	who := alone(p)
	p = policy.Principal{
		Kind: policy.KindAgent, ID: actors[0], Name: actors[0], Issuer: p.Issuer,
		OnBehalfOf: slices.Concat(actors[1:], names(who), chain), Delegators: []policy.Principal{who},
	}
	if slices.ContainsFunc(p.OnBehalfOf, func(n string) bool { return strings.EqualFold(n, p.ID) }) {
		return p, false, fmt.Errorf("%w: its claim %q names an actor that acts for itself", ErrProof, "act")
	}
	return p, true, nil
}

// actors names the actors, the present one first. All are of this issuer.
func (v *verifier) actors(raw json.RawMessage) ([]string, error) {
	var all []string
	for raw != nil && len(all) < maxChain {
		var a act
		if json.Unmarshal(raw, &a) != nil || a.Subject == "" || !validName(v.issuer.NamePrefix+a.Subject) ||
			cmp.Or(a.Issuer, v.issuer.URL) != v.issuer.URL {
			return nil, fmt.Errorf("%w: its claim %q names no actor of this issuer", ErrProof, "act")
		}
		all, raw = append(all, v.issuer.NamePrefix+a.Subject), a.Act
	}
	if raw != nil {
		return nil, fmt.Errorf("%w: its claim %q is too deep", ErrProof, "act")
	}
	return all, nil
}
