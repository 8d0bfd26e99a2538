// Package seal encrypts what the control plane keeps at rest: each value under
// its own AES-256-GCM key, which is wrapped by a key from the seal key file
// and bound to the place where the value is stored.
package seal

import (
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

var (
	// ErrOpen: the value was sealed with another key or for another place, or
	// it was changed since.
	ErrOpen = errors.New("sealed value does not open: another seal key, another place, or damaged")
	// ErrNotConfigured: there is no seal key.
	ErrNotConfigured = errors.New("no seal key is configured")
)

// Sealer encrypts and authenticates. aad names the place of the value; it is
// not stored, and Open fails with ErrOpen unless it is the one given to Seal.
type Sealer interface {
	Seal(plain, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

// None is the Sealer of a control plane without a seal key: everything fails
// with ErrNotConfigured.
func None() Sealer { return none{} }

type none struct{}

func (none) Seal(_, _ []byte) ([]byte, error) { return nil, ErrNotConfigured }
func (none) Open(_, _ []byte) ([]byte, error) { return nil, ErrNotConfigured }

// envelope wraps a fresh data key for every value.
type envelope struct{ aead tink.AEAD }

func newEnvelope(keys *keyset.Handle) (Sealer, error) {
	kek, err := aead.New(keys)
	if err != nil {
		return nil, fmt.Errorf("use seal keys: %w", err)
	}
	return envelope{aead: aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), kek)}, nil
}

func (e envelope) Seal(plain, aad []byte) ([]byte, error) {
	sealed, err := e.aead.Encrypt(plain, aad)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

func (e envelope) Open(sealed, aad []byte) ([]byte, error) {
	plain, err := e.aead.Decrypt(sealed, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
