package approvals_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/store"
)

func (f *fixture) create(t *testing.T, ask approvals.Ask) (approvals.Request, *approvals.Grant, error) {
	t.Helper()
	if ask.Principal.ID == "" {
		ask.Principal = agent("bot")
	}
	if ask.Resource == "" {
		ask.Resource = "dev"
	}
	return f.Create(t.Context(), ask)
}

var intent = approvals.Intent{
	Task: "remove duplicate orders", Run: "https://ci.example/runs/7",
	Commands: []string{"DELETE FROM orders\nWHERE id = 7"}, Details: map[string]string{"model": "m-1"},
}

func TestIntentGoesWhereTheGrantGoes(t *testing.T) {
	f := setUp(t)
	r, g, err := f.create(t, approvals.Ask{Intent: intent, Ticket: "OPS-1", Reason: "cleanup"})
	if err != nil {
		t.Fatal(err)
	}
	same := func(got approvals.Intent) bool {
		return got.Task == intent.Task && got.Run == intent.Run && len(got.Commands) == 1 &&
			got.Commands[0] == intent.Commands[0] && maps.Equal(got.Details, intent.Details)
	}
	h := f.held(t, *g, oneDBA)
	if !same(r.Intent) || !same(g.Intent) || !same(h.Intent) || h.Ticket != "OPS-1" {
		t.Errorf("request %+v, grant %+v, held %+v", r.Intent, g.Intent, h.Intent)
	}
}

// What is shown is what is voted on: each part of an ask changes the digest.
func TestEveryPartOfAnAskIsInItsDigest(t *testing.T) {
	f := setUp(t)
	base := approvals.Ask{Resource: "staging", Reason: "r", Ticket: "t", Intent: intent}
	seen := map[string]string{}
	for name, edit := range map[string]func(*approvals.Ask){
		"nothing": func(*approvals.Ask) {},
		"task":    func(a *approvals.Ask) { a.Intent.Task += "." },
		"run":     func(a *approvals.Ask) { a.Intent.Run += "8" },
		"command": func(a *approvals.Ask) { a.Intent.Commands = []string{"DELETE FROM orders"} },
		"more":    func(a *approvals.Ask) { a.Intent.Commands = append([]string{"SELECT 1"}, a.Intent.Commands...) },
		"detail":  func(a *approvals.Ask) { a.Intent.Details = map[string]string{"model": "m-2"} },
		"name":    func(a *approvals.Ask) { a.Intent.Details = map[string]string{"mode": "lm-1"} },
		"start":   func(a *approvals.Ask) { a.StartAt = f.clock.now().Add(time.Hour) },
		"reason":  func(a *approvals.Ask) { a.Reason = "s" },
		"ticket":  func(a *approvals.Ask) { a.Ticket = "u" },
		"time":    func(a *approvals.Ask) { a.Duration = 2 * time.Hour },
		"actions": func(a *approvals.Ask) { a.Actions = []string{"sql:read"} },
	} {
		ask := base
		edit(&ask)
		ask.Principal = agent("bot")
		r, err := f.digestOf(t, ask)
		if err != nil {
			t.Fatal(name, err)
		}
		if other, ok := seen[r]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[r] = name
	}
}

// digestOf files an ask under an id that is always the same, so that nothing but the ask itself counts.
func (f *fixture) digestOf(t *testing.T, ask approvals.Ask) (string, error) {
	t.Helper()
	cfg := f.config()
	cfg.Rand = zeros{}
	a, err := approvals.New(cfg)
	if err != nil {
		return "", err
	}
	r, _, err := a.Create(t.Context(), ask)
	if err != nil {
		return "", err
	}
	if _, err := a.Withdraw(t.Context(), r.ID); err != nil {
		return "", err
	}
	return r.Digest, f.forget(t, r.ID)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// forget deletes every request and what was published of it.
func (f *fixture) forget(t *testing.T, id string) error {
	t.Helper()
	requests := store.Define[approvals.Request](f.store, "requests")
	published := f.events.published
	entries, _, err := requests.List(t.Context(), store.ListOptions{})
	for _, e := range entries {
		_, deleted := requests.Delete(t.Context(), e.Key)
		err = errors.Join(err, deleted)
	}
	for _, kind := range []approvals.EventKind{approvals.RequestFiled, approvals.RequestWithdrawn} {
		_, deleted := published.Delete(t.Context(), store.Key(id, string(kind)))
		err = errors.Join(err, deleted)
	}
	return err
}

func TestAsksThatAreNotTakenAsTheyAre(t *testing.T) {
	f := setUp(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int) []string { return strings.Split(strings.Repeat("SELECT 1;", n-1)+"SELECT 1", ";") }
	details := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint(i)] = "x"
		}
		return m
	}
	soon := f.clock.now().Add(time.Hour)
	for name, ask := range map[string]approvals.Ask{
		"a long task":            {Intent: approvals.Intent{Task: long(501)}},
		"a task of two lines":    {Intent: approvals.Intent{Task: "a\nb"}},
		"a task that turns":      {Intent: approvals.Intent{Task: "a\u202eb"}},
		"a task with an escape":  {Intent: approvals.Intent{Task: "a\x1b[2Jb"}},
		"a task of no text":      {Intent: approvals.Intent{Task: "a\xff"}},
		"a long run":             {Intent: approvals.Intent{Run: long(1001)}},
		"many commands":          {Intent: approvals.Intent{Commands: many(51)}},
		"an empty command":       {Intent: approvals.Intent{Commands: []string{""}}},
		"a long command":         {Intent: approvals.Intent{Commands: []string{long(4<<10 + 1)}}},
		"a command with a NUL":   {Intent: approvals.Intent{Commands: []string{"a\x00b"}}},
		"many details":           {Intent: approvals.Intent{Details: details(31)}},
		"a detail of no name":    {Intent: approvals.Intent{Details: map[string]string{"": "x"}}},
		"a long name":            {Intent: approvals.Intent{Details: map[string]string{long(101): "x"}}},
		"a long detail":          {Intent: approvals.Intent{Details: map[string]string{"x": long(1001)}}},
		"too much of everything": {Intent: approvals.Intent{Commands: []string{long(4 << 10), long(4 << 10), long(4 << 10), long(4 << 10), long(4 << 10), long(4 << 10), long(4 << 10), long(4 << 10), "x"}}},
		"a start next month":     {StartAt: f.clock.now().Add(8 * 24 * time.Hour)},
		"an extension later":     {StartAt: soon, Extend: "grant-01m83erwnxww4b95t7ayy3pxm0"},
		"broken glass later":     {StartAt: soon, BreakGlass: true, Reason: "x"},
		"broken glass, extended": {BreakGlass: true, Reason: "x", Extend: "grant-01m83erwnxww4b95t7ayy3pxm0"},
		"broken glass, unsaid":   {BreakGlass: true, Reason: " \n"},
	} {
		if _, _, err := f.create(t, ask); !errors.Is(err, approvals.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := f.create(t, approvals.Ask{Intent: approvals.Intent{
		Task: long(500), Run: long(1000), Commands: many(50), Details: details(30),
	}}); err != nil {
		t.Errorf("as much as is possible: %v", err)
	}
}

func TestAGrantMayBeginLater(t *testing.T) {
	f := setUp(t)
	start := f.clock.now().Add(3 * time.Hour).UTC()
	_, g, err := f.create(t, approvals.Ask{Duration: time.Hour, StartAt: start})
	if err != nil || g == nil || !g.StartsAt.Equal(start) || !g.ExpiresAt.Equal(start.Add(time.Hour)) {
		t.Fatal(g, err)
	}
	admission := approvals.Admission{Grant: g.ID, Principal: "bot", Resource: "dev", Edge: "edge-1"}
	_, err = f.Admit(t.Context(), admission)
	if !errors.Is(err, approvals.ErrNotYet) || !strings.Contains(err.Error(), start.Format(time.RFC3339)) {
		t.Errorf("before its start: %v", err)
	}
	if found, _ := listGrants(t, f, approvals.Filter{Principal: "bot"}); len(found) != 1 || found[0].Active(f.clock.now()) {
		t.Errorf("listed: %+v", found)
	}
	f.clock.advance(3*time.Hour - time.Nanosecond)
	if _, err = f.Admit(t.Context(), admission); !errors.Is(err, approvals.ErrNotYet) {
		t.Errorf("a moment before its start: %v", err)
	}
	f.clock.advance(time.Nanosecond)
	if _, err = f.Admit(t.Context(), admission); err != nil {
		t.Errorf("at its start: %v", err)
	}
	f.clock.advance(time.Hour)
	if _, err = f.Admit(t.Context(), admission); !errors.Is(err, approvals.ErrEnded) {
		t.Errorf("at its end: %v", err)
	}
}

func TestTheClockCountsFromApprovalOrStartWhicheverIsLater(t *testing.T) {
	f := setUp(t)
	for name, ahead := range map[string]time.Duration{"approved before": 30 * time.Minute, "approved after": 5 * time.Minute} {
		start := f.clock.now().Add(ahead).UTC()
		r, _, err := f.create(t, approvals.Ask{Principal: agent(name), Resource: "staging", Duration: time.Hour, StartAt: start})
		if err != nil {
			t.Fatal(err)
		}
		f.clock.advance(10 * time.Minute)
		s, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest)
		if err != nil {
			t.Fatal(err)
		}
		want := start
		if now := f.clock.now().UTC(); now.After(want) {
			want = now
		}
		g, err := f.Grant(t.Context(), s.Request.Grant)
		if err != nil || !g.StartsAt.Equal(want) || !g.ExpiresAt.Equal(want.Add(time.Hour)) {
			t.Errorf("%s: from %s to %s, %v; want from %s", name, g.StartsAt, g.ExpiresAt, err, want)
		}
	}
}

func TestAGrantThatHasNotBegunCanBeRevokedAndNotExtended(t *testing.T) {
	f := setUp(t)
	_, g, err := f.create(t, approvals.Ask{Duration: time.Hour, StartAt: f.clock.now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.create(t, approvals.Ask{Duration: time.Hour, Extend: g.ID}); !errors.Is(err, approvals.ErrNotYet) {
		t.Errorf("extended: %v", err)
	}
	got, _, err := f.Revoke(t.Context(), approvals.Revocation{Grant: g.ID, By: "ann"})
	if err != nil || got.RevokedAt.IsZero() {
		t.Fatal(got, err)
	}
	f.clock.advance(90 * time.Minute)
	if _, err := f.Admit(t.Context(), approvals.Admission{Grant: g.ID, Principal: "bot", Resource: "dev"}); !errors.Is(err, approvals.ErrEnded) {
		t.Errorf("used all the same: %v", err)
	}
}

// A request for later is decided as of now and as of then: it does not get around a rule about hours.
func TestALaterStartDoesNotGetAroundHours(t *testing.T) {
	f := setUp(t)
	now := f.clock.now().UTC()
	f.push(t, fmt.Sprintf(`@id("ask") permit (principal, action == Action::"access:request", resource) when { context.hour == %d };
@id("never") forbid (principal, action == Action::"access:request", resource) when { context.hour == %d };`, now.Hour(), (now.Hour()+3)%24))
	if _, _, err := f.create(t, approvals.Ask{}); err != nil {
		t.Fatal(err)
	}
	for _, ahead := range []time.Duration{2 * time.Hour, 3 * time.Hour} {
		var denied *approvals.Denied
		if _, _, err := f.create(t, approvals.Ask{StartAt: f.clock.now().Add(ahead)}); !errors.As(err, &denied) {
			t.Errorf("%s ahead: %v", ahead, err)
		}
	}
}

func TestRequestsAreCountedByTheHour(t *testing.T) {
	f := setUp(t)
	cfg := f.config()
	cfg.RequestRate = 5
	replicas := [2]*approvals.Approvals{}
	for i := range replicas {
		replicas[i] = must[*approvals.Approvals](t)(approvals.New(cfg))
	}
	ask := func(n int, who string) error {
		_, _, err := replicas[n%2].Create(t.Context(), approvals.Ask{Principal: agent(who), Resource: []string{"dev", "vault"}[n%2], Reason: fmt.Sprint(n)})
		var denied *approvals.Denied
		if errors.As(err, &denied) { // refusals count too
			return nil
		}
		return err
	}
	first := f.clock.now()
	for n := range 5 {
		if err := ask(n, []string{"bot", "BOT"}[n%2]); err != nil {
			t.Fatal(n, err)
		}
		f.clock.advance(time.Minute)
	}
	err := ask(5, "bot")
	again := first.Add(time.Hour).UTC().Format(time.RFC3339)
	if !errors.Is(err, approvals.ErrRate) || !strings.Contains(err.Error(), again) {
		t.Fatalf("the sixth: %v; want one that says %s", err, again)
	}
	if err := ask(6, "other"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	f.clock.advance(55*time.Minute + time.Second)
	if err := ask(7, "bot"); err != nil {
		t.Errorf("an hour after the first: %v", err)
	}
	if err := ask(8, "bot"); !errors.Is(err, approvals.ErrRate) {
		t.Errorf("but one only: %v", err)
	}
	f.clock.advance(2 * time.Hour)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows, _, err := store.Define[any](f.store, "request-rates").List(t.Context(), store.ListOptions{}); err != nil || len(rows) != 0 {
		t.Errorf("%d rows are kept, %v", len(rows), err)
	}
}

func TestConcurrentRequestsAreCountedEach(t *testing.T) {
	f := setUp(t)
	cfg := f.config()
	cfg.RequestRate = 10
	a := must[*approvals.Approvals](t)(approvals.New(cfg))
	var mu sync.Mutex
	var wg sync.WaitGroup
	filed := 0
	for range 30 {
		wg.Go(func() {
			_, _, err := a.Create(t.Context(), approvals.Ask{Principal: agent("bot"), Resource: "staging"})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				filed++
			} else if !errors.Is(err, approvals.ErrRate) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	requests, _, err := f.ListRequests(t.Context(), approvals.Filter{})
	if err != nil || filed != 10 || len(requests) != 1 {
		t.Fatalf("%d were taken as %d requests, %v", filed, len(requests), err)
	}
}

func TestAPersonsDenialStandsForAWhile(t *testing.T) {
	f := setUp(t)
	ask := approvals.Ask{Resource: "staging", Reason: "again", Intent: approvals.Intent{Run: "1"}}
	r, _, err := f.create(t, ask)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Vote(t.Context(), approvals.Ballot{ID: r.ID, Digest: r.Digest, Voter: person("bob", "dba"), Comment: "use dev"})
	if err != nil {
		t.Fatal(err)
	}
	ask.Intent.Run = "2" // the same in another run is the same
	var denied *approvals.Denied
	if _, _, err := f.create(t, ask); !errors.As(err, &denied) || !strings.Contains(denied.Reason, "denied by bob: use dev") || denied.Repair != nil {
		t.Fatalf("asked again: %v", err)
	}
	other := ask
	other.Reason = "with a better reason"
	if _, _, err := f.create(t, other); err != nil {
		t.Errorf("another ask: %v", err)
	}
	theirs := ask
	theirs.Principal = agent("bot2")
	if _, _, err := f.create(t, theirs); err != nil {
		t.Errorf("somebody else's ask: %v", err)
	}
	f.clock.advance(10 * time.Minute)
	if r, _, err := f.create(t, ask); err != nil || r.State != approvals.Pending {
		t.Errorf("after ten minutes: %+v, %v", r, err)
	}
}

func TestTheSameCommandWaitsOnce(t *testing.T) {
	f := setUp(t)
	g := f.granted(t, agent("bot"))
	h := f.held(t, g, oneDBA)
	again := approvals.Hold{
		Principal: g.Principal, Resource: g.Resource, Edge: "edge-1", Session: "ses-2", Grant: g.ID, Revision: h.Revision,
		Statement: "DELETE FROM orders", Command: commandDigest[:], Requirements: h.Requirements,
	}
	if _, err := f.File(t.Context(), again); !errors.Is(err, approvals.ErrSame) || !strings.Contains(err.Error(), h.ID) {
		t.Fatalf("the same in another session: %v", err)
	}
	other := again
	other.Command = make([]byte, len(commandDigest))
	if _, err := f.File(t.Context(), other); err != nil {
		t.Errorf("another command: %v", err)
	}
	if _, err := f.WithdrawHold(t.Context(), h.ID); err != nil {
		t.Fatal(err)
	}
	second, err := f.File(t.Context(), again)
	if err != nil {
		t.Fatalf("after it was withdrawn: %v", err)
	}
	if _, err := f.Vote(t.Context(), approvals.Ballot{ID: second.ID, Digest: second.Digest, Voter: person("bob", "dba"), Comment: "no"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.File(t.Context(), again); !errors.Is(err, approvals.ErrDeniedBefore) || !strings.Contains(err.Error(), "denied by bob: no") {
		t.Fatalf("after it was denied: %v", err)
	}
	f.clock.advance(10 * time.Minute)
	if _, err := f.File(t.Context(), again); err != nil {
		t.Fatalf("ten minutes after: %v", err)
	}
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.File(t.Context(), again); !errors.Is(err, approvals.ErrSame) {
		t.Fatalf("the sweep forgot what waits: %v", err)
	}
}
