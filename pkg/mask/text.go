package mask

import (
	"encoding/hex"
	"unicode/utf8"
)

// hashBytes is how much of the HMAC a hash mask shows: enough that equal hashes mean equal values.
const hashBytes = 16

// AppendText appends the masked form of a text to dst; null says that the value becomes NULL instead, and then dst
// comes back as it was. Partial leaves at most half of the characters, and nothing of a shorter or ill-formed text.
func (r Rule) AppendText(dst, value []byte, key Key) (out []byte, null bool) {
	return r.appendText(dst, value, &key)
}

func (r Rule) appendText(dst, value []byte, key *Key) (out []byte, null bool) {
	switch r.Kind {
	case Redact:
		return append(dst, Redacted...), false
	case Partial:
		return append(append(dst, Redacted...), tail(value, r.Keep)...), false
	case Hash:
		if !key.set {
			return dst, true
		}
		sum := key.sum(value)
		return hex.AppendEncode(dst, sum[:hashBytes]), false
	}
	return dst, true
}

// tail returns the last keep characters of value, or nothing if that is more than half of it.
func tail(value []byte, keep int) []byte {
	if keep < 1 || keep > MaxKeep || !utf8.Valid(value) || utf8.RuneCount(value) < 2*keep {
		return nil
	}
	at := len(value)
	for range keep {
		_, size := utf8.DecodeLastRune(value[:at])
		at -= size
	}
	return value[at:]
}
