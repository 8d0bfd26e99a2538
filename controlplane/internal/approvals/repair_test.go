package approvals_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/pkg/policy"
)

const repairPolicy = `
@id("ask") permit (principal in Group::"agents", action == Action::"access:request", resource);
@id("named") forbid (principal, action == Action::"access:request", resource in Label::"env=prod")
when { context.actions.contains("sql:admin") || context.actions.contains("sql:drop") };
@id("short") forbid (principal, action == Action::"access:request", resource in Label::"env=prod")
when { context.duration_seconds > 5400 };
@id("told") @reason("Say why") forbid (principal, action == Action::"access:request", resource in Label::"env=staging")
when { context.reason == "" || context.ticket == "" };
@id("prod") @approval("1 of dba") forbid (principal, action == Action::"access:request", resource in Label::"env=prod")
unless { context.approved };
@id("emergency") forbid (principal, action == Action::"access:request", resource in Label::"env=vault")
unless { context.break_glass };
@id("own-words") forbid (principal, action == Action::"access:request", resource in Label::"env=vault")
when { context.actions.contains("sql:write") && context.actions.contains("sql:read") };
@id("never") forbid (principal in Group::"interns", action == Action::"access:request", resource);
`

func TestRepairs(t *testing.T) {
	f := setUp(t)
	f.push(t, repairPolicy)
	oneOfDBA := []policy.Approval{{Count: 1, Group: "dba"}}
	for name, tt := range map[string]struct {
		ask  approvals.Ask
		want *approvals.Repair
	}{
		"an action too many": {
			approvals.Ask{Resource: "prod", Actions: []string{"sql:read", "sql:admin", "sql:write"}, Duration: time.Hour},
			&approvals.Repair{Actions: []string{"sql:read", "sql:write"}, Duration: time.Hour, Requirements: oneOfDBA, Dropped: []string{"sql:admin"}},
		},
		"too long": {
			approvals.Ask{Resource: "prod", Actions: []string{"sql:read"}, Duration: 5 * time.Hour},
			&approvals.Repair{Actions: []string{"sql:read"}, Duration: 90 * time.Minute, Requirements: oneOfDBA},
		},
		"too long for everything": {
			approvals.Ask{Resource: "prod", Duration: 91 * time.Minute},
			&approvals.Repair{Duration: 90 * time.Minute, Requirements: oneOfDBA},
		},
		"too long, and an action too many": {
			approvals.Ask{Resource: "prod", Actions: []string{"sql:drop", "sql:read"}, Duration: 8 * time.Hour},
			&approvals.Repair{Actions: []string{"sql:read"}, Duration: 90 * time.Minute, Requirements: oneOfDBA, Dropped: []string{"sql:drop"}},
		},
		"nothing but what is refused": {
			approvals.Ask{Resource: "prod", Actions: []string{"sql:drop"}, Duration: time.Hour}, nil,
		},
		"no reason and no ticket": {
			approvals.Ask{Resource: "staging", Duration: time.Hour},
			&approvals.Repair{Duration: time.Hour, ReasonRequired: true, TicketRequired: true},
		},
		"no ticket": {
			approvals.Ask{Resource: "staging", Duration: time.Hour, Reason: "x"},
			&approvals.Repair{Duration: time.Hour, TicketRequired: true},
		},
		"an emergency": {
			approvals.Ask{Resource: "vault", Duration: 2 * time.Hour, Reason: "x"},
			&approvals.Repair{Duration: 30 * time.Minute, BreakGlass: true},
		},
		"an emergency, and no reason": {
			approvals.Ask{Resource: "vault", Duration: 10 * time.Minute},
			&approvals.Repair{Duration: 10 * time.Minute, BreakGlass: true, ReasonRequired: true},
		},
		"two that do not go together": {
			approvals.Ask{Resource: "vault", Actions: []string{"sql:read", "sql:write"}, Duration: 10 * time.Minute, Reason: "x"},
			&approvals.Repair{Actions: []string{"sql:read"}, Duration: 10 * time.Minute, BreakGlass: true, Dropped: []string{"sql:write"}},
		},
		"broken glass that would have to wait": {
			approvals.Ask{Resource: "prod", Duration: 20 * time.Minute, Reason: "x", BreakGlass: true},
			&approvals.Repair{Duration: 20 * time.Minute, Requirements: oneOfDBA},
		},
		"somebody who gets nothing": {
			approvals.Ask{Principal: policy.Principal{Kind: policy.KindAgent, ID: "new", Groups: []string{"agents", "interns"}}, Resource: "dev"}, nil,
		},
		"nobody": {approvals.Ask{Principal: person("x"), Resource: "dev"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := f.create(t, tt.ask)
			var denied *approvals.Denied
			if !errors.As(err, &denied) {
				t.Fatal("not refused:", err)
			}
			if diff := cmp.Diff(tt.want, denied.Repair); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARepairOfAnExtensionKeepsItsActions(t *testing.T) {
	f := setUp(t)
	_, g, err := f.create(t, approvals.Ask{Duration: time.Hour, Actions: []string{"sql:read", "sql:drop"}})
	if err != nil {
		t.Fatal(err)
	}
	f.push(t, strings.ReplaceAll(repairPolicy, "env=prod", "env=dev"))
	_, _, err = f.create(t, approvals.Ask{Duration: time.Hour, Extend: g.ID})
	var denied *approvals.Denied
	if !errors.As(err, &denied) || denied.Repair != nil {
		t.Fatal(err)
	}
}

// Whatever a repair proposes is not refused when it is asked for, and it never asks for more than was asked for.
func TestRepairsAreNeverRefused(t *testing.T) {
	f := setUp(t)
	cfg := f.config()
	cfg.RequestRate = 1000
	a := must[*approvals.Approvals](t)(approvals.New(cfg))
	actions := []string{"sql:read", "sql:write", "sql:admin", "sql:drop", "sql:select", "sql:all"}
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		text.WriteString(`@id("ask") permit (principal, action == Action::"access:request", resource);`)
		conditions := []string{
			`context.duration_seconds > %d`, `context.reason == "" && %d > 0`, `context.ticket == "" && %d > 0`, `context.actions.contains("sql:read") && %d > 0`,
			`context.actions.contains("sql:drop") && %d > 0`, `!context.break_glass && %d > 0`, `context.break_glass && %d > 0`, `context.actions.isEmpty() && %d > 0`,
			`context.actions.containsAll(["sql:write", "sql:admin"]) && %d > 0`,
		}
		for i := range rapid.IntRange(1, 3).Draw(t, "policies") {
			condition := fmt.Sprintf(rapid.SampledFrom(conditions).Draw(t, "condition"), rapid.IntRange(30, 30000).Draw(t, "n"))
			held, unless := "", ""
			if rapid.Bool().Draw(t, "held") {
				held, unless = `@approval("1 of dba")`, ` unless { context.approved }`
			}
			fmt.Fprintf(&text, "\n@id(\"p%d\") %s forbid (principal, action == Action::\"access:request\", resource) when { %s }%s;", i, held, condition, unless)
		}
		f.push(f.t, text.String())
		ask := approvals.Ask{
			Principal: agent(rapid.StringMatching(`[a-z]{8}`).Draw(t, "who")), Resource: "dev",
			Actions:    rapid.SliceOfNDistinct(rapid.SampledFrom(actions), 0, 4, rapid.ID).Draw(t, "actions"),
			Duration:   time.Duration(rapid.IntRange(60, 28800).Draw(t, "seconds")) * time.Second,
			Reason:     rapid.SampledFrom([]string{"", "x"}).Draw(t, "reason"),
			Ticket:     rapid.SampledFrom([]string{"", "T-1"}).Draw(t, "ticket"),
			BreakGlass: rapid.Bool().Draw(t, "glass"),
		}
		_, _, err := a.Create(f.t.Context(), ask)
		var denied *approvals.Denied
		if !errors.As(err, &denied) || denied.Repair == nil {
			return
		}
		found++
		r := denied.Repair
		if r.Duration > ask.Duration || len(ask.Actions) > 0 && slices.ContainsFunc(r.Actions, func(a string) bool { return !slices.Contains(ask.Actions, a) }) {
			t.Fatalf("asked for %+v, proposed %+v", ask, r)
		}
		if r.ReasonRequired && ask.Reason != "" || r.TicketRequired && ask.Ticket != "" {
			t.Fatalf("asked for %+v, proposed %+v", ask, r)
		}
		ask.Actions, ask.Duration, ask.BreakGlass = r.Actions, r.Duration, r.BreakGlass
		if r.ReasonRequired {
			ask.Reason = "because"
		}
		if r.TicketRequired {
			ask.Ticket = "T-2"
		}
		got, grant, err := a.Create(f.t.Context(), ask)
		if err != nil || (grant == nil) != (len(r.Requirements) > 0) {
			t.Fatalf("%s\nproposed %+v\ngot %+v, %v", text.String(), r, got, err)
		}
	})
	if found == 0 {
		t.Error("no repair was found at all")
	}
}
