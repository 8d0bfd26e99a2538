package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const pinPrefix = "sha256:"

// ErrPin: the certificate chain does not lead to the pinned authority.
var ErrPin = errors.New("control plane certificate does not match the pinned authority")

// Pin is the SHA-256 of an authority's public key (its SubjectPublicKeyInfo),
// written "sha256:" and 64 hex digits. The zero value matches nothing.
type Pin struct {
	sum [sha256.Size]byte
	set bool
}

// PinOf returns the pin of a certificate's key.
func PinOf(cert *x509.Certificate) Pin {
	return Pin{sum: sha256.Sum256(cert.RawSubjectPublicKeyInfo), set: true}
}

// ParsePin reads what String writes.
func ParsePin(s string) (Pin, error) {
	digits, ok := strings.CutPrefix(s, pinPrefix)
	if !ok || len(digits) != 2*sha256.Size {
		return Pin{}, fmt.Errorf("pin must be %q and %d hex digits", pinPrefix, 2*sha256.Size)
	}
	p := Pin{set: true}
	if _, err := hex.Decode(p.sum[:], []byte(digits)); err != nil {
		return Pin{}, fmt.Errorf("pin must be %q and %d hex digits", pinPrefix, 2*sha256.Size)
	}
	return p, nil
}

// String returns "sha256:<hex>", or "" for the zero value.
func (p Pin) String() string {
	if !p.set {
		return ""
	}
	return pinPrefix + hex.EncodeToString(p.sum[:])
}

// IsZero tells that nothing is pinned.
func (p Pin) IsZero() bool { return !p.set }

// Matches tells whether cert holds the pinned key.
func (p Pin) Matches(cert *x509.Certificate) bool {
	other := PinOf(cert)
	return p.set && subtle.ConstantTimeCompare(p.sum[:], other.sum[:]) == 1
}
