package token

import (
	"testing"
)

func TestClaimedReadsWithoutTrust(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "no token": "hello", "short": Prefix + "v4.public.e30.a2V5", "cut": Prefix + "v4.public..",
	} {
		if c, err := Claimed(text); err == nil {
			t.Errorf("%s: read as %+v", name, c)
		}
	}
}

func FuzzClaimed(f *testing.F) {
	f.Add("")
	f.Add(Prefix + "v4.public.eyJhdWQiOiJyZXNvdXJjZTphIn0.a2V5")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Claimed(text)
		if err == nil && (c.Audience == "" || c.Grant == "" || len(text) > MaxLen) {
			t.Fatalf("read %q as %+v", text, c)
		}
	})
}
