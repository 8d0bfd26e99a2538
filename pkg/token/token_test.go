package token_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"aidanwoods.dev/go-paseto"

	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/token"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const issuer = "https://writ.example"

func newKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
}

func keysOf(t testing.TB, private ...ed25519.PrivateKey) identity.Keys {
	t.Helper()
	byID := map[string]ed25519.PublicKey{}
	for _, p := range private {
		public := p.Public().(ed25519.PublicKey)
		byID[identity.KeyID(public)] = public
	}
	keys, err := identity.NewKeys(byID)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func claims() token.Claims {
	return token.Claims{
		Grant: "01J", Subject: "agent:billing", Audience: token.ResourceAudience("orders-db"),
		IssuedAt: now, NotBefore: now, Expires: now.Add(30 * time.Minute),
	}
}

func issue(t testing.TB, key ed25519.PrivateKey, c token.Claims) string {
	t.Helper()
	i, err := token.NewIssuer(issuer, func() ed25519.PrivateKey { return key })
	if err != nil {
		t.Fatal(err)
	}
	text, err := i.Issue(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func verifier(t testing.TB, keys identity.Keys) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(issuer, keys)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// sign makes a correctly signed token of any claims, as an issuer would not.
func sign(t testing.TB, key ed25519.PrivateKey, json, footer string) string {
	t.Helper()
	tok, err := paseto.NewTokenFromClaimsJSON([]byte(json), []byte(footer))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := paseto.NewV4AsymmetricSecretKeyFromEd25519(key)
	if err != nil {
		t.Fatal(err)
	}
	return token.Prefix + tok.V4Sign(secret, nil)
}

func TestVerify(t *testing.T) {
	key := newKey('a')
	text := issue(t, key, claims())
	if !strings.HasPrefix(text, "writ_v4.public.") || len(text) > 600 {
		t.Fatalf("unexpected form: %s", text)
	}
	v := verifier(t, keysOf(t, key, newKey('b')))
	got, err := v.Verify(text, "resource:orders-db", now.Add(time.Minute))
	want := claims()
	want.Issuer = issuer
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	key, stranger := newKey('a'), newKey('s')
	good := issue(t, key, claims())
	id := identity.KeyID(key.Public().(ed25519.PublicKey))
	times := `"iat":"2026-03-01T12:00:00Z","nbf":"2026-03-01T12:00:00Z","exp":"2026-03-01T12:30:00Z"`
	full := `{"jti":"g","sub":"s","aud":"resource:orders-db","iss":"` + issuer + `",` + times
	forged := sign(t, stranger, full+"}", id) // names a trusted key
	parts := strings.Split(good, ".")
	late := claims()
	late.NotBefore = now.Add(time.Hour)
	late.Expires = now.Add(2 * time.Hour)
	future := claims()
	future.IssuedAt = now.Add(time.Hour)

	for name, c := range map[string]struct {
		text     string
		audience string
		at       time.Duration
		want     error
	}{
		"control":              {text: sign(t, key, full+"}", id)},
		"last moment":          {text: good, at: 30*time.Minute - 1},
		"expired":              {text: good, at: 30 * time.Minute, want: token.ErrExpired},
		"clock behind":         {text: good, at: -token.Leeway},
		"not yet":              {text: good, at: -token.Leeway - 1, want: token.ErrNotYet},
		"nbf later":            {text: issue(t, key, late), want: token.ErrNotYet},
		"issued later":         {text: issue(t, key, future), want: token.ErrNotYet},
		"another resource":     {text: good, audience: "resource:orders-db2", want: token.ErrAudience},
		"part of a resource":   {text: good, audience: "resource:orders", want: token.ErrAudience},
		"no audience":          {text: good, audience: "-", want: token.ErrAudience},
		"stranger's key":       {text: issue(t, stranger, claims()), want: token.ErrUnknownKey},
		"stranger, our id":     {text: forged, want: token.ErrForged},
		"another issuer":       {text: sign(t, key, strings.Replace(full, issuer, "https://evil", 1)+"}", id), want: token.ErrIssuer},
		"issuer with slash":    {text: sign(t, key, strings.Replace(full, issuer, issuer+"/", 1)+"}", id), want: token.ErrIssuer},
		"path as key id":       {text: sign(t, key, full+"}", "../../"+id), want: token.ErrUnknownKey},
		"no key id":            {text: sign(t, key, full+"}", ""), want: token.ErrMalformed},
		"unknown claim":        {text: sign(t, key, full+`,"only":"read"}`, id), want: token.ErrMalformed},
		"no grant":             {text: sign(t, key, strings.Replace(full, `"jti":"g",`, "", 1)+"}", id), want: token.ErrMalformed},
		"no expiry":            {text: sign(t, key, strings.Replace(full, "exp", "iat", 1)+"}", id), want: token.ErrMalformed},
		"audience list":        {text: sign(t, key, strings.Replace(full, `"resource:orders-db"`, `["resource:orders-db"]`, 1)+"}", id), want: token.ErrMalformed},
		"ends before it began": {text: sign(t, key, strings.Replace(full, "12:30", "11:30", 1)+"}", id), want: token.ErrMalformed},
		"empty":                {text: "", want: token.ErrMalformed},
		"no prefix":            {text: strings.TrimPrefix(good, token.Prefix), want: token.ErrMalformed},
		"jwt alg none":         {text: "writ_eyJhbGciOiJub25lIn0.e30.", want: token.ErrMalformed},
		"v2":                   {text: strings.Replace(good, "v4", "v2", 1), want: token.ErrMalformed},
		"local":                {text: strings.Replace(good, "public", "local", 1), want: token.ErrMalformed},
		"no footer":            {text: strings.Join(parts[:3], "."), want: token.ErrMalformed},
		"second footer":        {text: good + ".x", want: token.ErrMalformed},
		"line break":           {text: parts[0] + "." + parts[1] + ".\n" + parts[2] + "." + parts[3], want: token.ErrMalformed},
		"padding":              {text: good + "=", want: token.ErrMalformed},
		"huge":                 {text: good + strings.Repeat("A", token.MaxLen), want: token.ErrMalformed},
		"short payload":        {text: parts[0] + ".public.AAAA." + parts[3], want: token.ErrForged},
	} {
		t.Run(name, func(t *testing.T) {
			audience := c.audience
			switch audience {
			case "":
				audience = "resource:orders-db"
			case "-":
				audience = ""
			}
			got, err := verifier(t, keysOf(t, key)).Verify(c.text, audience, now.Add(c.at))
			if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil && got != (token.Claims{}) {
				t.Fatalf("claims beside an error: %+v", got)
			}
		})
	}
}

// Every bit of a token counts, also the unused ones at the end of base64.
func TestEveryCharacterCounts(t *testing.T) {
	key := newKey('a')
	v := verifier(t, keysOf(t, key))
	text := issue(t, key, claims())
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range text {
		at := max(0, strings.IndexByte(alphabet, text[i]))
		for _, other := range []int{at ^ 1, at ^ 32} { // the lowest and the highest bit
			changed := text[:i] + alphabet[other:other+1] + text[i+1:]
			if _, err := v.Verify(changed, "resource:orders-db", now); err == nil {
				t.Fatalf("accepted with %q for %q at %d", alphabet[other], text[i], i)
			}
		}
	}
}

func TestKeysSwap(t *testing.T) {
	old, next := newKey('o'), newKey('n')
	v := verifier(t, identity.Keys{})
	text := issue(t, old, claims())
	check := func(keys identity.Keys, want error) {
		t.Helper()
		v.SetKeys(keys)
		if _, err := v.Verify(text, "resource:orders-db", now); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	check(identity.Keys{}, token.ErrUnknownKey)
	check(keysOf(t, old), nil)
	check(keysOf(t, old, next), nil)
	check(keysOf(t, next), token.ErrUnknownKey)

	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { v.SetKeys(keysOf(t, old)) })
		wg.Go(func() { _, _ = v.Verify(text, "resource:orders-db", now) })
	}
	wg.Wait()
}

func TestIssueRefuses(t *testing.T) {
	good, err := token.NewIssuer(issuer, func() ed25519.PrivateKey { return newKey('a') })
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*token.Claims){
		"no grant":    func(c *token.Claims) { c.Grant = "" },
		"no subject":  func(c *token.Claims) { c.Subject = "" },
		"no audience": func(c *token.Claims) { c.Audience = "" },
		"no expiry":   func(c *token.Claims) { c.Expires = time.Time{} },
		"no life":     func(c *token.Claims) { c.Expires = c.NotBefore.Add(time.Second - 1) },
		"too long":    func(c *token.Claims) { c.Subject = strings.Repeat("x", token.MaxLen) },
	} {
		c := claims()
		change(&c)
		if text, err := good.Issue(c); err == nil {
			t.Errorf("%s: issued %s", name, text)
		}
	}
	broken, err := token.NewIssuer(issuer, func() ed25519.PrivateKey { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broken.Issue(claims()); err == nil {
		t.Error("issued without a key")
	}
	if _, err := token.NewIssuer("", nil); err == nil {
		t.Error("made an issuer of nothing")
	}
	if _, err := token.NewVerifier("", identity.Keys{}); err == nil {
		t.Error("made a verifier of any issuer")
	}
}

func TestSecret(t *testing.T) {
	s := token.NewSecret(token.JoinSecret)
	if other := token.NewSecret(token.JoinSecret); other == s {
		t.Fatal("two secrets are the same")
	}
	text := s.Reveal()
	if !strings.HasPrefix(text, "writ_join_") || len(text) != len("writ_join_")+43 {
		t.Fatalf("form: %s", text)
	}
	parsed, err := token.ParseSecret(token.JoinSecret, text)
	if err != nil || !s.Hash().Matches(parsed) {
		t.Fatalf("does not match itself: %v", err)
	}
	if (token.Hash{}).Matches(token.Secret{}) || (token.Secret{}).Hash().Matches(token.Secret{}) || s.Hash().Matches(token.NewSecret(token.JoinSecret)) {
		t.Fatal("matches what it should not")
	}
	for _, printed := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), fmt.Sprintf("%v", &s)} {
		if strings.Contains(printed, text[10:]) {
			t.Fatalf("printed: %s", printed)
		}
	}
	spelled, err := s.Hash().MarshalText()
	var back token.Hash
	if err != nil || back.UnmarshalText(spelled) != nil || back != s.Hash() {
		t.Fatal("hash does not survive text")
	}
	for _, bad := range []string{"", "00", strings.Repeat("g", 64), strings.Repeat("0", 66)} {
		if back.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("hash %q read", bad)
		}
	}
	for _, bad := range []string{"", "writ_join_", text + "A", text[:len(text)-1], "writ_admin_" + text[10:], text[:52] + "\n", text[:52] + "=", " " + text} {
		if _, err := token.ParseSecret(token.JoinSecret, bad); !errors.Is(err, token.ErrSecret) {
			t.Errorf("secret %q: %v", bad, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey('a')
	text := issue(f, key, claims())
	v := verifier(f, keysOf(f, key))
	f.Add(text)
	f.Add("writ_v4.public." + base64.RawURLEncoding.EncodeToString(make([]byte, 70)) + ".AAAA")
	f.Add("writ_v4.public..")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := v.Verify(in, "resource:orders-db", now)
		if err == nil && in != text {
			t.Fatalf("accepted %q", in)
		}
		if err != nil && got != (token.Claims{}) {
			t.Fatal("claims beside an error")
		}
	})
}

func FuzzParseSecret(f *testing.F) {
	f.Add(token.NewSecret(token.AdminSecret).Reveal())
	f.Fuzz(func(t *testing.T, in string) {
		if s, err := token.ParseSecret(token.AdminSecret, in); err == nil && s.Reveal() != in {
			t.Fatal("changed by parsing")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	key := newKey('a')
	v, text := verifier(b, keysOf(b, key)), issue(b, key, claims())
	for b.Loop() {
		if _, err := v.Verify(text, "resource:orders-db", now); err != nil {
			b.Fatal(err)
		}
	}
}

// TestClaimedIsWhatVerifyReads: for a good token, the unverified claims are the verified ones.
func TestClaimedIsWhatVerifyReads(t *testing.T) {
	key := newKey(1)
	text := issue(t, key, claims())
	v, err := token.NewVerifier(issuer, keysOf(t, key))
	if err != nil {
		t.Fatal(err)
	}
	want, err := v.Verify(text, claims().Audience, now)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := token.Claimed(text); err != nil || got != want {
		t.Errorf("claims %+v, %v, want %+v", got, err, want)
	}
}
