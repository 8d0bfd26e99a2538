package aws

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce/enforcetest"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/sigv4"
)

// tunnel opens one to a host of AWS.
func (b *bed) tunnel(t *testing.T, host string) *tls.Conn {
	t.Helper()
	text, err := os.ReadFile(b.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host)
	if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	return tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: host})
}

// wire is a signed request as it is on the wire: its first line, its headers, and its body.
func (b *bed) wire(t *testing.T, a attempt) (line, headers, body string) {
	t.Helper()
	access := b.Token(t, "grant-1")
	keys := sigv4.Credentials{KeyID: awskey.KeyID(access), Secret: enforcetest.ClientSecret, SessionToken: access}
	h := a.header.Clone()
	sum := sha256.Sum256([]byte(a.body))
	r := &sigv4.Request{Method: a.method, Host: a.host, Path: a.path, RawQuery: a.query, Header: h, Length: -1}
	signed, err := sigv4.NewSigner(nil).Sign(r, keys, sigv4.Target{Service: a.service, Region: cmp.Or(a.region, "eu-west-1")}, hex.EncodeToString(sum[:]), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	signed.Set(h)
	var out strings.Builder
	fmt.Fprintf(&out, "Host: %s\r\n", a.host)
	if err := h.Write(&out); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s HTTP/1.1\r\n", a.method, a.path), out.String(), a.body
}

const stsHost = "sts.eu-west-1.amazonaws.com"

func identityAt(host string) attempt {
	a := callerIdentity()
	a.host = host
	return a
}

// TestWire: what two servers in a row could take for other requests than one reaches AWS as the one that was signed, or not at all.
func TestWire(t *testing.T) {
	b := newBed(t)
	line, headers, body := b.wire(t, identityAt(stsHost))
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	chunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n", len(body), body)
	const end, last = "\r\n", "Connection: close\r\n"
	smuggled := "DELETE /bucket HTTP/1.1\r\nHost: s3.eu-west-1.amazonaws.com\r\nContent-Length: 0\r\n\r\n"
	for name, c := range map[string]struct {
		raw string
		max int // requests that may reach AWS
	}{
		"as it should be":             {line + headers + length + last + end + body, 1},
		"two lengths":                 {line + headers + length + "Content-Length: 0\r\n" + end + body + smuggled, 0},
		"a length and chunks":         {line + headers + length + "Transfer-Encoding: chunked\r\n" + end + chunks + end + smuggled, 1},
		"a length of none and chunks": {line + headers + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n" + end + chunks + end + smuggled, 1},
		"two codings":                 {line + headers + "Transfer-Encoding: chunked, identity\r\n" + end + chunks + end + smuggled, 0},
		"an unknown coding":           {line + headers + "Transfer-Encoding: xchunked\r\n" + length + end + body + smuggled, 0},
		"a coding behind a space":     {line + headers + "Transfer-Encoding : chunked\r\n" + length + end + chunks + end, 0},
		"a trailer that is a header":  {line + headers + "Transfer-Encoding: chunked\r\nTrailer: X-Amz-Target\r\n" + last + end + chunks + "X-Amz-Target: DynamoDB_20120810.DeleteTable\r\n" + end, 1},
		"a request behind it":         {line + headers + length + end + body + smuggled, 1},
		"a body that goes on":         {line + headers + length + last + end + body + "&Action=AssumeRole", 1},
		"a folded header":             {line + strings.Replace(headers, "X-Amz-Date: ", "X-Amz-Date:\r\n X-Amz-Target: x\r\n ", 1) + length + end + body, 0},
		"two hosts":                   {line + headers + "Host: iam.amazonaws.com\r\n" + length + end + body, 0},
		"no host":                     {line + strings.Replace(headers, "Host: "+stsHost+"\r\n", "", 1) + length + end + body, 0},
		"another host in the target":  {strings.Replace(line, " / ", " https://iam.amazonaws.com/ ", 1) + headers + length + end + body, 0},
		"a user in the target":        {strings.Replace(line, " / ", " https://x@"+stsHost+"/ ", 1) + headers + length + end + body, 0},
		"a target without a slash":    {strings.Replace(line, " / ", " * ", 1) + headers + length + end + body, 0},
		"a method in lower case":      {strings.Replace(line, "POST", "post", 1) + headers + length + end + body, 0},
		"a fragment":                  {strings.Replace(line, " / ", " /#x ", 1) + headers + length + end + body, 0},
		"NUL in a header":             {line + headers + "X-Note: a\x00b\r\n" + length + end + body, 0},
		"a header too long":           {line + headers + "X-Note: " + strings.Repeat("x", 2*maxHeader) + "\r\n" + length + end + body, 0},
		"another expectation":         {line + headers + "Expect: miracles\r\n" + length + last + end + body, 0},
		"an expectation":              {line + headers + "Expect: 100-continue\r\n" + length + last + end + body, 1},
		"another protocol":            {line + headers + "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Key: x\r\n" + length + end + body, 1},
		"headers for one hop":         {line + headers + "Connection: close, Authorization, X-Amz-Date, Host\r\n" + length + end + body, 1},
		"HTTP/2 at once":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 0},
		"a tunnel in the tunnel":      {"CONNECT iam.amazonaws.com:443 HTTP/1.1\r\nHost: iam.amazonaws.com:443\r\n\r\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			conn := b.tunnel(t, stsHost)
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.WriteString(conn, c.raw); err != nil {
				t.Fatal(err)
			}
			answer, _ := bufio.NewReader(conn).ReadString('\n')
			if ok := strings.Contains(answer, " 200 ") || strings.Contains(answer, " 100 "); ok && c.max == 0 {
				t.Errorf("answered %q", answer)
			}
			if c.max > 0 {
				_, _ = io.ReadAll(conn)
			}
			got := b.reached()
			if len(got) > c.max || name == "as it should be" && len(got) != 1 {
				t.Fatalf("%d requests reached AWS, answered %q", len(got), answer)
			}
			for _, r := range got {
				asSigned(t, r, body)
			}
		})
	}
}

// asSigned says that AWS received the call, and nothing with it that was not signed.
func asSigned(t *testing.T, r *http.Request, body string) {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.ContentLength >= 0 && string(text) != body || r.Method != "POST" || r.Header.Get("Authorization") == "" {
		t.Errorf("AWS received %s %s %q", r.Method, r.Host, text)
	}
	for name := range r.Header {
		switch name {
		case "Upgrade", "Sec-Websocket-Key", "Expect", "Connection", "Te", "Trailer", "X-Note", "X-Amz-Target":
			t.Errorf("AWS received %s", name)
		}
	}
	if len(r.Trailer) > 0 {
		t.Errorf("AWS received the trailer %v", r.Trailer)
	}
}

// TestHostOfTunnel: in a tunnel to one host a request for another is refused, however well it is signed.
func TestHostOfTunnel(t *testing.T) {
	b := newBed(t)
	for _, host := range []string{"sts.us-east-1.amazonaws.com", "evil.example", stsHost + ".", stsHost + ":80", "a." + stsHost} {
		line, headers, body := b.wire(t, identityAt(host))
		conn := b.tunnel(t, stsHost)
		fmt.Fprintf(conn, "%s%sContent-Length: %d\r\n\r\n%s", line, headers, len(body), body)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode < 400 || len(b.reached()) > 0 {
			t.Errorf("%s: %v %v", host, resp, err)
		}
	}
}

// TestPlainEndpoint: tokens cross no network in clear, so that clients elsewhere have to come through a tunnel.
func TestPlainEndpoint(t *testing.T) {
	b := newBed(t)
	a := listTables()
	var captured *http.Request
	a.after = func(r *http.Request) { captured = r.Clone(t.Context()) }
	b.send(a)
	b.reached()
	for from, want := range map[string]int{"127.0.0.1:1000": http.StatusOK, "[::1]:1000": http.StatusOK, "192.0.2.1:1000": http.StatusForbidden, "[::ffff:192.0.2.1]:1": http.StatusForbidden, "@": http.StatusForbidden} {
		r := captured.Clone(t.Context())
		r.RemoteAddr, r.RequestURI, r.Body = from, a.path, io.NopCloser(strings.NewReader(a.body))
		rec := httptest.NewRecorder()
		endpoint{b.server}.ServeHTTP(rec, r)
		if got := len(b.reached()); rec.Code != want || (want == http.StatusOK) != (got == 1) {
			t.Errorf("%s: %d %s, and %d calls reached AWS", from, rec.Code, rec.Body, got)
		}
	}
}

// TestOnlySignedGoesOn: of the client's headers those that it signed, without what belongs to one hop.
func TestOnlySignedGoesOn(t *testing.T) {
	b := newBed(t)
	a := listTables()
	a.header.Set("X-Signed", "yes")
	a.header.Set("Te", "trailers")
	a.after = func(r *http.Request) { r.Header.Set("X-Api-Key", "stolen"); r.Header.Set("Forwarded", "host=x") }
	if code, text := b.send(a); code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	got := b.reached()[0].Header
	if got.Get("X-Signed") != "yes" {
		t.Error("what was signed does not go on")
	}
	for _, name := range []string{"X-Api-Key", "Forwarded", "Te"} {
		if got.Get(name) != "" {
			t.Errorf("AWS received %s: %s", name, got.Get(name))
		}
	}
}

// TestBodiesAreSigned: what is decided on is signed, as one piece, outside of S3.
func TestBodiesAreSigned(t *testing.T) {
	b := newBed(t)
	for name, change := range map[string]func(*attempt){
		"not signed": func(a *attempt) { a.payload = "UNSIGNED-PAYLOAD" },
		"in chunks": func(a *attempt) {
			a.payload, a.body = "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "2\r\n{}\r\n0\r\n\r\n"
			a.header.Set("X-Amz-Decoded-Content-Length", "2")
		},
		"compressed":         func(a *attempt) { a.header.Set("Content-Encoding", "gzip") },
		"in another charset": func(a *attempt) { a.header.Set("Content-Type", jsonType+"; charset=utf-16") },
		"in two charsets":    func(a *attempt) { a.header.Set("Content-Type", jsonType+"; charset=utf-8; charset=utf-16") },
	} {
		a := listTables()
		change(&a)
		if code, text := b.send(a); code < 400 || code >= 500 || len(b.reached()) > 0 {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
}

// TestVersion4A: a signature for all regions is refused in words of its own, since what is decided is a call to one.
func TestVersion4A(t *testing.T) {
	b := newBed(t)
	for _, a := range []attempt{listTables(), callerIdentity()} {
		a.region = "*"
		if code, text := b.send(a); code < 400 || !strings.Contains(text, "Version 4A") || len(b.reached()) > 0 {
			t.Errorf("%d %s", code, text)
		}
	}
}

// TestNameOfTunnel: within a tunnel TLS is spoken for its host alone, also to a client that checks no certificate.
func TestNameOfTunnel(t *testing.T) {
	b := newBed(t)
	for _, name := range []string{"iam.amazonaws.com", "", "a." + stsHost} {
		conn := b.tunnel(t, stsHost).NetConn()
		if err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: name}).Handshake(); err == nil { //nolint:gosec // the edge refuses, whatever the client takes
			t.Errorf("it speaks for %q", name)
		}
	}
}
