package web_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/web"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/token"
)

const (
	origin = "https://writ.example:8443"
	issuer = "https://login.example"

	sessionName = "__Host-writ-session"
	flowName    = "__Host-writ-signin"
)

// seat is a control plane's browser side with everything behind it in sight.
type seat struct {
	http.Handler
	secret token.Secret // of every login

	mu       sync.Mutex
	now      time.Time
	calls    []*http.Request // that reached the API
	begun    int
	redirect string
	answers  []login.Answer
	admin    []string // tokens
	ended    []string // bearers that signed out
	refused  []error  // as recorded
	failOut  error
}

func newSeat(t testing.TB, edit func(*web.Config)) *seat {
	t.Helper()
	sealer, err := seal.FileOrNew(filepath.Join(t.TempDir(), "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	s := &seat{secret: token.NewSecret(token.LoginSecret), now: time.Now()}
	cfg := web.Config{
		API: http.HandlerFunc(s.api), Logins: logins{s}, Guard: recorder{s}, Sealer: sealer, PublicURL: origin, Now: s.clock,
	}
	if edit != nil {
		edit(&cfg)
	}
	if s.Handler, err = web.New(cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

func withConsole(console fs.FS) func(*web.Config) {
	return func(cfg *web.Config) { cfg.Console = console }
}

func (s *seat) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *seat) api(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r)
	fmt.Fprint(w, "api")
}

// last is the newest call that reached the API.
func (s *seat) last(t *testing.T) *http.Request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		t.Fatal("nothing reached the API")
	}
	return s.calls[len(s.calls)-1]
}

type logins struct{ s *seat }

func (l logins) Begin(_ context.Context, at, redirect string) (string, login.Flow, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	switch at {
	case issuer:
	case "https://down.example":
		return "", login.Flow{}, login.ErrIssuerUnavailable
	default:
		return "", login.Flow{}, login.ErrNoBrowser
	}
	l.s.begun++
	l.s.redirect = redirect
	n := fmt.Sprint(l.s.begun)
	return issuer + "/authorize?state=state-" + n, login.Flow{
		Issuer: issuer, Redirect: redirect, State: "state-" + n, Nonce: "nonce-" + n, Verifier: "verifier-" + n,
	}, nil
}

func (l logins) WithCode(_ context.Context, f login.Flow, a login.Answer) (login.SignIn, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.s.answers = append(l.s.answers, a)
	if a.State != f.State || a.Code != "good" {
		return login.SignIn{}, login.ErrProof
	}
	return l.s.signIn(), nil
}

func (l logins) WithAdminToken(_ context.Context, raw string) (login.SignIn, error) {
	l.s.mu.Lock()
	defer l.s.mu.Unlock()
	l.s.admin = append(l.s.admin, raw)
	if raw != "admin-token" {
		return login.SignIn{}, login.ErrProof
	}
	return l.s.signIn(), nil
}

func (s *seat) signIn() login.SignIn {
	return login.SignIn{Token: s.secret, Caller: login.Caller{
		Principal: policy.Principal{ID: "ada@example.com", Name: "ada@example.com"}, Expires: s.now.Add(time.Hour),
	}}
}

func (logins) Logout(context.Context, login.Caller) error { return nil }

// recorder notes refusals.
type recorder struct{ s *seat }

func (r recorder) SignIn(ctx context.Context, _, _ string, prove func(context.Context) (login.SignIn, error)) (login.SignIn, error) {
	in, err := prove(ctx)
	if err != nil {
		r.s.mu.Lock()
		r.s.refused = append(r.s.refused, err)
		r.s.mu.Unlock()
		return login.SignIn{}, sentence{err}
	}
	return in, nil
}

func (r recorder) SignOut(_ context.Context, _, _, bearer string, _ func(context.Context, login.Caller) error) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.ended = append(r.s.ended, bearer)
	return r.s.failOut
}

type sentence struct{ error }

func (s sentence) Message() string { return s.Error() }
func (s sentence) Unwrap() error   { return s.error }

// get is a visit by a person's browser.
func (s *seat) get(path string, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	return s.do(httptest.NewRequest(http.MethodGet, origin+path, nil), cookies...)
}

func (s *seat) do(r *http.Request, cookies ...*http.Cookie) *httptest.ResponseRecorder {
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// script is a call by a script of the console itself.
func script(path, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, origin+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", origin)
	r.Header.Set("Writ-Console", "1")
	return r
}

func (s *seat) session() *http.Cookie {
	return &http.Cookie{Name: sessionName, Value: s.secret.Reveal()}
}

// cookie is what a response sets under a name; nil when it does not.
func cookie(w *httptest.ResponseRecorder, name string) *http.Cookie {
	for _, c := range w.Result().Cookies() {
		if c.Name == name {
			return c
		}
	}
	return nil
}

var errDown = errors.New("store down")
