// Package keyserver hands out access keys on loopback in the way that containers get theirs, so that AWS's SDKs ask for
// new ones by themselves before the old ones end.
//
// Source: the AWS SDKs and Tools Reference Guide, "Container credential provider".
package keyserver

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Key is what a client signs with.
type Key struct {
	ID, Secret, SessionToken string
	ExpiresAt                time.Time
}

// Config is what a Server needs; all of it is required.
type Config struct {
	// Key returns a key that is good for a while. What its error says is told to the client.
	Key func(ctx context.Context) (Key, error)
}

// Server hands out keys to who knows its password. It is safe for concurrent use.
type Server struct {
	key      func(ctx context.Context) (Key, error)
	listener net.Listener
	host     string
	password string
	server   *http.Server
}

// path is where the keys are.
const path = "/credentials"

// Listen listens on a free port of loopback.
func Listen(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Key == nil {
		return nil, errors.New("keyserver: Key is required")
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for AWS clients: %w", err)
	}
	s := &Server{key: cfg.Key, listener: ln, host: ln.Addr().String(), password: rand.Text()}
	s.server = &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	return s, nil
}

// URL is where clients ask, and Password what they say there (AWS_CONTAINER_CREDENTIALS_FULL_URI and
// AWS_CONTAINER_AUTHORIZATION_TOKEN).
func (s *Server) URL() string      { return "http://" + s.host + path }
func (s *Server) Password() string { return s.password }

// Serve answers until Close.
func (s *Server) Serve() error {
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve AWS clients: %w", err)
	}
	return nil
}

// Close ends Serve and what it answers.
func (s *Server) Close() { _ = s.server.Close() }

// answer is what SDKs read.
type answer struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      string
}

type problem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ServeHTTP implements http.Handler. A page in a browser, which can be led here by a name of its own (DNS rebinding), does
// not get past the Host, and neither it nor another user's program knows the password.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	said := []byte(r.Header.Get("Authorization"))
	switch {
	case r.Host != s.host, len(r.Header.Values("Authorization")) != 1, subtle.ConstantTimeCompare(said, []byte(s.password)) != 1:
		refuse(w, http.StatusForbidden, problem{"AccessDenied", "not for you"})
		return
	case r.Method != http.MethodGet || r.URL.Path != path:
		refuse(w, http.StatusNotFound, problem{"NotFound", "keys are elsewhere"})
		return
	}
	key, err := s.key(r.Context())
	if err != nil {
		refuse(w, http.StatusForbidden, problem{"AccessDenied", "writ: " + err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(answer{key.ID, key.Secret, key.SessionToken, key.ExpiresAt.UTC().Format(time.RFC3339)})
}

func refuse(w http.ResponseWriter, status int, p problem) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p)
}
