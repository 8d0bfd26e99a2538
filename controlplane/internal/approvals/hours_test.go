package approvals_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/pkg/policy"
)

const office = "Mon-Fri 08:00-18:00 Europe/Berlin"

const hoursPolicy = `
@id("ask") permit (principal, action == Action::"access:request", resource);
@id("staging") @approval("2 of dba") @approval_hours("` + office + `")
forbid (principal, action == Action::"access:request", resource in Label::"env=staging") unless { context.approved };
@id("prod") @approval("1 of dba") @approval_hours("` + office + `")
forbid (principal, action == Action::"access:request", resource in Label::"env=prod") unless { context.approved };
@id("prod-too") @approval("1 of security")
forbid (principal, action == Action::"access:request", resource in Label::"env=prod") unless { context.approved };
`

// turnTo sets the clock to a moment in the office's time zone.
func (f *fixture) turnTo(t *testing.T, text string) {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.advance(at.Sub(f.clock.now()))
}

func TestApprovalsAreGivenInTheirHours(t *testing.T) {
	f := setUp(t)
	f.push(t, hoursPolicy)
	f.turnTo(t, "2026-11-23 17:30") // a Monday
	r := f.ask(t, agent("bot"), "staging")
	if len(r.Requirements) != 1 || r.Requirements[0].Hours != office {
		t.Fatalf("requirements: %v", r.Requirements)
	}
	if _, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest); err != nil {
		t.Fatal("in the hours:", err)
	}
	f.turnTo(t, "2026-11-23 18:00")
	_, err := f.approve(t, person("ann", "dba"), r.ID, r.Digest)
	if !errors.Is(err, approvals.ErrHours) || !strings.Contains(err.Error(), office) {
		t.Fatalf("outside the hours: %v", err)
	}
	s, err := f.Subject(t.Context(), r.ID)
	if err != nil || !errors.Is(s.Standing(person("ann", "dba"), f.clock.now()), approvals.ErrHours) {
		t.Errorf("standing: %v, %v", s.Standing(person("ann", "dba"), f.clock.now()), err)
	}
	got, err := f.Vote(t.Context(), approvals.Ballot{ID: r.ID, Digest: r.Digest, Voter: person("ann", "dba"), Comment: "no"})
	if err != nil || got.Request.State != approvals.Refused {
		t.Errorf("a denial outside the hours: %v, %v", got.Request, err)
	}
}

func TestAGroupWithoutHoursVotesAtAnyTime(t *testing.T) {
	f := setUp(t)
	f.push(t, hoursPolicy)
	f.turnTo(t, "2026-11-22 12:00") // a Sunday
	r := f.ask(t, agent("bot"), "prod")
	if _, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest); !errors.Is(err, approvals.ErrHours) {
		t.Errorf("dba on a Sunday: %v", err)
	}
	if _, err := f.approve(t, person("sue", "security"), r.ID, r.Digest); err != nil {
		t.Errorf("security on a Sunday: %v", err)
	}
}

// One person of two groups, of which one may vote now, fills the place that is open and not the other.
func TestAVoteCountsOnlyForThePlaceWhoseHoursAreOpen(t *testing.T) {
	f := setUp(t)
	f.push(t, hoursPolicy)
	f.turnTo(t, "2026-11-23 07:30")
	r := f.ask(t, agent("bot"), "prod")
	got, err := f.approve(t, person("both", "dba", "security"), r.ID, r.Digest)
	if err != nil || got.Request.State != approvals.Pending {
		t.Fatal(got.Request, err)
	}
	f.turnTo(t, "2026-11-23 08:00")
	got, err = f.approve(t, person("sue", "security"), r.ID, r.Digest)
	if err != nil || got.Request.State != approvals.Pending {
		t.Fatalf("a vote cast before the hours filled the place: %+v, %v", got.Request, err)
	}
	got, err = f.approve(t, person("bob", "dba"), r.ID, r.Digest)
	if err != nil || got.Request.State != approvals.Granted {
		t.Fatal(got.Request, err)
	}
}

// Hours that came with a new revision hold for the votes that are there already.
func TestNewHoursHoldForOldVotes(t *testing.T) {
	f := setUp(t)
	f.push(t, strings.ReplaceAll(hoursPolicy, ` @approval_hours("`+office+`")`, ""))
	f.turnTo(t, "2026-11-23 07:45")
	r := f.ask(t, agent("bot"), "staging")
	if _, err := f.approve(t, person("bob", "dba"), r.ID, r.Digest); err != nil {
		t.Fatal(err)
	}
	f.push(t, hoursPolicy)
	f.turnTo(t, "2026-11-23 08:00")
	got, err := f.approve(t, person("ann", "dba"), r.ID, r.Digest)
	if err != nil || got.Request.State != approvals.Pending {
		t.Fatalf("%+v, %v", got.Request, err)
	}
}

func TestHeldCommandsKeepTheirHours(t *testing.T) {
	f := setUp(t)
	f.turnTo(t, "2026-11-23 17:59")
	g := f.granted(t, agent("bot"))
	h := f.held(t, g, policy.Approval{Count: 1, Group: "dba", Hours: office})
	if _, err := f.approve(t, person("bob", "dba"), h.ID, h.Digest); err != nil {
		t.Fatal(err)
	}
	f.clock.advance(2 * time.Minute) // what was approved in time is run
	if _, err := f.Spend(t.Context(), f.spending(h)); err != nil {
		t.Fatal(err)
	}
	late := f.held(t, g, policy.Approval{Count: 1, Group: "dba", Hours: office})
	if _, err := f.approve(t, person("bob", "dba"), late.ID, late.Digest); !errors.Is(err, approvals.ErrHours) {
		t.Errorf("after hours: %v", err)
	}
	for _, hours := range []string{"9 to 5", "Mon-Fri 08:00-18:00"} {
		_, err := f.File(t.Context(), approvals.Hold{
			Principal: g.Principal, Resource: g.Resource, Edge: "edge-1", Session: "ses-9", Grant: g.ID, Revision: h.Revision,
			Command: commandDigest[:], Requirements: []policy.Approval{{Count: 1, Group: "dba", Hours: hours}},
		})
		if !errors.Is(err, approvals.ErrInvalid) {
			t.Errorf("hours %q: %v", hours, err)
		}
	}
}
