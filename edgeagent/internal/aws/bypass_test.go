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
	"os"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce/enforcetest"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/sigv4"
)

// attempt is a request that a client signs, and what it changes before and after that.
type attempt struct {
	method, path, query, service string
	header                       http.Header
	body                         string
	key                          func(*sigv4.Credentials)
	host                         string              // instead of the service's
	after                        func(*http.Request) // changes what was signed
	at                           time.Time           // instead of now
	payload                      string              // instead of the body's hash
	region                       string              // instead of eu-west-1; "*" is Version 4A, which names none
}

// send signs and sends an attempt to the endpoint, and returns how it was answered.
func (b *bed) send(a attempt) (int, string) {
	b.t.Helper()
	status, text, err := b.open(a)
	if err != nil {
		b.t.Fatal(err)
	}
	return status, text
}

// open is send for an answer that may be cut off.
func (b *bed) open(a attempt) (int, string, error) {
	b.t.Helper()
	access := b.Token(b.t, "grant-1")
	keys := sigv4.Credentials{KeyID: awskey.KeyID(access), Secret: enforcetest.ClientSecret, SessionToken: access}
	if a.key != nil {
		a.key(&keys)
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	if a.at.IsZero() {
		a.at = time.Now()
	}
	sum := sha256.Sum256([]byte(a.body))
	payload := cmp.Or(a.payload, hex.EncodeToString(sum[:]))
	host := a.host
	if host == "" {
		host = b.addr
	}
	r := &sigv4.Request{Method: a.method, Host: host, Path: a.path, RawQuery: a.query, Header: a.header, Length: int64(len(a.body))}
	to := sigv4.Target{Service: a.service, Region: cmp.Or(a.region, "eu-west-1")}
	if a.region == "*" {
		to = sigv4.Target{Service: a.service, RegionSet: []string{a.region}}
	}
	signed, err := sigv4.NewSigner(nil).Sign(r, keys, to, payload, a.at)
	if err != nil {
		b.t.Fatal(err)
	}
	signed.Set(a.header)
	req := &http.Request{
		Method: a.method, URL: r.URL("http"), Host: host, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}
	req.URL.Host = b.addr
	if a.after != nil {
		a.after(req)
	}
	resp, err := http.DefaultClient.Do(req.WithContext(b.t.Context()))
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

const (
	targetTables = "DynamoDB_20120810.ListTables"
	jsonType     = "application/x-amz-json-1.0"
	formType     = "application/x-www-form-urlencoded; charset=utf-8"
)

func listTables() attempt {
	return attempt{method: "POST", path: "/", service: "dynamodb", body: "{}", header: http.Header{"Content-Type": {jsonType}, "X-Amz-Target": {targetTables}}}
}

func callerIdentity() attempt {
	return attempt{method: "POST", path: "/", service: "sts", body: "Action=GetCallerIdentity&Version=2011-06-15", header: http.Header{"Content-Type": {formType}}}
}

// TestBypasses: nothing that is changed, forged, or may be read in two ways reaches AWS.
func TestBypasses(t *testing.T) {
	b := newBed(t)
	for _, good := range []attempt{listTables(), callerIdentity()} {
		if code, text := b.send(good); code != http.StatusOK {
			t.Fatalf("%s: %d %s", good.service, code, text)
		}
	}
	if n := len(b.reached()); n != 2 {
		t.Fatalf("%d calls reached AWS", n)
	}
	with := func(a attempt, change func(*attempt)) attempt { change(&a); return a }
	for name, a := range map[string]attempt{
		"not signed":     with(listTables(), func(a *attempt) { a.after = func(r *http.Request) { r.Header.Del("Authorization") } }),
		"another secret": with(listTables(), func(a *attempt) { a.key = func(c *sigv4.Credentials) { c.Secret += "x" } }),
		"another key id": with(listTables(), func(a *attempt) { a.key = func(c *sigv4.Credentials) { c.KeyID = "ASIAAAAAAAAAAAAAAAAA" } }),
		"a key of AWS's": with(listTables(), func(a *attempt) {
			a.key = func(c *sigv4.Credentials) { *c = sigv4.Credentials{KeyID: b.moto.Key, Secret: b.moto.Secret} }
		}),
		"token of another": with(listTables(), func(a *attempt) {
			a.after = func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", b.Token(t, "grant-2")) }
		}),
		"another body": with(listTables(), func(a *attempt) { a.after = func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("[]")) } }),
		"another body that could be read": with(listTables(), func(a *attempt) {
			a.body = `{"Limit":1}`
			a.after = func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"Limit":9}`)) }
		}),
		"another operation": with(listTables(), func(a *attempt) {
			a.after = func(r *http.Request) { r.Header.Set("X-Amz-Target", "DynamoDB_20120810.DeleteTable") }
		}),
		"another method":              with(listTables(), func(a *attempt) { a.after = func(r *http.Request) { r.Method = "PUT" } }),
		"another path":                with(listTables(), func(a *attempt) { a.after = func(r *http.Request) { r.URL.Opaque, r.URL.Path = "", "/x" } }),
		"added header":                with(listTables(), func(a *attempt) { a.after = func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "a/b") } }),
		"old":                         with(listTables(), func(a *attempt) { a.at = time.Now().Add(-16 * time.Minute) }),
		"of the future":               with(listTables(), func(a *attempt) { a.at = time.Now().Add(16 * time.Minute) }),
		"S3 delete with a target":     {method: "DELETE", path: "/bucket/key", service: "s3", header: http.Header{"X-Amz-Target": {targetTables}}},
		"scope of another service":    with(listTables(), func(a *attempt) { a.service = "sqs" }),
		"action twice":                with(callerIdentity(), func(a *attempt) { a.body += "&Action=AssumeRole" }),
		"action in query and body":    with(callerIdentity(), func(a *attempt) { a.query = "Action=GetCallerIdentity" }),
		"form without its type":       with(callerIdentity(), func(a *attempt) { a.header.Set("Content-Type", "text/plain") }),
		"target beside a form":        with(callerIdentity(), func(a *attempt) { a.header.Set("X-Amz-Target", targetTables) }),
		"S3 subresource nobody knows": {method: "GET", path: "/bucket", query: "novelty=", service: "s3"},
		"header that steers":          with(listTables(), func(a *attempt) { a.header.Set("X-Forwarded-Host", "sqs.eu-west-1.amazonaws.com") }),
		"method in a header":          with(listTables(), func(a *attempt) { a.header.Set("X-Http-Method-Override", "DELETE") }),
		"member nobody knows":         with(listTables(), func(a *attempt) { a.body = `{"Novelty":1}` }),
		"member twice":                with(listTables(), func(a *attempt) { a.body = `{"Limit":1,"Limit":2}` }),
		"member in another case":      with(listTables(), func(a *attempt) { a.body = `{"limit":1}` }),
		"service nobody knows":        with(listTables(), func(a *attempt) { a.service = "novelty" }),
		"operation nobody knows":      with(listTables(), func(a *attempt) { a.header.Set("X-Amz-Target", "DynamoDB_20120810.Novelty") }),
		"another account": with(callerIdentity(), func(a *attempt) {
			a.body = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::999999999999:role/x&RoleSessionName=session"
		}),
	} {
		t.Run(name, func(t *testing.T) {
			if code, text := b.send(a); code < 400 || code >= 500 {
				t.Errorf("%d %s", code, text)
			}
			for _, r := range b.reached() {
				t.Errorf("it reached AWS: %s %s %v", r.Method, r.RequestURI, r.Header)
			}
		})
	}
}

// TestReplays: what changes something is taken once.
func TestReplays(t *testing.T) {
	b := newBed(t)
	create := attempt{method: "POST", path: "/", service: "sqs", body: `{"QueueName":"q"}`, header: http.Header{"Content-Type": {jsonType}, "X-Amz-Target": {"AmazonSQS.CreateQueue"}}}
	var captured *http.Request
	create.at = time.Now().Add(-time.Minute)
	create.after = func(r *http.Request) { captured = r.Clone(t.Context()) }
	if code, text := b.send(create); code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	time.Sleep(replayGrace + 100*time.Millisecond)
	captured.Body = io.NopCloser(strings.NewReader(create.body))
	resp, err := http.DefaultClient.Do(captured)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := len(b.reached()); resp.StatusCode < 400 || n != 1 {
		t.Errorf("%s, and %d calls reached AWS", resp.Status, n)
	}
}

// TestNothingOfTheClientsSignsUpstream: neither the access token nor the synthetic key goes to AWS.
func TestNothingOfTheClientsSignsUpstream(t *testing.T) {
	b := newBed(t)
	token := ""
	a := listTables()
	a.key = func(c *sigv4.Credentials) { token = c.SessionToken }
	if code, text := b.send(a); code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	for _, r := range b.reached() {
		all := fmt.Sprint(r.Header, r.RequestURI)
		if strings.Contains(all, token) || strings.Contains(all, awskey.KeyID(token)) || !strings.Contains(all, b.moto.Key) {
			t.Errorf("AWS received %s", all)
		}
	}
	if b.Records.Contain(token) || b.Records.Contain(b.moto.Secret) {
		t.Error("a record shows what signs")
	}
}

// TestTunnels: a tunnel leads to the host that it was opened to, and to no other.
func TestTunnels(t *testing.T) {
	b := newBed(t)
	text, err := os.ReadFile(b.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	connect := func(to string) (net.Conn, string) {
		conn, err := net.Dial("tcp", b.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		return conn, resp.Status
	}
	for _, to := range []string{"example.com:443", "sts.amazonaws.com:80", "sts.amazonaws.com.example.com:443", "127.0.0.1:443", "169.254.169.254:443", "sts.amazonaws.com"} {
		if _, status := connect(to); !strings.HasPrefix(status, "403") {
			t.Errorf("%s: %s", to, status)
		}
	}
	conn, status := connect("sts.eu-west-1.amazonaws.com:443")
	if !strings.HasPrefix(status, "200") {
		t.Fatal(status)
	}
	if err := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "iam.amazonaws.com"}).Handshake(); err == nil {
		t.Error("the tunnel speaks for another host")
	}
	conn, _ = connect("sts.eu-west-1.amazonaws.com:443")
	secure := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "sts.eu-west-1.amazonaws.com"})
	fmt.Fprintf(secure, "GET / HTTP/1.1\r\nHost: iam.amazonaws.com\r\nAuthorization: AWS4-HMAC-SHA256 Credential=ASIAAAAAAAAAAAAAAAAA/20260101/eu-west-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature=%064d\r\nX-Amz-Date: 20260101T000000Z\r\n\r\n", 0)
	resp, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil || resp.StatusCode < 400 {
		t.Errorf("%v, %v", resp, err)
	}
	if got := b.reached(); len(got) > 0 {
		t.Errorf("it reached AWS: %s %s", got[0].Method, got[0].RequestURI)
	}
}

// TestBuffers: what is held of requests is bounded, of one and of all together.
func TestBuffers(t *testing.T) {
	b := newBed(t, func(c *Config) { c.MaxBuffer = 1 << 20 })
	large := listTables()
	large.body = `{"ExclusiveStartTableName":"` + strings.Repeat("x", 1<<20) + `"}`
	if code, text := b.send(large); code < 400 {
		t.Errorf("over the limit of one: %d %s", code, text)
	}
	if !b.server.buffers.TryAcquire(b.server.cfg.MaxBuffers) {
		t.Fatal("buffers are kept after their requests")
	}
	if code, text := b.send(listTables()); code != http.StatusServiceUnavailable {
		t.Errorf("over the limit of all: %d %s", code, text)
	}
	if got := b.reached(); len(got) > 0 {
		t.Errorf("it reached AWS: %s %s", got[0].Method, got[0].RequestURI)
	}
	b.server.buffers.Release(b.server.cfg.MaxBuffers)
	if code, text := b.send(listTables()); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
}
