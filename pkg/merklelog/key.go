package merklelog

import (
	"crypto/ed25519"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// signer signs notes with an Ed25519 key.
type signer struct {
	note.Verifier
	key ed25519.PrivateKey
}

// Sign implements note.Signer.
func (s signer) Sign(message []byte) ([]byte, error) { return ed25519.Sign(s.key, message), nil }

// NewSigner returns what signs the checkpoints of a log, and the key that others verify them with: C2SP's text form of it, which has the
// origin in it. Ed25519 keys make notes of the form that golang.org/x/mod/sumdb/note has.
func NewSigner(origin string, key ed25519.PrivateKey) (_ note.Signer, public string, err error) {
	half, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PrivateKeySize {
		return nil, "", fmt.Errorf("%w: no Ed25519 key", ErrCheckpoint)
	}
	if public, err = note.NewEd25519VerifierKey(origin, half); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return nil, "", fmt.Errorf("%w: origin %.80q: %w", ErrCheckpoint, origin, err)
	}
	return signer{verifier, key}, public, nil
}
