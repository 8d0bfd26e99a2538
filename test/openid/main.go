// Openid is an OpenID provider for tests, on zitadel/oidc's server side: authorization code with PKCE, device
// authorization and token exchange, for the users and clients of its settings. It listens on loopback only, prints its
// issuer URL once it answers, and ends with its standard input.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Settings come first on standard input, as JSON.
type Settings struct {
	Users   []User   `json:"users"`
	Clients []Client `json:"clients"`
}

// User can sign in.
type User struct {
	Name     string   `json:"name"` // also the subject
	Password string   `json:"password"`
	Email    string   `json:"email"`
	Verified bool     `json:"verified"` // the address
	Groups   []string `json:"groups"`
	Kind     string   `json:"kind"`
}

// Client may use the provider. Without a secret it is public.
type Client struct {
	ID        string   `json:"id"`
	Secret    string   `json:"secret"`
	Redirects []string `json:"redirects"`
	Device    bool     `json:"device"`
	Exchange  bool     `json:"exchange"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var settings Settings
	if err := json.NewDecoder(os.Stdin).Decode(&settings); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	issuer := "http://" + l.Addr().String()
	handler, err := newProvider(issuer, settings)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = srv.Close()
	}()
	fmt.Println(issuer)
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
