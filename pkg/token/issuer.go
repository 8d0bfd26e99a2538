package token

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"aidanwoods.dev/go-paseto"

	"github.com/writhq/writ/pkg/identity"
)

// Issuer signs access tokens.
type Issuer struct {
	name    string
	current func() ed25519.PrivateKey
}

// NewIssuer returns an issuer of this name. current gives the key to sign with
// and is asked for every token, so that keys can rotate.
func NewIssuer(name string, current func() ed25519.PrivateKey) (*Issuer, error) {
	if name == "" || current == nil {
		return nil, errors.New("token issuer: a name and a key are required")
	}
	return &Issuer{name: name, current: current}, nil
}

// Issue returns the token for claims, whose Issuer it fills in. The form is
// "writ_" and a PASETO v4.public token with the key id as footer.
func (i *Issuer) Issue(claims Claims) (string, error) {
	claims = claims.inSeconds()
	claims.Issuer = i.name
	if err := claims.check(); err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	private := i.current()
	key, err := paseto.NewV4AsymmetricSecretKeyFromEd25519(private)
	if err != nil {
		return "", errors.New("issue token: unusable signing key")
	}
	public, _ := private.Public().(ed25519.PublicKey)
	t := paseto.NewToken()
	t.SetJti(claims.Grant)
	t.SetSubject(claims.Subject)
	t.SetAudience(claims.Audience)
	t.SetIssuer(claims.Issuer)
	t.SetIssuedAt(claims.IssuedAt)
	t.SetNotBefore(claims.NotBefore)
	t.SetExpiration(claims.Expires)
	t.SetFooter([]byte(identity.KeyID(public)))
	signed := Prefix + t.V4Sign(key, nil)
	if len(signed) > MaxLen {
		return "", fmt.Errorf("issue token: %d bytes, limit %d", len(signed), MaxLen)
	}
	return signed, nil
}
