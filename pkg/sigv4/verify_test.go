package sigv4

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestVerifyTime(t *testing.T) {
	base := &Request{Method: "GET", Host: "sts.amazonaws.com", Path: "/", Header: http.Header{}}
	r := signed(t, base, testCredentials, Target{Service: "sts", Region: "us-east-1"}, emptyHash)
	presigned := presign(t, base, 60*time.Second)
	tests := []struct {
		r    *Request
		now  time.Duration
		kind error
	}{
		{r, 0, nil},
		{r, MaxSkew, nil},
		{r, MaxSkew + time.Second, ErrSkew},
		{r, -MaxSkew, nil},
		{r, -MaxSkew - time.Second, ErrSkew},
		{presigned, 0, nil},
		{presigned, time.Minute, nil},
		{presigned, time.Minute + time.Nanosecond, ErrExpired},
		{presigned, -MaxSkew, nil},
		{presigned, -MaxSkew - time.Second, ErrSkew},
	}
	for _, test := range tests {
		a, err := Parse(test.r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = newVerifier(t, testTime.Add(test.now)).Verify(test.r, a, testSecret)
		wantKind(t, err, test.kind)
	}
}

// presign makes a presigned request with the parts of this package.
func presign(t testing.TB, r *Request, expires time.Duration) *Request {
	t.Helper()
	date := testTime.Format(timeFormat)
	s := Scope{date[:dateLength], "us-east-1", "sts"}
	q := url.Values{
		qAlgorithm: {string(HMAC)}, qCredential: {testKey + "/" + string(appendScope(nil, s, HMAC))}, qDate: {date},
		qExpires: {itoa(int64(expires / time.Second))}, qSignedHeaders: {"host"},
	}
	r = clone(r)
	r.BodyHash, r.RawQuery = emptyHash, q.Encode()
	params, err := parseQuery(r.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	c := canon{method: r.Method, path: r.Path, service: s.Service, host: r.Host, params: params, fields: []field{{name: "host"}}, payload: emptyHash}
	sum, err := c.hash()
	if err != nil {
		t.Fatal(err)
	}
	signature := (*Keys)(nil).signing(testCredentials, s).mac().sign(appendToSign(nil, HMAC, date, s, &sum))
	r.RawQuery += "&X-Amz-Signature=" + hexOf(*signature)
	return r
}

func TestVerifyRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(r *Request)
		kind   error
	}{
		"scope of another day": {func(r *Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "20150830", "20150829", 1))
		}, ErrScope},
		"host not signed": {func(r *Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "host;", "", 1))
		}, ErrUnsigned},
		"date not signed": {func(r *Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";x-amz-date", "", 1))
		}, ErrUnsigned},
		"header added":     {func(r *Request) { r.Header.Set("X-Amz-Copy-Source", "/b/k") }, ErrUnsigned},
		"metadata added":   {func(r *Request) { r.Header.Set("X-Amz-Meta-A", "b") }, ErrUnsigned},
		"header taken out": {func(r *Request) { r.Header.Del("X-Amz-Acl") }, ErrRequest},
		"value added":      {func(r *Request) { r.Header.Add("X-Amz-Acl", "public-read") }, ErrSignature},
		"tab in a value":   {func(r *Request) { r.Header.Set("X-Amz-Acl", "private\t") }, ErrRequest},
		"line feed":        {func(r *Request) { r.Header.Set("X-Amz-Acl", "private\nx:y") }, ErrRequest},
		"token swapped":    {func(r *Request) { r.Header.Set("X-Amz-Security-Token", "other") }, ErrSignature},
		"another key id": {func(r *Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), testKey, "AKIDOTHER", 1))
		}, nil}, // whose secret it is, is the caller's question
		"another region": {func(r *Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "eu-west-1", "us-east-1", 1))
		}, ErrSignature},
		"another service": {func(r *Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/s3/", "/s3express/", 1))
		}, ErrSignature},
		"spaces around": {func(r *Request) { r.Header.Set("X-Amz-Acl", "  private ") }, nil},
	}
	base := &Request{Method: "PUT", Host: "s3.amazonaws.com", Path: "/b/k", Header: http.Header{"X-Amz-Acl": {"private"}}}
	good := signed(t, base, Credentials{testKey, testSecret, "tok"}, Target{Service: "s3", Region: "eu-west-1"}, unsignedPayload)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := clone(good)
			test.change(r)
			_, err := verify(t, r)
			wantKind(t, err, test.kind)
		})
	}
	a, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	for secret, kind := range map[string]error{"": ErrKey, "wrong": ErrSignature} {
		_, err := newVerifier(t, testTime).Verify(good, a, secret)
		wantKind(t, err, kind)
	}
}

func TestVerifyNeedsBodyHash(t *testing.T) {
	r := headerRequest()
	r.BodyHash = ""
	_, err := verify(t, r)
	wantKind(t, err, ErrPayload)
}

func TestVerifyWantsWhatWasParsed(t *testing.T) {
	r := signed(t, &Request{Method: "GET", Host: "h", Path: "/", Header: http.Header{}}, testCredentials, Target{Service: "sts", Region: "x"}, emptyHash)
	a, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*Authorization{nil, {}, a} {
		if _, err := newVerifier(t, testTime).Verify(clone(r), a, testSecret); err == nil {
			t.Error("another request is verified")
		}
	}
}

func TestNewVerifierWantsClock(t *testing.T) {
	if _, err := NewVerifier(VerifierConfig{}); err == nil {
		t.Error("a verifier without a clock")
	}
}

func TestForward(t *testing.T) {
	base := &Request{Method: "PUT", Host: "s3.amazonaws.com", Path: "/b/k", Header: http.Header{
		"X-Amz-Acl": {"private"}, "Content-Type": {"a/b"}, "X-Amz-Meta-A": {"1", "2"},
	}}
	r := signed(t, base, Credentials{testKey, testSecret, "tok"}, Target{Service: "s3", Region: "eu-west-1"}, unsignedPayload)
	r.Header.Set("Cookie", "x")
	r.Header.Set("X-Forwarded-Host", "other")
	v, err := verify(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Cookie", "X-Forwarded-Host"}; !slices.Equal(v.NotSigned, want) {
		t.Errorf("not signed %v", v.NotSigned)
	}
	if got := v.Forward(); !reflect.DeepEqual(got, base.Header) {
		t.Errorf("forward %v", got)
	}
	if !v.Signs("Content-Type") || v.Signs("cookie") {
		t.Error("Signs is wrong")
	}
}

// Any byte that is changed of what is signed is found, unless the request still says the same.
func TestTampering(t *testing.T) {
	r := random{rand.New(rand.NewPCG(11, 12))}
	for range 3000 {
		service := r.service()
		good := signed(t, onWire(t, r.request(service)), testCredentials, Target{Service: service, Region: "eu-west-1"}, emptyHash)
		good.Header.Del("User-Agent")
		bad := clone(good)
		r.mutate(bad)
		if _, err := verify(t, bad); err == nil && meaning(bad) != meaning(good) {
			t.Fatalf("verifies:\n%s\nas\n%s", meaning(bad), meaning(good))
		}
		unsigned := clone(good)
		unsigned.Header.Set("Accept", r.text("ab", 5))
		v, err := verify(t, unsigned)
		if err != nil || !slices.Equal(v.NotSigned, []string{"Accept"}) {
			t.Fatalf("%v, not signed %v", err, v.NotSigned)
		}
	}
}

// mutate changes one byte of one part.
func (r random) mutate(q *Request) {
	flip := func(s string) string {
		b := []byte(s)
		switch i := r.IntN(len(b) + 1); {
		case i == len(b):
			return s + r.text("aA1/%& ;=", 1)
		case r.IntN(4) == 0:
			return string(slices.Delete(b, i, i+1))
		default:
			b[i] ^= 1 << r.IntN(8)
			return string(b)
		}
	}
	switch parts := []*string{&q.Method, &q.Host, &q.Path, &q.RawQuery}; r.IntN(6) {
	case 0, 1, 2, 3:
		p := parts[r.IntN(len(parts))]
		*p = flip(*p)
	default:
		for name, values := range q.Header {
			i := r.IntN(len(values))
			q.Header[name][i] = flip(values[i])
			return
		}
	}
}

// meaning is what a server takes a request for.
func meaning(r *Request) string {
	var query []string
	for pair := range strings.SplitSeq(r.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		query = append(query, encode(decode(name))+"="+encode(decode(value)))
	}
	slices.Sort(query)
	var header []string
	for name, values := range r.Header {
		if name == "Authorization" {
			continue // how it is spelt is another test's
		}
		for i, v := range values {
			values[i] = strings.Join(strings.Fields(v), " ")
		}
		header = append(header, name+":"+strings.Join(values, ","))
	}
	slices.Sort(header)
	return strings.Join([]string{r.Method, r.Host, r.Path, strings.Join(query, "&"), strings.Join(header, "\n")}, "\n")
}

// The ID tells what is said apart, not how it is signed: ECDSA has many signatures for one message.
func TestID(t *testing.T) {
	base := &Request{Method: "GET", Host: "sts.amazonaws.com", Path: "/", Header: http.Header{}}
	id := func(c Credentials, to Target, path string) [32]byte {
		b := clone(base)
		b.Path = path
		v, err := verify(t, signed(t, b, c, to, emptyHash))
		if err != nil {
			t.Fatal(err)
		}
		return v.ID()
	}
	one, all := Target{Service: "sts", Region: "us-east-1"}, Target{Service: "sts", RegionSet: []string{"*"}}
	other := Credentials{KeyID: "AKIDOTHER", Secret: testSecret}
	for _, to := range []Target{one, all} {
		first := id(testCredentials, to, "/")
		if again := id(testCredentials, to, "/"); again != first {
			t.Error("the same request has two IDs")
		}
	}
	if id(testCredentials, one, "/") == id(testCredentials, one, "/a") || id(testCredentials, one, "/") == id(other, one, "/") {
		t.Error("two requests have the same ID")
	}
}

// What net/http's client sends is what its server hands over, over both versions of HTTP.
func TestOverHTTP(t *testing.T) {
	results := make(chan error, 1)
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		q, err := FromHTTP(r)
		if err == nil {
			_, err = verify(t, q)
		}
		results <- err
	})
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(handler)
		server.EnableHTTP2 = http2
		server.StartTLS()
		defer server.Close()
		for _, raw := range []string{"/b/a%2Fb%20c/~d..%C3%A9?prefix=a%2Fb&x&y=%2B", "/b//../c", "//b/c?d", "/"} {
			path, query, _ := strings.Cut(raw, "?")
			up := &Request{Method: "PUT", Host: strings.TrimPrefix(server.URL, "https://"), Path: path, RawQuery: query, Header: http.Header{
				"X-Amz-Meta-A_b": {" a   b "}, "Content-Type": {"text/plain"},
			}}
			s, err := NewSigner(nil).Sign(up, testCredentials, Target{Service: "s3", Region: "us-east-1"}, unsignedPayload, testTime)
			if err != nil {
				t.Fatal(err)
			}
			s.Set(up.Header)
			req := &http.Request{Method: up.Method, URL: up.URL("https"), Header: up.Header, Body: io.NopCloser(strings.NewReader("abc")), ContentLength: 3}
			res, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if err := <-results; err != nil || (res.ProtoMajor == 2) != http2 {
				t.Errorf("%s over %s: %v", raw, res.Proto, err)
			}
		}
	}
}

func TestSignRefuses(t *testing.T) {
	good := Request{Method: "GET", Host: "h", Path: "/", Header: http.Header{}}
	one := Target{Service: "sts", Region: "us-east-1"}
	tests := map[string]struct {
		change func(*Request)
		c      Credentials
		to     Target
	}{
		"no key":       {func(*Request) {}, Credentials{Secret: "x"}, one},
		"no secret":    {func(*Request) {}, Credentials{KeyID: "x"}, one},
		"no service":   {func(*Request) {}, testCredentials, Target{Region: "x"}},
		"no region":    {func(*Request) {}, testCredentials, Target{Service: "x"}},
		"two regions":  {func(*Request) {}, testCredentials, Target{Service: "x", Region: "y", RegionSet: []string{"z"}}},
		"odd key":      {func(*Request) {}, Credentials{KeyID: "a/b", Secret: "x"}, one},
		"odd token":    {func(*Request) {}, Credentials{KeyID: "a", Secret: "x", SessionToken: "a\nb"}, one},
		"odd service":  {func(*Request) {}, testCredentials, Target{Service: "a/b", Region: "y"}},
		"odd region":   {func(*Request) {}, testCredentials, Target{Service: "a", Region: "x\ny"}},
		"odd set":      {func(*Request) {}, testCredentials, Target{Service: "a", RegionSet: []string{"x\ny"}}},
		"presigned":    {func(r *Request) { r.RawQuery = "X-Amz-Signature=x" }, testCredentials, one},
		"path":         {func(r *Request) { r.Path = "/../a" }, testCredentials, one},
		"query":        {func(r *Request) { r.RawQuery = "a+b" }, testCredentials, one},
		"header value": {func(r *Request) { r.Header.Set("A", "b\r\nc: d") }, testCredentials, one},
		"header name":  {func(r *Request) { r.Header["a:b"] = []string{"c"} }, testCredentials, one},
	}
	for name, test := range tests {
		r := clone(&good)
		test.change(r)
		if _, err := NewSigner(nil).Sign(r, test.c, test.to, emptyHash, testTime); err == nil {
			t.Errorf("%s: signed", name)
		} else if strings.Contains(err.Error(), testSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCode(t *testing.T) {
	tests := []struct {
		err    error
		d      Dialect
		code   string
		status int
	}{
		{ErrAnonymous, Query, "MissingAuthenticationToken", 403},
		{refuse(ErrSignature, "a", "b", ""), S3, "SignatureDoesNotMatch", 403},
		{ErrSignature, JSON, "InvalidSignatureException", 403},
		{ErrHeaderForm, S3, "AuthorizationHeaderMalformed", 400},
		{ErrQueryForm, S3, "AuthorizationQueryParametersError", 400},
		{ErrHeaderForm, Query, "IncompleteSignature", 400},
		{ErrSkew, S3, "RequestTimeTooSkewed", 403},
		{ErrSkew, EC2, "RequestExpired", 403},
		{ErrContent, S3, "XAmzContentSHA256Mismatch", 400},
		{errors.New("x"), S3, "AccessDenied", 403},
		{nil, Dialect(9), "AccessDeniedException", 403},
	}
	for _, test := range tests {
		if code, status := Code(test.err, test.d); code != test.code || status != test.status {
			t.Errorf("%v in %d: %s %d", test.err, test.d, code, status)
		}
	}
	if len(codes) != 20 {
		t.Errorf("%d kinds have codes", len(codes))
	}
}

// The page has a row for each kind of refusal.
func TestCodesAreDescribed(t *testing.T) {
	page, err := os.ReadFile("../../docs/aws-signatures.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range codes {
		row := "| " + c.kind.Error() + " | " + strings.Join(c.names[:], " | ") + " |\n"
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/aws-signatures.md has no row\n%s", row)
		}
	}
}
