// Package webhook signs and verifies Writ's outgoing webhooks, and defines their body. A receiver written in Go verifies
// with it; the scheme is that of Standard Webhooks (https://www.standardwebhooks.com), so that any of its libraries do.
package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// SecretPrefix starts a secret's text.
const SecretPrefix = "whsec_"

// Lengths of a secret's key in bytes, as Standard Webhooks has them.
const (
	MinKey = 24
	MaxKey = 64
)

// ErrSecret is a text that is not a secret.
var ErrSecret = fmt.Errorf("not a webhook secret; it is %q and then %d to %d random bytes in base64", SecretPrefix, MinKey, MaxKey)

// Secret is a key that sender and receiver share. The zero Secret neither signs nor verifies.
type Secret struct{ key []byte }

// ParseSecret reads a secret's text, with or without white space around it. Its error does not quote the text.
func ParseSecret(text string) (Secret, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), SecretPrefix)
	if !ok {
		return Secret{}, ErrSecret
	}
	key, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(key) < MinKey || len(key) > MaxKey {
		return Secret{}, ErrSecret
	}
	return Secret{key: key}, nil
}

// String hides the secret.
func (Secret) String() string { return SecretPrefix + "REDACTED" }

// GoString hides it from %#v too.
func (s Secret) GoString() string { return s.String() }

// MarshalText refuses, so that no secret is encoded by accident.
func (Secret) MarshalText() ([]byte, error) {
	return nil, errors.New("a webhook secret is not written down")
}
