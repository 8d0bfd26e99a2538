package approvals_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// watched is what a consumer of Changes knows.
type watched struct {
	mu       sync.Mutex
	states   map[string]approvals.State
	updates  int // of each subject
	complete chan struct{}
	changed  chan struct{}
}

func watch(t *testing.T, a *approvals.Approvals) *watched {
	w := &watched{states: map[string]approvals.State{}, complete: make(chan struct{}), changed: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for u, err := range a.Changes(ctx) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("the watch ended: %v", err)
				}
				return
			}
			w.take(u)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

func (w *watched) take(u approvals.Update) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range u.Subjects {
		w.updates++
		switch {
		case s.Request != nil:
			w.states[s.ID()] = s.Request.State
		case s.Hold != nil:
			w.states[s.ID()] = s.Hold.State
		}
	}
	if u.Complete {
		close(w.complete)
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *watched) await(t *testing.T, id string, want approvals.State) {
	t.Helper()
	for {
		w.mu.Lock()
		got := w.states[id]
		w.mu.Unlock()
		if got == want {
			return
		}
		select {
		case <-w.changed:
		case <-t.Context().Done():
			t.Fatalf("%s is %q, want %q", id, got, want)
		}
	}
}

func TestChanges(t *testing.T) {
	f := setUp(t)
	decided := f.ask(t, agent("bot"), "dev")
	first := f.ask(t, agent("bot"), "staging")
	h := f.held(t, f.granted(t, agent("bot")), policy.Approval{Count: 1, Group: "dba"})
	w := watch(t, f.Approvals)
	<-w.complete
	w.await(t, first.ID, approvals.Pending)
	w.await(t, h.ID, approvals.Pending)
	if _, ok := w.states[decided.ID]; ok {
		t.Error("what was decided before is yielded")
	}
	if _, err := f.approve(t, person("dora", "dba"), first.ID, first.Digest); err != nil {
		t.Fatal(err)
	}
	w.await(t, first.ID, approvals.Granted)
	if _, err := f.WithdrawHold(t.Context(), h.ID); err != nil {
		t.Fatal(err)
	}
	w.await(t, h.ID, approvals.Withdrawn)
	late := f.ask(t, agent("other"), "staging")
	w.await(t, late.ID, approvals.Pending)
	f.clock.advance(2 * time.Hour)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.await(t, late.ID, approvals.Expired)
}

// A consumer that stops early is not written to any more.
func TestChangesCanBeLeft(t *testing.T) {
	f := setUp(t)
	f.ask(t, agent("bot"), "staging")
	for _, err := range f.Changes(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
}

// The connection to the store is cut, the history is compacted meanwhile, and no change is missed or told twice.
func TestChangesAcrossCompaction(t *testing.T) {
	etcd := startEtcd(t)
	f := setUpOn(t, store.Config{Endpoints: []string{"http://" + etcd.Clients[0].Addr().String()}})
	wire := newWire(t, etcd.Clients[0].Addr().String())
	far := f.through(t, wire.listener.Addr().String())
	w := watch(t, far)
	<-w.complete
	for range 3 {
		before := f.ask(t, agent("bot"), "staging")
		w.await(t, before.ID, approvals.Pending)
		wire.cut()
		if _, err := f.approve(t, person("dora", "dba"), before.ID, before.Digest); err != nil {
			t.Fatal(err)
		}
		during := f.ask(t, agent("bot"), "prod")
		if _, err := f.Withdraw(t.Context(), during.ID); err != nil {
			t.Fatal(err)
		}
		waiting := f.ask(t, agent("bot"), "prod")
		compact(t, etcd)
		w.mu.Lock()
		told := w.updates
		w.mu.Unlock()
		wire.mend()
		w.await(t, before.ID, approvals.Granted)
		w.await(t, during.ID, approvals.Withdrawn)
		w.await(t, waiting.ID, approvals.Pending)
		w.mu.Lock()
		if n := w.updates - told; n != 3 {
			t.Errorf("%d updates for 3 changes", n)
		}
		w.mu.Unlock()
		if _, err := f.Withdraw(t.Context(), waiting.ID); err != nil {
			t.Fatal(err)
		}
		w.await(t, waiting.ID, approvals.Withdrawn)
	}
}

// through is a second replica, which reaches the store by another address.
func (f *fixture) through(t *testing.T, addr string) *approvals.Approvals {
	t.Helper()
	st := must[*store.Store](t)(store.Open(t.Context(), store.Config{Endpoints: []string{"http://" + addr}}))
	t.Cleanup(func() { _ = st.Close() })
	cfg := f.config()
	cfg.Store, cfg.Events = st, nil
	return must[*approvals.Approvals](t)(approvals.New(cfg))
}

func startEtcd(t *testing.T) *embed.Etcd {
	t.Helper()
	cfg := embed.NewConfig()
	cfg.Dir = t.TempDir()
	client := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	cfg.ListenPeerUrls, cfg.ListenClientUrls = nil, client
	cfg.AdvertisePeerUrls, cfg.AdvertiseClientUrls = client, client
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.TickMs, cfg.ElectionMs = 20, 200
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	etcd := must[*embed.Etcd](t)(embed.StartEtcd(cfg))
	t.Cleanup(etcd.Close)
	<-etcd.Server.ReadyNotify()
	return etcd
}

func compact(t *testing.T, etcd *embed.Etcd) {
	t.Helper()
	rev := etcd.Server.KV().Rev()
	if _, err := etcd.Server.Compact(t.Context(), &pb.CompactionRequest{Revision: rev}); err != nil {
		t.Fatal(err)
	}
}

// wire is a TCP relay that can be cut and mended.
type wire struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	down  bool
	conns []net.Conn
	relay sync.WaitGroup
}

func newWire(t *testing.T, target string) *wire {
	w := &wire{listener: must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0")), target: target}
	w.relay.Go(w.accept)
	t.Cleanup(func() { w.listener.Close(); w.cut(); w.relay.Wait() })
	return w
}

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.join(near)
	}
}

func (w *wire) join(near net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	far, err := net.Dial("tcp", w.target)
	if err != nil {
		near.Close()
		return
	}
	if w.conns = append(w.conns, near, far); w.down {
		near.Close()
		far.Close()
		return
	}
	w.relay.Go(func() { _, _ = io.Copy(near, far); near.Close() })
	w.relay.Go(func() { _, _ = io.Copy(far, near); far.Close() })
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

func TestStanding(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot", "bob"), "staging")
	subject := must[approvals.Subject](t)(f.Subject(t.Context(), r.ID))
	voted := *subject.Request
	voted.Votes = []approvals.Vote{{Voter: "dora", Approve: true}}
	delegate := person("dora", "dba")
	delegate.OnBehalfOf = []string{"carl"}
	for name, tt := range map[string]struct {
		subject approvals.Subject
		voter   policy.Principal
		after   time.Duration
		want    error
	}{
		"an approver":        {subject, person("dora", "dba"), 0, nil},
		"no person":          {subject, agent("dba-bot"), 0, approvals.ErrNotApprover},
		"a delegate":         {subject, delegate, 0, approvals.ErrNotApprover},
		"whom it acts for":   {subject, person("bob", "dba"), 0, approvals.ErrOwn},
		"another group":      {subject, person("dora", "security"), 0, approvals.ErrNotApprover},
		"who voted":          {approvals.Subject{Request: &voted}, person("dora", "dba"), 0, approvals.ErrVoted},
		"too late":           {subject, person("dora", "dba"), 24 * time.Hour, approvals.ErrNotPending},
		"nothing to vote on": {approvals.Subject{}, person("dora", "dba"), 0, approvals.ErrNotPending},
	} {
		if err := tt.subject.Standing(tt.voter, f.clock.now().Add(tt.after)); !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if !strings.HasPrefix(subject.ID(), "req-") {
		t.Errorf("id %q", subject.ID())
	}
}

func TestSubjectsAreInOrder(t *testing.T) {
	f := setUp(t)
	g := f.granted(t, agent("bot"))
	var want []string
	for _, who := range []string{"bot", "other", "third"} {
		want = append(want, f.ask(t, agent(who), "staging").ID)
		want = append(want, f.heldIn(t, g, "ses-"+who).ID)
		f.clock.advance(time.Second)
	}
	want = []string{want[5], want[3], want[1], want[4], want[2], want[0]}
	for _, all := range []bool{false, true} {
		var got []string
		for _, s := range must[[]approvals.Subject](t)(f.Subjects(t.Context(), all)) {
			if s.Pending() {
				got = append(got, s.ID())
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("all %v: got %v, want %v", all, got, want)
		}
	}
	if _, err := f.WithdrawHold(t.Context(), want[0]); err != nil {
		t.Fatal(err)
	}
	if left := must[[]approvals.Subject](t)(f.Subjects(t.Context(), false)); len(left) != 5 || left[0].ID() != want[1] {
		t.Errorf("%d left", len(left))
	}
}

// heldIn is a held command of one session.
func (f *fixture) heldIn(t *testing.T, g approvals.Grant, session string) approvals.Hold {
	t.Helper()
	_, revision, err := f.policies.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	command := sha256.Sum256([]byte(session))
	return must[approvals.Hold](t)(f.File(t.Context(), approvals.Hold{
		Principal: g.Principal, Resource: g.Resource, Edge: "edge-1", Session: session, Grant: g.ID, Statement: session,
		Command: command[:], Requirements: []policy.Approval{{Count: 1, Group: "dba"}}, Revision: revision,
	}))
}
