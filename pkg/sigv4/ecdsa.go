package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// orderMinusTwo is n-2 of P-256, big-endian. Source: FIPS 186-5, SP 800-186 section 3.2.1.3.
var orderMinusTwo = mustHex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc63254f")

func mustHex(s string) [32]byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return [32]byte(b)
}

// derivePair makes the P-256 key pair of an access key: candidates come from the KDF of SP 800-108 in counter mode, the
// first that is at most n-2 is taken, plus one. Source: the IAM User Guide, "AWS Signature Version 4A", and FIPS 186-4
// appendix B.4.2.
func derivePair(id, secret string) (*ecdsa.PrivateKey, error) {
	h := hmac.New(sha256.New, []byte("AWS4A"+secret))
	for counter := 1; counter <= 254; counter++ {
		h.Reset()
		h.Write([]byte{0, 0, 0, 1})
		h.Write([]byte(ECDSA))
		h.Write([]byte{0})
		h.Write([]byte(id))
		h.Write([]byte{byte(counter), 0, 0, 1, 0}) // the last four: 256 bits
		candidate := [32]byte(h.Sum(nil))
		if lessOrEqual(&candidate, &orderMinusTwo) {
			increment(&candidate)
			return ecdsa.ParseRawPrivateKey(elliptic.P256(), candidate[:])
		}
	}
	return nil, errors.New("no signing key can be derived")
}

// lessOrEqual compares big-endian numbers in constant time.
func lessOrEqual(a, b *[32]byte) bool {
	borrow := 0
	for i := 31; i >= 0; i-- {
		borrow = (int(b[i]) - int(a[i]) - borrow) >> 8 & 1
	}
	return borrow == 0
}

func increment(a *[32]byte) {
	carry := 1
	for i := 31; i >= 0; i-- {
		carry += int(a[i])
		a[i] = byte(carry)
		carry >>= 8
	}
}
