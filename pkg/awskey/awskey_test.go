package awskey_test

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/token"
)

var (
	keyForm    = regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`)
	secretForm = regexp.MustCompile(`^[A-Za-z0-9_-]{40}$`)
)

// Clients keep their keys for as long as a grant lasts: another way to make them would end every one of their sessions.
func TestKeysStayAsTheyAre(t *testing.T) {
	master := []byte(strings.Repeat("m", 32))
	for _, tt := range []struct{ token, id, secret string }{
		{"writ_v4.public.e30.a2V5", "ASIAOOJEPUWGBQFMAXR3", "DXO9urZyx88RVA4erhoqdzw5-hBFQrFqfQ92Au50"},
		{"", "ASIAGKHBH3FF2ALGDL23", "SVTPHfgnDcBUzc4ZT0fEsgjgBEhFMJS3oajWOOBl"},
	} {
		id, secret := awskey.KeyID(tt.token), awskey.Secret(master, tt.token)
		if id != tt.id || secret != tt.secret {
			t.Errorf("%q: %s %s", tt.token, id, secret)
		}
		if !keyForm.MatchString(id) || !secretForm.MatchString(secret) {
			t.Errorf("%q: not of the form of AWS: %s %s", tt.token, id, secret)
		}
	}
}

func TestEveryTokenHasAnotherKey(t *testing.T) {
	master, seen := []byte("master"), map[string]bool{}
	for _, text := range []string{"a", "b", "ab", "A", "a ", "a\x00"} {
		for _, made := range []string{awskey.KeyID(text), awskey.Secret(master, text)} {
			if seen[made] {
				t.Errorf("%q: %s belongs to another token", text, made)
			}
			seen[made] = true
		}
	}
	if awskey.Secret([]byte("other"), "a") == awskey.Secret(master, "a") {
		t.Error("the secret does not come of the key")
	}
}

// ring is one key, as a control plane has it.
type ring struct{ key ed25519.PrivateKey }

func newRing(seed byte) ring {
	return ring{ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(seed), ed25519.SeedSize)))}
}

func (r ring) Derive(keyID, info string) ([]byte, bool) {
	if keyID != identity.KeyID(r.key.Public().(ed25519.PublicKey)) {
		return nil, false
	}
	derived, err := hkdf.Key(sha256.New, r.key.Seed(), nil, info, 32)
	return derived, err == nil
}

func (r ring) issue(t *testing.T) string {
	t.Helper()
	issuer, err := token.NewIssuer("writ", func() ed25519.PrivateKey { return r.key })
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	signed, err := issuer.Issue(token.Claims{
		Grant: "grant-1", Subject: "agent-7", Audience: token.ResourceAudience("prod"), IssuedAt: at, NotBefore: at, Expires: at.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestSecretFor(t *testing.T) {
	ours, other := newRing('a'), newRing('b')
	signed := ours.issue(t)
	secret, err := awskey.SecretFor(ours, signed)
	if err != nil || !secretForm.MatchString(secret) {
		t.Fatalf("got %q, %v", secret, err)
	}
	const want = "qlsWD1cWnTo45YZ0rSGUYHPYyYsqNXzhzXlgY-Ou"
	if secret != want {
		t.Errorf("got %s, which clients of former versions do not have", secret)
	}
	if again, err := awskey.SecretFor(newRing('a'), signed); err != nil || again != secret {
		t.Errorf("another replica makes %q, %v", again, err)
	}
	for name, tt := range map[string]struct {
		keys  ring
		token string
		want  error
	}{
		"a key that is gone": {other, signed, token.ErrUnknownKey},
		"no token":           {ours, "hello", token.ErrMalformed},
		"nothing":            {ours, "", token.ErrMalformed},
	} {
		if secret, err := awskey.SecretFor(tt.keys, tt.token); !errors.Is(err, tt.want) || secret != "" {
			t.Errorf("%s: %q, %v", name, secret, err)
		}
	}
}
