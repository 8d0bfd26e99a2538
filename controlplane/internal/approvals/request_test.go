package approvals_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/pkg/policy"
)

func TestPolicyDecidesRequests(t *testing.T) {
	f := setUp(t)
	_, g, err := f.Create(t.Context(), approvals.Ask{Principal: agent("bot"), Resource: "dev", Duration: time.Hour})
	if err != nil || g == nil || !g.Active(f.clock.now()) || !g.ExpiresAt.Equal(f.clock.now().UTC().Add(time.Hour)) {
		t.Fatalf("dev: %+v, %v", g, err)
	}
	r, g, err := f.Create(t.Context(), approvals.Ask{Principal: agent("bot"), Resource: "prod", Duration: time.Hour})
	if err != nil || g != nil || r.State != approvals.Pending || len(r.Requirements) != 2 {
		t.Fatalf("prod: %+v, %+v, %v", r, g, err)
	}
	_, _, err = f.Create(t.Context(), approvals.Ask{Principal: agent("bot"), Resource: "vault", Duration: time.Hour})
	var denied *approvals.Denied
	if !errors.As(err, &denied) || denied.PolicyIDs[0] != "never" || denied.Reason != "Nobody needs this" || denied.Revision != 1 {
		t.Fatalf("vault: %v", err)
	}
}

func TestWithoutPolicyEverythingIsDenied(t *testing.T) {
	f := setUp(t)
	f.push(t, "// nothing")
	_, _, err := f.Create(t.Context(), approvals.Ask{Principal: agent("bot"), Resource: "dev", Duration: time.Hour})
	var denied *approvals.Denied
	if !errors.As(err, &denied) {
		t.Fatalf("got %v", err)
	}
}

func TestAsksThatAreRefused(t *testing.T) {
	f := setUp(t)
	for name, edit := range map[string]func(*approvals.Ask){
		"too short":        func(a *approvals.Ask) { a.Duration = time.Second },
		"too long":         func(a *approvals.Ask) { a.Duration = 9 * time.Hour },
		"negative":         func(a *approvals.Ask) { a.Duration = -time.Hour },
		"unknown action":   func(a *approvals.Ask) { a.Actions = []string{"sql:everything"} },
		"bidi in reason":   func(a *approvals.Ask) { a.Reason = "harmless \u202e" },
		"control in tick":  func(a *approvals.Ask) { a.Ticket = "\x1b[2J" },
		"long reason":      func(a *approvals.Ask) { a.Reason = strings.Repeat("x", 2000) },
		"no resource":      func(a *approvals.Ask) { a.Resource = "" },
		"unknown resource": func(a *approvals.Ask) { a.Resource = "nowhere" },
		"path as resource": func(a *approvals.Ask) { a.Resource = "../dev" },
		"path as grant":    func(a *approvals.Ask) { a.Extend = "grant-../../x" },
		"nobody":           func(a *approvals.Ask) { a.Principal = policy.Principal{} },
		"unknown kind":     func(a *approvals.Ask) { a.Principal.Kind = "root" },
	} {
		ask := approvals.Ask{Principal: agent("bot"), Resource: "dev", Duration: time.Hour}
		edit(&ask)
		if _, g, err := f.Create(t.Context(), ask); err == nil || g != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Nobody approves their own request, on any path.
func TestSelfApproval(t *testing.T) {
	f := setUp(t)
	alice := person("alice", "dba", "security")
	upper := alice
	upper.ID, upper.Name = "ALICE", "ALICE"
	otherIssuer := person("corp:alice", "dba")
	otherIssuer.Email = alice.Email
	delegate := person("bob", "dba")
	delegate.OnBehalfOf = []string{"carol"}
	ownAgent := agent("alice-bot", "alice")
	ownAgent.Groups = []string{"dba"}
	byEmail := agent("bot2", "alice@example.com")
	for name, tt := range map[string]struct {
		asker, voter policy.Principal
		want         error
	}{
		"herself":                          {alice, alice, approvals.ErrOwn},
		"herself in other case":            {alice, upper, approvals.ErrOwn},
		"herself by another issuer":        {alice, otherIssuer, approvals.ErrOwn},
		"her agent's request":              {agent("bot", "alice"), alice, approvals.ErrOwn},
		"her agent's agent":                {agent("bot", "planner", "alice"), alice, approvals.ErrOwn},
		"her agent, by address":            {byEmail, alice, approvals.ErrOwn},
		"her agent votes":                  {alice, ownAgent, approvals.ErrNotApprover},
		"an agent votes":                   {agent("bot"), agent("bot3"), approvals.ErrNotApprover},
		"somebody on another's behalf":     {alice, delegate, approvals.ErrNotApprover},
		"somebody of no group":             {alice, person("eve", "interns"), approvals.ErrNotApprover},
		"a service with the group":         {alice, policy.Principal{Kind: policy.KindService, ID: "ci", Groups: []string{"dba"}}, approvals.ErrNotApprover},
		"a kind that was never said":       {alice, policy.Principal{ID: "x", Groups: []string{"dba"}}, approvals.ErrNotApprover},
		"somebody else, which is possible": {alice, person("bob", "dba"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := f.ask(t, tt.asker, "staging")
			got, err := f.approve(t, tt.voter, r.ID, r.Digest)
			if !errors.Is(err, tt.want) || tt.want == nil && got.Request.State != approvals.Granted {
				t.Fatalf("request: got %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				_, _ = f.Withdraw(t.Context(), r.ID)
			}
			h := f.held(t, f.granted(t, tt.asker), policy.Approval{Count: 1, Group: "dba"})
			held, err := f.approve(t, tt.voter, h.ID, h.Digest)
			if !errors.Is(err, tt.want) || tt.want == nil && held.Hold.State != approvals.Approved {
				t.Fatalf("held command: got %v, want %v", err, tt.want)
			}
		})
	}
}

// One person in two groups fills one place only, and nobody counts twice.
func TestDistinctApprovers(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot"), "prod") // 2 of dba, 1 of security
	both := person("ann", "dba", "security")
	vote := func(p policy.Principal, want approvals.State) {
		t.Helper()
		got, err := f.approve(t, p, r.ID, r.Digest)
		if err != nil || got.Request.State != want {
			t.Fatalf("%s: %+v, %v", p.ID, got.Request, err)
		}
	}
	vote(both, approvals.Pending)
	if _, err := f.approve(t, both, r.ID, r.Digest); !errors.Is(err, approvals.ErrVoted) {
		t.Fatalf("voted twice: %v", err)
	}
	twin := person("corp:ann", "dba")
	twin.Email = both.Email
	if _, err := f.approve(t, twin, r.ID, r.Digest); !errors.Is(err, approvals.ErrVoted) {
		t.Fatalf("voted twice with two sign-ins: %v", err)
	}
	vote(person("bob", "dba"), approvals.Pending) // ann and bob fill dba, or ann security: never both
	vote(person("cid", "dba"), approvals.Granted) // bob and cid are dba, ann is security
}

func TestOnePersonInTwoGroupsIsNotTwoApprovers(t *testing.T) {
	f := setUp(t)
	f.push(t, strings.ReplaceAll(open, "2 of dba, 1 of security", "1 of dba, 1 of security"))
	r := f.ask(t, agent("bot"), "prod")
	got, err := f.approve(t, person("ann", "dba", "security"), r.ID, r.Digest)
	if err != nil || got.Request.State != approvals.Pending {
		t.Fatalf("one person satisfied two groups: %+v, %v", got.Request, err)
	}
}

func TestVotesAreForWhatWasShown(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot"), "staging")
	other := f.ask(t, agent("bot2"), "staging")
	flipped := "0" + r.Digest[1:]
	if flipped == r.Digest {
		flipped = "1" + r.Digest[1:]
	}
	for name, digest := range map[string]string{"none": "", "another's": other.Digest, "one digit off": flipped, "cut": r.Digest[:63]} {
		if _, err := f.approve(t, person("bob", "dba"), r.ID, digest); !errors.Is(err, approvals.ErrDigest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOneDenialIsEnough(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot"), "prod")
	if _, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest); err != nil {
		t.Fatal(err)
	}
	deny := func(p policy.Principal) (approvals.Subject, error) {
		return f.Vote(t.Context(), approvals.Ballot{ID: r.ID, Digest: r.Digest, Voter: p, Comment: "no"})
	}
	if _, err := deny(person("eve", "interns")); !errors.Is(err, approvals.ErrNotApprover) {
		t.Fatalf("somebody who is not asked denied: %v", err)
	}
	got, err := deny(person("ann", "security"))
	if err != nil || got.Request.State != approvals.Refused || got.Request.Denial != "denied by ann: no" {
		t.Fatalf("got %+v, %v", got.Request, err)
	}
	if _, err := f.approve(t, person("cid", "dba"), r.ID, r.Digest); !errors.Is(err, approvals.ErrNotPending) {
		t.Fatalf("approved after the denial: %v", err)
	}
}

func TestPolicyChangedBetweenVotes(t *testing.T) {
	for name, tt := range map[string]struct {
		policy string
		want   approvals.State
	}{
		"now denied":          {"// nothing is permitted", approvals.Refused},
		"now needs more":      {strings.ReplaceAll(open, `@approval("1 of dba")`, `@approval("2 of dba")`), approvals.Pending},
		"now needs others":    {strings.ReplaceAll(open, `@approval("1 of dba")`, `@approval("1 of dba, 1 of security")`), approvals.Pending},
		"unchanged in effect": {open + "\n// a comment", approvals.Granted},
	} {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			r := f.ask(t, agent("bot"), "staging")
			f.push(t, tt.policy)
			got, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest)
			if err != nil || got.Request.State != tt.want || got.Request.Revision != 2 {
				t.Fatalf("got %+v, %v", got.Request, err)
			}
		})
	}
}

func TestApproverWhoLostTheRole(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot"), "prod")
	for _, p := range []policy.Principal{person("bob", "dba"), person("cid", "dba")} {
		f.directory.set(p)
		if _, err := f.approve(t, p, r.ID, r.Digest); err != nil {
			t.Fatal(err)
		}
	}
	f.directory.set(person("bob", "interns"))
	got, err := f.approve(t, person("ann", "security"), r.ID, r.Digest)
	if err != nil || got.Request.State != approvals.Pending {
		t.Fatalf("a lost role still counts: %+v, %v", got.Request, err)
	}
	if _, err := f.approve(t, person("bob", "dba"), f.ask(t, agent("bot9"), "prod").ID, r.Digest); err == nil {
		t.Fatal("bob votes by an old token")
	}
	if _, _, err := f.locks.Create(t.Context(), locks.Order{Target: locks.Principal, Name: "cid", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	got, err = f.approve(t, person("dan", "dba"), r.ID, r.Digest)
	if err != nil || got.Request.State != approvals.Pending {
		t.Fatalf("a locked approver still counts: %+v, %v", got.Request, err)
	}
}

func TestHundredConcurrentVotesGrantOnce(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot"), "staging")
	var granted atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			got, err := f.approve(t, person(fmt.Sprintf("dba-%d", i), "dba"), r.ID, r.Digest)
			if err == nil && got.Request.State == approvals.Granted {
				granted.Add(1)
			}
		})
	}
	wg.Wait()
	grants, err := listGrants(t, f, approvals.Filter{Principal: "bot", Ended: true})
	if err != nil || len(grants) != 1 || granted.Load() != 1 {
		t.Fatalf("%d votes granted, %d grants, %v", granted.Load(), len(grants), err)
	}
}

func TestClockStartsAtTheApproval(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot"), "staging")
	f.clock.advance(40 * time.Minute)
	got, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	g, err := f.Grant(t.Context(), got.Request.Grant)
	now := f.clock.now().UTC()
	if err != nil || !g.StartsAt.Equal(now) || !g.ExpiresAt.Equal(now.Add(30*time.Minute)) {
		t.Fatalf("got %+v, %v", g, err)
	}
}

func TestPendingRequests(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot"), "staging")
	if again := f.ask(t, agent("bot"), "staging"); again.ID != r.ID {
		t.Error("the same ask is pending twice")
	}
	if other := f.ask(t, agent("bot", "alice"), "staging"); other.ID == r.ID {
		t.Error("an ask on somebody's behalf was taken for one's own")
	}
	f.clock.advance(time.Hour)
	if got, _ := f.Request(t.Context(), r.ID); got.State != approvals.Expired {
		t.Errorf("state after its time: %s", got.State)
	}
	if _, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest); !errors.Is(err, approvals.ErrNotPending) {
		t.Errorf("approved after its time: %v", err)
	}
	if err := f.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	again := f.ask(t, agent("bot"), "staging")
	if _, err := f.Withdraw(t.Context(), again.ID); err != nil {
		t.Error(err)
	}
	if _, err := f.approve(t, person("bob", "dba"), again.ID, again.Digest); !errors.Is(err, approvals.ErrNotPending) {
		t.Errorf("approved after it was withdrawn: %v", err)
	}
}

func TestTooManyPending(t *testing.T) {
	f := setUp(t)
	var err error
	n := 0
	for ; n < 30 && err == nil; n++ {
		_, _, err = f.Create(t.Context(), approvals.Ask{
			Principal: agent("bot"), Resource: "staging", Duration: time.Hour, Reason: fmt.Sprint(n),
		})
	}
	if !errors.Is(err, approvals.ErrTooMany) || n != 21 {
		t.Fatalf("after %d: %v", n, err)
	}
	f.ask(t, agent("other"), "staging")
}

func TestWaitHearsOfTheDecision(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot"), "staging")
	got := make(chan approvals.Request, 1)
	go func() {
		r, _ := f.Wait(t.Context(), r.ID)
		got <- r
	}()
	if _, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.State != approvals.Granted {
		t.Fatalf("got %+v", r)
	}
	pending := f.ask(t, agent("bot2"), "staging")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if r, err := f.Wait(ctx, pending.ID); err != nil || r.State != approvals.Pending {
		t.Fatalf("after max_wait: %+v, %v", r, err)
	}
}
