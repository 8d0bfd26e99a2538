package api

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/checkpoints"
	"github.com/writhq/writ/controlplane/internal/guard"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// callers are identified by their name as the token.
type callers map[string]login.Caller

func (c callers) Identify(_ context.Context, bearer string) (login.Caller, error) {
	who, ok := c[bearer]
	if !ok {
		return login.Caller{}, login.ErrUnauthenticated
	}
	return who, nil
}

type forgetful struct{}

func (forgetful) RecordAdmin(context.Context, audit.Record) error { return nil }

// leaseless ends the leases of sessions that have none.
type leaseless struct{}

func (leaseless) EndIn(*store.Tx, string) error { return nil }

// rig is what sessions and resources are served from, behind a guard that knows some callers.
type rig struct {
	cfg   Config
	store *store.Store
	next  int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	r := &rig{store: st, cfg: Config{Now: time.Now}}
	if r.cfg.Sessions, err = sessions.New(sessions.Config{Store: st, Leases: leaseless{}}); err != nil {
		t.Fatal(err)
	}
	folder, err := auditlog.OpenFolder(filepath.Join(t.TempDir(), "objects"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	log, err := checkpoints.Open(t.Context(), checkpoints.Config{Store: st, Objects: folder, Origin: "test/audit", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), Replica: "cp-1"})
	if err != nil {
		t.Fatal(err)
	}
	r.cfg.Checkpoints = log
	if r.cfg.Log, err = auditlog.New(auditlog.Config{Objects: folder, Sessions: r.cfg.Sessions, Registrar: log, Replica: "cp-1"}); err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.FileOrNew(filepath.Join(t.TempDir(), "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	if r.cfg.Resources, err = resources.New(resources.Config{Store: st, Sealer: sealer, Now: time.Now, Rand: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	return r
}

// serve mounts a service behind a guard and returns where it is and a client that trusts it.
func (r *rig) serve(t *testing.T, who callers, mount func(opts ...connect.HandlerOption) (string, http.Handler)) (string, *http.Client) {
	t.Helper()
	g, err := guard.New(guard.Config{Identify: who, Records: forgetful{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(mount(connect.WithInterceptors(g)))
	server := httptest.NewUnstartedServer(mux)
	server.EnableHTTP2, server.TLS = true, &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, server.Client()
}

// open adds a live session.
func (r *rig) open(ctx context.Context, t *testing.T, p policy.Principal, resource string) string {
	t.Helper()
	r.next++
	s := sessions.Session{
		ID: fmt.Sprintf("ses-%026d", r.next), Principal: p, Resource: resource, Edge: "edge-a", Boot: "boot-1", Grant: "grant-1",
		Protocol: "postgres", StartedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}
	if err := r.store.Update(ctx, func(tx *store.Tx) error { return r.cfg.Sessions.CreateIn(tx, s) }); err != nil {
		t.Fatal(err)
	}
	return s.ID
}

// saying is a client option that carries the token of one caller.
type saying string

func (s saying) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
		req.Header().Set("Authorization", "Bearer "+string(s))
		return next(ctx, req)
	}
}

func (s saying) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		conn.RequestHeader().Set("Authorization", "Bearer "+string(s))
		return conn
	}
}

func (s saying) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}
