// Package token makes and checks what a client shows instead of a password:
// access tokens, signed and bound to one resource, and one-time secrets, of
// which only a hash is kept.
package token

import (
	"errors"
	"time"
)

// Prefix starts every access token, so that secret scanners can find one.
const Prefix = "writ_"

// MaxLen is the longest access token in bytes. Longer input is refused before
// it is looked at.
const MaxLen = 2048

// Leeway is by how much the clock of the verifier may be behind that of the
// issuer. Expiry has no leeway.
const Leeway = 30 * time.Second

// What Verify tells apart.
var (
	// ErrMalformed: not an access token, or one with claims unknown here.
	ErrMalformed = errors.New("malformed access token")
	// ErrUnknownKey: signed by a key that is not, or no longer, trusted.
	ErrUnknownKey = errors.New("access token of an unknown key")
	// ErrForged: the signature is not of these claims.
	ErrForged = errors.New("access token signature does not verify")
	// ErrIssuer: of another control plane.
	ErrIssuer = errors.New("access token of another issuer")
	// ErrAudience: for another resource.
	ErrAudience = errors.New("access token for another resource")
	// ErrExpired: its time is over.
	ErrExpired = errors.New("access token expired")
	// ErrNotYet: its time has not begun.
	ErrNotYet = errors.New("access token not valid yet")
)

// Claims is what an access token says. All fields are required; times count in
// whole seconds.
type Claims struct {
	Grant     string // id of the grant (jti)
	Subject   string // principal (sub)
	Audience  string // what it opens, see ResourceAudience (aud)
	Issuer    string // which control plane (iss)
	IssuedAt  time.Time
	NotBefore time.Time
	Expires   time.Time // the first moment at which it is void
}

// ResourceAudience is the audience of a token for one resource.
func ResourceAudience(resource string) string { return "resource:" + resource }

func (c Claims) check() error {
	switch {
	case c.Grant == "", c.Subject == "", c.Audience == "", c.Issuer == "":
		return errors.New("a grant, subject, audience and issuer are required")
	case c.IssuedAt.IsZero(), c.NotBefore.IsZero(), !c.Expires.After(c.NotBefore):
		return errors.New("issue time, not-before and a later expiry are required")
	}
	return nil
}

// inSeconds cuts times to what a token can carry; expiry moves earlier.
func (c Claims) inSeconds() Claims {
	c.IssuedAt = c.IssuedAt.UTC().Truncate(time.Second)
	c.NotBefore = c.NotBefore.UTC().Truncate(time.Second)
	c.Expires = c.Expires.UTC().Truncate(time.Second)
	return c
}
