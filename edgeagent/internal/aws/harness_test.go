package aws

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/enforce/enforcetest"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/test/mototest"
)

// bed is an edge's AWS side before moto, which verifies the edge's signatures, with the control plane faked.
type bed struct {
	*enforcetest.Bed
	t      *testing.T
	moto   *mototest.Server
	server *Server
	addr   string // of the endpoint
	ca     string // the file of the CA that clients trust for the way through CONNECT

	foreign []string // buckets of other accounts that the account's resource names

	classes map[string][]string // of the account

	mu       sync.Mutex
	received []*http.Request // what reached moto
}

const permitAll = `@id("all") permit (principal, action in [Action::"session:open", Action::"aws:all", Action::"aws:reveal"], resource);
`

const maskSecrets = `@id("mask-secret") @mask("redact") forbid (principal, action == Action::"aws:reveal", resource in DataClass::"secret");
`

func newBed(t *testing.T, change ...func(*Config)) *bed {
	t.Helper()
	moto := mototest.Start(t)
	return newBedBefore(t, &bed{moto: moto}, moto.URL, enforce.AWSKeys{KeyID: moto.Key, Secret: []byte(moto.Secret)}, change...)
}

// newBedBefore makes an edge before another emulation of AWS, for which keys are good.
func newBedBefore(t *testing.T, b *bed, address string, keys enforce.AWSKeys, change ...func(*Config)) *bed {
	t.Helper()
	b.t = t
	front := b.front(address)
	pool := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	res := &Resource{
		Policy:  policy.Resource{Name: "shop", Kind: "aws", Labels: map[string]string{"env": "dev"}, Role: &policy.Role{ARN: "arn:aws:iam::" + mototest.Account + ":role/agents"}},
		Account: mototest.Account, Partition: "aws", Endpoint: strings.TrimPrefix(front.URL, "https://"),
		TLS: upstream.TLS{Mode: upstream.VerifyFull, CAPEM: pool, ServerName: "example.com"}, AllowLoopback: true, Version: 1,
		Classes:        b.classes,
		ForeignBuckets: b.foreign, SearchedBuckets: []string{"searched", "large", "packed"},
	}
	who := policy.Principal{Kind: policy.KindAgent, ID: "ada", Name: "ada", Groups: []string{"agents"}}
	b.Bed = enforcetest.New(t, who, res.Policy, func() enforce.Credential {
		return enforce.Credential{Lease: "lease-1", AWS: &enforce.AWSKeys{KeyID: keys.KeyID, Secret: bytes.Clone(keys.Secret), SessionToken: bytes.Clone(keys.SessionToken)}, ExpiresAt: time.Now().Add(time.Hour)}
	})
	b.Policies.Set(t, permitAll+maskSecrets)
	b.serve(res, change)
	return b
}

// front is the emulation behind TLS, as AWS is; it notes what came.
func (b *bed) front(address string) *httptest.Server {
	target, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}, Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}} // versitygw leaves the end of chunked bodies unread
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.received = append(b.received, noted(r))
		b.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	b.t.Cleanup(front.Close)
	return front
}

// noted is a copy of a request, with its body where that is short.
func noted(r *http.Request) *http.Request {
	copied := r.Clone(context.Background())
	if copied.Body = http.NoBody; r.ContentLength > 0 && r.ContentLength < 64<<10 {
		text, _ := io.ReadAll(r.Body)
		r.Body, copied.Body = io.NopCloser(bytes.NewReader(text)), io.NopCloser(bytes.NewReader(text))
	}
	return copied
}

// reached returns what came to moto since the last time.
func (b *bed) reached() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.received
	b.received = nil
	return all
}

func (b *bed) serve(res *Resource, change []func(*Config)) {
	b.t.Helper()
	dialer, err := upstream.New(upstream.Config{})
	if err != nil {
		b.t.Fatal(err)
	}
	model, err := awsmodel.Open()
	if err != nil {
		b.t.Fatal(err)
	}
	ca, text, err := LoadCA(b.t.TempDir(), "edge-a", time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	authority, err := NewAuthority(ca, time.Now)
	if err != nil {
		b.t.Fatal(err)
	}
	b.ca = filepath.Join(b.t.TempDir(), "ca.pem")
	if err := os.WriteFile(b.ca, text, 0o600); err != nil {
		b.t.Fatal(err)
	}
	cfg := Config{
		Pipeline: b.Pipeline, Broker: b.Control, Dialer: dialer, Model: model, Authority: authority, Keys: func() identity.Keys { return b.Keys },
		Patience: 2 * time.Second, Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: testWriter{b.t}}),
	}
	for _, c := range change {
		c(&cfg)
	}
	if b.server, err = New(cfg); err != nil {
		b.t.Fatal(err)
	}
	b.server.SetResources([]*Resource{res})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.server.Serve(ctx, l) }()
	b.t.Cleanup(func() { cancel(); <-done })
}

// environment is what a client needs, by one of the two ways: the proxy, or the endpoint.
func (b *bed) environment(proxy bool) []string {
	access := b.Token(b.t, "grant-1")
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + b.t.TempDir(), "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true", "PYENV_ROOT=" + os.Getenv("PYENV_ROOT"),
		"AWS_ACCESS_KEY_ID=" + awskey.KeyID(access), "AWS_SECRET_ACCESS_KEY=" + enforcetest.ClientSecret, "AWS_SESSION_TOKEN=" + access, "AWS_MAX_ATTEMPTS=1",
	}
	if proxy {
		return append(env, "HTTPS_PROXY=http://"+b.addr, "AWS_CA_BUNDLE="+b.ca)
	}
	return append(env, "AWS_ENDPOINT_URL=http://"+b.addr)
}

// cli runs the aws command line, and returns what it printed together with how it ended.
func (b *bed) cli(proxy bool, args ...string) (string, error) {
	b.t.Helper()
	program, err := exec.LookPath("aws")
	if err != nil {
		b.t.Skip("the aws command line is missing")
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = b.environment(proxy)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
