package webhook

import (
	"crypto/hmac"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// DefaultTolerance is how far a timestamp may be from the receiver's clock, either way.
const DefaultTolerance = 5 * time.Minute

// Verifier verifies what a receiver got. Without Secrets it refuses everything.
//
// It stops replays that are older than Tolerance. Within that time, and because an event is delivered at least once, a
// receiver remembers the ids it has handled for longer than a sender tries (a day or more) and does nothing for those.
type Verifier struct {
	// Secrets of which one must have signed.
	Secrets []Secret
	// Tolerance of the timestamp. Default DefaultTolerance.
	Tolerance time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Verify accepts a body exactly as it was received, before it is parsed: it returns nil, ErrMalformed, ErrTimestamp or
// ErrSignature. The time it takes does not depend on how much of a signature was guessed.
func (v Verifier) Verify(h Headers, body []byte) error {
	if !validID(h.ID) || h.Signature == "" || len(h.Signature) > maxSignature {
		return ErrMalformed
	}
	if err := v.checkTime(h.Timestamp); err != nil {
		return err
	}
	verified := false
	for _, s := range v.Secrets {
		if len(s.key) < MinKey {
			continue
		}
		want := s.mac(h.ID, h.Timestamp, body)
		for signature := range strings.FieldsSeq(h.Signature) {
			encoded, ok := strings.CutPrefix(signature, "v1,")
			if !ok {
				continue // of another version of the scheme
			}
			got, err := base64.StdEncoding.DecodeString(encoded)
			if err == nil && hmac.Equal(got, want) {
				verified = true
			}
		}
	}
	if !verified {
		return ErrSignature
	}
	return nil
}

func (v Verifier) checkTime(timestamp string) error {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || seconds <= 0 || strconv.FormatInt(seconds, 10) != timestamp {
		return ErrMalformed
	}
	now, tolerance := time.Now, DefaultTolerance
	if v.Now != nil {
		now = v.Now
	}
	if v.Tolerance > 0 {
		tolerance = v.Tolerance
	}
	at, present := time.Unix(seconds, 0), now()
	if at.Before(present.Add(-tolerance)) || at.After(present.Add(tolerance)) {
		return ErrTimestamp
	}
	return nil
}
