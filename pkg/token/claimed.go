package token

import (
	"encoding/json"
	"strings"
)

// signatureSize is the length of the signature at the end of a PASETO v4.public payload, in bytes.
const signatureSize = 64

// Claimed reads what a token says of itself. Nothing is verified: it only tells what [Verifier.Verify] must be asked.
func Claimed(access string) (Claims, error) {
	body, _, err := split(access)
	if err != nil {
		return Claims{}, err
	}
	payload, err := decode(strings.Split(body, ".")[2])
	if err != nil || len(payload) <= signatureSize {
		return Claims{}, ErrMalformed
	}
	payload = payload[:len(payload)-signatureSize]
	if !json.Valid(payload) {
		return Claims{}, ErrMalformed
	}
	return read(payload)
}

// SignedBy returns the id of the key that a token says has signed it. Nothing is verified.
func SignedBy(access string) (keyID string, err error) {
	_, keyID, err = split(access)
	return keyID, err
}
