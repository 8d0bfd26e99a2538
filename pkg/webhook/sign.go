package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Names of the headers.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Headers are what a signed request carries besides its body.
type Headers struct {
	ID        string // the same for every attempt to deliver one event
	Timestamp string // of this attempt, in seconds since 1970
	Signature string // "v1,<base64>", once for each secret, divided by spaces
}

// Limits of what is signed and verified.
const (
	maxID        = 256
	maxSignature = 4 << 10
	// MaxSecrets is how many secrets sign at once: the present one and those that are going out of use.
	MaxSecrets = 4
)

// Errors of Verify.
var (
	// ErrMalformed is a header that is missing, too long or not of the form.
	ErrMalformed = errors.New("webhook headers are missing or malformed")
	// ErrTimestamp is an attempt that is too old, or from the future: a replay, or a clock that is wrong.
	ErrTimestamp = errors.New("webhook timestamp is out of tolerance")
	// ErrSignature is a body, id or timestamp that none of the secrets signed.
	ErrSignature = errors.New("webhook signature does not verify")
)

// Sign returns the headers of a body that is sent at a time. Each secret adds a signature, so that a receiver may change
// to a new one at any moment while both are given.
func Sign(id string, at time.Time, body []byte, secrets ...Secret) (Headers, error) {
	if !validID(id) {
		return Headers{}, fmt.Errorf("sign webhook: id of %d bytes, or with a dot or a space in it", len(id))
	}
	if len(secrets) == 0 || len(secrets) > MaxSecrets {
		return Headers{}, fmt.Errorf("sign webhook: %d secrets; use 1 to %d", len(secrets), MaxSecrets)
	}
	h := Headers{ID: id, Timestamp: strconv.FormatInt(at.Unix(), 10)}
	signatures := make([]string, len(secrets))
	for i, s := range secrets {
		if len(s.key) < MinKey {
			return Headers{}, fmt.Errorf("sign webhook: %w", ErrSecret)
		}
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(s.mac(h.ID, h.Timestamp, body))
	}
	h.Signature = strings.Join(signatures, " ")
	return h, nil
}

func (s Secret) mac(id, timestamp string, body []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(id + "." + timestamp + "."))
	m.Write(body)
	return m.Sum(nil)
}

// validID keeps out what would make two messages sign alike: the dot divides the id from the timestamp.
func validID(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '.' })
}
