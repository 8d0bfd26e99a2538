package awsiam

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/writhq/writ/test/mototest"
)

// recorder is an STS that says yes to everything, and keeps what it was sent.
type recorder struct {
	mu     sync.Mutex
	seen   []string
	answer func(w http.ResponseWriter)
}

func answerWith(body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, body)
	}
}

const result = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>%s</GetCallerIdentityResult></GetCallerIdentityResponse>`

func identity(arn, account string) string {
	return fmt.Sprintf(result, "<Arn>"+arn+"</Arn><UserId>AROA:run-7</UserId><Account>"+account+"</Account>")
}

const roleARN = "arn:aws:sts::" + mototest.Account + ":assumed-role/deploy-shop/run-7"

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.seen = append(r.seen, req.Method+" "+req.Host+req.URL.String()+" "+string(body))
	answer := r.answer
	r.mu.Unlock()
	answer(w)
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = nil
	return seen
}

func recorded(t *testing.T) (*Verifier, *recorder) {
	t.Helper()
	r := &recorder{answer: answerWith(identity(roleARN, mototest.Account))}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	return verifier(t, srv.URL), r
}

var anyKey = aws.Credentials{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret", SessionToken: "session"}

func TestNothingElseIsSent(t *testing.T) {
	v, sts := recorded(t)
	if _, err := v.Verify(t.Context(), v.signing().sign(t, anyKey)); err != nil {
		t.Fatal(err)
	}
	if seen := sts.take(); len(seen) != 1 || seen[0] != "POST sts.eu-west-1.amazonaws.com/ "+Body {
		t.Fatalf("sent %q", seen)
	}
	other := verifier(t, "http://127.0.0.1:1")
	other.nonces, _ = NewNonces([]byte(strings.Repeat("x", 32)), time.Now)
	for name, edit := range map[string]func(s *signing, p *Proof){
		"another host":             func(s *signing, _ *Proof) { s.url = "https://evil.example/" },
		"a host that ends so":      func(s *signing, _ *Proof) { s.url = "https://sts.eu-west-1.amazonaws.com.evil.example/" },
		"another region's host":    func(s *signing, _ *Proof) { s.url = "https://sts.us-east-1.amazonaws.com/" },
		"another region":           func(s *signing, _ *Proof) { s.region = "us-east-1" },
		"a region of nobody":       func(s *signing, _ *Proof) { s.region = "eu-west-1.evil.example" },
		"a region with a path":     func(_ *signing, p *Proof) { p.Region = "eu-west-1/../../" },
		"another service":          func(s *signing, _ *Proof) { s.service = "iam" },
		"another action":           func(s *signing, _ *Proof) { s.body = "Action=AssumeRole&Version=2011-06-15" },
		"two actions":              func(s *signing, _ *Proof) { s.body = Body + "&Action=GetSessionToken" },
		"an action in front":       func(s *signing, _ *Proof) { s.body = "Action=GetAccessKeyInfo&" + Body },
		"a long body":              func(s *signing, _ *Proof) { s.body = Body + strings.Repeat("&x=y", 1<<20) },
		"no body":                  func(s *signing, _ *Proof) { s.body = "" },
		"signed with a query":      func(s *signing, _ *Proof) { s.url += "?Action=AssumeRole" },
		"signed as GET":            func(s *signing, _ *Proof) { s.method = http.MethodGet },
		"another server":           func(s *signing, _ *Proof) { s.headers["X-Writ-Server-Id"] = "evil.example" },
		"no server":                func(s *signing, _ *Proof) { delete(s.headers, "X-Writ-Server-Id") },
		"no nonce":                 func(s *signing, _ *Proof) { delete(s.headers, "X-Writ-Nonce") },
		"a made-up nonce":          func(s *signing, _ *Proof) { s.headers["X-Writ-Nonce"] = strings.Repeat("A", 75) },
		"another server's nonce":   func(s *signing, _ *Proof) { s.headers["X-Writ-Nonce"], _ = other.nonces.Create() },
		"an old signature":         func(s *signing, _ *Proof) { s.at = time.Now().Add(-6 * time.Minute) },
		"a signature of tomorrow":  func(s *signing, _ *Proof) { s.at = time.Now().Add(2 * time.Minute) },
		"an unsigned server":       func(_ *signing, p *Proof) { unsign(p, ServerIDHeader) },
		"an unsigned nonce":        func(_ *signing, p *Proof) { unsign(p, NonceHeader) },
		"an unsigned host":         func(_ *signing, p *Proof) { unsign(p, "host") },
		"an unsigned date":         func(_ *signing, p *Proof) { unsign(p, "x-amz-date") },
		"an unsigned session":      func(_ *signing, p *Proof) { unsign(p, "x-amz-security-token") },
		"a header more":            func(_ *signing, p *Proof) { p.Headers["x-forwarded-host"] = "evil.example" },
		"an accepted form":         func(s *signing, _ *Proof) { s.headers["Accept"] = "application/json" },
		"another method by header": func(s *signing, _ *Proof) { s.headers["X-HTTP-Method-Override"] = "GET" },
		"a target":                 func(s *signing, _ *Proof) { s.headers["X-Amz-Target"] = "DynamoDB_20120810.ListTables" },
		"JSON":                     func(s *signing, _ *Proof) { s.headers["Content-Type"] = "application/json" },
		"a line in a header":       func(_ *signing, p *Proof) { p.Headers["content-type"] += "\r\nx-evil: 1" },
		"another day in the scope": func(_ *signing, p *Proof) { replace(p, "/"+time.Now().UTC().Format("20060102")+"/", "/20200101/") },
		"two signatures":           func(_ *signing, p *Proof) { p.Headers["authorization"] += ", AWS4-HMAC-SHA256 Credential=x" },
		"a header signed twice":    func(_ *signing, p *Proof) { replace(p, "SignedHeaders=", "SignedHeaders=host;") },
		"a bearer":                 func(_ *signing, p *Proof) { p.Headers["authorization"] = "Bearer x" },
		"version 2":                func(_ *signing, p *Proof) { p.Headers["authorization"] = "AWS ASIA:sig" },
		"upper case names":         func(_ *signing, p *Proof) { p.Headers["X-Writ-Nonce"] = p.Headers[NonceHeader] },
		"no headers":               func(_ *signing, p *Proof) { p.Headers = nil },
	} {
		s := v.signing()
		edit(&s, &Proof{Headers: map[string]string{}})
		p := s.sign(t, anyKey)
		edit(&s, &p)
		got, err := v.Verify(t.Context(), p)
		sent := sts.take()
		// What is signed for another method or with a query is sent as the one request, which AWS then refuses.
		pinned := name == "signed as GET" || name == "signed with a query"
		if pinned && (len(sent) != 1 || sent[0] != "POST sts.eu-west-1.amazonaws.com/ "+Body) {
			t.Errorf("%s: sent %q", name, sent)
		}
		if !pinned && (!errors.Is(err, ErrProof) || len(sent) > 0) {
			t.Errorf("%s: %+v, %v; sent %q", name, got, err, sent)
		}
	}
}

// unsign leaves a header out of those that the signature names.
func unsign(p *Proof, name string) {
	replace(p, name+";", "")
	replace(p, ";"+name, "")
}

func replace(p *Proof, old, new string) {
	p.Headers["authorization"] = strings.Replace(p.Headers["authorization"], old, new, 1)
}

func TestAnswersThatAreNotBelieved(t *testing.T) {
	v, sts := recorded(t)
	for name, answer := range map[string]func(http.ResponseWriter){
		"two ARNs":            answerWith(fmt.Sprintf(result, "<Arn>"+roleARN+"</Arn><Arn>"+roleARN+"</Arn><UserId>x</UserId><Account>"+mototest.Account+"</Account>")),
		"two results":         answerWith(strings.Replace(identity(roleARN, mototest.Account), "</GetCallerIdentityResponse>", "", 1) + identity(roleARN, mototest.Account)),
		"two answers":         answerWith(identity(roleARN, mototest.Account) + identity(roleARN, mototest.Account)),
		"another account":     answerWith(identity(roleARN, "999999999999")),
		"no account":          answerWith(fmt.Sprintf(result, "<Arn>"+roleARN+"</Arn><UserId>x</UserId>")),
		"another answer":      answerWith(strings.ReplaceAll(identity(roleARN, mototest.Account), "GetCallerIdentity", "AssumeRole")),
		"inside an error":     answerWith("<ErrorResponse>" + identity(roleARN, mototest.Account) + "</ErrorResponse>"),
		"entities":            answerWith(`<!DOCTYPE x [<!ENTITY a "` + roleARN + `">]>` + identity("&a;", mototest.Account)),
		"root":                answerWith(identity("arn:aws:iam::"+mototest.Account+":root", mototest.Account)),
		"a user":              answerWith(identity("arn:aws:iam::"+mototest.Account+":user/deploy-shop", mototest.Account)),
		"a federated user":    answerWith(identity("arn:aws:sts::"+mototest.Account+":federated-user/deploy-shop", mototest.Account)),
		"a role in a session": answerWith(identity("arn:aws:sts::"+mototest.Account+":assumed-role/other/deploy-shop/run", mototest.Account)),
		"a line in the ARN":   answerWith(identity(roleARN+"\nx", mototest.Account)),
		"JSON":                answerWith(`{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Arn":"` + roleARN + `"}}}`),
		"too long":            answerWith(strings.Repeat(" ", maxResponse) + identity(roleARN, mototest.Account)),
		"cut off":             answerWith(identity(roleARN, mototest.Account)[:120]),
		"nothing":             answerWith(""),
		"refused": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			answerWith(identity(roleARN, mototest.Account))(w)
		},
		"elsewhere": func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"broken": func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
	} {
		sts.mu.Lock()
		sts.answer = answer
		sts.mu.Unlock()
		if got, err := v.Verify(t.Context(), v.signing().sign(t, anyKey)); !errors.Is(err, ErrProof) && !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestNonces(t *testing.T) {
	now := time.Now()
	n, err := NewNonces([]byte(strings.Repeat("k", 32)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	nonce, expires := n.Create()
	id, err := n.Check(nonce)
	if err != nil || len(id) != 32 {
		t.Fatal(id, err)
	}
	second, _ := n.Create()
	if other, _ := n.Check(second); other == id {
		t.Fatal("two nonces are one")
	}
	for i := range nonce {
		if _, err := n.Check(nonce[:i] + "~" + nonce[i+1:]); err == nil {
			t.Fatalf("changed at %d and accepted", i)
		}
	}
	for _, bad := range []string{"", nonce[:len(nonce)-1], nonce + "A", nonce + "=", nonce + "\n"} {
		if _, err := n.Check(bad); err == nil {
			t.Fatalf("%q is accepted", bad)
		}
	}
	now = expires
	if _, err := n.Check(nonce); err == nil {
		t.Fatal("it does not expire")
	}
	if _, err := NewNonces([]byte("short"), time.Now); err == nil {
		t.Fatal("a short key is accepted")
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	good := Config{ServerID: server, Regions: []string{region}, Roles: []Role{{Account: mototest.Account, Role: "deploy", Kind: "job"}}}
	for name, edit := range map[string]func(*Config){
		"no server":       func(c *Config) { c.ServerID = "" },
		"no region":       func(c *Config) { c.Regions = nil },
		"a path":          func(c *Config) { c.Regions = []string{"eu-west-1/x"} },
		"a host":          func(c *Config) { c.Regions = []string{"evil.example"} },
		"plain endpoint":  func(c *Config) { c.Endpoint = "http://sts.example" },
		"endpoint's path": func(c *Config) { c.Endpoint = "https://sts.example/x" },
		"account":         func(c *Config) { c.Roles[0].Account = "*" },
		"any role":        func(c *Config) { c.Roles[0].Role = "*" },
		"star first":      func(c *Config) { c.Roles[0].Role = "*-admin" },
		"a path of roles": func(c *Config) { c.Roles[0].Role = "team/deploy" },
		"people":          func(c *Config) { c.Roles[0].Kind = "person" },
		"empty group":     func(c *Config) { c.Roles[0].Groups = []string{""} },
		"name of many":    func(c *Config) { c.Roles[0].Role, c.Roles[0].Name = "deploy-*", "deployer" },
		"name of another": func(c *Config) { c.Roles[0].Name = mototest.Account + "/other" },
	} {
		cfg := good
		cfg.Roles = append([]Role(nil), good.Roles...)
		edit(&cfg)
		if err := cfg.check(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := good.check(); err != nil {
		t.Error(err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(identity(roleARN, mototest.Account)))
	f.Add([]byte("<a><b/></a>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		who, err := parseAnswer(body)
		if err == nil && (len(who.account) != 12 || who.role == "" || strings.ContainsAny(who.role, "/:*")) {
			t.Fatalf("%+v from %q", who, body)
		}
	})
}

func FuzzProof(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20260101/eu-west-1/sts/aws4_request, SignedHeaders=host;x-amz-date, Signature="+strings.Repeat("a", 64), "20260101T000000Z", Body)
	nonces, err := NewNonces([]byte(strings.Repeat("k", 32)), time.Now)
	if err != nil {
		f.Fatal(err)
	}
	v := &Verifier{cfg: Config{ServerID: server, Regions: []string{region}}, nonces: nonces, now: time.Now}
	f.Fuzz(func(t *testing.T, authorization, date, body string) {
		nonce, _ := nonces.Create()
		p, err := v.check(Proof{Region: region, Body: body, Headers: map[string]string{
			"authorization": authorization, "x-amz-date": date, "host": Host(region), "content-type": contentTypes[0],
			ServerIDHeader: server, NonceHeader: nonce,
		}})
		if err == nil && (p.Body != Body || !strings.Contains(authorization, "x-writ-nonce")) {
			t.Fatalf("%+v", p)
		}
	})
}
