package mask

import (
	"slices"
	"strings"
	"testing"
)

func testDetector(t testing.TB, cfg Config) *Detector {
	t.Helper()
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	testJWT    = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
	testPEM    = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/x=\n-----END RSA PRIVATE KEY-----"
	testSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func TestDetected(t *testing.T) {
	d := testDetector(t, Config{})
	for _, tc := range []struct{ class, text string }{
		{"card", "4111111111111111"}, {"card", "4111 1111 1111 1111"}, {"card", "4111-1111-1111-1111"},
		{"card", "378282246310005"}, {"card", "3782 822463 10005"}, {"card", "5555555555554444"},
		{"card", "2223003122003222"}, {"card", "4222222222222"}, {"card", "6304000000000000018"},
		{"ssn", "123-45-6789"}, {"ssn", "123 45 6789"}, {"ssn", "899-99-9999"},
		{"email", "alice@example.com"}, {"email", "a.b+c_d%e-f@mail.example.co.uk"}, {"email", "josé@exämple.de"},
		{"email", "1@2.example"},
		{"phone", "+49 30 901820"}, {"phone", "+1 (415) 555-2671"}, {"phone", "+14155552671"},
		{"phone", "(415) 555-2671"}, {"phone", "(415)555-2671"}, {"phone", "415-555-2671"}, {"phone", "415.555.2671"},
		{"iban", "DE89370400440532013000"}, {"iban", "DE89 3704 0044 0532 0130 00"}, {"iban", "gb29nwbk60161331926819"},
		{"iban", "NO9386011117947"}, {"iban", "MT84MALT011000012345MTLCAST001S"},
		{"aws_key", "AKIAIOSFODNN7EXAMPLE"}, {"aws_key", "ASIAIOSFODNN7EXAMPLE"},
		{"jwt", testJWT}, {"pem", testPEM}, {"pem", strings.ReplaceAll(testPEM, "RSA ", "")},
		{"pem", strings.ReplaceAll(strings.ReplaceAll(testPEM, "RSA", "PGP"), "KEY-", "KEY BLOCK-")},
		{"pem", "-----BEGIN OPENSSH PRIVATE KEY-----\nnever ends 42"},
		{"token", "ghp_" + strings.Repeat("a1B2", 9)}, {"token", "github_pat_11ABCDEFG0123456789_abcdefghijk"},
		{"token", "sk_live_" + strings.Repeat("x", 24)}, {"token", "xoxb-123456789012-abcdef"},
		{"token", "AIza" + strings.Repeat("Sy_-b", 7)},
	} {
		for _, around := range [][2]string{
			{"", ""}, {"x: ", " y"}, {`{"v":"`, `"}`}, {"a,", ",b"}, {"(", ")"}, {"\n", "\n"}, {"=", ";"}, {"<b>", "</b>"},
			{"42, ", ", 42"},
		} {
			text := around[0] + tc.text + around[1]
			hits := d.Scan(nil, []byte(text))
			if tc.class == "pem" && !strings.Contains(text, "-END") && len(hits) == 1 {
				hits[0].End = len(around[0] + tc.text)
			}
			want := Hit{Start: len(around[0]), End: len(around[0]) + len(tc.text)}
			if len(hits) != 1 || d.Name(hits[0].Class) != tc.class || hits[0].Start != want.Start || hits[0].End != want.End {
				t.Errorf("%s in %q: %v", tc.class, text, hits)
			}
		}
	}
}

func TestNotDetected(t *testing.T) {
	d := testDetector(t, Config{})
	for _, text := range []string{
		"", "4111111111111112", "1111111111111117", "41111111111111111111", "4111.1111.1111.1111",
		"2026-11-23 10:00:00.123456+00", "2026-11-23 2026-11-24", "550e8400-e29b-41d4-a716-446655440000",
		"192.168.100.123", "000-45-6789", "666-45-6789", "923-45-6789", "123-00-6789", "123-45-0000", "1123-45-6789",
		"123-45-67890", "123-45-6789-1", "9-123-45-6789", "alice@localhost", "@example.com", "alice@.com", "a @example.com",
		"+1234567", "+1234567890123456", "115-555-2671", "415-155-2671", "DE88370400440532013000", "ZZ89370400440532013000",
		"DE893704004405320130001", "AKIAIOSFODNN7EXAMPL", "AKIAIOSFODNN7EXAMPLEX", "AKIAiosfodnn7example",
		"eyJhbGci.eyJzdWIiOiIxMjM0In0.x", "eyJhbGciOiJIUzI1NiJ9.eyJ", "eyJhbGciOiJIUzI1NiJ9",
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "ghp_short",
		"xoxo-hugs-and-kisses", "1234567890", "3.141592653589793", "0x4111",
	} {
		if hits := d.Scan(nil, []byte(text)); len(hits) > 0 {
			t.Errorf("%q: %s", text, d.Name(hits[0].Class))
		}
	}
}

func TestConcatenatedCard(t *testing.T) {
	d := testDetector(t, Config{})
	for _, text := range []string{"x4111111111111111", "4111111111111111x", "id_4111111111111111_4222222222222"} {
		if got := string(d.Redact(nil, []byte(text))); strings.Contains(got, "111") {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}

func TestAWSSecretAfterItsID(t *testing.T) {
	d := testDetector(t, Config{})
	text := "id=AKIAIOSFODNN7EXAMPLE\nsecret=" + testSecret + "\nhash=" + strings.Repeat("a", 40)
	if got := string(d.Redact(nil, []byte(text))); got != "id=***\nsecret=***\nhash="+strings.Repeat("a", 40) {
		t.Errorf("got %q", got)
	}
	if hits := d.Scan(nil, []byte(testSecret)); len(hits) != 0 {
		t.Error("40 characters by themselves are no secret")
	}
}

func TestRedactByRule(t *testing.T) {
	d := testDetector(t, Config{
		Classes: []string{"card", "email", "ssn"},
		Custom:  []Pattern{{Name: "badge", Regexp: `\bBADGE-[0-9]+(@x\.example)?`, Literal: "BADGE-"}},
		Rules:   map[string]Rule{"card": {Partial, 4}, "ssn": {}, "email": {Kind: Hash}, "badge": {Partial, 2}},
		Key:     testKey(t),
	})
	in := "4111111111111111 123-45-6789 BADGE-4711 BADGE-1@x.example 415-555-2671 " + testJWT
	hashed, _ := Rule{Kind: Hash}.AppendText(nil, []byte("BADGE-1@x.example"), testKey(t)) // the stricter of two
	want := "***1111  ***11 " + string(hashed) + " 415-555-2671 " + testJWT
	if got := string(d.Redact(nil, []byte(in))); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	a, b := d.Redact(nil, []byte("a@b.cc")), d.Redact(nil, []byte("a@b.cd"))
	if len(a) != 2*hashBytes || string(a) == string(b) {
		t.Errorf("hashed %s and %s", a, b)
	}
}

func TestDetectorConfigRefusals(t *testing.T) {
	for name, cfg := range map[string]Config{
		"unknown class":   {Classes: []string{"cards"}},
		"empty class":     {Classes: []string{""}},
		"rule of nothing": {Rules: map[string]Rule{"x": {}}},
		"rule of the zero class": {
			Rules: map[string]Rule{"": {}},
		},
		"hash without key": {Rules: map[string]Rule{"card": {Kind: Hash}}},
		"bad expression":   {Custom: []Pattern{{Name: "x", Regexp: "(", Literal: "abc"}}},
		"no literal":       {Custom: []Pattern{{Name: "x", Regexp: "abc"}}},
		"matches nothing":  {Custom: []Pattern{{Name: "x", Regexp: "a*", Literal: "abc"}}},
		"no name":          {Custom: []Pattern{{Regexp: "abc", Literal: "abc"}}},
		"taken name":       {Custom: []Pattern{{Name: "card", Regexp: "abc", Literal: "abc"}}},
		"too many":         {Custom: slices.Repeat([]Pattern{{Name: "x", Regexp: "abc", Literal: "abc"}}, 2)},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestHostileTextIsLinear would not end in this life if one of these took quadratic time.
func TestHostileTextIsLinear(t *testing.T) {
	d := testDetector(t, Config{})
	for _, part := range []string{
		"eyJ", "eyJ.", "eyJhbGciOiJI.", "-----BEGIN ", "-----BEGIN PRIVATE KEY", "AKIA", "AIza", "ghp_", "github_pat_",
		"sk_live_", "xoxb-", "a@", "a.", "a@a.", "@", "1 ", "4111 ", "411-", "+1", "(415) ", "DE89", "DE89 ", "4.",
		"1-1-", "4111111111111111", "AKIAIOSFODNN7EXAMPLE ", "-----END PRIVATE KEY-----", "4111 1111 1111 1111 ",
	} {
		text := []byte(strings.Repeat(part, 4<<20/len(part)))
		d.Scan(nil, text)
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	d := testDetector(t, Config{})
	text := []byte("alice@example.com 4111111111111111 " + testJWT + " AKIAIOSFODNN7EXAMPLE +14155552671 DE89370400440532013000")
	out, hits := make([]byte, 0, 1024), make([]Hit, 0, 16)
	if n := testing.AllocsPerRun(100, func() {
		hits = d.Scan(hits[:0], text)
		out = d.Redact(out[:0], text)
	}); n != 0 || len(hits) != 6 {
		t.Errorf("%v allocations, %d hits", n, len(hits))
	}
}
