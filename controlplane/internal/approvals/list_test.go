package approvals_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/store"
)

// pages reads a list to its end.
func pages[T any](t *testing.T, f approvals.Filter, list func(approvals.Filter) ([]T, string, error), id func(T) string) []string {
	t.Helper()
	var ids []string
	for n := 0; ; n++ {
		found, next, err := list(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > f.Size {
			t.Fatalf("a page of %d, want at most %d", len(found), f.Size)
		}
		for _, row := range found {
			ids = append(ids, id(row))
		}
		if next == "" {
			return ids
		}
		if f.After = next; n > 1000 {
			t.Fatal("the list has no end")
		}
	}
}

func TestListsAreReadInPagesNewestFirst(t *testing.T) {
	f := setUp(t)
	cfg := f.config()
	cfg.RequestRate, cfg.MaxPending = 1000, 50
	a := must[*approvals.Approvals](t)(approvals.New(cfg))
	requests, grants := map[string][]string{}, map[string][]string{}
	add := func(to map[string][]string, id string, keys ...string) {
		for _, key := range append(keys, "") {
			to[key] = slices.Insert(to[key], 0, id)
		}
	}
	for n := range 30 {
		who, what := []string{"ann", "Bob/x%"}[n%2], []string{"dev", "staging", "dev"}[n%3]
		r, g, err := a.Create(t.Context(), approvals.Ask{Principal: agent(who), Resource: what, Reason: fmt.Sprint(n), Duration: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		add(requests, r.ID, who, what, who+what, string(r.State))
		if g != nil {
			add(grants, g.ID, who, what, who+what)
		}
		f.clock.advance(time.Second)
	}
	listRequests := func(f approvals.Filter) ([]approvals.Request, string, error) { return a.ListRequests(t.Context(), f) }
	listGrants := func(f approvals.Filter) ([]approvals.Grant, string, error) { return a.ListGrants(t.Context(), f) }
	for _, size := range []int{1, 2, 7, 29, 30, 31, 500} {
		for key, filter := range map[string]approvals.Filter{
			"": {}, "ann": {Principal: "ann"}, "Bob/x%": {Principal: "Bob/x%"}, "staging": {Resource: "staging"},
			"anndev": {Principal: "ann", Resource: "dev"}, "pending": {State: approvals.Pending}, "granted": {State: approvals.Granted}, "none": {Resource: "none"},
		} {
			filter.Size = size
			got := pages(t, filter, listRequests, func(r approvals.Request) string { return r.ID })
			if !slices.Equal(got, requests[key]) {
				t.Errorf("%q in pages of %d: got %d\n%v, want %d\n%v", key, size, len(got), got, len(requests[key]), requests[key])
			}
			if filter.State != "" {
				continue
			}
			got = pages(t, filter, listGrants, func(g approvals.Grant) string { return g.ID })
			if !slices.Equal(got, grants[key]) {
				t.Errorf("grants of %q in pages of %d: got %v, want %v", key, size, got, grants[key])
			}
		}
	}
	f.clock.advance(2 * time.Hour)
	if got, _, _ := a.ListGrants(t.Context(), approvals.Filter{}); len(got) != 0 {
		t.Errorf("%d grants are over and listed", len(got))
	}
	if got, _, _ := a.ListGrants(t.Context(), approvals.Filter{Ended: true}); len(got) != len(grants[""]) {
		t.Errorf("of %d ended grants %d are listed", len(grants[""]), len(got))
	}
	if got, _, _ := a.ListRequests(t.Context(), approvals.Filter{State: approvals.Expired}); len(got) != len(requests["pending"]) {
		t.Errorf("of %d expired requests %d are listed", len(requests["pending"]), len(got))
	}
}

func TestPageTokensThatWereNotGiven(t *testing.T) {
	f := setUp(t)
	for _, token := range []string{"x", "grant-00000000000000000000000000", "req-", "req-../../x", "req-0000000000000000000000000O", "req-00000000000000000000000000\x00"} {
		if _, _, err := f.ListRequests(t.Context(), approvals.Filter{After: token}); !errors.Is(err, store.ErrPage) {
			t.Errorf("requests after %q: %v", token, err)
		}
	}
	if _, _, err := f.ListGrants(t.Context(), approvals.Filter{After: "req-00000000000000000000000000"}); !errors.Is(err, store.ErrPage) {
		t.Errorf("grants after a request: %v", err)
	}
	for _, size := range []int{-1, 501} {
		if _, _, err := f.ListRequests(t.Context(), approvals.Filter{Size: size}); !errors.Is(err, approvals.ErrInvalid) {
			t.Errorf("a page of %d: %v", size, err)
		}
	}
	if got, next, err := f.ListRequests(t.Context(), approvals.Filter{After: "req-00000000000000000000000000"}); err != nil || len(got) != 0 || next != "" {
		t.Errorf("after the oldest there is: %v, %q, %v", got, next, err)
	}
}

func TestWhatIsForgottenLeavesTheLists(t *testing.T) {
	f := setUp(t)
	f.granted(t, agent("bot"))
	f.clock.advance(40 * 24 * time.Hour)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := f.ask(t, agent("bot"), "dev")
	for _, filter := range []approvals.Filter{{}, {Principal: "bot"}} {
		if got, _, err := f.ListRequests(t.Context(), filter); err != nil || len(got) != 1 || got[0].ID != kept.ID {
			t.Errorf("requests: %+v, %v", got, err)
		}
		filter.Ended = true
		if got, _, err := f.ListGrants(t.Context(), filter); err != nil || len(got) != 1 || got[0].ID != kept.Grant {
			t.Errorf("grants: %+v, %v", got, err)
		}
	}
}
