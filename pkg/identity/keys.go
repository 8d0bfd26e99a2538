package identity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
)

// ErrSignature: a signature of an unknown key, or of other bytes.
var ErrSignature = errors.New("signature does not verify")

// KeyID names an Ed25519 key by its own bytes: 22 characters of base64url of
// the first 16 bytes of its SHA-256, so that an id cannot stand for two keys.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Keys is a set of public keys by KeyID. The zero value verifies nothing. It
// never changes after NewKeys.
type Keys struct{ byID map[string]ed25519.PublicKey }

// NewKeys checks that every key has the right length and its own id.
func NewKeys(byID map[string]ed25519.PublicKey) (Keys, error) {
	for id, key := range byID {
		if len(key) != ed25519.PublicKeySize {
			return Keys{}, fmt.Errorf("key %q has %d bytes, want %d", id, len(key), ed25519.PublicKeySize)
		}
		if KeyID(key) != id {
			return Keys{}, fmt.Errorf("key %q is not the one of this id", id)
		}
	}
	return Keys{byID: maps.Clone(byID)}, nil
}

// Get returns the key with an id.
func (k Keys) Get(id string) (ed25519.PublicKey, bool) {
	key, ok := k.byID[id]
	return key, ok
}

// All returns a copy of the set.
func (k Keys) All() map[string]ed25519.PublicKey { return maps.Clone(k.byID) }

// Verify fails with ErrSignature unless signature is the one of message under
// the key with this id. The caller makes message say what it is for, so that a
// signature for one purpose is none for another.
func (k Keys) Verify(id string, message, signature []byte) error {
	key, ok := k.byID[id]
	if !ok || !ed25519.Verify(key, message, signature) {
		return ErrSignature
	}
	return nil
}
