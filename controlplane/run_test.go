package controlplane_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/controlplane"
	"github.com/writhq/writ/pkg/oidctest"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

const policies = `
@id("ask") permit (principal, action == Action::"access:request", resource);
@id("prod") @approval("1 of dba")
forbid (principal, action == Action::"access:request", resource in Label::"env=prod") unless { context.approved };
`

// running is a control plane that serves.
type running struct {
	controlplane.Addresses
	dir    string
	issuer *oidctest.Issuer
	client *http.Client
	stop   func() // set by run

	mu  sync.Mutex
	out bytes.Buffer
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

func (r *running) printed() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

func start(t *testing.T) *running {
	t.Helper()
	issuer, err := oidctest.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = issuer.Close() })
	r := &running{dir: filepath.Join(t.TempDir(), "data"), issuer: issuer}
	r.run(t, controlplane.Config{})
	return r
}

// run starts a control plane over the data folder and stops it, cleanly, when the test ends.
func (r *running) run(t *testing.T, cfg controlplane.Config) (stop func()) {
	t.Helper()
	ready := make(chan controlplane.Addresses, 1)
	cfg.ListenAccess, cfg.ListenEdge, cfg.DataDir = "127.0.0.1:0", "127.0.0.1:0", r.dir
	cfg.OIDC = []controlplane.Issuer{{URL: r.issuer.URL(), Audiences: []string{"writ"}, Kind: "person", KindClaim: "kind"}}
	cfg.Roles = controlplane.Roles{Admin: []string{"platform"}, Auditor: []string{"audit"}}
	cfg.Ready = func(a controlplane.Addresses) { ready <- a }
	cfg.Stdout, cfg.Logger = r, hclog.NewNullLogger()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- controlplane.Run(ctx, cfg) }()
	select {
	case r.Addresses = <-ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.CA)
	r.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true,
	}}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			r.client.CloseIdleConnections()
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("did not end cleanly: %v", err)
			}
		})
	}
	r.stop = stop
	t.Cleanup(stop)
	return stop
}

func (r *running) url() string { return "https://" + r.Access }

// as sends a token with every call.
func as(token string) connect.ClientOption {
	return connect.WithInterceptors(connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			req.Header().Set("Authorization", "Bearer "+token)
			return next(ctx, req)
		}
	}))
}

func (r *running) idToken(t *testing.T, name, kind string, groups ...string) string {
	t.Helper()
	raw, err := r.issuer.Token(oidctest.Claims{"sub": name, "aud": "writ", "kind": kind, "groups": groups})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

var adminToken = regexp.MustCompile(`writ_admin_\S+`)

// admin signs in with the printed token.
func (r *running) admin(t *testing.T) string {
	t.Helper()
	resp, err := accessv1connect.NewIdentityServiceClient(r.client, r.url()).Login(t.Context(), &accessv1.LoginRequest{
		Proof: &accessv1.LoginRequest_AdminToken{AdminToken: adminToken.FindString(r.printed())},
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetToken()
}

func resource(name string) *accessv1.Resource {
	return &accessv1.Resource{
		Name: name, Labels: map[string]string{"env": name}, Edges: []string{"edge-1"},
		Target: &accessv1.Resource_Postgres{Postgres: &accessv1.PostgresTarget{
			Endpoint: "db.example:5432", Database: "shop",
			Credential: &accessv1.PostgresCredential{Source: &accessv1.PostgresCredential_Static{
				Static: &accessv1.StaticCredential{User: "app", Password: "hunter2"},
			}},
		}},
	}
}

func TestFromRequestToToken(t *testing.T) {
	r := start(t)
	ctx := t.Context()
	admin := as(r.admin(t))
	if _, err := accessv1connect.NewResourceServiceClient(r.client, r.url(), admin).ApplyResources(ctx,
		&accessv1.ApplyResourcesRequest{Resources: []*accessv1.Resource{resource("prod"), resource("dev")}}); err != nil {
		t.Fatal(err)
	}
	pushed, err := accessv1connect.NewPolicyServiceClient(r.client, r.url(), admin).PushPolicy(ctx,
		&accessv1.PushPolicyRequest{Bundle: &accessv1.Bundle{Files: map[string][]byte{"a.cedar": []byte(policies)}}})
	if err != nil || pushed.GetRevision().GetNumber() != 1 {
		t.Fatal(pushed, err)
	}
	bot := as(r.idToken(t, "bot", "agent", "agents"))
	bob := as(r.idToken(t, "bob", "person", "dba"))
	requests := accessv1connect.NewRequestServiceClient(r.client, r.url(), bot)
	asked, err := requests.CreateRequest(ctx, &accessv1.CreateRequestRequest{
		Resource: "prod", Duration: durationpb.New(30 * time.Minute), Reason: "fix orders",
	})
	if err != nil || asked.GetRequest().GetState() != accessv1.RequestState_REQUEST_STATE_PENDING {
		t.Fatal(asked, err)
	}
	if at, err := requests.WaitRequest(ctx, &accessv1.WaitRequestRequest{Id: asked.GetRequest().GetId(), MaxWait: durationpb.New(1)}); err != nil ||
		at.GetRequest().GetState() != accessv1.RequestState_REQUEST_STATE_PENDING {
		t.Errorf("a wait that is over before it begins: %v, %v", at, err)
	}
	waited := make(chan *accessv1.WaitRequestResponse, 1)
	go func() {
		resp, _ := requests.WaitRequest(ctx, &accessv1.WaitRequestRequest{Id: asked.GetRequest().GetId()})
		waited <- resp
	}()
	votes := accessv1connect.NewApprovalServiceClient(r.client, r.url(), bob, connect.WithGRPC())
	list, err := votes.ListApprovals(ctx, &accessv1.ListApprovalsRequest{})
	if err != nil || len(list.GetApprovals()) != 1 {
		t.Fatal(list, err)
	}
	shown := list.GetApprovals()[0].GetRequest()
	if _, err := votes.Approve(ctx, &accessv1.ApproveRequest{Id: shown.GetId(), Digest: shown.GetDigest()}); err != nil {
		t.Fatal(err)
	}
	resp := <-waited
	if resp.GetRequest().GetState() != accessv1.RequestState_REQUEST_STATE_GRANTED || !resp.GetGrant().GetActive() {
		t.Fatalf("got %v", resp)
	}
	grants := accessv1connect.NewGrantServiceClient(r.client, r.url(), bot, connect.WithGRPCWeb())
	issued, err := grants.IssueToken(ctx, &accessv1.IssueTokenRequest{Grant: resp.GetGrant().GetId()})
	if err != nil || !strings.HasPrefix(issued.GetToken(), "writ_v4.public.") || issued.GetDatabase() != "shop" || issued.GetUser() != "bot" ||
		!issued.GetExpiresAt().AsTime().Equal(resp.GetGrant().GetExpiresAt().AsTime()) {
		t.Fatal(issued, err)
	}
	_, err = accessv1connect.NewGrantServiceClient(r.client, r.url(), bob).IssueToken(ctx, &accessv1.IssueTokenRequest{Grant: resp.GetGrant().GetId()})
	if connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Fatalf("a token for somebody else's grant: %v", err)
	}
	r.checkRecords(t, admin, resp.GetGrant().GetId())
}

// checkRecords finds the allowed and the refused call among the records, and no secret.
func (r *running) checkRecords(t *testing.T, admin connect.ClientOption, grant string) {
	t.Helper()
	records, err := accessv1connect.NewAuditServiceClient(r.client, r.url(), admin).ListAdminRecords(t.Context(), &accessv1.ListAdminRecordsRequest{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	refused := false
	for _, rec := range records.GetRecords() {
		all.WriteString(rec.GetJson() + "\n")
		refused = refused || rec.GetPrincipal() == "bob" && strings.Contains(rec.GetJson(), "permission_denied") && strings.Contains(rec.GetJson(), grant)
	}
	if !refused {
		t.Errorf("the refused call left no record")
	}
	for _, secret := range []string{"hunter2", "writ_admin_", "writ_login_", "writ_v4", "eyJ"} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%s is in the records", secret)
		}
	}
}

// forStrangers are the calls with which one finds out how to sign in.
var forStrangers = map[string]bool{
	accessv1connect.IdentityServiceListSignInMethodsProcedure: true, accessv1connect.IdentityServiceCreateNonceProcedure: true,
}

// Every call without an identity, with a broken one and with the identity of a mere member where that is not enough.
func TestEveryCallNeedsAnIdentity(t *testing.T) {
	r := start(t)
	member := r.idToken(t, "eve", "person", "interns")
	forAdmins := 0
	protoregistry.GlobalFiles.RangeFilesByPackage("access.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				procedure := "/" + string(service.FullName()) + "/" + string(m.Name())
				if forStrangers[procedure] {
					continue
				}
				for _, bearer := range []string{"", "x", "writ_login_" + strings.Repeat("A", 43), member + "x"} {
					if code := r.invoke(t, m, procedure, bearer); code != connect.CodeUnauthenticated {
						t.Errorf("%s with bearer %.12q: %v", procedure, bearer, code)
					}
				}
				if r.invoke(t, m, procedure, member) == connect.CodePermissionDenied {
					forAdmins++
				}
			}
		}
		return true
	})
	if forAdmins < 12 {
		t.Errorf("a member is refused %d calls only", forAdmins)
	}
}

func (r *running) invoke(t *testing.T, m protoreflect.MethodDescriptor, procedure, bearer string) connect.Code {
	t.Helper()
	client := connect.NewClient[dynamicpb.Message, dynamicpb.Message](r.client, r.url()+procedure,
		connect.WithSchema(m), connect.WithResponseInitializer(func(_ connect.Spec, msg any) error {
			if d, ok := msg.(*dynamicpb.Message); ok {
				*d = *dynamicpb.NewMessage(m.Output())
			}
			return nil
		}))
	req := connect.NewRequest(dynamicpb.NewMessage(m.Input()))
	if bearer != "" {
		req.Header().Set("Authorization", "Bearer "+bearer)
	}
	var err error
	if m.IsStreamingServer() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream, streamErr := client.CallServerStream(ctx, req)
		if err = streamErr; err == nil && !stream.Receive() { // a message says enough: some streams never end
			err = stream.Err()
		}
	} else {
		_, err = client.CallUnary(t.Context(), req)
	}
	if err == nil {
		return 0
	}
	return connect.CodeOf(err)
}

func TestJSONAndHealth(t *testing.T) {
	r := start(t)
	req, err := http.NewRequest(http.MethodPost, r.url()+accessv1connect.IdentityServiceWhoAmIProcedure, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+r.idToken(t, "bob", "person", "audit"))
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || !strings.Contains(string(body), `"auditor"`) {
		t.Fatalf("%s %s, %v", resp.Proto, body, err)
	}
	health, err := r.client.Get(r.url() + "/healthz")
	if err != nil || health.StatusCode != http.StatusOK {
		t.Fatal(health, err)
	}
	_ = health.Body.Close()
	large, err := r.client.Post(r.url()+accessv1connect.IdentityServiceLoginProcedure, "application/json",
		strings.NewReader(`{"oidcToken":"`+strings.Repeat("a", 5<<20)+`"}`))
	if err != nil || large.StatusCode == http.StatusOK {
		t.Fatalf("an oversize body: %v, %v", large, err)
	}
	_ = large.Body.Close()
}

func TestAdminTokenIsPrintedOnce(t *testing.T) {
	r := start(t)
	first := adminToken.FindString(r.printed())
	if first == "" || strings.Count(r.printed(), "writ_admin_") != 1 || !strings.Contains(r.printed(), r.Pin) {
		t.Fatalf("printed %q", r.printed())
	}
	if ca, err := os.ReadFile(filepath.Join(r.dir, "ca.pem")); err != nil || !bytes.Equal(ca, r.CA) {
		t.Fatalf("ca.pem: %v", err)
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	issuer, err := oidctest.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer issuer.Close()
	r := &running{dir: filepath.Join(t.TempDir(), "data"), issuer: issuer}
	stop := r.run(t, controlplane.Config{})
	pin, login := r.Pin, r.admin(t)
	stop()
	r.run(t, controlplane.Config{})
	if r.Pin != pin || strings.Count(r.printed(), "writ_admin_") != 1 {
		t.Fatalf("pin %s then %s; printed %s", pin, r.Pin, r.printed())
	}
	who, err := accessv1connect.NewIdentityServiceClient(r.client, r.url(), as(login)).WhoAmI(t.Context(), &accessv1.WhoAmIRequest{})
	if err != nil || who.GetPrincipal().GetName() != "writ:admin" {
		t.Fatal(who, err)
	}
}

func TestStartsThatFail(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		edit func(*controlplane.Config)
		want string
	}{
		"a taken port":                        {func(c *controlplane.Config) { c.ListenAccess = taken.Addr().String() }, "in use"},
		"a taken edge port":                   {func(c *controlplane.Config) { c.ListenEdge = taken.Addr().String() }, "listen-edge"},
		"no address":                          {func(c *controlplane.Config) { c.ListenAccess = "8443" }, "not an address"},
		"an open folder":                      {func(c *controlplane.Config) { c.DataDir = open }, "chmod 700"},
		"a file as folder":                    {func(c *controlplane.Config) { c.DataDir = file }, "data-dir"},
		"a lease shorter than two heartbeats": {func(c *controlplane.Config) { c.EdgeLease = 4 * time.Second }, "edge-lease"},
		"an endless lease":                    {func(c *controlplane.Config) { c.EdgeLease = time.Hour }, "edge-lease"},
		"half a certificate":                  {func(c *controlplane.Config) { c.Etcd.Cert = "x" }, "give both"},
		"a bad issuer":                        {func(c *controlplane.Config) { c.OIDC = []controlplane.Issuer{{URL: "http://example.com"}} }, "oidc"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := controlplane.Config{
				ListenAccess: "127.0.0.1:0", ListenEdge: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "d"),
				Stdout: io.Discard, Logger: hclog.NewNullLogger(),
			}
			tt.edit(&cfg)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := controlplane.Run(ctx, cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want something with %q", err, tt.want)
			}
		})
	}
}
