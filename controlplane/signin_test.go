package controlplane_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
	"github.com/writhq/writ/test/openidtest"
)

// company is a control plane where people sign in at a real OpenID provider.
type company struct {
	origin   string
	roots    *x509.CertPool
	provider *openidtest.Provider

	mu    sync.Mutex
	ahead time.Duration // of the control plane's clock
}

func (c *company) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func newCompany(t *testing.T) *company {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := &company{origin: "https://" + address, roots: x509.NewCertPool()}
	c.provider = openidtest.Start(t, openidtest.Config{
		Users: []openidtest.User{
			{Name: "u-1", Password: "tea", Email: "Dana@example.com", Verified: true, Groups: []string{"dba"}, Kind: "person"},
			{Name: "u-2", Password: "pie", Email: "root@example.com", Verified: true, Groups: []string{"platform"}, Kind: "person"},
		},
		Clients: []openidtest.Client{{ID: "console", Secret: "s3cret", Redirects: []string{c.origin + "/signin/callback"}}},
	})
	secret := filepath.Join(t.TempDir(), "client-secret")
	if err := os.WriteFile(secret, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan controlplane.Addresses, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		ended <- controlplane.Run(ctx, controlplane.Config{
			ListenAccess: address, ListenEdge: "127.0.0.1:0", PublicURL: c.origin, DataDir: filepath.Join(t.TempDir(), "data"),
			OIDC: []controlplane.Issuer{{
				URL: c.provider.Issuer, Audiences: []string{"writ"}, KindClaim: "kind", Name: "Example Corp",
				Browser: controlplane.BrowserClient{ID: "console", SecretFile: secret, Scopes: []string{"openid", "email", "groups"}},
			}},
			Roles: controlplane.Roles{Admin: []string{"platform"}}, Now: c.now, Stdout: io.Discard, Logger: hclog.NewNullLogger(),
			Ready: func(a controlplane.Addresses) { ready <- a },
		})
	}()
	select {
	case a := <-ready:
		c.roots.AppendCertsFromPEM(a.CA)
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("did not end cleanly: %v", err)
		}
	})
	return c
}

// browser is one person's browser: it keeps cookies, and says what page a call comes from.
type browser struct {
	*company
	http.Client
	script bool // calls come from a script of the console
}

func (c *company) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{company: c, script: true}
	b.Client = http.Client{Jar: jar, Transport: b.mark(&http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true,
	}), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(b.CloseIdleConnections)
	return b
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (b *browser) mark(next *http.Transport) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPost && b.script {
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Origin", b.origin)
			r.Header.Set("Writ-Console", "1")
		}
		return next.RoundTrip(r)
	})
}

// visit gets an address and returns the answer's status and where it leads.
func (b *browser) visit(t *testing.T, address string) (status int, to string) {
	t.Helper()
	resp, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Location")
}

// authorized goes to the provider, signs in there, and returns the address that leads back.
func (b *browser) authorized(t *testing.T, user, password string) string {
	t.Helper()
	status, to := b.visit(t, b.origin+"/signin/start?return=%2Fapprovals&issuer="+url.QueryEscape(b.provider.Issuer))
	if status != http.StatusSeeOther {
		t.Fatalf("start: %d", status)
	}
	back, err := b.provider.Authorize(t.Context(), to, user, password)
	if err != nil {
		t.Fatal(err)
	}
	return back.String()
}

func (b *browser) signIn(t *testing.T, user, password string) {
	t.Helper()
	if status, to := b.visit(t, b.authorized(t, user, password)); status != http.StatusSeeOther || to != "/approvals" {
		t.Fatalf("callback: %d to %q", status, to)
	}
}

func (b *browser) whoami(t *testing.T) (*accessv1.WhoAmIResponse, error) {
	t.Helper()
	return accessv1connect.NewIdentityServiceClient(&b.Client, b.origin, connect.WithProtoJSON()).WhoAmI(t.Context(), &accessv1.WhoAmIRequest{})
}

func TestPeopleSignInWithABrowser(t *testing.T) {
	c := newCompany(t)
	dana := c.browser(t)
	methods, err := accessv1connect.NewIdentityServiceClient(&dana.Client, c.origin).ListSignInMethods(t.Context(), &accessv1.ListSignInMethodsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	offered := methods.GetMethods()[0].GetOpenid()
	if want := "/signin/start?issuer=" + url.QueryEscape(c.provider.Issuer); offered.GetName() != "Example Corp" || offered.GetBrowserPath() != want || offered.GetDeviceClientId() != "" {
		t.Errorf("offers %v", offered)
	}
	dana.signIn(t, "u-1", "tea")
	who, err := dana.whoami(t)
	if err != nil || who.GetPrincipal().GetName() != "dana@example.com" || strings.Join(who.GetPrincipal().GetGroups(), ",") != "dba" ||
		who.GetPrincipal().GetKind() != accessv1.PrincipalKind_PRINCIPAL_KIND_PERSON {
		t.Fatalf("%v, %v", who, err)
	}
	dana.script = false
	if _, err := dana.whoami(t); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a page of another site: %v", err)
	}
	dana.script = true

	stream, err := accessv1connect.NewApprovalServiceClient(&dana.Client, c.origin).WatchApprovals(t.Context(), &accessv1.WatchApprovalsRequest{})
	if err != nil || !stream.Receive() || !stream.Msg().GetComplete() {
		t.Errorf("live approvals do not come through: %v %v", err, stream.Err())
	}
	_ = stream.Close()

	held := session(t, dana)
	resp, err := dana.Post(c.origin+"/signout", "application/json", nil)
	if err != nil || resp.StatusCode != http.StatusNoContent {
		t.Fatalf("sign-out: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	if session(t, dana) != nil {
		t.Error("the cookie stays")
	}
	thief := c.browser(t)
	thief.Jar.SetCookies(c.url(t), []*http.Cookie{held})
	if _, err := thief.whoami(t); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("the login goes on after the sign-out: %v", err)
	}
}

func (c *company) url(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(c.origin)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func session(t *testing.T, b *browser) *http.Cookie {
	t.Helper()
	for _, cookie := range b.Jar.Cookies(b.url(t)) {
		if cookie.Name == "__Host-writ-session" {
			cookie.Secure, cookie.Path = true, "/"
			return cookie
		}
	}
	return nil
}

// An answer of the provider is good once, in the browser that asked for it.
func TestAnswersOfTheProviderAreNotInterchangeable(t *testing.T) {
	c := newCompany(t)
	mallory, victim := c.browser(t), c.browser(t)
	code := mallory.authorized(t, "u-1", "tea")
	_ = victim.authorized(t, "u-2", "pie") // a sign-in is under way there, too
	if status, _ := victim.visit(t, code); status != http.StatusForbidden || session(t, victim) != nil {
		t.Errorf("another's answer signs in: %d", status)
	}

	own := victim.authorized(t, "u-2", "pie")
	injected, err := url.Parse(own)
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := url.Parse(code)
	if err != nil {
		t.Fatal(err)
	}
	q := injected.Query()
	q.Set("code", stolen.Query().Get("code"))
	injected.RawQuery = q.Encode()
	if status, _ := victim.visit(t, injected.String()); status != http.StatusForbidden || session(t, victim) != nil {
		t.Errorf("another's code signs in: %d", status)
	}

	again := victim.authorized(t, "u-2", "pie")
	flow := victim.Jar.Cookies(c.url(t))
	if status, _ := victim.visit(t, again); status != http.StatusSeeOther {
		t.Fatalf("the right answer: %d", status)
	}
	replay := c.browser(t)
	for _, cookie := range flow {
		cookie.Secure, cookie.Path = true, "/"
	}
	replay.Jar.SetCookies(c.url(t), flow)
	if status, _ := replay.visit(t, again); status != http.StatusForbidden || session(t, replay) != nil {
		t.Errorf("an answer signs in twice: %d", status)
	}
	refusals := c.records(t, victim, "refusal")
	if refusals < 3 {
		t.Errorf("%d refusals are recorded", refusals)
	}
	if c.records(t, victim, "login") == 0 {
		t.Error("the sign-in is not recorded")
	}
}

// records counts the records of a kind that came by a browser. Its caller is an administrator.
func (c *company) records(t *testing.T, admin *browser, kind string) int {
	t.Helper()
	resp, err := accessv1connect.NewAuditServiceClient(&admin.Client, c.origin).ListAdminRecords(t.Context(), &accessv1.ListAdminRecordsRequest{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, r := range resp.GetRecords() {
		var body struct {
			Attrs []struct{ Name, Value string } `json:"attrs"`
		}
		if err := json.Unmarshal([]byte(r.GetJson()), &body); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(r.GetJson(), "writ_login_") || strings.Contains(r.GetJson(), "s3cret") {
			t.Errorf("a record holds a secret: %s", r.GetJson())
		}
		for _, a := range body.Attrs {
			if r.GetKind() == kind && a.Name == "via" && a.Value == "browser" {
				count++
			}
		}
	}
	return count
}

func TestAdministratorSignsSomebodyOut(t *testing.T) {
	c := newCompany(t)
	dana, phone, root := c.browser(t), c.browser(t), c.browser(t)
	dana.signIn(t, "u-1", "tea")
	phone.signIn(t, "u-1", "tea")
	root.signIn(t, "u-2", "pie")
	principals := accessv1connect.NewPrincipalServiceClient(&root.Client, c.origin)
	known, err := principals.ListPrincipals(t.Context(), &accessv1.ListPrincipalsRequest{PageSize: 1})
	if err != nil || len(known.GetPrincipals()) != 1 || known.GetPrincipals()[0].GetPrincipal().GetName() != "dana@example.com" || known.GetNextPageToken() == "" {
		t.Fatalf("%v, %v", known, err)
	}
	next, err := principals.ListPrincipals(t.Context(), &accessv1.ListPrincipalsRequest{PageToken: known.GetNextPageToken()})
	if err != nil || len(next.GetPrincipals()) != 1 || next.GetPrincipals()[0].GetPrincipal().GetName() != "root@example.com" || next.GetNextPageToken() != "" {
		t.Fatalf("%v, %v", next, err)
	}
	if _, err := principals.ListPrincipals(t.Context(), &accessv1.ListPrincipalsRequest{PageToken: "?"}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a made-up page: %v", err)
	}
	if _, err := accessv1connect.NewLockServiceClient(&root.Client, c.origin).CreateLock(t.Context(), &accessv1.CreateLockRequest{
		Target: accessv1.LockTarget_LOCK_TARGET_PRINCIPAL, Name: "nobody@example.com", Reason: "test",
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := accessv1connect.NewPrincipalServiceClient(&dana.Client, c.origin).EndLogins(t.Context(), &accessv1.EndLoginsRequest{Principal: "root@example.com"}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("a member signs an administrator out: %v", err)
	}
	ended, err := principals.EndLogins(t.Context(), &accessv1.EndLoginsRequest{Principal: "dana@example.com"})
	if err != nil || ended.GetLoginsEnded() != 2 {
		t.Fatalf("%v, %v", ended, err)
	}
	for _, b := range []*browser{dana, phone} {
		if _, err := b.whoami(t); connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("an ended login: %v", err)
		}
	}
	if _, err := root.whoami(t); err != nil {
		t.Errorf("somebody else's login: %v", err)
	}
	if _, err := principals.EndLogins(t.Context(), &accessv1.EndLoginsRequest{Principal: "nobody@example.com"}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("nobody's logins: %v", err)
	}
}

func TestBrowserLoginsExpire(t *testing.T) {
	c := newCompany(t)
	dana := c.browser(t)
	dana.signIn(t, "u-1", "tea")
	c.mu.Lock()
	c.ahead = 12*time.Hour + time.Second
	c.mu.Unlock()
	if _, err := dana.whoami(t); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("after 12 hours: %v", err)
	}
}
