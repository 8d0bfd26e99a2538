package sigv4

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var testTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

var testCredentials = Credentials{KeyID: testKey, Secret: testSecret}

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func newVerifier(t testing.TB, now time.Time) *Verifier {
	t.Helper()
	v, err := NewVerifier(VerifierConfig{Now: at(now), Keys: NewKeys(8)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// clone copies a request, so that a test may change it.
func clone(r *Request) *Request {
	c := *r
	c.Header = r.Header.Clone()
	return &c
}

// signed returns a copy of the request with the headers of a signature.
func signed(t testing.TB, r *Request, c Credentials, to Target, payload string) *Request {
	t.Helper()
	s, err := NewSigner(nil).Sign(r, c, to, payload, testTime)
	if err != nil {
		t.Fatal(err)
	}
	r = clone(r)
	s.Set(r.Header)
	return r
}

func verify(t testing.TB, r *Request) (*Verified, error) {
	t.Helper()
	a, err := Parse(r)
	if err != nil {
		return nil, err
	}
	return newVerifier(t, testTime).Verify(r, a, testSecret)
}

func TestSignVerify(t *testing.T) {
	base := &Request{
		Method: "POST", Host: "dynamodb.eu-west-1.amazonaws.com", Path: "/", Length: 2,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"DynamoDB_20120810.ListTables"}, "User-Agent": {"x"}},
	}
	r := signed(t, base, testCredentials, Target{Service: "dynamodb", Region: "eu-west-1"}, emptyHash)
	v, err := verify(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(v.NotSigned, ","); got != "User-Agent" {
		t.Errorf("not signed: %q", got)
	}
	for _, tamper := range []func(*Request){
		func(r *Request) { r.Method = "PUT" },
		func(r *Request) { r.Path = "/a" },
		func(r *Request) { r.RawQuery = "a=b" },
		func(r *Request) { r.Host = "example.com" },
		func(r *Request) { r.Header.Set("X-Amz-Target", "DynamoDB_20120810.DeleteTable") },
		func(r *Request) { r.Header.Set("X-Amz-Content-Sha256", unsignedPayload) },
	} {
		c := clone(r)
		tamper(c)
		if _, err := verify(t, c); !errors.Is(err, ErrSignature) {
			t.Errorf("got %v", err)
		}
	}
}

func TestHashedBody(t *testing.T) {
	r := signed(t, &Request{Method: "PUT", Host: "s3.amazonaws.com", Path: "/b/k", Header: http.Header{}}, testCredentials,
		Target{Service: "s3", Region: "us-east-1"}, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	v, err := verify(t, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrap := range []func(io.Reader) io.Reader{
		func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader, iotest.HalfReader,
	} {
		body, err := NewPayload(wrap(strings.NewReader("abc")), v)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(body, []byte("abc")); err != nil {
			t.Error(err)
		}
		bad, err := NewPayload(wrap(strings.NewReader("abd")), v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(bad)
		if !errors.Is(err, ErrContent) || !bytes.Equal(got, []byte("ab")) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
