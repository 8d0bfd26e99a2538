// Package enforcetest is a pipeline for tests of protocols: the real one over a real spool, with a control plane, a lease
// and policies that the test holds in its hands.
package enforcetest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/token"
)

// Bed is a pipeline with what it asks.
type Bed struct {
	Pipeline *enforce.Pipeline
	Control  *Control
	Policies *Policies
	Lease    *Lease
	Records  *Records
	Keys     identity.Keys // that Token signs with

	issuer *token.Issuer
}

// New starts a pipeline for one resource, whose sessions sign in upstream with what credential returns.
func New(t testing.TB, p policy.Principal, r policy.Resource, credential func() enforce.Credential) *Bed {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &Bed{Policies: &Policies{}, Lease: &Lease{lost: make(chan struct{})}}
	b.Lease.valid.Store(true)
	if b.Keys, err = identity.NewKeys(map[string]ed25519.PublicKey{identity.KeyID(public): public}); err != nil {
		t.Fatal(err)
	}
	if b.issuer, err = token.NewIssuer("https://writ.test", func() ed25519.PrivateKey { return private }); err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier("https://writ.test", b.Keys)
	if err != nil {
		t.Fatal(err)
	}
	b.Control = &Control{verifier: verifier, principal: p, resource: r, credential: credential, holds: map[string]chan enforce.Verdict{}, spent: map[string]int{}}
	sp, err := spool.Open(spool.Config{Dir: t.TempDir(), Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sp.Close() })
	b.Records = &Records{spool: sp}
	b.Pipeline, err = enforce.New(enforce.Config{
		Edge: "edge-a", Boot: "b1", Policies: b.Policies, Lease: b.Lease, Records: b.Records, Control: b.Control, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Pipeline.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

// Token returns a fresh access token of a grant.
func (b *Bed) Token(t testing.TB, grant string) string {
	t.Helper()
	now := time.Now()
	text, err := b.issuer.Issue(token.Claims{
		Grant: grant, Subject: b.Control.principal.ID, Audience: token.ResourceAudience(string(b.Control.resource.Name)),
		IssuedAt: now, NotBefore: now, Expires: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Policies are the ones in force.
type Policies struct{ cur atomic.Pointer[revision] }

type revision struct {
	set *policy.Set
	n   uint64
}

// Set enforces a bundle of one file under the next revision.
func (p *Policies) Set(t testing.TB, cedar string) {
	t.Helper()
	p.SetBundle(t, policy.Bundle{Files: map[string][]byte{"test.cedar": []byte(cedar)}})
}

// SetBundle enforces a bundle under the next revision.
func (p *Policies) SetBundle(t testing.TB, b policy.Bundle) {
	t.Helper()
	set, err := policy.Compile(b)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(1)
	if old := p.cur.Load(); old != nil {
		n = old.n + 1
	}
	p.cur.Store(&revision{set, n})
}

// Current implements enforce.Policies.
func (p *Policies) Current() (*policy.Set, uint64, bool) {
	c := p.cur.Load()
	if c == nil {
		return nil, 0, false
	}
	return c.set, c.n, true
}

// Lease is the edge's.
type Lease struct {
	valid atomic.Bool
	once  sync.Once
	lost  chan struct{}
}

// Lose ends it.
func (l *Lease) Lose() {
	l.valid.Store(false)
	l.once.Do(func() { close(l.lost) })
}

// Valid implements enforce.Lease.
func (l *Lease) Valid() bool { return l.valid.Load() }

// Lost implements enforce.Lease.
func (l *Lease) Lost() <-chan struct{} { return l.lost }

// Records keeps what is recorded, besides writing it to a real spool.
type Records struct {
	spool *spool.Spool
	mu    sync.Mutex
	fail  error
	all   []audit.Record
}

// Fail makes every further record fail with err.
func (r *Records) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// Append implements enforce.Records.
func (r *Records) Append(rec []byte) (spool.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return 0, r.fail
	}
	d, err := audit.Decode(rec)
	if err != nil {
		return 0, err
	}
	r.all = append(r.all, d)
	return r.spool.Append(rec)
}

// Sync implements enforce.Records.
func (r *Records) Sync(ctx context.Context, pos spool.Position) error { return r.spool.Sync(ctx, pos) }

// All returns the records so far.
func (r *Records) All() []audit.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// Of returns the records of a kind.
func (r *Records) Of(kind audit.Kind) []audit.Record {
	return slices.DeleteFunc(r.All(), func(rec audit.Record) bool { return rec.Kind != kind })
}

// Await returns the first record of a kind that fits, waiting for it for a while.
func (r *Records) Await(t testing.TB, kind audit.Kind, fits func(audit.Record) bool) audit.Record {
	t.Helper()
	for range 1000 {
		for _, rec := range r.Of(kind) {
			if fits(rec) {
				return rec
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no such record of kind %s among %d", kind, len(r.All()))
	return audit.Record{}
}

// Contain reports whether any record shows a text.
func (r *Records) Contain(text string) bool {
	for _, rec := range r.All() {
		if strings.Contains(fmt.Sprintf("%+v", rec), text) {
			return true
		}
		for _, p := range rec.Params {
			if strings.Contains(string(p.Data), text) {
				return true
			}
		}
	}
	return false
}

// ClientSecret is what clients sign their requests with, where they do.
const ClientSecret = "0123456789abcdef0123456789abcdef01234567"

// Control is the control plane.
type Control struct {
	verifier   *token.Verifier
	resource   policy.Resource
	credential func() enforce.Credential

	mu        sync.Mutex
	principal policy.Principal
	actions   []policy.Action
	expires   time.Time
	holds     map[string]chan enforce.Verdict
	spent     map[string]int
	held      []enforce.HoldRequest
	withdrawn int
	opened    int
	refreshed int
	closed    []string
}

// Actions narrows the next sessions.
func (c *Control) Actions(actions ...policy.Action) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.actions = actions
}

// Expires ends the next sessions at t.
func (c *Control) Expires(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expires = t
}

// Opened counts the sessions, Refreshed the credentials minted anew, and Withdrawn the holds whose client gave up.
func (c *Control) Opened() int { c.mu.Lock(); defer c.mu.Unlock(); return c.opened }

// Refreshed is counted too.
func (c *Control) Refreshed() int { c.mu.Lock(); defer c.mu.Unlock(); return c.refreshed }

// Withdrawn is counted too.
func (c *Control) Withdrawn() int { c.mu.Lock(); defer c.mu.Unlock(); return c.withdrawn }

// OpenSession implements enforce.Control.
func (c *Control) OpenSession(_ context.Context, ask enforce.Admission) (enforce.Admitted, error) {
	claims, err := c.verifier.Verify(ask.Token, token.ResourceAudience(string(c.resource.Name)), time.Now())
	if err != nil {
		return enforce.Admitted{}, &enforce.Denied{Cause: enforce.CauseIdentity, Reason: "the access token is not valid"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	end := c.expires
	if end.IsZero() {
		end = time.Now().Add(time.Hour)
	}
	return enforce.Admitted{
		Principal: c.principal, Resource: c.resource, Grant: claims.Grant, Actions: c.actions, ExpiresAt: end,
		RequestReason: "testing", Credential: c.credential(), ClientSecret: []byte(ClientSecret),
	}, nil
}

// RenewSession implements enforce.Control.
func (c *Control) RenewSession(context.Context, string) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expires, nil
}

// RefreshCredential mints what credential returns.
func (c *Control) RefreshCredential(context.Context, string) (enforce.Credential, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refreshed++
	return c.credential(), nil
}

// CloseSession implements enforce.Control.
func (c *Control) CloseSession(_ context.Context, _, reason string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = append(c.closed, reason)
	return nil
}

// Hold implements enforce.Control.
func (c *Control) Hold(ctx context.Context, ask enforce.HoldRequest) (enforce.Held, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan enforce.Verdict, 1)
	id := fmt.Sprintf("hold-%d", len(c.held)+1)
	c.holds[id] = ch
	c.held = append(c.held, ask)
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.spent[id] == 0 {
			c.withdrawn++
		}
	})
	return enforce.Held{ID: id, Decided: ch}, nil
}

// Spend implements enforce.Control.
func (c *Control) Spend(_ context.Context, hold, _ string, _ [audit.HashSize]byte, _ uint64) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spent[hold]++; c.spent[hold] > 1 {
		return nil, errors.New("spent")
	}
	return []string{"dan"}, nil
}

// Held returns the requests that were held so far.
func (c *Control) Held() []enforce.HoldRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.held)
}

// Decide answers the hold with that number, from 1, waiting for it for a while.
func (c *Control) Decide(t testing.TB, n int, state enforce.HoldState) enforce.HoldRequest {
	t.Helper()
	for range 1000 {
		if held := c.Held(); len(held) >= n {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.holds[fmt.Sprintf("hold-%d", n)] <- enforce.Verdict{State: state, By: []string{"dan"}}
			return held[n-1]
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nothing was held")
	return enforce.HoldRequest{}
}
