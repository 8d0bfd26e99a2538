package notify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/authority"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

type noLeases struct{}

func (noLeases) EndIn(*store.Tx, string) error { return nil }

type noSessions struct{}

func (noSessions) EndSessions(context.Context, locks.Target, string, string, string) (int, error) {
	return 0, nil
}

// The services tell of what they do: a kill, a lock that comes and goes, an edge that is removed.
func TestServicesTell(t *testing.T) {
	r := listen(t)
	st, d := start(t, []notify.Receiver{to(t, "soc", r.URL)})
	ctx := t.Context()

	book, err := sessions.New(sessions.Config{Store: st, Leases: noLeases{}, Now: time.Now, Events: d})
	if err != nil {
		t.Fatal(err)
	}
	const session = "ses-00000000000000000000000001"
	err = st.Update(ctx, func(tx *store.Tx) error {
		return book.CreateIn(tx, sessions.Session{
			ID: session, Principal: policy.Principal{ID: "agent-7", Kind: policy.KindAgent}, Resource: "orders-db", Edge: "edge-a",
			Boot: "b1", Grant: "grant-1", StartedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := book.Kill(ctx, session, "killed: runs wild", "dana@example.com"); err != nil {
		t.Fatal(err)
	}
	e := r.next(t).event(t)
	if e.Type != "session.killed" || e.Subject.ID != session || e.Data.By != "dana@example.com" || e.Data.Reason != "killed: runs wild" {
		t.Errorf("%+v", e)
	}
	if err := book.Kill(ctx, session, "again", "dana@example.com"); !errors.Is(err, sessions.ErrEnded) {
		t.Error(err)
	}

	orders, err := locks.New(locks.Config{Store: st, Sessions: noSessions{}, Now: time.Now, Rand: rand.Reader, Events: d})
	if err != nil {
		t.Fatal(err)
	}
	lock, _, err := orders.Create(ctx, locks.Order{Target: locks.Resource, Name: "orders-db", Reason: "restore", By: "root", TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if e := r.next(t).event(t); e.Type != "lock.created" || e.Subject.ID != lock.ID || e.Data.Target != "resource" || e.Data.ExpiresAt == nil {
		t.Errorf("%+v", e)
	}
	if err := orders.Remove(ctx, lock.ID, "dana"); err != nil {
		t.Fatal(err)
	}
	if e := r.next(t).event(t); e.Type != "lock.removed" || e.Data.By != "dana" || e.Data.Reason != "restore" {
		t.Errorf("%+v", e)
	}

	registry := enrolled(t, st, d, "edge-a")
	if err := registry.Remove(ctx, "edge-a", "root"); err != nil {
		t.Fatal(err)
	}
	if e := r.next(t).event(t); e.Type != "edge.removed" || e.Subject.ID != "edge-a" || e.Data.By != "root" {
		t.Errorf("%+v", e)
	}
	if err := registry.Remove(ctx, "nobody", "root"); !errors.Is(err, edges.ErrNotFound) {
		t.Error(err)
	}
	r.none(t)
}

// enrolled is a registry with one edge.
func enrolled(t *testing.T, st *store.Store, d *notify.Deliveries, name string) *edges.Registry {
	t.Helper()
	sealer, err := seal.FileOrNew(filepath.Join(t.TempDir(), "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := authority.Open(t.Context(), authority.Config{Store: st, Sealer: sealer})
	if err != nil {
		t.Fatal(err)
	}
	registry, err := edges.New(edges.Config{Store: st, Authority: ca, Replica: "cp-1", Rand: rand.Reader, Events: d})
	if err != nil {
		t.Fatal(err)
	}
	join, err := registry.CreateJoinToken(t.Context(), name, nil, 0, "root")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := registry.Enrol(t.Context(), join.Secret.Reveal(), csr, csr); err != nil {
		t.Fatal(err)
	}
	return registry
}
