// Command issuer is a stand-in for an identity provider, to try Writ with: an OIDC issuer on a loopback address that
// gives a token to anybody who asks. docs/getting-started.md uses it. Never let a control plane that matters trust it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/writhq/writ/pkg/oidctest"
)

func main() {
	issuer := flag.String("issuer", "127.0.0.1:8555", "address of the issuer")
	tokens := flag.String("tokens", "127.0.0.1:8556", "address that gives tokens: /?name=ada@example.com&kind=agent&group=agents")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *issuer, *tokens); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, issuer, tokens string) error {
	for _, addr := range []string{issuer, tokens} {
		host, _, err := net.SplitHostPort(addr)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			return fmt.Errorf("%s is not a loopback address, and this issuer is for this machine only", addr)
		}
	}
	is, err := oidctest.Start(issuer)
	if err != nil {
		return err
	}
	defer is.Close()
	server := &http.Server{Addr: tokens, Handler: hand(is), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	fmt.Printf("issuer %s\ntokens http://%s/?name=ada@example.com&kind=agent&group=agents\n", is.URL(), tokens)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// hand gives tokens of 12 hours for the audience "writ".
func hand(is *oidctest.Issuer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("name") == "" || q.Get("kind") == "" {
			http.Error(w, "give name and kind, and group as often as needed", http.StatusBadRequest)
			return
		}
		token, err := is.Token(oidctest.Claims{
			"sub": q.Get("name"), "email": q.Get("name"), "aud": "writ", "kind": q.Get("kind"), "groups": q["group"],
			"exp": time.Now().Add(12 * time.Hour).Unix(),
		})
		if err != nil {
			http.Error(w, "cannot sign", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(w, token)
	})
}
