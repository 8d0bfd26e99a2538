package mask

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func testKey(t testing.TB) Key {
	t.Helper()
	k, err := NewKey([]byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParse(t *testing.T) {
	for s, want := range map[string]Rule{
		"null": {}, "redact": {Kind: Redact}, "hash": {Kind: Hash},
		"partial:1": {Partial, 1}, "partial:16": {Partial, 16},
	} {
		got, err := Parse(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%s: got %v, error %v", s, got, err)
		}
	}
	for _, s := range []string{
		"", "none", "Redact", "partial", "partial:", "partial:0", "partial:-1", "partial:17", "partial:x", "partial:04",
		"partial: 4", "redact:4", "null:", "hash:", "partial:4:4", " redact",
	} {
		if got, err := Parse(s); !errors.Is(err, ErrRule) || got != (Rule{}) {
			t.Errorf("%q: got %v, error %v", s, got, err)
		}
	}
}

func TestAppendText(t *testing.T) {
	for _, tc := range []struct {
		rule  Rule
		value string
		want  string
	}{
		{Rule{}, "secret", "NULL"},
		{Rule{Kind: 99}, "secret", "NULL"},
		{Rule{Kind: Redact}, "secret", "***"},
		{Rule{Kind: Redact}, "", "***"},
		{Rule{Partial, 4}, "4111111111111111", "***1111"},
		{Rule{Partial, 4}, "12345678", "***5678"},
		{Rule{Partial, 4}, "1234567", "***"},
		{Rule{Partial, 4}, "", "***"},
		{Rule{Partial, 2}, "Дом€", "***м€"},
		{Rule{Partial, 2}, "abcdef\xff", "***"},
		{Rule{Partial, 0}, "abcdef", "***"},
		{Rule{Partial, 1000}, strings.Repeat("x", 5000), "***"},
	} {
		out, null := tc.rule.AppendText([]byte(">"), []byte(tc.value), testKey(t))
		got := strings.TrimPrefix(string(out), ">")
		if null {
			if got != "" {
				t.Errorf("%v of %q: NULL and %q", tc.rule, tc.value, got)
			}
			got = "NULL"
		}
		if got != tc.want {
			t.Errorf("%v of %q: got %q, want %q", tc.rule, tc.value, got, tc.want)
		}
	}
}

func TestHash(t *testing.T) {
	secret := []byte("0123456789abcdef")
	for _, secret := range [][]byte{secret, bytes.Repeat(secret, 4), bytes.Repeat(secret, 9)} {
		key, err := NewKey(secret)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 400 {
			value := bytes.Repeat([]byte("v"), n)
			mac := hmac.New(sha256.New, secret)
			mac.Write(value)
			want := hex.EncodeToString(mac.Sum(nil)[:hashBytes])
			if got, null := (Rule{Kind: Hash}).AppendText(nil, value, key); null || string(got) != want {
				t.Fatalf("%d bytes: got %s, want %s", n, got, want)
			}
		}
		if text := fmt.Sprintf("%v %+v %#v", key, key, key); strings.Contains(text, "48") {
			t.Errorf("the key shows: %s", text)
		}
	}
	if _, null := (Rule{Kind: Hash}).AppendText(nil, []byte("v"), Key{}); !null {
		t.Error("a hash without a key is not NULL")
	}
	if _, err := NewKey(make([]byte, MinKeyBytes-1)); err == nil {
		t.Error("took a short key")
	}
}

func TestStricter(t *testing.T) {
	null, redact, hash, four, two := Rule{}, Rule{Kind: Redact}, Rule{Kind: Hash}, Rule{Partial, 4}, Rule{Partial, 2}
	order := []Rule{null, redact, hash, two, four}
	for i, a := range order {
		for j, b := range order {
			if got := Stricter(a, b); got != order[min(i, j)] {
				t.Errorf("of %v and %v: %v", a, b, got)
			}
		}
	}
	if got := Stricter(Rule{Kind: 99}, four); got != null {
		t.Errorf("of an unknown mask: %v", got)
	}
}
