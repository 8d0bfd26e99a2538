package token

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"aidanwoods.dev/go-paseto"

	"github.com/writhq/writ/pkg/identity"
)

// Verifier checks access tokens against a set of keys that can be swapped
// while others verify.
type Verifier struct {
	issuer string
	keys   atomic.Pointer[identity.Keys]
}

// NewVerifier trusts tokens of one issuer under keys; an empty set trusts none.
func NewVerifier(issuer string, keys identity.Keys) (*Verifier, error) {
	if issuer == "" {
		return nil, errors.New("token verifier: an issuer is required")
	}
	v := &Verifier{issuer: issuer}
	v.keys.Store(&keys)
	return v, nil
}

// SetKeys replaces the trusted keys.
func (v *Verifier) SetKeys(keys identity.Keys) { v.keys.Store(&keys) }

// Verify returns the claims of a token that is signed by a trusted key, from
// the issuer, for audience (which must not be empty), and valid at now. Claims
// are returned only without an error.
func (v *Verifier) Verify(token, audience string, now time.Time) (Claims, error) {
	body, kid, err := split(token)
	if err != nil {
		return Claims{}, err
	}
	public, ok := v.keys.Load().Get(kid)
	if !ok {
		return Claims{}, ErrUnknownKey
	}
	key, err := paseto.NewV4AsymmetricPublicKeyFromEd25519(public)
	if err != nil {
		return Claims{}, ErrUnknownKey
	}
	parsed, err := paseto.MakeParser(nil).ParseV4Public(key, body, nil)
	if err != nil {
		return Claims{}, ErrForged
	}
	claims, err := read(parsed.ClaimsJSON())
	if err != nil {
		return Claims{}, err
	}
	if err := claims.allow(v.issuer, audience, now); err != nil {
		return Claims{}, err
	}
	return claims, nil
}

// split checks the form of a token strictly (one spelling per token) and
// returns the PASETO and the key id that it names.
func split(token string) (body, kid string, err error) {
	if len(token) > MaxLen {
		return "", "", ErrMalformed
	}
	body, ok := strings.CutPrefix(token, Prefix)
	parts := strings.Split(body, ".")
	if !ok || len(parts) != 4 || parts[0] != "v4" || parts[1] != "public" {
		return "", "", ErrMalformed
	}
	if _, err := decode(parts[2]); err != nil {
		return "", "", err
	}
	footer, err := decode(parts[3])
	return body, string(footer), err
}

func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // which the decoder would skip
		return nil, ErrMalformed
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, ErrMalformed
	}
	return data, nil
}

// read refuses claims it does not know: they may be restrictions.
func read(data []byte) (Claims, error) {
	var c struct {
		Grant     string    `json:"jti"`
		Subject   string    `json:"sub"`
		Audience  string    `json:"aud"`
		Issuer    string    `json:"iss"`
		IssuedAt  time.Time `json:"iat"`
		NotBefore time.Time `json:"nbf"`
		Expires   time.Time `json:"exp"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return Claims{}, ErrMalformed
	}
	claims := Claims(c)
	if claims.check() != nil {
		return Claims{}, ErrMalformed
	}
	return claims, nil
}

func (c Claims) allow(issuer, audience string, now time.Time) error {
	switch {
	case subtle.ConstantTimeCompare([]byte(c.Issuer), []byte(issuer)) != 1:
		return ErrIssuer
	case audience == "", subtle.ConstantTimeCompare([]byte(c.Audience), []byte(audience)) != 1:
		return ErrAudience
	case !now.Before(c.Expires):
		return ErrExpired
	case now.Add(Leeway).Before(c.NotBefore), now.Add(Leeway).Before(c.IssuedAt):
		return ErrNotYet
	}
	return nil
}
