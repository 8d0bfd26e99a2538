package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// SecretKind says what a one-time secret is for. A secret of one kind never
// passes for another.
type SecretKind string

const (
	JoinSecret  SecretKind = "join"  // an edge enrols
	AdminSecret SecretKind = "admin" // the first administrator signs in
	LoginSecret SecretKind = "login" // a signed-in person's command line
)

const secretBytes = 32

// ErrSecret: not a secret of the expected kind.
var ErrSecret = errors.New("malformed secret")

// Secret is 256 random bits with the form "writ_<kind>_<43 characters of
// base64url>". It prints as its kind only; Reveal gives the text.
type Secret struct{ text string }

// NewSecret makes a random secret.
func NewSecret(kind SecretKind) Secret {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails, see crypto/rand
	return Secret{text: kind.prefix() + base64.RawURLEncoding.EncodeToString(random)}
}

// ParseSecret checks the form of a secret of one kind, else ErrSecret.
func ParseSecret(kind SecretKind, text string) (Secret, error) {
	body, ok := strings.CutPrefix(text, kind.prefix())
	if !ok || len(body) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return Secret{}, ErrSecret
	}
	if data, err := decode(body); err != nil || len(data) != secretBytes {
		return Secret{}, ErrSecret
	}
	return Secret{text: text}, nil
}

func (k SecretKind) prefix() string { return Prefix + string(k) + "_" }

// Reveal returns the text, to be shown once to its owner.
func (s Secret) Reveal() string { return s.text }

// String hides the secret.
func (s Secret) String() string { return "(secret)" }

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// Hash is what a store keeps of a secret. With 256 random bits no salt and no
// slow function are needed.
func (s Secret) Hash() Hash { return Hash(sha256.Sum256([]byte(s.text))) }

// Hash is the SHA-256 of a secret's text. As text it is 64 hex digits.
type Hash [sha256.Size]byte

// Matches tells, in constant time, whether s is the secret of this hash. The
// zero hash and the zero secret match nothing.
func (h Hash) Matches(s Secret) bool {
	other := s.Hash()
	return s.text != "" && subtle.ConstantTimeCompare(h[:], other[:]) == 1
}

// String returns 64 hex digits, fit for a key in a store.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes what UnmarshalText reads.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads 64 hex digits.
func (h *Hash) UnmarshalText(text []byte) error {
	var sum Hash
	if len(text) != hex.EncodedLen(len(sum)) {
		return fmt.Errorf("hash of %d characters, want %d", len(text), hex.EncodedLen(len(sum)))
	}
	if _, err := hex.Decode(sum[:], text); err != nil {
		return errors.New("hash is not hex")
	}
	*h = sum
	return nil
}
