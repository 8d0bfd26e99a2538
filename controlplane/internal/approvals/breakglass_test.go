package approvals_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

const glassPolicy = `
@id("ask") permit (principal, action == Action::"access:request", resource);
@id("prod") @approval("1 of dba")
forbid (principal, action == Action::"access:request", resource in Label::"env=prod")
unless { context.approved || (context.break_glass && principal in Group::"oncall") };
`

func oncall(name string) policy.Principal { return person(name, "oncall") }

func TestBreakGlass(t *testing.T) {
	f := setUp(t)
	f.push(t, glassPolicy)
	ask := approvals.Ask{Principal: oncall("kim"), Resource: "prod", Reason: "orders fail", Duration: 4 * time.Hour}
	r, g, err := f.create(t, ask)
	if err != nil || g != nil || r.State != approvals.Pending {
		t.Fatalf("without breaking it: %+v, %v", r, err)
	}
	ask.BreakGlass = true
	r, g, err = f.create(t, ask)
	if err != nil || g == nil || r.State != approvals.Granted || !r.BreakGlass || !g.BreakGlass {
		t.Fatalf("%+v, %+v, %v", r, g, err)
	}
	if left := g.ExpiresAt.Sub(f.clock.now()); left != 30*time.Minute {
		t.Errorf("it lasts %s", left)
	}
	i := slices.IndexFunc(f.records.kept, func(rec audit.Record) bool { return rec.Grant == g.ID })
	if len(f.records.kept) != 1 || i < 0 {
		t.Fatalf("records: %+v", f.records.kept)
	}
	rec := f.records.kept[i]
	if rec.Kind != audit.KindGrant || rec.Principal != "kim" || rec.Resource != "prod" || rec.Reason != "orders fail" ||
		rec.RequestID != r.ID || !slices.Contains(rec.Attrs, audit.Attr{Name: "break_glass", Value: "true"}) {
		t.Errorf("record: %+v", rec)
	}
	if _, _, err := f.create(t, approvals.Ask{Principal: oncall("kim"), Resource: "prod", Reason: "more", Extend: g.ID}); !errors.Is(err, approvals.ErrInvalid) {
		t.Errorf("it was extended: %v", err)
	}
}

func TestBrokenGlassNeverWaits(t *testing.T) {
	f := setUp(t)
	f.push(t, glassPolicy)
	var denied *approvals.Denied
	_, g, err := f.create(t, approvals.Ask{Resource: "prod", Reason: "let me in", BreakGlass: true})
	if !errors.As(err, &denied) || g != nil || !slices.Equal(denied.PolicyIDs, []string{"prod"}) {
		t.Fatalf("who may not: %v", err)
	}
	found, _, err := f.ListRequests(t.Context(), approvals.Filter{})
	if err != nil || len(found) != 0 || len(f.records.kept) != 0 {
		t.Errorf("it left %+v, %+v, %v", found, f.records.kept, err)
	}
}

func TestBrokenGlassThatCannotBeRecordedIsNoGrant(t *testing.T) {
	f := setUp(t)
	f.push(t, glassPolicy)
	f.records.full = errors.New("disk full")
	_, g, err := f.create(t, approvals.Ask{Principal: oncall("kim"), Resource: "prod", Reason: "x", BreakGlass: true})
	if !errors.Is(err, f.records.full) || g != nil {
		t.Fatal(g, err)
	}
	grants, err := listGrants(t, f, approvals.Filter{Ended: true})
	if err != nil || len(grants) != 1 || grants[0].RevokedAt.IsZero() {
		t.Fatalf("%+v, %v", grants, err)
	}
}

func TestReviewOfBrokenGlass(t *testing.T) {
	f := setUp(t)
	f.push(t, glassPolicy)
	asker := oncall("kim")
	asker.Kind, asker.OnBehalfOf = policy.KindAgent, []string{"lee"}
	_, g, err := f.create(t, approvals.Ask{Principal: asker, Resource: "prod", Reason: "x", BreakGlass: true})
	if err != nil {
		t.Fatal(err)
	}
	ordinary := f.granted(t, agent("bot"))
	review := func(grant string, by policy.Principal) error {
		_, err := f.ReviewGrant(t.Context(), approvals.Inspection{Grant: grant, Reviewer: by, Justified: true, Comment: "fine"})
		return err
	}
	if err := review(g.ID, person("ann")); !errors.Is(err, approvals.ErrNotYet) {
		t.Errorf("while it can be used: %v", err)
	}
	f.clock.advance(time.Hour)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Sweep(t.Context()); err != nil { // it is told once
		t.Fatal(err)
	}
	f.told(t, g.ID, approvals.ReviewDue)
	for name, tt := range map[string]struct {
		grant string
		by    policy.Principal
		want  error
	}{
		"the one it was for":  {g.ID, person("lee"), approvals.ErrOwnReview},
		"by another sign-in":  {g.ID, policy.Principal{Kind: policy.KindPerson, ID: "oidc|7", Email: "LEE"}, approvals.ErrOwnReview},
		"the principal":       {g.ID, person("kim"), approvals.ErrOwnReview},
		"an agent":            {g.ID, agent("bot"), approvals.ErrNotApprover},
		"a delegate":          {g.ID, policy.Principal{Kind: policy.KindPerson, ID: "x", OnBehalfOf: []string{"ann"}}, approvals.ErrNotApprover},
		"an ordinary grant":   {ordinary.ID, person("ann"), approvals.ErrInvalid},
		"a grant of no name":  {"grant-x", person("ann"), approvals.ErrNotFound},
		"a grant that is not": {"grant-00000000000000000000000000", person("ann"), approvals.ErrNotFound},
	} {
		if err := review(tt.grant, tt.by); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if due, err := listGrants(t, f, approvals.Filter{NeedsReview: true}); err != nil || len(due) != 1 || due[0].ID != g.ID {
		t.Fatalf("to review: %+v, %v", due, err)
	}
	f.clock.advance(365 * 24 * time.Hour)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := review(g.ID, person("ann")); err != nil {
		t.Fatalf("after a year: %v", err)
	}
	f.told(t, g.ID, approvals.GrantReviewed)
	if err := review(g.ID, person("eve")); !errors.Is(err, approvals.ErrReviewed) {
		t.Errorf("twice: %v", err)
	}
	if due, err := listGrants(t, f, approvals.Filter{NeedsReview: true}); err != nil || len(due) != 0 {
		t.Errorf("to review: %+v, %v", due, err)
	}
	got, err := f.Grant(t.Context(), g.ID)
	if err != nil || got.Review == nil || got.Review.Reviewer != "ann" || !got.Review.Justified || got.Review.Comment != "fine" {
		t.Errorf("%+v, %v", got.Review, err)
	}
}

// told fails unless exactly this was published of something; what publishes twice fails by itself.
func (f *fixture) told(t *testing.T, id string, kind approvals.EventKind) approvals.Event {
	t.Helper()
	e, err := f.events.published.Get(t.Context(), store.Key(id, string(kind)))
	if err != nil {
		t.Errorf("nothing says %s of %s: %v", kind, id, err)
	}
	return e.Value
}

func TestWhatHappensIsPublished(t *testing.T) {
	f := setUp(t)
	vote := func(id, digest string, approve bool) {
		t.Helper()
		if _, err := f.Vote(t.Context(), approvals.Ballot{ID: id, Digest: digest, Approve: approve, Voter: person("bob", "dba")}); err != nil {
			t.Fatal(err)
		}
	}
	granted := f.ask(t, agent("a"), "staging")
	f.told(t, granted.ID, approvals.RequestFiled)
	vote(granted.ID, granted.Digest, true)
	if e := f.told(t, granted.ID, approvals.RequestGranted); e.By != "bob" || e.Grant == nil || e.Grant.ID != e.Request.Grant || e.At.IsZero() {
		t.Errorf("granted: %+v", e)
	}
	refused := f.ask(t, agent("b"), "staging")
	vote(refused.ID, refused.Digest, false)
	if e := f.told(t, refused.ID, approvals.RequestDenied); e.By != "bob" || e.Request.State != approvals.Refused {
		t.Errorf("denied: %+v", e)
	}
	atOnce := f.ask(t, agent("c"), "dev")
	if e := f.told(t, atOnce.ID, approvals.RequestGranted); e.By != "" || e.Grant == nil {
		t.Errorf("granted at once: %+v", e)
	}
	withdrawn := f.ask(t, agent("d"), "staging")
	if _, err := f.Withdraw(t.Context(), withdrawn.ID); err != nil {
		t.Fatal(err)
	}
	f.told(t, withdrawn.ID, approvals.RequestWithdrawn)

	g := f.granted(t, agent("e"))
	spent := f.held(t, g, oneDBA)
	f.told(t, spent.ID, approvals.HoldFiled)
	vote(spent.ID, spent.Digest, true)
	if e := f.told(t, spent.ID, approvals.HoldApproved); e.By != "bob" {
		t.Errorf("approved: %+v", e)
	}
	if _, err := f.Spend(t.Context(), f.spending(spent)); err != nil {
		t.Fatal(err)
	}
	f.told(t, spent.ID, approvals.HoldSpent)
	lost := f.held(t, g, oneDBA)
	if _, err := f.WithdrawHold(t.Context(), lost.ID); err != nil {
		t.Fatal(err)
	}
	f.told(t, lost.ID, approvals.HoldWithdrawn)
	denied := f.held(t, g, oneDBA)
	vote(denied.ID, denied.Digest, false)
	f.told(t, denied.ID, approvals.HoldDenied)
	if _, _, err := f.Revoke(t.Context(), approvals.Revocation{Grant: g.ID, By: "ann", Reason: "done"}); err != nil {
		t.Fatal(err)
	}
	if e := f.told(t, g.ID, approvals.GrantRevoked); e.By != "ann" || e.Grant.RevokedBy != "ann" {
		t.Errorf("revoked: %+v", e)
	}
	if _, _, err := f.Revoke(t.Context(), approvals.Revocation{Grant: g.ID, By: "ann"}); err != nil { // told once
		t.Error(err)
	}

	late, lateHold := f.ask(t, agent("f"), "staging"), f.held(t, f.granted(t, agent("g")), oneDBA)
	f.clock.advance(time.Hour)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.told(t, late.ID, approvals.RequestExpired)
	f.told(t, lateHold.ID, approvals.HoldExpired)

	r, _, err := f.create(t, approvals.Ask{Reason: "x", BreakGlass: true})
	if err != nil {
		t.Fatal(err)
	}
	f.told(t, r.ID, approvals.RequestGranted)
	if e := f.told(t, r.ID, approvals.BreakGlassUsed); e.Grant == nil || !e.Grant.BreakGlass {
		t.Errorf("break-glass: %+v", e)
	}
}
