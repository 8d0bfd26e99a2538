package enforce

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// inForce is one policy set.
type inForce struct{ set *policy.Set }

func (f inForce) Current() (*policy.Set, uint64, bool) { return f.set, 1, true }

// admitting opens every session for its principal; during is called while it does.
type admitting struct {
	away
	who    policy.Principal
	role   *policy.Role
	during func(session string)
}

func (a *admitting) OpenSession(_ context.Context, ask Admission) (Admitted, error) {
	if a.during != nil {
		a.during(ask.Session)
	}
	return Admitted{
		Principal: a.who, Resource: policy.Resource{Name: "shop", Role: a.role}, Grant: "grant-1", ExpiresAt: time.Now().Add(time.Hour),
	}, nil
}

const byGroup = `
@id("open") permit (principal, action == Action::"session:open", resource);
@id("read") permit (principal in Group::"readers", action == Action::"sql:select", resource);
`

// acting is a pipeline on byGroup whose sessions are of bot for alice, both readers.
func acting(t *testing.T) (*Pipeline, *admitting, *scarce) {
	t.Helper()
	set, err := policy.Compile(policy.Bundle{Files: map[string][]byte{"p.cedar": []byte(byGroup)}})
	if err != nil {
		t.Fatal(err)
	}
	records, control := &scarce{}, &admitting{who: bot("readers")("readers")}
	p := newPipeline(t, records, control)
	p.cfg.Policies = inForce{set}
	return p, control, records
}

// bot acts for alice; the groups are its own, then hers.
func bot(own ...string) func(hers ...string) policy.Principal {
	return func(hers ...string) policy.Principal {
		return policy.Principal{
			Kind: policy.KindAgent, ID: "bot", Issuer: "idp", Groups: own, OnBehalfOf: []string{"alice"},
			Delegators: []policy.Principal{{Kind: policy.KindPerson, ID: "alice", Issuer: "idp", Groups: hers}},
		}
	}
}

func open(t *testing.T, p *Pipeline) *Session {
	t.Helper()
	s, err := p.Open(t.Context(), Admission{Protocol: "postgres", ClientAddr: netip.MustParseAddrPort("10.0.0.1:9")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var reading = &Subject{
	Asks: []Ask{{Facts: policy.Statement{Kind: "select"}.Facts(), Questions: []policy.Question{
		{Action: policy.SQLSelect, Entity: policy.ResourceName("shop").Table("public", "orders", policy.TableInfo{})},
	}}},
}

// read runs one command and reports whether it was let through.
func read(t *testing.T, s *Session) bool {
	t.Helper()
	f, err := s.Begin(t.Context(), &Command{Subject: reading})
	var denied *Denied
	switch {
	case err == nil:
		f.End(Outcome{})
		return true
	case errors.As(err, &denied) && denied.Cause == CausePolicy:
		return false
	}
	t.Fatal(err)
	return false
}

func TestChangedGroupsBindAtTheNextCommand(t *testing.T) {
	for name, tt := range map[string]struct {
		now policy.Principal
		may bool
	}{
		"the same":             {bot("readers")("readers"), true},
		"another group more":   {bot("readers", "x")("readers"), true},
		"the agent's is gone":  {bot()("readers"), false},
		"the person's is gone": {bot("readers")("x"), false},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, records := acting(t)
			s := open(t, p)
			for range 2 { // decided, and again from what is kept
				if !read(t, s) {
					t.Fatal("refused at first")
				}
			}
			p.PrincipalChanged([]string{"ses-other", s.ID()}, tt.now)
			if got := read(t, s); got != tt.may {
				t.Fatalf("the next command: allowed is %v", got)
			}
			p.PrincipalChanged([]string{s.ID()}, bot("readers")("readers"))
			if !read(t, s) {
				t.Fatal("a group that came back does not count")
			}
			if n := len(kinds(records, audit.KindLogin)); name == "the same" && n != 0 || name != "the same" && n != 2 {
				t.Fatalf("%d records of changes", n)
			}
			s.Close("done")
		})
	}
}

func kinds(s *scarce, k audit.Kind) []audit.Record {
	var out []audit.Record
	for _, r := range s.records {
		if r.Kind == k {
			out = append(out, r)
		}
	}
	return out
}

func TestChangeWhileASessionIsOpenedIsNotLost(t *testing.T) {
	p, control, _ := acting(t)
	control.during = func(id string) { p.PrincipalChanged([]string{id}, bot("readers")("x")) }
	_, err := p.Open(t.Context(), Admission{Protocol: "postgres"})
	var denied *Denied
	if !errors.As(err, &denied) || denied.Cause != CauseIdentity {
		t.Fatalf("opened with groups that are gone: %v", err)
	}
	control.during = func(id string) { p.PrincipalChanged([]string{id}, bot("readers")("readers")) }
	s := open(t, p)
	if !read(t, s) || len(p.opening) != 0 {
		t.Fatalf("refused, or %d sessions are still being opened", len(p.opening))
	}
	s.Close("done")
}

func TestSessionNeverBecomesSomebodyElses(t *testing.T) {
	for name, edit := range map[string]func(*policy.Principal){
		"another name":     func(p *policy.Principal) { p.ID = "root" },
		"another kind":     func(p *policy.Principal) { p.Kind = policy.KindPerson },
		"another issuer":   func(p *policy.Principal) { p.Issuer = "evil" },
		"another chain":    func(p *policy.Principal) { p.OnBehalfOf = []string{"bob"} },
		"no delegator":     func(p *policy.Principal) { p.Delegators = nil },
		"nobody at all":    func(p *policy.Principal) { *p = policy.Principal{} },
		"another delegate": func(p *policy.Principal) { p.Delegators = []policy.Principal{{Kind: policy.KindPerson, ID: "bob"}} },
	} {
		p, _, _ := acting(t)
		s := open(t, p)
		now := bot("readers")("readers")
		edit(&now)
		p.PrincipalChanged([]string{s.ID()}, now)
		if s.Err() == nil {
			t.Errorf("%s: the session goes on", name)
		}
		s.Close("done")
	}
}

func TestChangeThatCannotBeRecordedStops(t *testing.T) {
	p, _, records := acting(t)
	s := open(t, p)
	p.PrincipalChanged([]string{s.ID()}, bot("readers", "more")("readers"))
	records.full = true
	if _, err := s.Begin(t.Context(), &Command{Subject: reading}); err == nil || s.Err() == nil {
		t.Fatalf("it goes on unrecorded: %v", err)
	}
}
