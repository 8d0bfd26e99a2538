package aws

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/sigv4"
)

// TestDigestHasEverything: an approval of one call is none of a call that differs in anything that AWS sees.
func TestDigestHasEverything(t *testing.T) {
	make := func(change func(*exchange)) [audit.HashSize]byte {
		x := &exchange{
			client: &client{account: &Resource{Policy: policy.Resource{Name: "shop"}}},
			said:   &sigv4.Authorization{Scope: sigv4.Scope{Service: "s3", Region: "eu-west-1"}, Query: "a=b", Payload: sigv4.Payload{Hash: "hash"}},
			signed: &sigv4.Request{Method: "PUT", Path: "/a"}, header: http.Header{"X-Amz-Acl": {"private"}}, call: awsmodel.Call{Operation: "PutObject"},
		}
		change(x)
		return x.digest()
	}
	seen := map[[audit.HashSize]byte]string{}
	for name, change := range map[string]func(*exchange){
		"nothing":      func(*exchange) {},
		"account":      func(x *exchange) { x.client.account.Policy.Name = "other" },
		"service":      func(x *exchange) { x.said.Scope.Service = "s3express" },
		"region":       func(x *exchange) { x.said.Scope.Region = "us-east-1" },
		"operation":    func(x *exchange) { x.call.Operation = "CopyObject" },
		"method":       func(x *exchange) { x.signed.Method = "POST" },
		"path":         func(x *exchange) { x.signed.Path = "/b" },
		"query":        func(x *exchange) { x.said.Query = "a=c" },
		"header":       func(x *exchange) { x.header["X-Amz-Acl"] = []string{"public-read"} },
		"more headers": func(x *exchange) { x.header["X-Amz-Tagging"] = []string{"a=b"} },
		"stream":       func(x *exchange) { x.said.Payload.Hash = "other" },
		"body":         func(x *exchange) { x.whole, x.held = true, []byte("a") },
		"another body": func(x *exchange) { x.whole, x.held = true, []byte("b") },
		"a moved byte": func(x *exchange) { x.signed.Path, x.said.Query = "/aa", "=b" },
	} {
		d := make(change)
		if other, same := seen[d]; same {
			t.Errorf("%s and %s are one call", name, other)
		}
		seen[d] = name
	}
}

// TestPresignedHeaders: what a presigned URL has of headers in its query is decided on, goes on, and cannot be added to it.
func TestPresignedHeaders(t *testing.T) {
	b := newBed(t)
	cfg := b.config(false)
	keys, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	presigned := func(query string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+b.addr+"/bucket/key?X-Amz-Expires=900"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		address, _, err := signer.PresignHTTP(t.Context(), sdk.Credentials{AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}, req, "UNSIGNED-PAYLOAD", "s3", "eu-west-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
	b.Policies.Set(t, permitAll+`@id("private") forbid (principal, action in Action::"aws:all", resource) when { context.action == "s3:PutObjectAcl" };
`)
	open := presigned("&x-amz-acl=public-read")
	for name, address := range map[string]string{"an ACL": open, "one added": presigned("") + "&x-amz-acl=public-read", "one in another case": presigned("&X-Amz-Acl=public-read")} {
		if code, text := b.visit(t, cfg, http.MethodPut, address, nil, []byte("x")); code < 400 || len(b.reached()) > 0 {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
	b.Policies.Set(t, permitAll)
	b.visit(t, cfg, http.MethodPut, open, nil, []byte("x"))
	if got := b.reached(); len(got) != 1 || got[0].Header.Get("X-Amz-Acl") != "public-read" || strings.Contains(strings.ToLower(got[0].RequestURI), "x-amz-") {
		t.Errorf("AWS received %+v", got)
	}
}

// endless is an AWS whose answers do not end; it tells of each when it began, and when its connection ended.
func endless(t *testing.T) (address string, began, ended chan struct{}) {
	began, ended = make(chan struct{}, 10), make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		for {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<10)); err != nil || r.Context().Err() != nil {
				ended <- struct{}{}
				return
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, began, ended
}

// TestStreamsEndWithTheirSession: what is under way ends when the session does, whoever ends it, and its record says so.
func TestStreamsEndWithTheirSession(t *testing.T) {
	for name, end := range map[string]func(*bed){
		"the session is ended": func(b *bed) { b.Pipeline.EndResource("shop", "locked") },
		"the lease is lost":    func(b *bed) { b.Lease.Lose() },
		"the account changes": func(b *bed) {
			other := *b.server.accounts.get("shop")
			other.Version++
			b.server.SetResources([]*Resource{&other})
		},
		"the account is gone": func(b *bed) { b.server.SetResources(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			address, began, ended := endless(t)
			b := newBedBefore(t, &bed{}, address, enforce.AWSKeys{KeyID: "ASIAEXAMPLE", Secret: []byte("upstream")})
			b.Policies.Set(t, permitAll)
			done := make(chan error, 1)
			go func() {
				code, _, err := b.open(attempt{method: "GET", path: "/bucket/key", service: "s3"})
				if err == nil && code >= 400 { // it ended before the answer began
					err = errors.New("refused")
				}
				done <- err
			}()
			<-began
			end(b)
			select {
			case err := <-done:
				if err == nil {
					t.Error("the client took the answer for whole")
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the answer goes on")
			}
			<-ended
			o := b.Records.Await(t, audit.KindOutcome, func(audit.Record) bool { return true })
			if o.Reason == "" {
				t.Errorf("%+v", o)
			}
		})
	}
}

// notes keeps what is logged.
type notes struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.buf.Write(p)
}

func (n *notes) has(text string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(n.buf.String(), text)
}

// TestNothingSecretIsKept: neither records nor the log hold what a call carries as secret, what its answer does, or what signs.
func TestNothingSecretIsKept(t *testing.T) {
	var log notes
	b := newBed(t, func(c *Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &log})
	})
	const secret = "hunter2-of-the-vault"
	token := ""
	for name, a := range map[string]attempt{
		"a secret":         jsonCall("secretsmanager", "secretsmanager.CreateSecret", obj{"Name": "n", "SecretString": secret, "ClientRequestToken": strings.Repeat("x", 32)}),
		"a parameter":      jsonCall("ssm", "AmazonSSM.PutParameter", obj{"Name": "/p", "Type": "SecureString", "Value": secret}),
		"a password":       formOf("rds", "Action=CreateDBInstance&Version=2014-10-31&DBInstanceIdentifier=d&Engine=mysql&DBInstanceClass=db.t3.micro&AllocatedStorage=5&MasterUsername=u&MasterUserPassword="+secret),
		"user data":        formOf("ec2", "Action=RunInstances&Version=2016-11-15&ImageId=ami-12345678&MinCount=1&MaxCount=1&UserData="+secret),
		"a login":          formOf("iam", "Action=CreateLoginProfile&Version=2010-05-08&UserName=u&Password="+secret),
		"a plain text":     jsonCall("kms", "TrentService.Encrypt", obj{"KeyId": "alias/x", "Plaintext": []byte(secret)}),
		"of another shape": jsonCall("secretsmanager", "secretsmanager.CreateSecret", obj{"Name": "n", "SecretString": []string{secret}}),
		"unsigned":         {method: "POST", path: "/", service: "secretsmanager", body: `{"SecretString":"` + secret + `"}`, header: http.Header{"Content-Type": {jsonType}, "X-Amz-Target": {"secretsmanager.CreateSecret"}}, after: func(r *http.Request) { r.Header.Del("Authorization") }},
	} {
		a.key = func(c *sigv4.Credentials) { token = c.SessionToken }
		b.send(a)
		for _, hidden := range []string{secret, token, b.moto.Secret} {
			if b.Records.Contain(hidden) {
				t.Errorf("%s: a record holds %.20q", name, hidden)
			}
			if log.has(hidden) {
				t.Errorf("%s: the log holds %.20q", name, hidden)
			}
		}
	}
	code, text := b.send(jsonCall("secretsmanager", "secretsmanager.GetSecretValue", obj{"SecretId": "n"}))
	if code != http.StatusOK || strings.Contains(text, secret) || b.Records.Contain(secret) {
		t.Errorf("%d %s", code, text)
	}
}

// TestAccountsWithoutWhatTheyNeed: a session that could not be verified or masked is not opened.
func TestAccountsWithoutWhatTheyNeed(t *testing.T) {
	b := newBed(t)
	b.server.SetResources(nil)
	if code, text := b.send(listTables()); code != http.StatusServiceUnavailable || len(b.reached()) > 0 {
		t.Errorf("no account: %d %s", code, text)
	}
	b.server.SetResources([]*Resource{{Policy: policy.Resource{Name: "shop", Kind: "aws"}, Classes: map[string][]string{"pii": {"nonsense"}}, Version: 9}})
	if code, text := b.send(listTables()); code != http.StatusServiceUnavailable || len(b.reached()) > 0 {
		t.Errorf("classes of no form: %d %s", code, text)
	}
}

// TestExpiredKeys: a key whose time is over signs nothing.
func TestExpiredKeys(t *testing.T) {
	late := time.Now().Add(2 * time.Hour)
	o := &outbound{server: &Server{cfg: Config{Clock: func() time.Time { return late }}}, cred: enforce.Credential{AWS: &enforce.AWSKeys{KeyID: "A"}, ExpiresAt: late}}
	if o.usable() {
		t.Error("an expired key is used")
	}
	o.cred.ExpiresAt = late.Add(time.Second)
	if !o.usable() {
		t.Error("a key that holds is not used")
	}
	if o.cred.AWS = nil; o.usable() {
		t.Error("no key is used")
	}
}

// TestPlainEventsAreDecidedAgain: a policy that changes stops a stream of events also where nothing in it is masked.
func TestPlainEventsAreDecidedAgain(t *testing.T) {
	more := make(chan []byte)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		for text := range more {
			_, _ = w.Write(text)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	t.Cleanup(upstream.Close)
	b := newBedBefore(t, &bed{}, upstream.URL, enforce.AWSKeys{KeyID: "AKIAUPSTREAM", Secret: []byte("secret")})
	plain := *b.server.accounts.get("shop")
	plain.Version, plain.Detectors = 2, []string{noDetectors}
	b.server.SetResources([]*Resource{&plain})
	go func() {
		defer close(more)
		more <- event(t, "sessionStart", `{"sessionId":"s-1"}`)
		b.Policies.Set(t, `@id("none") forbid (principal, action, resource);`)
		more <- event(t, "sessionUpdate", `{"sessionResults":[{"message":"later"}]}`)
	}()
	_, body, err := b.open(rpc("logs", "Logs_20140328.StartLiveTail", `{"logGroupIdentifiers":["arn:aws:logs:eu-west-1:123456789012:log-group:x"]}`))
	if err == nil || strings.Contains(body, "later") {
		t.Errorf("%q, %v", body, err)
	}
}

// TestBytesAreCounted: of bytes in a request policy, approvers and records get how many they are.
func TestBytesAreCounted(t *testing.T) {
	values, err := valuesOf(awsmodel.Value{Kind: awsmodel.Struct, Fields: []awsmodel.Field{{Name: "Data", Value: awsmodel.Value{Kind: awsmodel.Bytes, Text: "hunter2"}}}}, nil)
	if err != nil || len(values) != 1 || values[0].text != "(7 bytes)" {
		t.Errorf("%v, %v", values, err)
	}
}
