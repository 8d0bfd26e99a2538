package controlplane

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/controlplane/internal/guard"
)

// shutdownLimit is how long the parts have to stop once the context ends or one of them fails.
const shutdownLimit = 10 * time.Second

// Run runs a control plane until ctx ends, which is a clean end and no error, or until one of its parts fails. It
// returns at most 10 s after that.
func Run(ctx context.Context, cfg Config) (err error) {
	cfg, err = cfg.complete()
	if err != nil {
		return err
	}
	listeners, err := listen(cfg)
	if err != nil {
		return err
	}
	defer listeners.close()
	if err := makeDataDir(cfg.DataDir); err != nil {
		return err
	}
	p, err := build(ctx, cfg, listeners)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.announce(ctx); err != nil {
		return err
	}
	return p.run(ctx)
}

// pair is both listeners, taken before anything else so that a taken port is known at once.
type pair struct{ access, edge net.Listener }

func listen(cfg Config) (pair, error) {
	access, err := listenOn("listen-access", cfg.ListenAccess)
	if err != nil {
		return pair{}, err
	}
	edge, err := listenOn("listen-edge", cfg.ListenEdge)
	if err != nil {
		_ = access.Close()
		return pair{}, err
	}
	return pair{access, edge}, nil
}

func listenOn(setting, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is in use by another process; stop it or choose another port", setting, addr)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}
	return l, nil
}

func (p pair) close() {
	_ = p.access.Close()
	_ = p.edge.Close()
}

// makeDataDir refuses a folder that others may read or that cannot be written.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data-dir: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("data-dir: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("data-dir: %s has mode %v; others must not have access: chmod 700 %s", dir, info.Mode().Perm(), dir)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("data-dir: not writable: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// run runs every part until ctx ends or one fails.
func (p *plane) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for name, part := range p.parts() {
		g.Go(func() error {
			err := part(ctx)
			if err == nil || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
				return nil
			}
			return fmt.Errorf("%s: %w", name, err)
		})
	}
	p.cfg.Ready(p.addresses())
	p.log.Info("ready", "access", p.listeners.access.Addr(), "edge", p.listeners.edge.Addr())
	return waitLimited(ctx, g, p.log)
}

// waitLimited waits for the parts, but not longer than the limit after they were told to stop.
func waitLimited(ctx context.Context, g *errgroup.Group, log hclog.Logger) error {
	done := make(chan error, 1)
	go func() { done <- g.Wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	timer := time.NewTimer(shutdownLimit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("some parts did not stop within %s", shutdownLimit)
	}
}

// parts lists everything that runs for as long as the control plane does.
func (p *plane) parts() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"store":         p.store.Run,
		"token keys":    p.tokenKeys.Run,
		"policy keys":   p.policyKeys.Run,
		"approvals":     p.approvals.Run,
		"credentials":   p.broker.Run,
		"roles":         p.roles.Run,
		"checkpoints":   p.checkpoints.Run,
		"search index":  p.records.RunIndex,
		"sessions":      p.sweeper.Run,
		"counts":        func(ctx context.Context) error { return p.tally.Run(ctx, p.records) },
		"notifications": p.notify.Run,
		"edge listener": func(ctx context.Context) error { return p.tunnel.Run(ctx, p.listeners.edge) },
		"access":        p.serveAccess,
	}
}

// serveAccess serves people until ctx ends, and then lets calls under way finish for a while.
func (p *plane) serveAccess(ctx context.Context) error {
	tlsConfig, err := p.authority.ServerTLS()
	if err != nil {
		return err
	}
	// Long calls hear of the end, so that they do not hold it up.
	calls, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { end(guard.ErrStopping) })()
	defer end(guard.ErrStopping)
	srv := &http.Server{
		Handler: p.handler, TLSConfig: tlsConfig,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 90 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       serverLog(p.log),
		BaseContext:    func(net.Listener) context.Context { return calls },
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.ServeTLS(p.listeners.access, "", "") }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit/2)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		_ = srv.Close()
	}
	return nil
}

// serverLog takes what net/http reports, which is mostly about strangers, as debug messages.
func serverLog(l hclog.Logger) *log.Logger {
	return l.Named("http").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})
}

// announce writes the authority's certificate and tells the operator what is needed to go on.
func (p *plane) announce(ctx context.Context) error {
	ca := filepath.Join(p.cfg.DataDir, "ca.pem")
	if err := writeFile(ca, p.authority.PEM()); err != nil {
		return fmt.Errorf("write ca.pem: %w", err)
	}
	out := fmt.Sprintf("Writ control plane\n  people  https://%s\n  edges   %s\n  ca      %s\n  pin     %s\n",
		p.listeners.access.Addr(), p.edgeAddress(), ca, p.authority.Pin())
	secret, offered, err := p.logins.OfferAdminToken(ctx, p.cfg.ResetAdminToken)
	if err != nil {
		return fmt.Errorf("offer admin token: %w", err)
	}
	if offered {
		out += fmt.Sprintf("\n  admin token  %s\n  It signs in the first administrator, once, within 24 hours, and is not shown again.\n", secret.Reveal())
	}
	if _, err := fmt.Fprint(p.cfg.Stdout, out); err != nil {
		return fmt.Errorf("print addresses: %w", err)
	}
	return nil
}

// writeFile replaces a file as a whole.
func writeFile(path string, data []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
