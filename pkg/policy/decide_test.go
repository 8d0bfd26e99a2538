package policy

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	shop   = ResourceName("shop")
	orders = shop.Table("public", "orders", TableInfo{})
	noon   = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
)

// evaluator compiles text for an agent in the group dev on the production shop.
func evaluator(t testing.TB, text string) *Evaluator {
	t.Helper()
	s, err := Compile(oneFile(text))
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.For(Principal{Kind: KindAgent, ID: "bot", Groups: []string{"dev"}},
		Resource{Name: shop, Kind: "postgres", Labels: map[string]string{"env": "prod"}}, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const design = `
@id("dev-all")
permit (principal in Group::"dev", action in [Action::"sql:read", Action::"sql:write", Action::"sql:admin"], resource in Schema::"shop/public");
@id("prod-delete") @approval("2 of dba") @reason("Bulk delete in production") @hold_timeout("10m")
forbid (principal, action in [Action::"sql:delete", Action::"sql:truncate"], resource in Label::"env=prod")
when { !context.where || context.rows > 100 } unless { context.approved };
@id("truncate-security") @approval("1 of security, 1 of dba") @hold_timeout("5m")
forbid (principal, action == Action::"sql:truncate", resource) unless { context.approved };
@id("no-drop") @reason("Nobody drops")
forbid (principal, action == Action::"sql:drop", resource);
@id("drop-approval") @approval("1 of dba") @reason("Drops are agreed")
forbid (principal, action == Action::"sql:drop", resource) unless { context.approved };
@id("insert-approval") @approval("1 of dba")
forbid (principal, action == Action::"sql:insert", resource in Table::"shop/public.audit") unless { context.approved };
`

func TestVerdicts(t *testing.T) {
	e := evaluator(t, design)
	other := shop.Table("private", "x", TableInfo{})
	audit := shop.Table("public", "audit", TableInfo{})
	where := Statement{Where: true}.Facts()
	everything := Statement{}.Facts()
	tests := []struct {
		name      string
		m         Moment
		f         *Facts
		qs        []Question
		want      Effect
		ids       string
		approvals string
		reason    string
	}{
		{name: "permitted", f: where, qs: []Question{{Action: SQLSelect, Entity: orders}}, want: Allow, ids: "dev-all"},
		{name: "another schema", f: where, qs: []Question{{Action: SQLSelect, Entity: other}}, reason: "no policy permits sql:select on Table shop/private.x"},
		{name: "few rows", m: Moment{Rows: KnownRows(3)}, f: where, qs: []Question{{Action: SQLDelete, Entity: orders}}, want: Allow, ids: "dev-all"},
		{name: "many rows", m: Moment{Rows: KnownRows(101)}, f: where, qs: []Question{{Action: SQLDelete, Entity: orders}},
			want: Hold, ids: "prod-delete", approvals: "2 of dba", reason: "needs approval by 2 of dba: Bulk delete in production"},
		{name: "unknown rows", f: where, qs: []Question{{Action: SQLDelete, Entity: orders}}, want: Hold, ids: "prod-delete", approvals: "2 of dba"},
		{name: "negative rows are unknown", m: Moment{Rows: KnownRows(-1)}, f: where, qs: []Question{{Action: SQLDelete, Entity: orders}}, want: Hold, ids: "prod-delete", approvals: "2 of dba"},
		{name: "no where", m: Moment{Rows: KnownRows(3)}, f: everything, qs: []Question{{Action: SQLDelete, Entity: orders}}, want: Hold, ids: "prod-delete", approvals: "2 of dba"},
		{name: "two holds unite", f: everything, qs: []Question{{Action: SQLTruncate, Entity: orders}},
			want: Hold, ids: "prod-delete truncate-security", approvals: "2 of dba, 1 of security"},
		{name: "nobody is asked in vain", f: everything, qs: []Question{{Action: SQLDelete, Entity: other}}, reason: "no policy permits sql:delete on Table shop/private.x"},
		{name: "a plain forbid beats a hold", f: everything, qs: []Question{{Action: SQLDrop, Entity: orders}}, ids: "drop-approval no-drop", reason: "Nobody drops"},
		{name: "a denied part denies all", f: everything, qs: []Question{{Action: SQLDelete, Entity: orders}, {Action: SQLDrop, Entity: orders}, {Action: SQLSelect, Entity: orders}},
			ids: "drop-approval no-drop", reason: "Nobody drops"},
		{name: "a held part holds all", f: where, qs: []Question{{Action: SQLSelect, Entity: orders}, {Action: SQLDelete, Entity: orders}, {Action: SQLInsert, Entity: audit}},
			want: Hold, ids: "insert-approval prod-delete", approvals: "2 of dba"},
		{name: "released", m: Moment{Approvals: []Approval{{Count: 2, Group: "dba"}}}, f: where, qs: []Question{{Action: SQLDelete, Entity: orders}},
			want: Allow, ids: "dev-all prod-delete", approvals: "2 of dba"},
		{name: "too few approvers", m: Moment{Approvals: []Approval{{Count: 1, Group: "dba"}}}, f: where, qs: []Question{{Action: SQLDelete, Entity: orders}},
			want: Hold, ids: "prod-delete", approvals: "2 of dba"},
		{name: "approvers of another group", m: Moment{Approvals: []Approval{{Count: 9, Group: "friends"}}}, f: where, qs: []Question{{Action: SQLDelete, Entity: orders}},
			want: Hold, ids: "prod-delete", approvals: "2 of dba"},
		{name: "one of two groups", m: Moment{Approvals: []Approval{{Count: 2, Group: "dba"}}}, f: where, qs: []Question{{Action: SQLTruncate, Entity: orders}},
			want: Hold, ids: "prod-delete truncate-security", approvals: "2 of dba, 1 of security"},
		{name: "approvals release no denial", m: Moment{Approvals: []Approval{{Count: 9, Group: "dba"}}}, f: where, qs: []Question{{Action: SQLDrop, Entity: orders}},
			ids: "drop-approval no-drop", reason: "Nobody drops"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.m.Now = noon
			d := e.Decide(tt.m, tt.f, tt.qs...)
			if d.Effect != tt.want || strings.Join(d.PolicyIDs, " ") != tt.ids || approvalsText(d.Approvals) != tt.approvals {
				t.Errorf("got %v by %v needing %v\nwant %v by %s needing %s", d.Effect, d.PolicyIDs, d.Approvals, tt.want, tt.ids, tt.approvals)
			}
			if tt.reason != "" && d.Reason != tt.reason {
				t.Errorf("reason %q, want %q", d.Reason, tt.reason)
			}
			if (d.Reason == "") != (d.Effect == Allow) || (len(d.Findings) == 0) != (d.Effect == Allow) {
				t.Errorf("%v with reason %q and findings %v", d.Effect, d.Reason, d.Findings)
			}
		})
	}
}

func TestFindingsNameWhatStandsInTheWay(t *testing.T) {
	e := evaluator(t, design)
	qs := []Question{{Action: SQLSelect, Entity: orders}, {Action: SQLDelete, Entity: orders}, {Action: SQLDrop, Entity: orders}}
	d := e.Decide(Moment{Now: noon}, Statement{}.Facts(), qs...)
	want := []Finding{
		{Question: qs[1], Effect: Hold, PolicyIDs: []string{"prod-delete"}},
		{Question: qs[2], Effect: Deny, PolicyIDs: []string{"drop-approval", "no-drop"}},
	}
	if diff := cmp.Diff(want, d.Findings, cmp.Comparer(func(a, b Question) bool { return a.String() == b.String() })); diff != "" {
		t.Error(diff)
	}
}

// TestZeroValuesDeny: what is empty, unset, missing or foreign is a denial.
func TestZeroValuesDeny(t *testing.T) {
	e := evaluator(t, `@id("all") permit (principal, action, resource);`)
	f := Statement{}.Facts()
	ask := Question{Action: SQLSelect, Entity: orders}
	if d := e.Decide(Moment{Now: noon}, f, ask); d.Effect != Allow {
		t.Fatalf("the control case: %v", d)
	}
	empty, err := Compile(Bundle{})
	if err != nil {
		t.Fatal(err)
	}
	zero := func(s *Set) *Evaluator {
		e, err := s.For(Principal{Kind: KindAgent, ID: "bot"}, Resource{Name: shop}, Origin{})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	now := Moment{Now: noon}
	for name, d := range map[string]Decision{
		"decision":           {},
		"empty set":          zero(empty).Decide(now, f, ask),
		"zero set":           zero(&Set{}).Decide(now, f, ask),
		"nil evaluator":      (*Evaluator)(nil).Decide(now, f, ask),
		"zero evaluator":     (&Evaluator{}).Decide(now, f, ask),
		"no question":        e.Decide(now, f),
		"no facts":           e.Decide(now, nil, ask),
		"foreign facts":      e.Decide(now, Asked{}.Facts(), ask),
		"statement facts":    e.Decide(now, f, Question{Action: AccessRequest, Entity: shop.Itself()}),
		"no time":            e.Decide(Moment{}, f, ask),
		"no action":          e.Decide(now, f, Question{Entity: orders}),
		"unknown action":     e.Decide(now, f, Question{Action: "sql:frob", Entity: orders}),
		"a group":            e.Decide(now, f, Question{Action: SQLRead, Entity: orders}),
		"no entity":          e.Decide(now, f, Question{Action: SQLSelect}),
		"another resource":   e.Decide(now, f, Question{Action: SQLSelect, Entity: ResourceName("pay").Table("public", "orders", TableInfo{})}),
		"one bad of two":     e.Decide(now, f, ask, Question{}),
		"opening, no time":   e.Decide(Moment{}, nil, Question{Action: SessionOpen, Entity: shop.Itself()}),
		"merged with a zero": Merge(e.Decide(now, f, ask), Decision{}),
	} {
		if d.Effect != Deny {
			t.Errorf("%s: %v", name, d.Effect)
		}
	}
	for name, m := range map[string]Masking{
		"masking":       {},
		"nil evaluator": (*Evaluator)(nil).Reveal(now, f, shop.Column("public", "t", "c", TableInfo{})),
		"no entity":     e.Reveal(now, f, Entity{}),
		"no facts":      e.Reveal(now, nil, shop.Column("public", "t", "c", TableInfo{})),
		"empty set":     zero(empty).Reveal(now, f, shop.Column("public", "t", "c", TableInfo{})),
	} {
		if m.Kind != MaskRedact {
			t.Errorf("%s: %v", name, m.Mask)
		}
	}
}

// TestEvaluationErrorDenies: a forbid that fails would otherwise be skipped, and the permit
// beside it would let the command through.
func TestEvaluationErrorDenies(t *testing.T) {
	e := evaluator(t, `
@id("all") permit (principal, action in Action::"sql:all", resource);
@id("overflow") forbid (principal, action == Action::"sql:delete", resource) when { context.rows + 1 > 100 };`)
	ask := Question{Action: SQLDelete, Entity: orders}
	f := Statement{Where: true}.Facts()
	d := e.Decide(Moment{Now: noon}, f, ask)
	if d.Effect != Deny || len(d.Errors) != 1 || d.Errors[0].PolicyID != "overflow" || !slices.Equal(d.PolicyIDs, []string{"overflow"}) {
		t.Errorf("got %+v", d)
	}
	if d := e.Decide(Moment{Now: noon, Rows: KnownRows(5)}, f, ask); d.Effect != Allow {
		t.Errorf("without the failure: %+v", d)
	}
}

// TestFailureBeforeAKnownConditionDenies: specialising must not drop a policy whose first
// condition fails because a later one is known to be false.
func TestFailureBeforeAKnownConditionDenies(t *testing.T) {
	e := evaluator(t, `
@id("all") permit (principal, action in Action::"sql:all", resource);
@id("overflow") forbid (principal, action == Action::"sql:delete", resource)
when { context.rows + 1 > 100 } unless { principal in Group::"dev" };`)
	d := e.Decide(Moment{Now: noon}, Statement{Where: true}.Facts(), Question{Action: SQLDelete, Entity: orders})
	if d.Effect != Deny || len(d.Errors) != 1 {
		t.Errorf("got %+v", d)
	}
}

// TestFailureUnderApprovalDenies: what would fail once approved is not offered for approval.
func TestFailureUnderApprovalDenies(t *testing.T) {
	e := evaluator(t, `
@id("all") permit (principal, action in Action::"sql:all", resource);
@id("held") @approval("1 of dba") forbid (principal, action == Action::"sql:delete", resource)
when { if context.approved then context.rows + 1 > 0 else true };`)
	d := e.Decide(Moment{Now: noon}, Statement{}.Facts(), Question{Action: SQLDelete, Entity: orders})
	if d.Effect != Deny || len(d.Errors) != 1 {
		t.Errorf("got %+v", d)
	}
}

func TestObligationsAreTheStrictest(t *testing.T) {
	e := evaluator(t, `
@id("a") @rows("500") @record("digest") permit (principal, action in Action::"sql:all", resource);
@id("b") @rows("100") @record("rows") @undo("try") permit (principal, action in Action::"sql:write", resource);
@id("c") @undo("required") permit (principal, action == Action::"sql:delete", resource);
@id("h") @approval("1 of dba") @rows("7") @hold_timeout("1m") forbid (principal, action == Action::"sql:insert", resource) unless { context.approved };`)
	type want struct {
		rows    int64
		record  RecordLevel
		undo    Undo
		timeout time.Duration
	}
	f := Statement{}.Facts()
	q := func(a Action) Question { return Question{Action: a, Entity: orders} }
	for name, tt := range map[string]struct {
		qs []Question
		want
	}{
		"one permit":    {[]Question{q(SQLSelect)}, want{500, RecordDigest, UndoNone, 0}},
		"two permits":   {[]Question{q(SQLUpdate)}, want{100, RecordRows, UndoTry, 0}},
		"three permits": {[]Question{q(SQLDelete)}, want{100, RecordRows, UndoRequired, 0}},
		"two questions": {[]Question{q(SQLSelect), q(SQLDelete)}, want{100, RecordRows, UndoRequired, 0}},
		"a hold":        {[]Question{q(SQLInsert)}, want{7, RecordRows, UndoTry, time.Minute}},
	} {
		d := e.Decide(Moment{Now: noon}, f, tt.qs...)
		if got := (want{d.RowLimit, d.Record, d.Undo, d.HoldTimeout}); got != tt.want || d.Effect == Deny {
			t.Errorf("%s: got %v %+v, want %+v", name, d.Effect, got, tt.want)
		}
	}
	if d := evaluator(t, design).Decide(Moment{Now: noon}, f, q(SQLSelect)); d.Record != RecordStatement {
		t.Errorf("record level %v without @record", d.Record)
	}
}

// TestMergeIsOneDecision: deciding in parts and merging is deciding together.
func TestMergeIsOneDecision(t *testing.T) {
	e := evaluator(t, design)
	f := Statement{}.Facts()
	m := Moment{Now: noon}
	actions := []Action{SQLSelect, SQLDelete, SQLTruncate, SQLDrop}
	for _, a := range actions {
		for _, b := range actions {
			qa, qb := Question{Action: a, Entity: orders}, Question{Action: b, Entity: orders}
			got := Merge(e.Decide(m, f, qa), e.Decide(m, f, qb))
			want := e.Decide(m, f, qa, qb)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Decision{}), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b Question) bool { return a.String() == b.String() })); diff != "" {
				t.Errorf("%s and %s: %s", a, b, diff)
			}
		}
	}
}

func TestReveal(t *testing.T) {
	e := evaluator(t, `
@id("default") permit (principal, action == Action::"sql:reveal", resource in Schema::"shop/public");
@id("p4") @mask("partial:4") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"p4");
@id("p2") @mask("partial:2") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"p2");
@id("hash") @mask("hash") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"hash");
@id("redact") @mask("redact") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"redact");
@id("null") @mask("null") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"null");
@id("bare") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"bare");
@id("held") @approval("1 of dba") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"held") unless { context.approved };
@id("fails") @mask("partial:4") forbid (principal, action == Action::"sql:reveal", resource in DataClass::"fails") when { context.rows + 1 > 0 };`)
	tests := map[string]string{
		"":            "reveal",
		"other":       "reveal",
		"p4":          "partial:4",
		"p4 p2":       "partial:2",
		"p2 hash":     "hash",
		"hash redact": "redact",
		"redact null": "null",
		"p4 bare":     "redact",
		"bare null":   "null",
		"held":        "redact",
		"held p4":     "redact",
		"fails":       "redact",
		"fails p4":    "redact",
	}
	f := Statement{}.Facts()
	for classes, want := range tests {
		col := shop.Column("public", "t", "c", TableInfo{}, strings.Fields(classes)...)
		if got := e.Reveal(Moment{Now: noon}, f, col); got.String() != want {
			t.Errorf("classes %q: %v by %v, want %s", classes, got.Mask, got.PolicyIDs, want)
		}
	}
	if got := e.Reveal(Moment{Now: noon}, f, shop.Column("private", "t", "c", TableInfo{}, "p4")); got.String() != "partial:4" {
		t.Errorf("not permitted, but masked: %v", got)
	}
	if got := e.Reveal(Moment{Now: noon}, f, shop.Column("private", "t", "c", TableInfo{})); got.Kind != MaskRedact {
		t.Errorf("not permitted: %v", got)
	}
}

func TestMaskText(t *testing.T) {
	for _, text := range []string{"redact", "null", "hash", "reveal", "partial:1", "partial:16"} {
		if m, err := ParseMask(text); err != nil || m.String() != text {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
	for _, text := range []string{"", "partial", "partial:", "partial:0", "partial:-1", "partial:33", "partial:+4", "partial:04", "Redact", "none"} {
		if m, err := ParseMask(text); err == nil || m.Kind != MaskRedact {
			t.Errorf("%s: %v, %v", text, m, err)
		}
	}
}

func TestDepends(t *testing.T) {
	e := evaluator(t, `
@id("all") permit (principal in Group::"dev", action in Action::"sql:all", resource);
@id("night") forbid (principal, action == Action::"sql:update", resource) when { context.hour < 4 };
@id("tx") forbid (principal, action == Action::"sql:ddl", resource) when { context.in_transaction };
@id("rows") forbid (principal, action == Action::"sql:delete", resource) when { context.rows > 5 };
@id("else") forbid (principal in Group::"other", action == Action::"sql:insert", resource) when { context.now < datetime("2020-01-01") };
@id("whole") forbid (principal, action == Action::"sql:merge", resource) when { [context].isEmpty() };`)
	f := Statement{}.Facts()
	for a, want := range map[Action]Depends{
		SQLSelect: 0,
		SQLUpdate: DependsTime,
		SQLDDL:    DependsTransaction,
		SQLDelete: DependsRows,
		SQLInsert: 0, // the policy is of another group
		SQLMerge:  DependsTime | DependsTransaction | DependsRows,
	} {
		if d := e.Decide(Moment{Now: noon}, f, Question{Action: a, Entity: orders}); d.Depends != want {
			t.Errorf("%s: depends %b, want %b", a, d.Depends, want)
		}
	}
	if got := e.set.Depends(SQLInsert); got != DependsTime {
		t.Errorf("the set's insert policies depend on %b", got)
	}
}

func TestContextValues(t *testing.T) {
	s, err := Compile(oneFile(`
@id("all") permit (principal, action, resource) when {
  context.now == datetime("2026-01-04T23:30:00Z") && context.hour == 23 && context.weekday == 7 &&
  context.on_behalf_of.containsAll(["person/ann", "agent/x"]) && context.delegated &&
  context.application == "psql" && context.client_ip.isInRange(ip("10.0.0.0/8")) && context.reason == "fix" && context.ticket == "T-1" };
@id("request") forbid (principal, action == Action::"access:request", resource)
unless { context.duration_seconds == 1800 && context.actions.contains("sql:read") };
@id("statement") forbid (principal, action == Action::"sql:delete", resource)
unless { context.kind == "delete" && context.where && context.rows == 9223372036854775807 && !context.rows_known && context.in_transaction &&
  context.multi && context.dynamic && context.equality && context.tables.contains("public.orders") &&
  context.columns.contains("public.orders.id") && context.functions.contains("pg_catalog.now") };`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.For(Principal{Kind: KindJob, ID: "j", OnBehalfOf: []string{"agent/x", "person/ann"}}, Resource{Name: shop},
		Origin{Application: "psql", ClientIP: netip.MustParseAddr("::ffff:10.1.1.1"), Reason: "fix", Ticket: "T-1"})
	if err != nil {
		t.Fatal(err)
	}
	m := Moment{Now: time.Date(2026, 1, 5, 0, 30, 0, 0, time.FixedZone("", 3600)), InTransaction: true}
	statement := Statement{Kind: "delete", Where: true, Multi: true, Dynamic: true, Tables: []string{"public.orders"},
		Columns: []string{"public.orders.id"}, Functions: []string{"pg_catalog.now"}}
	for name, d := range map[string]Decision{
		"open":    e.Decide(m, nil, Question{Action: SessionOpen, Entity: shop.Itself()}),
		"request": e.Decide(m, Asked{Duration: 30 * time.Minute, Actions: []Action{SQLRead}}.Facts(), Question{Action: AccessRequest, Entity: shop.Itself()}),
		"delete":  e.Decide(m, statement.Facts(), Question{Action: SQLDelete, Entity: orders, Equality: true}),
	} {
		if d.Effect != Allow {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if Rows.long(Rows{}) != math.MaxInt64 {
		t.Error("unknown rows must satisfy every lower bound")
	}
}

func TestForRefuses(t *testing.T) {
	s, err := Compile(Bundle{})
	if err != nil {
		t.Fatal(err)
	}
	good, shopped := Principal{Kind: KindAgent, ID: "a"}, Resource{Name: shop}
	for name, tt := range map[string]struct {
		p    Principal
		r    Resource
		want error
	}{
		"no kind":       {Principal{ID: "a"}, shopped, ErrPrincipal},
		"unknown kind":  {Principal{Kind: "root", ID: "a"}, shopped, ErrPrincipal},
		"no id":         {Principal{Kind: KindAgent}, shopped, ErrPrincipal},
		"no name":       {good, Resource{}, ErrResource},
		"slash in name": {good, Resource{Name: "a/b"}, ErrResource},
		"bad label":     {good, Resource{Name: "a", Labels: map[string]string{"env=prod": "x"}}, ErrResource},
		"empty label":   {good, Resource{Name: "a", Labels: map[string]string{"": "x"}}, ErrResource},
	} {
		if e, err := s.For(tt.p, tt.r, Origin{}); !errors.Is(err, tt.want) || e != nil {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}
