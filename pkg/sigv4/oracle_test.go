package sigv4

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/aws-http-auth/credentials"
	"github.com/aws/smithy-go/aws-http-auth/sigv4a"
	httpv4 "github.com/aws/smithy-go/aws-http-auth/v4"
)

// random makes requests of all shapes that clients send.
type random struct{ *rand.Rand }

func (r random) text(alphabet string, n int) string {
	b := make([]byte, r.IntN(n)+1)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func (r random) service() string {
	return []string{"s3", "s3", "dynamodb", "sts", "eks", "execute-api"}[r.IntN(6)]
}

// url has keys with all that S3 allows, and ARNs.
func (r random) url(service string) *url.URL {
	const odd = "abcXYZ019 -._~!$&'()*,;=:@+/%?#\u00e9\x01\"<>[]"
	u := &url.URL{Scheme: "https", Host: service + ".eu-west-1.amazonaws.com"}
	var segments []string
	for range r.IntN(4) + 1 {
		segments = append(segments, encode(r.text(odd, 8)+"x"))
	}
	raw := "/" + strings.Join(segments, "/")
	if r.IntN(3) == 0 {
		raw += "/"
	}
	if service == "s3" && r.IntN(3) == 0 {
		raw += "/a//b/../c"
	}
	u.RawPath = raw
	u.Path, _ = url.PathUnescape(raw)
	q := url.Values{}
	for range r.IntN(4) {
		name := r.text("ab-", 2)
		for range r.IntN(2) + 1 {
			q.Add(name, r.text(odd, 6))
		}
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	return u
}

func (r random) request(service string) *http.Request {
	req := httptest.NewRequest([]string{"GET", "POST", "PUT", "DELETE"}[r.IntN(4)], "https://host/", nil)
	req.URL = r.url(service)
	req.Host = req.URL.Host
	req.RequestURI = ""
	req.Header.Set("User-Agent", "a b")
	for range r.IntN(4) {
		name := "X-Amz-Meta-" + r.text("abc_.", 5)
		for range r.IntN(2) + 1 {
			req.Header.Add(name, r.text("ab  ,\"", 9))
		}
	}
	if r.IntN(2) == 0 {
		req.Header.Set("Content-Type", "application/x-amz-json-1.1")
		req.Header.Set("X-Amz-Target", "A.B")
	}
	return req
}

// onWire is what a server reads of a client's request.
func onWire(t testing.TB, req *http.Request) *Request {
	t.Helper()
	path := req.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	return &Request{Method: req.Method, Host: req.Host, Path: path, RawQuery: req.URL.RawQuery, Header: req.Header, Length: req.ContentLength}
}

func noEscape(service string) func(*v4.SignerOptions) {
	return func(o *v4.SignerOptions) { o.DisableURIPathEscaping = rawPath(service) }
}

// What aws-sdk-go-v2 signs is verified, and what is signed here is what it signs.
func TestGoSDK(t *testing.T) {
	r := random{rand.New(rand.NewPCG(1, 2))}
	creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: "token/+="}
	ours := Credentials{KeyID: testKey, Secret: testSecret, SessionToken: creds.SessionToken}
	for i := range 2000 {
		service := r.service()
		req := r.request(service)
		req.Header.Set("X-Amz-Content-Sha256", emptyHash)
		before := onWire(t, req)
		before.Header = before.Header.Clone()
		before.Header.Del("User-Agent")
		err := v4.NewSigner().SignHTTP(context.Background(), creds, req, emptyHash, service, "eu-west-1", testTime, noEscape(service))
		if err != nil {
			t.Fatal(err)
		}
		wire := onWire(t, req)
		v, err := verify(t, wire)
		if err != nil {
			t.Fatalf("%d: %v\n%s %s?%s\n%q", i, err, wire.Method, wire.Path, wire.RawQuery, wire.Header)
		}
		if v.SessionToken != ours.SessionToken {
			t.Errorf("token %q", v.SessionToken)
		}
		s, err := NewSigner(nil).Sign(before, ours, Target{Service: service, Region: "eu-west-1"}, emptyHash, testTime)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := s.Authorization, req.Header.Get("Authorization"); got != want {
			t.Fatalf("signed otherwise:\n%s\n%s", got, want)
		}
	}
}

func TestGoSDKPresigned(t *testing.T) {
	r := random{rand.New(rand.NewPCG(3, 4))}
	creds := aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: "token/+="}
	for i := range 1000 {
		service := r.service()
		req := r.request(service)
		query := req.URL.RawQuery
		q := req.URL.Query()
		q.Set("X-Amz-Expires", "60")
		req.URL.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
		payload := emptyHash
		if service == "s3" {
			payload = unsignedPayload
		}
		signed, headers, err := v4.NewSigner().PresignHTTP(context.Background(), creds, req, payload, service, "eu-west-1", testTime, noEscape(service))
		if err != nil {
			t.Fatal(err)
		}
		path, raw, _ := strings.Cut(strings.TrimPrefix(signed, "https://"+req.Host), "?")
		delete(headers, "Host")
		wire := &Request{Method: req.Method, Host: req.Host, Path: path, RawQuery: raw, Header: headers, BodyHash: emptyHash}
		v, err := verify(t, wire)
		if err != nil {
			t.Fatalf("%d: %v\n%s %s?%s\n%q", i, err, wire.Method, wire.Path, wire.RawQuery, wire.Header)
		}
		if !v.Presigned || v.Expires != time.Minute || v.SessionToken != creds.SessionToken {
			t.Errorf("%v %v %q", v.Presigned, v.Expires, v.SessionToken)
		}
		want, got := strings.Split(query, "&"), strings.Split(v.Query, "&")
		slices.Sort(want)
		slices.Sort(got) // the signer sorts
		if !slices.Equal(got, want) {
			t.Errorf("query %q, want %q", v.Query, query)
		}
		if target := req.Header.Get("X-Amz-Target"); v.Hoisted.Get("X-Amz-Target") != target {
			t.Errorf("hoisted %v, want target %q", v.Hoisted, target)
		}
	}
}

// plain leaves out what that oracle signs otherwise than AWS documents: it sorts repeated parameters before it encodes
// them, and keeps double spaces.
func plain(req *http.Request) {
	q := req.URL.Query()
	for name, values := range q {
		q[name] = values[:1]
	}
	req.URL.RawQuery = strings.ReplaceAll(q.Encode(), "+", "%20")
	for name, values := range req.Header {
		for i, v := range values {
			req.Header[name][i] = strings.Join(strings.Fields(v), " ")
		}
	}
}

func TestSmithySigV4A(t *testing.T) {
	r := random{rand.New(rand.NewPCG(5, 6))}
	for i := range 200 {
		id := fmt.Sprint(testKey, i%20) // keys are derived from ids
		service := r.service()
		req := r.request(service)
		plain(req)
		creds := credentials.Credentials{AccessKeyID: id, SecretAccessKey: testSecret, SessionToken: "token/+="}
		presigned := i%3 == 0
		kind := httpv4.SignatureTypeHeader
		if presigned {
			kind = httpv4.SignatureTypeQueryString
			req.URL.RawQuery = strings.TrimPrefix(req.URL.RawQuery+"&X-Amz-Expires=60", "&")
		}
		err := sigv4a.New(func(o *httpv4.SignerOptions) {
			o.AddPayloadHashHeader, o.DisableDoublePathEscape = true, rawPath(service)
		}).SignRequest(&sigv4a.SignRequestInput{
			Request: req, PayloadHash: hexBytes(t, emptyHash), Credentials: creds, Service: service, RegionSet: []string{"eu-*", "us-east-1"}, Time: testTime, SignatureType: kind,
		})
		if err != nil {
			t.Fatal(err)
		}
		wire := onWire(t, req)
		wire.Header.Del("Host")
		wire.RawQuery = strings.ReplaceAll(wire.RawQuery, "+", "%20")
		v, err := verify(t, wire)
		if err != nil {
			t.Fatalf("%d: %v\n%s %s?%s\n%q", i, err, wire.Method, wire.Path, wire.RawQuery, wire.Header)
		}
		if v.Algorithm != ECDSA || v.Presigned != presigned || strings.Join(v.RegionSet, " ") != "eu-* us-east-1" || v.Scope.Region != "" {
			t.Errorf("%v %v", v, v.RegionSet)
		}
		tampered := clone(wire)
		tampered.Method = "HEAD"
		if _, err := verify(t, tampered); err == nil {
			t.Error("another method verifies")
		}
	}
}

// Signatures of Version 4A are random, so that ours are checked by the verification that the oracle's passed.
func TestSignVersion4A(t *testing.T) {
	r := random{rand.New(rand.NewPCG(7, 8))}
	for range 50 {
		service := r.service()
		wire := signed(t, onWire(t, r.request(service)), Credentials{testKey, testSecret, "tok"}, Target{Service: service, RegionSet: []string{"*"}}, emptyHash)
		v, err := verify(t, wire)
		if err != nil {
			t.Fatal(err)
		}
		if v.SessionToken != "tok" || len(v.RegionSet) != 1 {
			t.Error(v.RegionSet)
		}
	}
}

func hexBytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
