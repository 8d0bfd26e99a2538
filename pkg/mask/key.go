package mask

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
)

// Key is the secret behind hash masks. Its holder can test guesses of hidden values. The zero Key hashes nothing:
// with it, Hash gives NULL. Safe for concurrent use.
type Key struct {
	inner, outer [sha256.BlockSize]byte
	set          bool
}

// MinKeyBytes is the shortest secret NewKey takes.
const MinKeyBytes = 16

// NewKey returns a key made of a random secret. It keeps no reference to secret.
func NewKey(secret []byte) (Key, error) {
	if len(secret) < MinKeyBytes {
		return Key{}, fmt.Errorf("mask key of %d bytes, want %d or more", len(secret), MinKeyBytes)
	}
	if len(secret) > sha256.BlockSize {
		sum := sha256.Sum256(secret)
		secret = sum[:]
	}
	k := Key{set: true}
	copy(k.inner[:], secret)
	k.outer = k.inner
	for i := range k.inner {
		k.inner[i] ^= 0x36
		k.outer[i] ^= 0x5c
	}
	return k, nil
}

// String hides the key from formatting.
func (Key) String() string { return "mask key" }

// GoString hides the key from formatting.
func (Key) GoString() string { return "mask.Key{}" }

// sum is HMAC-SHA-256 (RFC 2104), without allocating for values of ordinary length.
func (k *Key) sum(value []byte) [sha256.Size]byte {
	const room = 192
	if len(value) > room {
		return k.sumLong(value)
	}
	var in [sha256.BlockSize + room]byte
	copy(in[:], k.inner[:])
	n := copy(in[sha256.BlockSize:], value)
	inner := sha256.Sum256(in[:sha256.BlockSize+n])
	var out [sha256.BlockSize + sha256.Size]byte
	copy(out[:], k.outer[:])
	copy(out[sha256.BlockSize:], inner[:])
	return sha256.Sum256(out[:])
}

func (k *Key) sumLong(value []byte) [sha256.Size]byte {
	var secret [sha256.BlockSize]byte
	for i := range secret {
		secret[i] = k.inner[i] ^ 0x36
	}
	mac := hmac.New(sha256.New, secret[:])
	mac.Write(value)
	return [sha256.Size]byte(mac.Sum(nil))
}
