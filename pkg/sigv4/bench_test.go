package sigv4

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// smallPost is the request of the figures in docs: 40 bytes of JSON to DynamoDB, as botocore signs it.
func smallPost(b *testing.B) (*Request, *Verifier, *Signer) {
	b.Helper()
	base := &Request{
		Method: "POST", Host: "dynamodb.eu-west-1.amazonaws.com", Path: "/", Length: 40, BodyHash: emptyHash,
		Header: http.Header{
			"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"DynamoDB_20120810.GetItem"}, "Content-Length": {"40"},
			"User-Agent": {"Boto3/1.43.11 md/Botocore#1.43.11"}, "Accept-Encoding": {"identity"},
		},
	}
	r := signed(b, base, Credentials{testKey, testSecret, strings.Repeat("t", 300)}, Target{Service: "dynamodb", Region: "eu-west-1"}, emptyHash)
	r.Header.Set("Amz-Sdk-Invocation-Id", "5a1d")
	r.Header.Set("Amz-Sdk-Request", "attempt=1")
	return r, newVerifier(b, testTime), NewSigner(NewKeys(8))
}

func BenchmarkVerify(b *testing.B) {
	r, v, _ := smallPost(b)
	b.ReportAllocs()
	for b.Loop() {
		a, err := Parse(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Verify(r, a, testSecret); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	r, _, s := smallPost(b)
	c := Credentials{"ASIAUPSTREAM", "secret", strings.Repeat("t", 300)}
	to := Target{Service: "dynamodb", Region: "eu-west-1"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Sign(r, c, to, emptyHash, testTime); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyAndSign(b *testing.B) {
	r, v, s := smallPost(b)
	c := Credentials{"ASIAUPSTREAM", "secret", strings.Repeat("t", 300)}
	to := Target{Service: "dynamodb", Region: "eu-west-1"}
	b.ReportAllocs()
	for b.Loop() {
		a, err := Parse(r)
		if err != nil {
			b.Fatal(err)
		}
		verified, err := v.Verify(r, a, testSecret)
		if err != nil {
			b.Fatal(err)
		}
		up := &Request{Method: r.Method, Host: r.Host, Path: r.Path, RawQuery: verified.Query, Header: verified.Forward()}
		signed, err := s.Sign(up, c, to, verified.PayloadHash(), testTime)
		if err != nil {
			b.Fatal(err)
		}
		signed.Set(up.Header)
	}
}

func BenchmarkVerify4A(b *testing.B) {
	base := &Request{Method: "GET", Host: "s3.amazonaws.com", Path: "/", Header: http.Header{}}
	r := signed(b, base, testCredentials, Target{Service: "s3", RegionSet: []string{"*"}}, emptyHash)
	v := newVerifier(b, testTime)
	b.ReportAllocs()
	for b.Loop() {
		a, err := Parse(r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Verify(r, a, testSecret); err != nil {
			b.Fatal(err)
		}
	}
}

// The bytes are those of the payload.
func BenchmarkBody(b *testing.B) {
	const size = 8 << 20
	data := sample(size)
	for name, u := range uploads(b, data) {
		wire := []byte(u.wire(1<<16, data))
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			buf := make([]byte, 32<<10)
			for b.Loop() {
				body, err := NewBody(bytes.NewReader(wire), u.v, u.to, nil)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{body}, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReplays(b *testing.B) {
	s, err := NewReplays(ReplaysConfig{Max: b.N + 1<<20, Now: at(testTime)})
	if err != nil {
		b.Fatal(err)
	}
	v := seen(0, testTime.Add(MaxSkew))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		copy(v.sum[:], fmt.Sprint(i))
		if err := s.Use(v); err != nil {
			b.Fatal(err)
		}
	}
}
