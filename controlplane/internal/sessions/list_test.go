package sessions_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
)

// many makes n sessions, of which every tenth is of another resource and every twentieth has ended.
func (f *fixture) many(t *testing.T, n int) {
	t.Helper()
	for from := 0; from < n; from += 30 {
		err := f.store.Update(t.Context(), func(tx *store.Tx) error {
			for i := from; i < min(n, from+30); i++ {
				s := f.session(i)
				if s.Lease = ""; i%10 == 0 {
					s.Resource = "other-db"
				}
				if err := f.book.CreateIn(tx, s); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var odd []string
	for i := 1; i < n; i += 20 {
		odd = append(odd, id(i))
	}
	if ended, err := f.book.End(t.Context(), sessions.Filter{IDs: odd, Edge: "edge-a"}, "r", ""); err != nil || ended != len(odd) {
		t.Fatal(ended, err)
	}
}

// walk lists all pages.
func walk(t *testing.T, b *sessions.Book, q sessions.Query) (ids []string, pages int) {
	t.Helper()
	for {
		page, err := b.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, s := range page.Sessions {
			ids = append(ids, s.ID)
		}
		if q.After = page.Next; q.After == "" {
			return ids, pages
		}
	}
}

func TestPagesOfTenThousand(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 1200
	}
	f := newFixture(t)
	f.many(t, n)
	wanted := func(keep func(i int) bool) []string {
		var ids []string
		for i := n - 1; i >= 0; i-- {
			if keep(i) {
				ids = append(ids, id(i))
			}
		}
		return ids
	}
	for name, tt := range map[string]struct {
		query sessions.Query
		keep  func(i int) bool
	}{
		"all":      {sessions.Query{All: true, Limit: 1000}, func(int) bool { return true }},
		"live":     {sessions.Query{Limit: 300}, func(i int) bool { return i%20 != 1 }},
		"resource": {sessions.Query{All: true, Resource: "other-db", Limit: 77}, func(i int) bool { return i%10 == 0 }},
		"party":    {sessions.Query{Party: "bob", Limit: 1000}, func(i int) bool { return i%20 != 1 }},
		"visible": {sessions.Query{All: true, Limit: 100, Visible: func(s sessions.Session) bool { return s.Resource == "other-db" }},
			func(i int) bool { return i%10 == 0 }},
		"nobody's": {sessions.Query{All: true, Party: "eve"}, func(int) bool { return false }},
		"bob's":    {sessions.Query{All: true, Principal: "bob"}, func(int) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			got, pages := walk(t, f.book, tt.query)
			if want := wanted(tt.keep); !slices.Equal(got, want) {
				t.Fatalf("%d sessions on %d pages, want %d", len(got), pages, len(want))
			}
		})
	}
}

func TestPagesWhileSessionsComeAndGo(t *testing.T) {
	f := newFixture(t)
	f.many(t, 30)
	first, err := f.book.List(t.Context(), sessions.Query{All: true, Limit: 10})
	if err != nil || len(first.Sessions) != 10 {
		t.Fatal(first, err)
	}
	if err := f.create(t, f.session(99)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.book.End(t.Context(), sessions.Filter{IDs: []string{id(18)}}, "r", ""); err != nil {
		t.Fatal(err)
	}
	second, err := f.book.List(t.Context(), sessions.Query{All: true, Limit: 10, After: first.Next})
	if err != nil || len(second.Sessions) != 10 || second.Sessions[0].ID != id(19) || second.Sessions[1].Live() {
		t.Fatalf("%+v, %v", second, err)
	}
}

func TestPageTokensAreChecked(t *testing.T) {
	f := newFixture(t)
	for _, bad := range []string{"x", "../x", "0000000000000000/", "000000000000000g/" + id(1), id(1), "0000000000000000/" + id(1) + "/x"} {
		if _, err := f.book.List(t.Context(), sessions.Query{After: bad}); !errors.Is(err, store.ErrPage) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestForgottenSessionsLeaveNothing(t *testing.T) {
	f := newFixture(t)
	f.many(t, 200)
	sweeper, err := sessions.NewSweeper(sessions.SweeperConfig{
		Book: f.book, Grants: granted{until: f.now.Add(100 * time.Hour)}, Presence: present{"edge-a": "b1"}, MaxKept: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sweeper.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := store.Define[any](f.store, "sessions-newest").Count(t.Context(), "")
	if err != nil || rows != 195 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	if got, _ := walk(t, f.book, sessions.Query{All: true}); len(got) != 195 {
		t.Fatalf("%d sessions: %v", len(got), fmt.Sprint(got))
	}
}
