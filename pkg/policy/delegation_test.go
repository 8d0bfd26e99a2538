package policy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

const shared = `
@id("agents-read") permit (principal in Group::"agents", action in Action::"sql:read", resource);
@id("people-read") permit (principal in Group::"people", action in Action::"sql:read", resource);
@id("agents-write") permit (principal in Group::"agents", action in Action::"sql:write", resource);
@id("people-write") permit (principal in Group::"writers", action in Action::"sql:write", resource);
@id("agents-drop") permit (principal in Group::"agents", action == Action::"sql:drop", resource);
@id("people-truncate") permit (principal in Group::"people", action == Action::"sql:truncate", resource);
@id("dba-for-agents") @approval("1 of dba")
forbid (principal is Agent, action == Action::"sql:delete", resource) unless { context.approved };
@id("lead-for-people") @approval("2 of leads") @hold_timeout("5m")
forbid (principal is Person, action == Action::"sql:delete", resource) unless { context.approved };
@id("few-for-people") @rows("10") permit (principal is Person, action == Action::"sql:copy_out", resource);
@id("many-for-agents") @rows("100") @record("rows") permit (principal is Agent, action == Action::"sql:copy_out", resource);
@id("undelegated") permit (principal is Person, action == Action::"sql:update", resource) when { !context.delegated && context.on_behalf_of.isEmpty() };
@id("reveal") permit (principal, action == Action::"sql:reveal", resource);
@id("hash-agents") @mask("hash") forbid (principal is Agent, action == Action::"sql:reveal", resource in DataClass::"name");
@id("hide-people") @mask("null")
forbid (principal is Person, action == Action::"sql:reveal", resource in DataClass::"pii") unless { principal in Group::"pii-readers" };
`

// delegated makes an evaluator for a bot of the group agents that acts for alice, who is in the groups.
func delegated(t *testing.T, text string, groups ...string) *Evaluator {
	t.Helper()
	s, err := Compile(oneFile(text))
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.For(Principal{
		Kind: KindAgent, ID: "bot", Groups: []string{"agents"}, OnBehalfOf: []string{"alice"},
		Delegators: []Principal{{Kind: KindPerson, ID: "alice", Groups: groups, OnBehalfOf: []string{"nobody"}}},
	}, Resource{Name: shop}, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *Evaluator) ask(a Action, given ...Approval) Decision {
	return e.Decide(Moment{Now: noon, Approvals: given}, Statement{}.Facts(), Question{Action: a, Entity: orders})
}

func TestDelegationOnlyNarrows(t *testing.T) {
	tests := []struct {
		name   string
		groups []string
		action Action
		want   Effect
	}{
		{"both may", []string{"people"}, SQLSelect, Allow},
		{"only the agent may", []string{"people"}, SQLInsert, Deny},
		{"only the agent may, of a person in no group", nil, SQLSelect, Deny},
		{"only the person may", []string{"people"}, SQLTruncate, Deny},
		{"only the agent may drop", []string{"people", "writers"}, SQLDrop, Deny},
		{"the person is asked as herself", []string{"people"}, SQLUpdate, Allow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := delegated(t, shared, tt.groups...).ask(tt.action); d.Effect != tt.want {
				t.Fatalf("got %s: %s", d.Effect, d.Reason)
			}
		})
	}
	d := delegated(t, shared, "people").ask(SQLInsert)
	if !strings.HasPrefix(d.Reason, "for alice: ") || len(d.Findings) != 1 || d.Findings[0].For != "alice" {
		t.Fatalf("the refusal does not say for whom: %q, %+v", d.Reason, d.Findings)
	}
}

func TestDelegationUnitesApprovals(t *testing.T) {
	e := delegated(t, shared, "writers")
	dba, leads := Approval{Count: 1, Group: "dba"}, Approval{Count: 2, Group: "leads"}
	d := e.ask(SQLDelete)
	if d.Effect != Hold || !slices.Equal(d.Approvals, []Approval{dba, leads}) || d.HoldTimeout != 5*time.Minute {
		t.Fatalf("got %s %v %v", d.Effect, d.Approvals, d.HoldTimeout)
	}
	for _, given := range [][]Approval{nil, {dba}, {leads}} {
		if d := e.ask(SQLDelete, given...); d.Effect != Hold {
			t.Errorf("%v released it: %s", given, d.Effect)
		}
	}
	if d := e.ask(SQLDelete, dba, leads); d.Effect != Allow || len(d.Approvals) != 2 {
		t.Errorf("both did not release it: %s %s", d.Effect, d.Reason)
	}
}

func TestDelegationTakesTheStrictestObligations(t *testing.T) {
	d := delegated(t, shared, "people").ask(SQLCopyOut)
	if d.Effect != Allow || d.RowLimit != 10 || d.Record != RecordRows {
		t.Fatalf("got %s, %d rows, record %v", d.Effect, d.RowLimit, d.Record)
	}
}

func TestDelegationMasksByEither(t *testing.T) {
	name := shop.Column("public", "customers", "name", TableInfo{}, "name", "pii")
	phone := shop.Column("public", "customers", "phone", TableInfo{}, "pii")
	alias := shop.Column("public", "customers", "alias", TableInfo{}, "name")
	for _, tt := range []struct {
		column Entity
		groups []string
		want   MaskKind
		by     []string
	}{
		{name, nil, MaskNull, []string{"hide-people"}},
		{name, []string{"pii-readers"}, MaskHash, []string{"hash-agents"}},
		{phone, nil, MaskNull, []string{"hide-people"}},
		{phone, []string{"pii-readers"}, MaskReveal, []string{"reveal"}},
		{alias, nil, MaskHash, []string{"hash-agents"}},
	} {
		got := delegated(t, shared, tt.groups...).Reveal(Moment{Now: noon}, Statement{}.Facts(), tt.column)
		if got.Kind != tt.want || !slices.Equal(got.PolicyIDs, tt.by) {
			t.Errorf("%s for %v: got %s by %v, want kind %d by %v", tt.column, tt.groups, got.Mask, got.PolicyIDs, tt.want, tt.by)
		}
	}
}

func TestDelegationThatIsNoneIsRefused(t *testing.T) {
	s, err := Compile(oneFile(shared))
	if err != nil {
		t.Fatal(err)
	}
	alice := Principal{Kind: KindPerson, ID: "alice"}
	five := []Principal{alice, alice, alice, alice, alice}
	for name, p := range map[string]Principal{
		"unnamed delegator": {Kind: KindAgent, ID: "bot", Delegators: []Principal{alice}},
		"itself":            {Kind: KindPerson, ID: "alice", OnBehalfOf: []string{"alice"}, Delegators: []Principal{alice}},
		"delegator of none": {Kind: KindAgent, ID: "bot", OnBehalfOf: []string{""}, Delegators: []Principal{{Kind: KindPerson}}},
		"too many":          {Kind: KindAgent, ID: "bot", OnBehalfOf: []string{"alice"}, Delegators: five},
		"delegator's kind":  {Kind: KindAgent, ID: "bot", OnBehalfOf: []string{"alice"}, Delegators: []Principal{{Kind: "god", ID: "alice"}}},
	} {
		_, err := s.For(p, Resource{Name: shop}, Origin{})
		if !errors.Is(err, ErrDelegation) && !errors.Is(err, ErrPrincipal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
