// Package pgtunnel lets a plain PostgreSQL client reach an edge: it takes local connections without TLS or password,
// connects to the edge over verified TLS 1.3, signs in there with an access token, and relays bytes both ways.
package pgtunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// defaultHandshake bounds what comes before the relay, on either side.
const defaultHandshake = 30 * time.Second

// Token is what one connection to an edge needs.
type Token struct {
	// Password, User and Database for the edge.
	Password string
	User     string
	Database string
	// Endpoints are "host:port" of edges, tried in order.
	Endpoints []string
	// CAPEM verifies the edge's certificate; nothing else does.
	CAPEM []byte
}

// TokenSource gives access tokens.
type TokenSource interface {
	// Token returns a token that is valid now. refused is the password of one that just failed, or "": a token
	// with that password is not given again. What it wraps in a *Refusal reaches the client.
	Token(ctx context.Context, refused string) (Token, error)
}

// Refusal is an error with the next step for the person behind the client.
type Refusal struct {
	Message string
	Hint    string
}

func (r *Refusal) Error() string { return r.Message }

// Config of a tunnel.
type Config struct {
	// Source gives the tokens. Required.
	Source TokenSource
	// Dial connects to the edge. Required.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// OSUser is the name that clients take for user and database when they are told none; may be empty.
	OSUser string
	// Report hears of connections that failed; the default drops it. Called from many goroutines.
	Report func(error)
	// Handshake bounds the start of a connection; the default is 30 s.
	Handshake time.Duration
}

// Tunnel serves local connections.
type Tunnel struct {
	cfg  Config
	keys keyring

	mu      sync.Mutex
	refused string
}

// New returns a tunnel.
func New(cfg Config) (*Tunnel, error) {
	if cfg.Source == nil || cfg.Dial == nil {
		return nil, errors.New("tunnel needs a token source and a dial function")
	}
	if cfg.Report == nil {
		cfg.Report = func(error) {}
	}
	if cfg.Handshake <= 0 {
		cfg.Handshake = defaultHandshake
	}
	return &Tunnel{cfg: cfg}, nil
}

// Serve takes connections from ln until ctx ends, then closes ln and every connection and returns nil.
func (t *Tunnel) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var open sync.WaitGroup
	defer open.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept connection: %w", err)
		}
		open.Go(func() {
			if err := t.handle(ctx, conn); err != nil && ctx.Err() == nil {
				t.cfg.Report(err)
			}
		})
	}
}

// token asks the source, without the token that an edge refused before.
func (t *Tunnel) token(ctx context.Context) (Token, error) {
	t.mu.Lock()
	refused := t.refused
	t.mu.Unlock()
	return t.cfg.Source.Token(ctx, refused)
}

func (t *Tunnel) refuse(password string) {
	t.mu.Lock()
	t.refused = password
	t.mu.Unlock()
}
