package mask

import "testing"

func TestSettled(t *testing.T) {
	plain := testDetector(t, Config{})
	custom := testDetector(t, Config{Custom: []Pattern{{Name: "badge", Regexp: `BADGE-[0-9]+`, Literal: "BADGE-"}}})
	for _, tc := range []struct{ settled, open string }{
		{"", ""}, {"$ ", ""}, {"Password: ", ""}, {"a ", "word"}, {"a ", "4111 1111 "}, {"a ", "x4111 1111-"}, {"a ", "+49 30 9"},
		{"a ", "("}, {"a ", "(415) "}, {"a ", "DE89 3704 0044 "}, {"a ", "DE89 MALT "}, {"a ", "-----BEGIN RSA "},
		{"a ", "-----BEGIN RSA PRIVATE KEY-----\nabc\n"}, {"a ", "alice@example.com"}, {"a alice@example.com ", ""},
		{"a ", "AKIAIOSFODNN7EXAMPLE\n"}, {"a 123-45-6789 b ", ""}, {"josé ", "exämple"},
	} {
		b := []byte(tc.settled + tc.open)
		if n := plain.Settled(b, plain.Scan(nil, b)); n != len(tc.settled) {
			t.Errorf("of %q %d bytes are settled, want %d", b, n, len(tc.settled))
		}
	}
	if n := custom.Settled([]byte("one\ntwo $ "), nil); n != len("one\n") {
		t.Errorf("with custom patterns %d bytes are settled", n)
	}
}
