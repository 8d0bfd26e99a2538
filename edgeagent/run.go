package edgeagent

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/edgeagent/internal/aws"
	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/kubernetes"
	"github.com/writhq/writ/edgeagent/internal/policycache"
	"github.com/writhq/writ/edgeagent/internal/postgres"
	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/edgeagent/internal/tunnel"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/version"
)

// edge holds the parts of a running edge.
type edge struct {
	cfg      Config
	policies *policycache.Cache
	client   *tunnel.Client
	spool    *spool.Spool
	shipper  *tunnel.Shipper
	pipeline *enforce.Pipeline
	postgres *postgres.Server
	clusters *kubernetes.Server
	accounts *aws.Server // nil where AWS clients are not served
	awsCA    []byte      // DER of what signs for AWS's hosts there
}

// listeners are the open ports, so that a taken one fails before anything else is done.
type listeners struct {
	postgres   []net.Listener // the first is TCP
	kubernetes net.Listener   // nil serves none
	aws        net.Listener   // nil serves none
}

func (l listeners) close() {
	for _, p := range l.postgres {
		p.Close()
	}
	if l.kubernetes != nil {
		l.kubernetes.Close()
	}
	if l.aws != nil {
		l.aws.Close()
	}
}

func (l listeners) addresses(edge string) Addresses {
	a := Addresses{Edge: edge, Postgres: l.postgres[0].Addr().String()}
	if l.kubernetes != nil {
		a.Kubernetes = l.kubernetes.Addr().String()
	}
	if l.aws != nil {
		a.AWS = l.aws.Addr().String()
	}
	return a
}

// Run serves until ctx ends or a part fails, and returns after all parts stopped.
func Run(ctx context.Context, cfg Config) error {
	cfg, err := cfg.complete()
	if err != nil {
		return err
	}
	listeners, err := cfg.listen()
	if err != nil {
		return err
	}
	defer listeners.close()
	e, err := build(ctx, cfg)
	if err != nil {
		return err
	}
	defer e.spool.Close()
	return e.run(ctx, listeners)
}

// build makes every part.
func build(ctx context.Context, cfg Config) (*edge, error) {
	e := &edge{cfg: cfg, policies: policycache.New()}
	boot, err := newBoot()
	if err != nil {
		return nil, err
	}
	if e.spool, err = spool.Open(spool.Config{Dir: cfg.spoolDir(), MaxBytes: cfg.SpoolMaxBytes, Logger: cfg.Logger.Named("spool")}); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	if err := e.connect(ctx, boot); err != nil {
		e.spool.Close()
		return nil, err
	}
	return e, nil
}

// connect makes the parts that need the control plane.
func (e *edge) connect(ctx context.Context, boot string) error {
	cfg := e.cfg
	var err error
	e.client, err = tunnel.Open(ctx, tunnel.Config{
		Address: cfg.ControlPlane, StateDir: cfg.StateDir, JoinToken: cfg.JoinToken, Pin: cfg.Pin, Boot: boot,
		Version: version.String(), Policy: e.policies, Now: cfg.Now, Logger: cfg.Logger.Named("tunnel"),
	})
	if err != nil {
		return fmt.Errorf("join control plane: %w", err)
	}
	e.pipeline, err = enforce.New(enforce.Config{
		Edge: e.client.Edge(), Boot: boot, Policies: e.policies, Lease: e.client.Lease(), Records: e.spool, Control: e.client,
		Clock: cfg.Now, Rand: rand.Reader, Logger: cfg.Logger.Named("enforce"),
	})
	if err != nil {
		return err
	}
	networks, err := cfg.networks()
	if err != nil {
		return err
	}
	dialer, err := upstream.New(upstream.Config{AllowedNetworks: networks})
	if err != nil {
		return fmt.Errorf("make dialer: %w", err)
	}
	e.postgres, err = postgres.New(postgres.Config{
		Pipeline: e.pipeline, Broker: e.client, Dialer: dialer, MaxConnections: cfg.MaxConnections, Logger: cfg.Logger.Named("postgres"),
		TLS: &tls.Config{GetCertificate: e.client.ServingCertificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"postgresql"}},
	})
	if err != nil {
		return err
	}
	e.clusters, err = kubernetes.New(kubernetes.Config{
		Pipeline: e.pipeline, Broker: e.client, Dialer: dialer, MaxSessions: cfg.MaxConnections, Patience: cfg.HoldPatience,
		Keys: func() identity.Keys { return e.client.CurrentState().TokenKeys }, Clock: cfg.Now, Logger: cfg.Logger.Named("kubernetes"),
		TLS: &tls.Config{GetCertificate: e.client.ServingCertificate, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		return err
	}
	if cfg.ListenAWS != none {
		if err := e.serveAWS(dialer); err != nil {
			return err
		}
	}
	e.shipper, err = tunnel.NewShipper(tunnel.ShipperConfig{Client: e.client, Spool: e.spool})
	return err
}

// stopLimit bounds an orderly stop.
const stopLimit = 10 * time.Second

// run runs every part; the first that fails stops all.
func (e *edge) run(ctx context.Context, listeners listeners) error {
	// Records are shipped, over a tunnel that still stands, until everything else has stopped.
	tail, stopTail := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTail()
	outer, outerCtx := errgroup.WithContext(tail)
	outer.Go(func() error { return e.client.Run(outerCtx, e.hooks(listeners)) })
	outer.Go(func() error { return e.shipper.Run(outerCtx) })

	inner, innerCtx := errgroup.WithContext(ctx)
	inner.Go(func() error { return e.pipeline.Run(innerCtx) })
	inner.Go(func() error { return e.watch(innerCtx, outerCtx) })
	for _, l := range listeners.postgres {
		inner.Go(func() error { return e.postgres.Serve(innerCtx, l) })
	}
	if listeners.kubernetes != nil {
		inner.Go(func() error { return e.clusters.Serve(innerCtx, listeners.kubernetes) })
	}
	if listeners.aws != nil {
		inner.Go(func() error { return e.accounts.Serve(innerCtx, listeners.aws) })
	}
	go e.announce(innerCtx, listeners)
	err := inner.Wait()
	e.flush()
	stopTail()
	return errors.Join(err, outer.Wait())
}

// watch ends the inner parts when the spool cannot write or an outer part failed.
func (e *edge) watch(ctx, outer context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-outer.Done():
		return errors.New("the tunnel stopped")
	case <-e.spool.Failed():
		return fmt.Errorf("record: %w", e.spool.Err())
	}
}

// flush gives the shipper a moment to bring the last records home.
func (e *edge) flush() {
	deadline := time.Now().Add(stopLimit / 2)
	for time.Now().Before(deadline) {
		if s := e.spool.Stats(); s.Acked >= s.Appended {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (e *edge) announce(ctx context.Context, listeners listeners) {
	select {
	case <-ctx.Done():
	case <-e.client.Ready():
		a := listeners.addresses(e.client.Edge())
		e.cfg.Logger.Info("serving", "edge", a.Edge, "postgres", a.Postgres, "kubernetes", orDefault(a.Kubernetes, none), "aws", orDefault(a.AWS, none))
		e.cfg.Ready(a)
	}
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// hooks tie the tunnel to the other parts.
func (e *edge) hooks(listeners listeners) tunnel.Hooks {
	open := listeners.addresses("")
	endpoints, clusters, accounts := e.cfg.Advertise, e.cfg.AdvertiseKubernetes, e.cfg.AdvertiseAWS
	if len(endpoints) == 0 {
		endpoints = []string{open.Postgres}
	}
	if len(clusters) == 0 && open.Kubernetes != "" {
		clusters = []string{open.Kubernetes}
	}
	if len(accounts) == 0 && open.AWS != "" {
		accounts = []string{open.AWS}
	}
	return tunnel.Hooks{
		Endpoints:           func() []string { return endpoints },
		KubernetesEndpoints: func() []string { return clusters },
		AWSEndpoints:        func() []string { return accounts },
		AWSAuthority:        e.awsCA,

		Sessions:         e.pipeline.Sessions,
		EndSessions:      e.pipeline.EndSessions,
		PrincipalChanged: e.pipeline.PrincipalChanged,
		State:            e.apply,
		Sweep:            e.sweep,
		OldestUnshipped:  e.shipper.OldestUnshipped,
	}
}

// apply puts a new state into force: locks first, since they stop.
func (e *edge) apply(st tunnel.State) {
	e.pipeline.SetLocks(st.Locks)
	resources := make([]*postgres.Resource, 0, len(st.Resources))
	for _, r := range st.Resources {
		if r.Postgres != nil {
			resources = append(resources, postgresResource(r))
		}
	}
	clusters := make([]*kubernetes.Resource, 0, len(st.Resources))
	for _, r := range st.Resources {
		if r.Kubernetes != nil {
			clusters = append(clusters, kubernetesResource(r))
		}
	}
	if e.accounts != nil {
		e.accounts.SetResources(awsResources(st.Resources, st.MaskingKey))
		e.pipeline.SetRoles(awsRoles(st.Resources))
	}
	err := errors.Join(e.postgres.SetResources(resources, st.MaskingKey), e.clusters.SetResources(clusters, st.MaskingKey))
	if err != nil {
		e.cfg.Logger.Error("a resource cannot be served", "error", err)
	}
}

func kubernetesResource(r tunnel.Resource) *kubernetes.Resource {
	k := r.Kubernetes
	return &kubernetes.Resource{
		Policy: r.Policy(), Endpoint: k.Endpoint, AllowLoopback: k.AllowLoopback, Groups: k.Groups, Classes: k.Classes,
		Detectors: k.Detectors, Version: r.Version,
		TLS: upstream.TLS{Mode: tlsModes[k.TLS.Mode], CAPEM: []byte(k.TLS.CAPEM), ServerName: k.TLS.ServerName},
	}
}

func (e *edge) sweep(ctx context.Context, leases []tunnel.Sweep) {
	sweeps := make([]postgres.Sweep, len(leases))
	for i, l := range leases {
		sweeps[i] = postgres.Sweep{Lease: l.Lease, Resource: l.Resource, Role: l.Role}
	}
	e.postgres.Sweep(ctx, sweeps)
}

func postgresResource(r tunnel.Resource) *postgres.Resource {
	p := r.Postgres
	out := &postgres.Resource{
		Policy: r.Policy(), Endpoint: p.Endpoint, Database: p.Database, AllowLoopback: p.AllowLoopback, SafeFunctions: p.SafeFunctions,
		Detectors: p.Detectors, Dynamic: p.Dynamic, Version: r.Version, Classes: map[string][]string{},
		TLS: upstream.TLS{Mode: tlsModes[p.TLS.Mode], CAPEM: []byte(p.TLS.CAPEM), ServerName: p.TLS.ServerName},
	}
	for class, columns := range p.Classes {
		for _, c := range columns {
			out.Classes[c] = append(out.Classes[c], class)
		}
	}
	return out
}

var tlsModes = map[tunnel.TLSMode]upstream.TLSMode{
	tunnel.VerifyFull: upstream.VerifyFull, tunnel.VerifyCA: upstream.VerifyCA, tunnel.DisableTLS: upstream.Disable,
}

// listen opens the listeners.
func (cfg Config) listen() (listeners, error) {
	var open listeners
	l, err := net.Listen("tcp", cfg.ListenPostgres)
	if err != nil {
		return open, fmt.Errorf("listen-postgres: %w; choose another address or stop what uses it", err)
	}
	open.postgres = []net.Listener{l}
	if cfg.ListenKubernetes != none {
		if open.kubernetes, err = net.Listen("tcp", cfg.ListenKubernetes); err != nil {
			open.close()
			return listeners{}, fmt.Errorf("listen-kubernetes: %w; choose another address, or none", err)
		}
	}
	if cfg.ListenAWS != none {
		if open.aws, err = net.Listen("tcp", cfg.ListenAWS); err != nil {
			open.close()
			return listeners{}, fmt.Errorf("listen-aws: %w; choose another address, or none", err)
		}
	}
	if cfg.SocketDir == "" {
		return open, nil
	}
	u, err := cfg.listenUnix(l)
	if err != nil {
		open.close()
		return listeners{}, fmt.Errorf("socket-dir: %w", err)
	}
	open.postgres = append(open.postgres, u)
	return open, nil
}

// listenUnix opens the socket that PostgreSQL clients look for beside a port.
func (cfg Config) listenUnix(tcp net.Listener) (net.Listener, error) {
	_, port, _ := net.SplitHostPort(tcp.Addr().String())
	if err := os.MkdirAll(cfg.SocketDir, 0o750); err != nil {
		return nil, err
	}
	path := filepath.Join(cfg.SocketDir, ".s.PGSQL."+port)
	os.Remove(path) // of an edge that was killed; the port is ours
	return net.Listen("unix", path)
}

// newBoot names this start of the process.
func newBoot() (string, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("name this start: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

func trimLine(b []byte) string { return string(bytes.TrimSpace(b)) }
