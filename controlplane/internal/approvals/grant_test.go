package approvals_test

import (
	"errors"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
)

func admission(g approvals.Grant) approvals.Admission {
	return approvals.Admission{Grant: g.ID, Principal: g.Principal.ID, Resource: g.Resource, Edge: "edge-1"}
}

func TestAdmit(t *testing.T) {
	f := setUp(t)
	g := f.granted(t, agent("bot"))
	if _, err := f.Admit(t.Context(), admission(g)); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*approvals.Admission){
		"another principal": func(a *approvals.Admission) { a.Principal = "eve" },
		"another resource":  func(a *approvals.Admission) { a.Resource = "prod" },
		"another edge":      func(a *approvals.Admission) { a.Edge = "edge-9" },
		"no such grant":     func(a *approvals.Admission) { a.Grant = "grant-" + "00000000000000000000000000" },
		"a path":            func(a *approvals.Admission) { a.Grant = "grant-../../requests/x" },
		"nothing":           func(a *approvals.Admission) { *a = approvals.Admission{} },
	} {
		adm := admission(g)
		edit(&adm)
		if _, err := f.Admit(t.Context(), adm); !errors.Is(err, approvals.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.clock.advance(time.Hour)
	if _, err := f.Admit(t.Context(), admission(g)); !errors.Is(err, approvals.ErrEnded) {
		t.Errorf("after its time: %v", err)
	}
}

func TestLocksStopGrants(t *testing.T) {
	for target, name := range map[locks.Target]string{
		locks.Principal: "bot", locks.Resource: "dev", locks.Edge: "edge-1", locks.Grant: "",
	} {
		f := setUp(t)
		g := f.granted(t, agent("bot", "alice"))
		if target == locks.Grant {
			name = g.ID
		}
		lock, _, err := f.locks.Create(t.Context(), locks.Order{Target: target, Name: name, Reason: "test"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Admit(t.Context(), admission(g)); !errors.Is(err, locks.ErrLocked) {
			t.Errorf("%s: %v", target, err)
		}
		if err := f.locks.Remove(t.Context(), lock.ID, "eve"); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Admit(t.Context(), admission(g)); err != nil {
			t.Errorf("%s: after it was lifted: %v", target, err)
		}
	}
	f := setUp(t)
	g := f.granted(t, agent("bot", "alice"))
	if _, _, err := f.locks.Create(t.Context(), locks.Order{Target: locks.Principal, Name: "alice", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Admit(t.Context(), admission(g)); !errors.Is(err, locks.ErrLocked) {
		t.Errorf("the agent of a locked person goes on: %v", err)
	}
}

func TestGrantsEndWithTheirResource(t *testing.T) {
	f := setUp(t)
	g := f.granted(t, agent("bot"))
	if err := f.resources.Delete(t.Context(), "dev", nothingLeft{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Admit(t.Context(), admission(g)); !errors.Is(err, approvals.ErrEnded) {
		t.Fatalf("deleted: %v", err)
	}
	f.apply(t, "dev")
	if _, err := f.Admit(t.Context(), admission(g)); !errors.Is(err, approvals.ErrEnded) {
		t.Fatalf("made again under the same name: %v", err)
	}
}

func TestRevoke(t *testing.T) {
	f := setUp(t)
	g := f.granted(t, agent("bot"))
	got, n, err := f.Revoke(t.Context(), approvals.Revocation{Grant: g.ID, By: "alice", Reason: "done"})
	if err != nil || n != 1 || got.Active(f.clock.now()) || got.RevokedBy != "alice" || f.ended.grants[0] != g.ID {
		t.Fatalf("got %+v, %d, %v", got, n, err)
	}
	if _, err := f.Admit(t.Context(), admission(g)); !errors.Is(err, approvals.ErrEnded) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := f.Create(t.Context(), approvals.Ask{Principal: agent("bot"), Resource: "dev", Duration: time.Hour, Extend: g.ID}); !errors.Is(err, approvals.ErrEnded) {
		t.Fatalf("a revoked grant was extended: %v", err)
	}
}

func TestExtendingLeavesNoGap(t *testing.T) {
	f := setUp(t)
	g := f.granted(t, agent("bot"))
	f.clock.advance(50 * time.Minute)
	_, longer, err := f.Create(t.Context(), approvals.Ask{Principal: agent("bot"), Resource: "dev", Duration: time.Hour, Extend: g.ID})
	if err != nil || longer.ID != g.ID || !longer.StartsAt.Equal(g.StartsAt) || !longer.ExpiresAt.Equal(g.ExpiresAt.Add(time.Hour)) {
		t.Fatalf("got %+v, %v", longer, err)
	}
	for name, ask := range map[string]approvals.Ask{
		"somebody else's":  {Principal: agent("eve"), Resource: "dev", Duration: time.Hour, Extend: g.ID},
		"for somebody":     {Principal: agent("bot", "alice"), Resource: "dev", Duration: time.Hour, Extend: g.ID},
		"another resource": {Principal: agent("bot"), Resource: "staging", Duration: time.Hour, Extend: g.ID},
		"other actions":    {Principal: agent("bot"), Resource: "dev", Duration: time.Hour, Extend: g.ID, Actions: []string{"sql:read"}},
		"past the limit":   {Principal: agent("bot"), Resource: "dev", Duration: 8 * time.Hour, Extend: g.ID},
	} {
		if _, _, err := f.Create(t.Context(), ask); err == nil {
			t.Errorf("%s: extended", name)
		}
	}
}

func TestExtensionThatCameTooLate(t *testing.T) {
	f := setUp(t)
	r := f.ask(t, agent("bot"), "staging")
	got, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest)
	if err != nil {
		t.Fatal(err)
	}
	ext, _, err := f.Create(t.Context(), approvals.Ask{Principal: agent("bot"), Resource: "staging", Duration: time.Hour, Extend: got.Request.Grant})
	if err != nil {
		t.Fatal(err)
	}
	f.clock.advance(31 * time.Minute)
	got, err = f.approve(t, person("bob", "dba"), ext.ID, ext.Digest)
	if err != nil || got.Request.State != approvals.Refused {
		t.Fatalf("an ended grant came back: %+v, %v", got.Request, err)
	}
}

func TestPasswordsDoNotTravelToAnotherServer(t *testing.T) {
	f := setUp(t)
	r, err := f.resources.Get(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	r.Postgres.Credential.Static.Password = ""
	if _, err := f.resources.Apply(t.Context(), []resources.Resource{r}, false); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	r.Postgres.Endpoint = "evil.example:5432"
	if _, err := f.resources.Apply(t.Context(), []resources.Resource{r}, false); err == nil {
		t.Fatal("a stored password was redirected")
	}
}

// nothingLeft is a target without roles of sessions.
type nothingLeft struct{}

func (nothingLeft) NoneOpenIn(*store.Tx, string) error { return nil }
