package sigv4

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	f.Add("GET", "h", "/", "", goodHeader, "20150830T123600Z", emptyHash)
	f.Add("GET", "h", "/a%2fb", goodQuery, "", "", "")
	f.Add("PUT", "h:1", "/", "a&b=%C3%A9&a", goodHeader, "20150830T123600Z", unsignedTrailer)
	f.Add("GET", "h", "/", "AWSAccessKeyId=x", "AWS a:b", "", "")
	f.Fuzz(func(t *testing.T, method, host, path, query, authorization, date, payload string) {
		r := &Request{Method: method, Host: host, Path: path, RawQuery: query, Header: http.Header{}}
		for name, v := range map[string]string{"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Content-Sha256": payload} {
			if v != "" {
				r.Header[name] = []string{v}
			}
		}
		a, err := Parse(r)
		if err != nil {
			return
		}
		if a.KeyID == "" || a.Scope.Service == "" || len(a.signature) == 0 || a.Payload.Mode == 0 {
			t.Fatalf("parsed %v", a)
		}
		if a.Presigned && findAuth(mustParse(t, a.Query)) != "" {
			t.Fatalf("the query kept is %q", a.Query)
		}
		if _, err := newVerifier(t, testTime).Verify(r, a, testSecret); err == nil {
			t.Fatal("verified by chance")
		}
	})
}

func mustParse(t *testing.T, query string) []param {
	t.Helper()
	params, err := parseQuery(query)
	if err != nil {
		t.Fatalf("%q: %v", query, err)
	}
	return params
}

// Whatever can be signed is verified, and two requests with the same canonical form mean the same.
func FuzzSignVerify(f *testing.F) {
	f.Add("s3", "/b/a%2Fb", "prefix=a%2Fb&x", "X-Amz-Meta-A_b", " a   b ", "/b/a/b")
	f.Add("eks", "/clusters/", "", "Content-Type", "a/b", "/clusters")
	f.Fuzz(func(t *testing.T, service, path, query, name, value, other string) {
		r := &Request{Method: "PUT", Host: "h", Path: path, RawQuery: query, Header: http.Header{name: {value}}}
		to := Target{Service: service, Region: "us-east-1"}
		s, err := NewSigner(nil).Sign(r, testCredentials, to, unsignedPayload, testTime)
		if err != nil {
			return
		}
		s.Set(r.Header)
		v, err := verify(t, r)
		if err != nil {
			t.Fatalf("signed and not verified: %v", err)
		}
		if len(v.NotSigned) > 0 && !isOurs(name) {
			t.Fatalf("not signed: %v", v.NotSigned)
		}
		changed := clone(r)
		changed.Path = other
		if _, err := verify(t, changed); err == nil && other != path {
			t.Fatalf("%q verifies as %q", other, path)
		}
	})
}

// What the decoder lets through, it lets through again, and says the same.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\nx-a:b\r\n\r\n"), uint8(3), uint8(0))
	f.Add([]byte(chunks(nil, 2, "abc", "x-a:b")), uint8(3), uint8(7))
	f.Add([]byte("1;chunk-signature="+goodSig+"\r\na\r\n"), uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, wire []byte, decoded, kind uint8) {
		var u upload
		switch kind % 3 {
		case 0:
			u = newUpload(t, unsignedTrailer, int64(decoded), "x-a")
		case 1:
			u = newUpload(t, signedChunks, int64(decoded))
		default:
			u = newUpload(t, signedTrailer, int64(decoded), "x-a")
		}
		var tee bytes.Buffer
		body, err := NewBody(bytes.NewReader(wire), u.v, u.to, &tee)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := io.ReadAll(body)
		if err != nil {
			return
		}
		if len(sent) != len(wire) || tee.Len() != int(decoded) {
			t.Fatalf("%d of %d bytes sent, %d of %d seen", len(sent), len(wire), tee.Len(), decoded)
		}
		if u.v.Payload.Mode == UnsignedChunks {
			if !bytes.Equal(sent, wire) {
				t.Fatal("unsigned chunks are changed")
			}
			// Another decoder reads the same in it.
			other, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(wire)))
			if err != nil || !bytes.Equal(other, tee.Bytes()) {
				t.Fatalf("another decoder reads %q, %v", other, err)
			}
		}
		p, err := NewPayload(strings.NewReader(string(sent)), u.again)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(p)
		if err != nil || !bytes.Equal(got, tee.Bytes()) {
			t.Fatalf("read again: %v", err)
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("a=b&c&a=%2f")
	f.Fuzz(func(t *testing.T, raw string) {
		params, err := parseQuery(raw)
		if err != nil {
			return
		}
		// The canonical form is a fixed point.
		once := string(appendQuery(nil, sorted(params), ""))
		if again := string(appendQuery(nil, sorted(mustParse(t, once)), "")); again != once {
			t.Fatalf("%q, then %q", once, again)
		}
	})
}
