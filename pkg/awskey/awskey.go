// Package awskey makes the key pair with which AWS clients sign what they send to an edge. It comes of the access token
// and of the key that signed the token: nothing is stored, and whoever holds that key works out the same pair.
package awskey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"

	"github.com/writhq/writ/pkg/token"
)

const (
	// secretInfo is the info of HKDF (RFC 5869) that keeps the key of client secrets apart from others of one origin.
	secretInfo = "writ aws client secret v1"
	// idLabel comes before the access token.
	idLabel = "writ aws key id v1"
	// idPrefix begins the key IDs of temporary credentials (IAM User Guide, "Understanding unique ID prefixes").
	idPrefix     = "ASIA"
	idLetters    = 16
	secretLength = 40
)

// KeyID is the access key ID that belongs to an access token: 20 characters, of the form that AWS gives its own. It is
// no secret, and tells nothing of the token.
func KeyID(accessToken string) string {
	sum := sha256.Sum256([]byte(idLabel + accessToken))
	var letters [idLetters]byte
	base32.StdEncoding.Encode(letters[:], sum[:idLetters*5/8])
	return idPrefix + string(letters[:])
}

// Secret is the secret access key that belongs to an access token, 40 characters that hold 240 bits. It is made with
// master, which [Keys] derives.
func Secret(master []byte, accessToken string) string {
	mac := hmac.New(sha256.New, master)
	mac.Write([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))[:secretLength]
}

// Keys are those that sign access tokens.
type Keys interface {
	// Derive returns 32 bytes that come of a private key and of info by HKDF-SHA256, and false where there is no such key
	// or it verifies no more.
	Derive(keyID, info string) ([]byte, bool)
}

// SecretFor returns the secret access key that belongs to an access token, by way of the key that signed it. The token
// itself is not verified. It fails with token.ErrMalformed or token.ErrUnknownKey.
func SecretFor(keys Keys, accessToken string) (string, error) {
	signer, err := token.SignedBy(accessToken)
	if err != nil {
		return "", fmt.Errorf("client secret: %w", err)
	}
	master, ok := keys.Derive(signer, secretInfo)
	if !ok {
		return "", fmt.Errorf("client secret: %w", token.ErrUnknownKey)
	}
	defer clear(master)
	return Secret(master, accessToken), nil
}
