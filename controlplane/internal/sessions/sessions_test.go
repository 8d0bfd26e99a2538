package sessions_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// leases notes which leases were ended.
type leases struct {
	mu    sync.Mutex
	ended []string
}

func (l *leases) EndIn(_ *store.Tx, lease string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(l.ended, lease)
	return nil
}

type fixture struct {
	store  *store.Store
	book   *sessions.Book
	leases *leases
	now    time.Time
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{store: s, leases: &leases{}, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	f.book, err = sessions.New(sessions.Config{Store: s, Leases: f.leases, Now: func() time.Time { return f.now }})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func id(n int) string { return fmt.Sprintf("ses-%026d", n) }

func (f *fixture) session(n int) sessions.Session {
	return sessions.Session{
		ID: id(n), Principal: policy.Principal{ID: "agent-7", OnBehalfOf: []string{"bob"}}, Resource: "orders-db", Edge: "edge-a", Boot: "b1",
		Grant: "grant-1", Lease: fmt.Sprintf("lease-%d", n), StartedAt: f.now.Add(time.Duration(n) * time.Second), ExpiresAt: f.now.Add(time.Hour),
	}
}

func (f *fixture) create(t *testing.T, s sessions.Session) error {
	t.Helper()
	return f.store.Update(t.Context(), func(tx *store.Tx) error { return f.book.CreateIn(tx, s) })
}

func TestIDsAreUsedOnce(t *testing.T) {
	f := newFixture(t)
	if err := f.create(t, f.session(1)); err != nil {
		t.Fatal(err)
	}
	other := f.session(1)
	other.Edge = "edge-b"
	if err := f.create(t, other); !errors.Is(err, sessions.ErrExists) {
		t.Fatalf("live id: %v", err)
	}
	if err := f.book.Close(t.Context(), "edge-b", id(1), "x"); !errors.Is(err, sessions.ErrForeign) {
		t.Fatalf("close by another edge: %v", err)
	}
	for range 2 {
		if err := f.book.Close(t.Context(), "edge-a", id(1), "bye"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.create(t, other); !errors.Is(err, sessions.ErrExists) {
		t.Fatalf("ended id: %v", err)
	}
	if !slices.Equal(f.leases.ended, []string{"lease-1"}) {
		t.Fatalf("leases: %v", f.leases.ended)
	}
	if err := f.book.Close(t.Context(), "edge-a", id(9), "x"); err != nil {
		t.Fatalf("unknown session: %v", err)
	}
	for _, bad := range []string{"", "ses-", "ses-../../../../../../../../x", "SES-00000000000000000000000001", "ses-" + fmt.Sprintf("%050d", 1)} {
		s := f.session(2)
		s.ID = bad
		if err := f.create(t, s); !errors.Is(err, sessions.ErrID) {
			t.Errorf("id %q: %v", bad, err)
		}
	}
}

func TestEndSelects(t *testing.T) {
	other := func(s *sessions.Session) {
		s.Principal, s.Resource, s.Edge, s.Grant = policy.Principal{ID: "agent-8"}, "other-db", "edge-b", "grant-2"
	}
	for _, tt := range []struct {
		name string
		end  func(ctx context.Context, b *sessions.Book) (int, error)
	}{
		{"principal", func(ctx context.Context, b *sessions.Book) (int, error) {
			return b.EndSessions(ctx, locks.Principal, "agent-7", "r", "alice")
		}},
		{"on behalf of", func(ctx context.Context, b *sessions.Book) (int, error) {
			return b.EndSessions(ctx, locks.Principal, "Bob", "r", "alice")
		}},
		{"resource", func(ctx context.Context, b *sessions.Book) (int, error) {
			return b.EndSessions(ctx, locks.Resource, "orders-db", "r", "alice")
		}},
		{"edge", func(ctx context.Context, b *sessions.Book) (int, error) {
			return b.EndSessions(ctx, locks.Edge, "edge-a", "r", "alice")
		}},
		{"grant", func(ctx context.Context, b *sessions.Book) (int, error) {
			return b.EndGrantSessions(ctx, "grant-1", "r", "alice")
		}},
		{"id", func(ctx context.Context, b *sessions.Book) (int, error) {
			return b.End(ctx, sessions.Filter{IDs: []string{id(1)}}, "r", "alice")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			mine, theirs := f.session(1), f.session(2)
			other(&theirs)
			if err := errors.Join(f.create(t, mine), f.create(t, theirs)); err != nil {
				t.Fatal(err)
			}
			if n, err := tt.end(t.Context(), f.book); n != 1 || err != nil {
				t.Fatalf("ended %d, %v", n, err)
			}
			got, err := f.book.Get(t.Context(), mine.ID)
			if err != nil || got.Live() || got.EndReason != "r" || got.EndedBy != "alice" {
				t.Fatalf("%+v, %v", got, err)
			}
			if got, err := f.book.Get(t.Context(), theirs.ID); err != nil || !got.Live() {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
	f := newFixture(t)
	if _, err := f.book.End(t.Context(), sessions.Filter{}, "r", "alice"); err == nil {
		t.Fatal("the zero filter selects something")
	}
}

func TestListAndDescribe(t *testing.T) {
	f := newFixture(t)
	for n := range 5 {
		if err := f.create(t, f.session(n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.book.End(t.Context(), sessions.Filter{IDs: []string{id(0), id(3)}}, "r", ""); err != nil {
		t.Fatal(err)
	}
	ids := func(q sessions.Query) []string {
		t.Helper()
		page, err := f.book.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, s := range page.Sessions {
			out = append(out, s.ID)
		}
		return out
	}
	if got := ids(sessions.Query{}); !slices.Equal(got, []string{id(4), id(2), id(1)}) {
		t.Fatalf("live: %v", got)
	}
	if got := ids(sessions.Query{All: true, Limit: 2}); !slices.Equal(got, []string{id(4), id(3)}) {
		t.Fatalf("all: %v", got)
	}
	if got := ids(sessions.Query{All: true, Principal: "nobody"}); len(got) != 0 {
		t.Fatalf("nobody's: %v", got)
	}
	d, err := f.book.Describe(t.Context(), id(3))
	if want := f.session(3); err != nil || d.Edge != "edge-a" || d.Ended.IsZero() || d.Resource != want.Resource ||
		!slices.Equal(d.Principals, append([]string{want.Principal.ID}, want.Principal.OnBehalfOf...)) {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, unknown := range []string{id(9), "edge:edge-a:b1", "../x"} {
		if _, err := f.book.Describe(t.Context(), unknown); !errors.Is(err, auditlog.ErrUnknownSession) {
			t.Errorf("%q: %v", unknown, err)
		}
	}
}

// granted answers with one grant for everything, or with an error.
type granted struct {
	until time.Time
	err   error
}

func (g granted) AdmitIn(*store.Tx, approvals.Admission) (approvals.Grant, error) {
	return approvals.Grant{ExpiresAt: g.until}, g.err
}

type present map[string]string

func (p present) Boots(context.Context) (map[string]string, error) { return p, nil }

func TestSweep(t *testing.T) {
	for _, tt := range []struct {
		name   string
		after  time.Duration
		grants granted
		boots  present
		reason string // empty: still live
	}{
		{"in order", time.Minute, granted{}, present{"edge-a": "b1"}, ""},
		{"expired", time.Hour, granted{err: approvals.ErrEnded}, present{"edge-a": "b1"}, "the grant expired"},
		{"expired, grant not longer", time.Hour, granted{}, present{"edge-a": "b1"}, "the grant expired"},
		{"extended", time.Hour, granted{until: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}, present{"edge-a": "b1"}, ""},
		{"restarted", 0, granted{}, present{"edge-a": "b2"}, "the edge restarted"},
		{"lost", 25 * time.Second, granted{}, present{}, "edge lost"},
		{"away for a moment", 10 * time.Second, granted{}, present{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			if err := f.create(t, f.session(1)); err != nil {
				t.Fatal(err)
			}
			sw, err := sessions.NewSweeper(sessions.SweeperConfig{Book: f.book, Grants: tt.grants, Presence: tt.boots})
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range []time.Duration{0, tt.after} {
				f.now = f.now.Add(step)
				if err := sw.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			s, err := f.book.Get(t.Context(), id(1))
			if err != nil || s.EndReason != tt.reason || s.Live() != (tt.reason == "") {
				t.Fatalf("%+v, %v", s, err)
			}
		})
	}
}

func TestSweepKeepsTheSessionWhenTheStoreIsGone(t *testing.T) {
	f := newFixture(t)
	if err := f.create(t, f.session(1)); err != nil {
		t.Fatal(err)
	}
	sw, err := sessions.NewSweeper(sessions.SweeperConfig{Book: f.book, Grants: granted{err: store.ErrUnavailable}, Presence: present{"edge-a": "b1"}})
	if err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(2 * time.Hour)
	if err := sw.Sweep(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
}

func TestOldSessionsAreForgotten(t *testing.T) {
	f := newFixture(t)
	for n := range 6 {
		if err := f.create(t, f.session(n)); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(time.Minute)
		if _, err := f.book.End(t.Context(), sessions.Filter{IDs: []string{id(n)}}, "r", ""); err != nil {
			t.Fatal(err)
		}
	}
	sw, err := sessions.NewSweeper(sessions.SweeperConfig{Book: f.book, Grants: granted{}, Presence: present{}, MaxKept: 4})
	if err != nil {
		t.Fatal(err)
	}
	if err := sw.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := f.book.List(t.Context(), sessions.Query{All: true})
	if err != nil || len(all.Sessions) != 4 || all.Sessions[3].ID != id(2) {
		t.Fatalf("%d left, %v", len(all.Sessions), err)
	}
	f.now = f.now.Add(31 * 24 * time.Hour)
	if err := sw.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, _ = f.book.List(t.Context(), sessions.Query{All: true}); len(all.Sessions) != 0 {
		t.Fatalf("%d left after a month", len(all.Sessions))
	}
}
