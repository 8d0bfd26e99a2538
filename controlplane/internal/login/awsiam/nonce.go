package awsiam

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// NonceLifetime is how long a nonce can be used.
const NonceLifetime = 5 * time.Minute

const (
	nonceRandom = 16 // bytes
	nonceHead   = 8 + nonceRandom
	nonceSize   = nonceHead + sha256.Size
	minKey      = 32
)

// NonceID is what is spent of a nonce: 32 hex digits.
type NonceID string

// Nonces makes values that say by themselves that this control plane made them and until when they are good: nothing is
// kept of one before it is spent, so that strangers who ask for many cost nothing.
type Nonces struct {
	key []byte
	now func() time.Time
}

// NewNonces returns nonces under a key that all replicas share, of at least 32 bytes.
func NewNonces(key []byte, now func() time.Time) (*Nonces, error) {
	if len(key) < minKey || now == nil {
		return nil, fmt.Errorf("nonces: a clock and a key of at least %d bytes are required", minKey)
	}
	return &Nonces{key: key, now: now}, nil
}

// Create returns a nonce, and until when it is good.
func (n *Nonces) Create() (nonce string, expires time.Time) {
	expires = n.now().Add(NonceLifetime).UTC().Truncate(time.Second)
	raw := binary.BigEndian.AppendUint64(make([]byte, 0, nonceSize), uint64(expires.Unix()))
	raw = raw[:nonceHead]
	_, _ = rand.Read(raw[8:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(append(raw, n.mac(raw)...)), expires
}

func (n *Nonces) mac(head []byte) []byte {
	h := hmac.New(sha256.New, n.key)
	h.Write([]byte("writ sign-in nonce v1\x00"))
	h.Write(head)
	return h.Sum(nil)
}

var errNonce = errors.New("its nonce is unknown or expired")

// Check returns what to spend of a nonce that is genuine and good now.
func (n *Nonces) Check(nonce string) (NonceID, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(nonce) != base64.RawURLEncoding.EncodedLen(nonceSize) || len(raw) != nonceSize ||
		!hmac.Equal(raw[nonceHead:], n.mac(raw[:nonceHead])) {
		return "", errNonce
	}
	if expires := time.Unix(int64(binary.BigEndian.Uint64(raw)), 0); !n.now().Before(expires) {
		return "", errNonce
	}
	return NonceID(hex.EncodeToString(raw[8:nonceHead])), nil
}
