// Package web is what a browser meets: the console's files, the sign-in of people through their identity provider, and
// the cookie that carries a login to the calls of access.v1. Scripts never see a token; what a call may do is decided
// behind it, as for any other client.
package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/login"
)

// Logins signs people in and out.
type Logins interface {
	Begin(ctx context.Context, issuer, redirect string) (address string, f login.Flow, err error)
	WithCode(ctx context.Context, f login.Flow, a login.Answer) (login.SignIn, error)
	WithAdminToken(ctx context.Context, raw string) (login.SignIn, error)
	Logout(ctx context.Context, c login.Caller) error
}

// Guard records each sign-in and sign-out, and turns errors into what people see.
type Guard interface {
	SignIn(ctx context.Context, via, peer string, prove func(context.Context) (login.SignIn, error)) (login.SignIn, error)
	SignOut(ctx context.Context, via, peer, bearer string, end func(context.Context, login.Caller) error) error
}

// Sealer keeps a sign-in under way from its browser's eyes, and opens it at every replica.
type Sealer interface {
	Seal(plain, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

// Config is what a browser is served. All but Console and Logger is required.
type Config struct {
	// Console holds the built console, with index.html at its root. nil is a console that was not built.
	Console fs.FS
	// API serves access.v1 and /healthz.
	API    http.Handler
	Logins Logins
	Guard  Guard
	Sealer Sealer
	// PublicURL is the address under which browsers reach this control plane, "https://host[:port]".
	PublicURL string
	Now       func() time.Time
	Logger    hclog.Logger // nil discards
}

// site is one control plane as browsers see it.
type site struct {
	cfg    Config
	origin string
	host   string
	cross  *http.CrossOriginProtection
	files  *files
	pages  *http.ServeMux
}

// New returns the handler of everything that people's listener serves.
func New(cfg Config) (http.Handler, error) {
	if cfg.API == nil || cfg.Logins == nil || cfg.Guard == nil || cfg.Sealer == nil || cfg.Now == nil {
		return nil, errors.New("web: API, logins, guard, sealer and clock are required")
	}
	public, err := ParsePublicURL(cfg.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("web: public URL: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	s := &site{cfg: cfg, origin: public.String(), host: public.Host, cross: http.NewCrossOriginProtection(), pages: http.NewServeMux()}
	if s.files, err = newFiles(cfg.Console); err != nil {
		return nil, err
	}
	s.pages.HandleFunc("GET "+startPath, s.start)
	s.pages.HandleFunc("GET "+callbackPath, s.callback)
	s.pages.HandleFunc("GET "+stylePath, serveStyle)
	s.pages.HandleFunc("POST "+adminPath, s.withAdminToken)
	s.pages.HandleFunc("POST "+signOutPath, s.signOut)
	s.pages.Handle("/", s.files)
	return http.HandlerFunc(s.serve), nil
}

// ParsePublicURL reads "https://host[:port]"; anything besides is refused.
func ParsePublicURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" ||
		u.ForceQuery || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not https://host[:port]", text)
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

// serve divides calls from pages.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if strings.HasPrefix(r.URL.Path, "/access.v1.") || r.URL.Path == "/healthz" {
		s.cfg.API.ServeHTTP(w, s.withLogin(r))
		return
	}
	s.pages.ServeHTTP(w, r)
}
