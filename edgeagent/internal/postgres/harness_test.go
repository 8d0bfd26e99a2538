package postgres

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/test/pgtest"
)

// lab is an edge's PostgreSQL side before a real server, with the control plane faked.
type lab struct {
	t        testing.TB
	pg       *pgtest.Server
	server   *Server
	pipeline *enforce.Pipeline
	control  *fakeControl
	policies *fakePolicies
	lease    *fakeLease
	records  *fakeRecords
	addr     string
	resource *Resource
}

const shopSchema = `
CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL, email text UNIQUE, ssn char(11), card text, note text);
CREATE TABLE orders (id serial PRIMARY KEY, customer_id int REFERENCES customers, total numeric(10,2), status text DEFAULT 'new');
INSERT INTO customers (name, email, ssn, card, note) VALUES
 ('Ann', 'ann@example.com', '123-45-6789', '4111111111111111', 'call +1 415 555 2671'),
 ('Bob', 'bob@example.org', '987-65-4321', '5500005555555559', 'likes tea'),
 ('Cid', NULL, NULL, NULL, NULL);
INSERT INTO orders (customer_id, total) SELECT 1 + i % 3, i FROM generate_series(1, 300) i;
CREATE VIEW contacts AS SELECT id, name, email AS mail FROM customers;
CREATE FUNCTION peek(i int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT ssn FROM customers WHERE id = i); END $$;
`

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{t: t, pg: pgtest.Start(t)}
	l.pg.Exec(t, "postgres", "CREATE DATABASE shop")
	l.pg.Exec(t, "shop", shopSchema)
	l.control = &fakeControl{lab: l, principal: policy.Principal{Kind: policy.KindAgent, ID: "ada", Name: "ada", Groups: []string{"agents"}}, holds: map[string]chan enforce.Verdict{}}
	l.policies = &fakePolicies{}
	l.policies.set(t, policy.Starter())
	l.lease = &fakeLease{lost: make(chan struct{})}
	l.lease.valid.Store(true)
	dir := t.TempDir()
	sp, err := spool.Open(spool.Config{Dir: dir, Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sp.Close() })
	l.records = &fakeRecords{Spool: sp, dir: dir}
	l.pipeline, err = enforce.New(enforce.Config{
		Edge: "edge-a", Boot: "b1", Policies: l.policies, Lease: l.lease, Records: l.records, Control: l.control, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	dialer, err := upstream.New(upstream.Config{})
	if err != nil {
		t.Fatal(err)
	}
	level := hclog.Debug
	l.server, err = New(Config{
		Pipeline: l.pipeline, Broker: l.control, Dialer: dialer, TLS: testTLS(t),
		Logger: hclog.New(&hclog.LoggerOptions{Level: level, Output: testWriter{t}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	l.resource = &Resource{
		Policy:   policy.Resource{Name: "shop-db", Kind: "postgres", Labels: map[string]string{"env": "dev"}},
		Endpoint: l.pg.Address(), Database: "shop", AllowLoopback: true, Version: 1,
		TLS:     upstream.TLS{Mode: upstream.VerifyFull, CAPEM: l.pg.CAPEM},
		Classes: map[string][]string{"public.customers.email": {"pii"}, "public.customers.ssn": {"pii"}, "public.customers.card": {"secret"}},
	}
	if err := l.server.SetResources([]*Resource{l.resource}, []byte("0123456789abcdef0123456789abcdef")); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- l.server.Serve(ctx, ln) }()
	go func() { done <- l.pipeline.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done; <-done })
	return l
}

func (l *lab) dsn(extra string) string {
	host, port, _ := net.SplitHostPort(l.addr)
	return "host=" + host + " port=" + port + " user=ada password=good dbname=shop-db sslmode=require " + extra
}

func (l *lab) connect(extra string) *pgx.Conn {
	l.t.Helper()
	conn, err := pgx.Connect(context.Background(), l.dsn(extra))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// simple runs SQL in the simple protocol and returns the rows of all results as text.
func simple(conn *pgx.Conn, sql string) ([][]string, error) {
	results, err := conn.PgConn().Exec(context.Background(), sql).ReadAll()
	var rows [][]string
	for _, r := range results {
		for _, row := range r.Rows {
			var cols []string
			for _, v := range row {
				if v == nil {
					cols = append(cols, "<null>")
					continue
				}
				cols = append(cols, string(v))
			}
			rows = append(rows, cols)
		}
	}
	return rows, err
}

type fakePolicies struct{ cur atomic.Pointer[fakeRevision] }

type fakeRevision struct {
	set *policy.Set
	n   uint64
}

func (p *fakePolicies) set(t testing.TB, b policy.Bundle) {
	t.Helper()
	set, err := policy.Compile(b)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(1)
	if old := p.cur.Load(); old != nil {
		n = old.n + 1
	}
	p.cur.Store(&fakeRevision{set, n})
}

func (p *fakePolicies) Current() (*policy.Set, uint64, bool) {
	c := p.cur.Load()
	if c == nil {
		return nil, 0, false
	}
	return c.set, c.n, true
}

type fakeLease struct {
	valid atomic.Bool
	lost  chan struct{}
}

func (l *fakeLease) Valid() bool           { return l.valid.Load() }
func (l *fakeLease) Lost() <-chan struct{} { return l.lost }

type fakeRecords struct {
	*spool.Spool
	dir     string
	gate    atomic.Pointer[chan struct{}] // while set, the disk answers when it is closed
	waiting atomic.Int32
	mu      sync.Mutex
	fail    error
	off     bool
	all     []audit.Record
}

func (r *fakeRecords) Append(rec []byte) (spool.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return 0, r.fail
	}
	if r.off {
		return r.Spool.Append(rec)
	}
	d, err := audit.Decode(rec)
	if err != nil {
		return 0, err
	}
	r.all = append(r.all, d)
	return r.Spool.Append(rec)
}

func (r *fakeRecords) of(kind audit.Kind) (out []audit.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.all {
		if rec.Kind == kind {
			out = append(out, rec)
		}
	}
	return out
}

type fakeControl struct {
	lab       *lab
	mu        sync.Mutex
	principal policy.Principal
	actions   []policy.Action
	holds     map[string]chan enforce.Verdict
	spent     map[string]int
	held      []enforce.HoldRequest
	closed    []string
	expires   time.Time
}

func (c *fakeControl) OpenSession(ctx context.Context, ask enforce.Admission) (enforce.Admitted, error) {
	if ask.Token != "good" {
		return enforce.Admitted{}, &enforce.Denied{Cause: enforce.CauseIdentity, Reason: "the access token is not valid"}
	}
	c.mu.Lock()
	exp := c.expires
	c.mu.Unlock()
	if exp.IsZero() {
		exp = time.Now().Add(time.Hour)
	}
	return enforce.Admitted{
		Principal: c.principal, Resource: c.lab.resource.Policy, Grant: "grant-1", Actions: c.actions, ExpiresAt: exp,
		RequestReason: "testing", Credential: enforce.Credential{Lease: "lease-1", User: pgtest.Superuser, Password: []byte(pgtest.Password)},
	}, nil
}

func (c *fakeControl) RenewSession(context.Context, string) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.expires, nil
}

func (c *fakeControl) CloseSession(_ context.Context, id, reason string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = append(c.closed, reason)
	return nil
}

func (c *fakeControl) Hold(ctx context.Context, ask enforce.HoldRequest) (enforce.Held, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan enforce.Verdict, 1)
	id := "hold-" + string(rune('a'+len(c.held)))
	c.holds[id] = ch
	c.held = append(c.held, ask)
	return enforce.Held{ID: id, Decided: ch}, nil
}

func (c *fakeControl) Spend(_ context.Context, hold, session string, digest [32]byte, revision uint64) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.spent == nil {
		c.spent = map[string]int{}
	}
	if c.spent[hold]++; c.spent[hold] > 1 {
		return nil, errors.New("spent")
	}
	return []string{"dan"}, nil
}

func (c *fakeControl) ServiceCredential(context.Context, string) (enforce.Credential, error) {
	return enforce.Credential{User: pgtest.Superuser, Password: []byte(pgtest.Password)}, nil
}

func (c *fakeControl) SettleLease(context.Context, string) error { return nil }

// decide answers the newest hold.
func (c *fakeControl) decide(t testing.TB, state enforce.HoldState) enforce.HoldRequest {
	t.Helper()
	for range 500 {
		c.mu.Lock()
		n := len(c.held)
		c.mu.Unlock()
		if n > 0 {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.holds["hold-"+string(rune('a'+n-1))] <- enforce.Verdict{State: state, By: []string{"dan"}}
			return c.held[n-1]
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nothing was held")
	return enforce.HoldRequest{}
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

func testTLS(t testing.TB) *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "edge"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12, NextProtos: []string{"postgresql"}}
}
