package policy

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The bytes are part of what edges and control planes of different versions agree on.
func TestSignedRevision(t *testing.T) {
	digest := bytes.Repeat([]byte{0xab}, 32)
	want := hex.EncodeToString([]byte("writ policy revision v1")) + "0102030405060708" + hex.EncodeToString(digest)
	if got := hex.EncodeToString(SignedRevision(0x0102030405060708, digest)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if bytes.Equal(SignedRevision(1, digest), SignedRevision(2, digest)) {
		t.Error("two numbers are signed alike")
	}
}
