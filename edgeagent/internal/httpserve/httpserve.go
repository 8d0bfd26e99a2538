// Package httpserve has what the servers of HTTP clients share: an orderly end, a bound on the requests in the air, and panics that
// stop one request.
package httpserve

import (
	"context"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/hashicorp/go-hclog"
)

// New returns a server whose requests end with ctx. It logs what clients do wrong for those who look for it only.
func New(ctx context.Context, h http.Handler, log hclog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:    log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
}

// stopLimit bounds an orderly stop.
const stopLimit = 5 * time.Second

// Run serves until ctx ends, and returns when the requests have ended or five seconds have passed. It returns nil, or why serve ended
// before ctx.
func Run(ctx context.Context, server *http.Server, serve func() error) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		late, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		if server.Shutdown(late) != nil {
			server.Close()
		}
	})
	err := serve()
	if stop() { // ctx still runs, so this was not asked for
		return err
	}
	<-stopped
	return nil
}

// Slots bounds the requests in the air.
type Slots chan struct{}

// Serve runs serve if a slot is free, and else busy, which tells the client to come back. A panic of serve is logged and aborts the answer,
// so that no client takes what it got for whole.
func (s Slots) Serve(w http.ResponseWriter, log hclog.Logger, serve, busy func()) {
	select {
	case s <- struct{}{}:
		defer func() { <-s }()
	default:
		w.Header().Set("Retry-After", "1")
		busy()
		return
	}
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if r != http.ErrAbortHandler {
			log.Error("request stopped by a panic", "panic", r, "stack", string(debug.Stack()))
		}
		panic(http.ErrAbortHandler)
	}()
	serve()
}
