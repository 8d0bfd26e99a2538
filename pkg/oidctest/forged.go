package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// Unsigned returns a token with "alg":"none" and no signature (RFC 7519, section 6).
func (is *Issuer) Unsigned(claims Claims) (string, error) {
	payload, err := json.Marshal(is.complete(claims))
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + encode(payload) + ".", nil
}

// HMAC returns a token signed with HS256 whose secret is the issuer's public key, as a verifier that lets the token
// choose the algorithm would accept it.
func (is *Issuer) HMAC(claims Claims) (string, error) {
	k := is.current()
	public, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return is.sign(claims, jose.HS256, public, k.id)
}

// KeyID returns a token that the issuer signed but that names another key, such as "../../etc/passwd".
func (is *Issuer) KeyID(claims Claims, kid string) (string, error) {
	k := is.current()
	return is.sign(claims, k.algorithm, k.private, kid)
}

// Foreign returns a token of a key that is not the issuer's but bears its id.
func (is *Issuer) Foreign(claims Claims) (string, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return is.sign(claims, jose.ES256, private, is.current().id)
}
