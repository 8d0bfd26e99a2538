package approvals_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
)

// open lets agents and people ask; prod waits for two of dba and one of security, staging for one of dba.
const open = `
@id("ask") permit (principal, action == Action::"access:request", resource);
@id("prod") @approval("2 of dba, 1 of security") @reason("Production")
forbid (principal, action == Action::"access:request", resource in Label::"env=prod") unless { context.approved };
@id("staging") @approval("1 of dba")
forbid (principal, action == Action::"access:request", resource in Label::"env=staging") unless { context.approved };
@id("never") @reason("Nobody needs this")
forbid (principal, action == Action::"access:request", resource in Label::"env=vault");
`

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type keyring struct{ private ed25519.PrivateKey }

func (k keyring) Sign(message []byte) (string, []byte) {
	return identity.KeyID(k.private.Public().(ed25519.PublicKey)), ed25519.Sign(k.private, message)
}

func (k keyring) Public() identity.Keys {
	public := k.private.Public().(ed25519.PublicKey)
	keys, _ := identity.NewKeys(map[string]ed25519.PublicKey{identity.KeyID(public): public})
	return keys
}

// ended collects what was ordered to end.
type ended struct {
	mu     sync.Mutex
	grants []string
	gone   map[string]bool // sessions that have ended
}

func (e *ended) SessionLives(_ context.Context, session string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.gone[session], nil
}

func (e *ended) EndGrantSessions(_ context.Context, grant, _, _ string) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.grants = append(e.grants, grant)
	return 1, nil
}

func (e *ended) EndSessions(context.Context, locks.Target, string, string, string) (int, error) {
	return 0, nil
}

// directory is what the newest sign-ins said.
type directory struct {
	mu    sync.Mutex
	known map[string]policy.Principal
}

func (d *directory) PrincipalIn(_ *store.Tx, name string) (policy.Principal, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.known[name]
	return p, ok, nil
}

func (d *directory) set(p policy.Principal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[p.ID] = p
}

// records keeps what was recorded, unless it is full.
type records struct {
	mu   sync.Mutex
	kept []audit.Record
	full error
}

func (r *records) RecordAdmin(_ context.Context, rec audit.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.full == nil {
		r.kept = append(r.kept, rec)
	}
	return r.full
}

// events keeps what was published, in the store like any notifier.
type events struct {
	published *store.Collection[approvals.Event]
}

func (e *events) Publish(tx *store.Tx, ev approvals.Event) error {
	id := ""
	switch {
	case ev.Hold != nil:
		id = ev.Hold.ID
	case ev.Request != nil:
		id = ev.Request.ID
	case ev.Grant != nil:
		id = ev.Grant.ID
	}
	return e.published.In(tx).Create(store.Key(id, string(ev.Kind)), ev)
}

type fixture struct {
	*approvals.Approvals
	t         *testing.T
	store     *store.Store
	policies  *policies.Policies
	resources *resources.Inventory
	locks     *locks.Locks
	clock     *clock
	ended     *ended
	directory *directory
	records   *records
	events    *events
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	return setUpOn(t, store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
}

func setUpOn(t *testing.T, where store.Config) *fixture {
	t.Helper()
	c := &clock{t: time.Now()}
	st := must[*store.Store](t)(store.Open(t.Context(), where))
	t.Cleanup(func() { _ = st.Close() })
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, store: st, clock: c, ended: &ended{}, directory: &directory{known: map[string]policy.Principal{}}}
	f.policies = must[*policies.Policies](t)(policies.New(policies.Config{Store: st, Keyring: keyring{private}, Now: c.now}))
	f.resources = must[*resources.Inventory](t)(resources.New(resources.Config{Store: st, Sealer: plainSealer{}, Now: c.now, Rand: rand.Reader}))
	f.locks = must[*locks.Locks](t)(locks.New(locks.Config{Store: st, Sessions: f.ended, Now: c.now, Rand: rand.Reader}))
	f.records = &records{}
	f.events = &events{store.Define[approvals.Event](st, "test-events")}
	f.Approvals = must[*approvals.Approvals](t)(approvals.New(f.config()))
	f.push(t, open)
	for _, env := range []string{"dev", "staging", "prod", "vault"} {
		f.apply(t, env)
	}
	return f
}

func (f *fixture) config() approvals.Config {
	return approvals.Config{
		Store: f.store, Policies: f.policies, Resources: f.resources, Locks: f.locks, Directory: f.directory,
		Sessions: f.ended, Records: f.records, Now: f.clock.now, Rand: rand.Reader, Events: f.events,
	}
}

func listGrants(t *testing.T, f *fixture, filter approvals.Filter) ([]approvals.Grant, error) {
	t.Helper()
	found, next, err := f.ListGrants(t.Context(), filter)
	if next != "" {
		t.Error("there are more grants than fit a page")
	}
	return found, err
}

// plainSealer seals nothing; how secrets rest is tested elsewhere.
type plainSealer struct{}

func (plainSealer) Seal(plain, _ []byte) ([]byte, error)  { return plain, nil }
func (plainSealer) Open(sealed, _ []byte) ([]byte, error) { return sealed, nil }

func (f *fixture) push(t *testing.T, text string) {
	t.Helper()
	_, err := f.policies.Push(t.Context(), policies.Push{Files: map[string][]byte{"a.cedar": []byte(text)}, Author: "test"})
	if err != nil {
		t.Fatal(err)
	}
}

// apply makes a resource whose name and label is env.
func (f *fixture) apply(t *testing.T, env string) {
	t.Helper()
	_, err := f.resources.Apply(t.Context(), []resources.Resource{{
		Name: env, Labels: map[string]string{"env": env}, Edges: []string{"edge-1"},
		Postgres: &resources.Postgres{
			Endpoint: "db.example:5432", Database: "app",
			Credential: resources.Credential{Static: &resources.Static{User: "app", Password: "secret"}},
		},
	}}, false)
	if err != nil {
		t.Fatal(err)
	}
}

func person(name string, groups ...string) policy.Principal {
	return policy.Principal{Kind: policy.KindPerson, ID: name, Name: name, Email: name + "@example.com", Groups: groups}
}

func agent(name string, onBehalfOf ...string) policy.Principal {
	return policy.Principal{Kind: policy.KindAgent, ID: name, Name: name, OnBehalfOf: onBehalfOf, Groups: []string{"agents"}}
}

func (f *fixture) ask(t *testing.T, p policy.Principal, resource string) approvals.Request {
	t.Helper()
	r, _, err := f.Create(t.Context(), approvals.Ask{Principal: p, Resource: resource, Duration: 30 * time.Minute, Reason: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (f *fixture) approve(t *testing.T, voter policy.Principal, id, digest string) (approvals.Subject, error) {
	t.Helper()
	return f.Vote(t.Context(), approvals.Ballot{ID: id, Digest: digest, Approve: true, Voter: voter})
}

// granted gives p a grant for dev.
func (f *fixture) granted(t *testing.T, p policy.Principal) approvals.Grant {
	t.Helper()
	_, g, err := f.Create(t.Context(), approvals.Ask{Principal: p, Resource: "dev", Duration: time.Hour, Reason: "test"})
	if err != nil || g == nil {
		t.Fatal(g, err)
	}
	return *g
}

var commandDigest = sha256.Sum256([]byte("DELETE FROM orders"))

func (f *fixture) held(t *testing.T, g approvals.Grant, wanted ...policy.Approval) approvals.Hold {
	t.Helper()
	_, revision, err := f.policies.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h, err := f.File(t.Context(), approvals.Hold{
		Principal: g.Principal, Resource: g.Resource, Edge: "edge-1", Session: "ses-1", Grant: g.ID,
		Statement: "DELETE FROM orders", Command: commandDigest[:], Requirements: wanted, Revision: revision,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (f *fixture) spending(h approvals.Hold) approvals.Spending {
	return approvals.Spending{Hold: h.ID, Session: h.Session, Edge: h.Edge, Digest: commandDigest[:], Revision: h.Revision}
}
