package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Effect is a verdict. The zero value is Deny.
type Effect uint8

const (
	Deny Effect = iota
	Hold        // wait for the approvals, then decide again
	Allow
)

// String is "deny", "hold" or "allow".
func (e Effect) String() string {
	switch e {
	case Allow:
		return "allow"
	case Hold:
		return "hold"
	}
	return "deny"
}

// Question asks whether the evaluator's principal may do Action to Entity. Equality is read
// for SQLFilter only: the column is compared for equality and nothing else.
type Question struct {
	Action   Action
	Entity   Entity
	Equality bool
}

// String is for people, for example "sql:delete on Table shop/public.orders".
func (q Question) String() string { return string(q.Action) + " on " + q.Entity.String() }

// Finding is the verdict on one question that is not simply allowed.
type Finding struct {
	Question  Question
	Effect    Effect   // Deny or Hold
	PolicyIDs []string // the forbids that determined it; none when no policy permits
	For       string   // the delegator it was decided for; empty for the principal itself
}

// Decision is the verdict on a command. The zero value denies.
type Decision struct {
	Effect      Effect
	PolicyIDs   []string      // the @id of the policies that determined it, sorted
	Reason      string        // for people; empty when allowed
	Findings    []Finding     // what was denied or held, in the order of the questions
	Approvals   []Approval    // what a Hold waits for, by group, and what released an Allow
	HoldTimeout time.Duration // the shortest @hold_timeout; 0 is the caller's default
	RowLimit    int64         // the most rows to return; 0 is no limit
	Record      RecordLevel
	Undo        Undo
	Errors      []EvaluationError // policies that failed; any makes it a Deny
	Depends     Depends           // what it rests on that may differ at the next execution

	recorded bool     // Record was set by a policy
	permits  []string // the permits behind a hold, or behind an allow
}

// EvaluationError says that a policy failed while it was evaluated.
type EvaluationError struct {
	PolicyID string
	Message  string
}

// Error names the policy and what failed.
func (e EvaluationError) Error() string { return "policy " + e.PolicyID + ": " + e.Message }

func denied(reason string) Decision { return Decision{Reason: reason} }

// Merge is the verdict on a command that was decided in parts, each with its own facts: the
// strictest effect, all findings and approvals, the strictest obligations.
func Merge(a, b Decision) Decision {
	a.PolicyIDs, a.Findings, a.Errors = slices.Clip(a.PolicyIDs), slices.Clip(a.Findings), slices.Clip(a.Errors)
	a.Approvals, a.permits = slices.Clone(a.Approvals), slices.Clip(a.permits)
	a.merge(b)
	a.finish()
	return a
}

// merge adds the verdict on one more question of the same command: the strictest effect
// wins, obligations add up. It is started with the first verdict.
func (d *Decision) merge(o Decision) {
	if o.Effect < d.Effect {
		d.PolicyIDs, d.Reason = o.PolicyIDs, o.Reason
		if o.Effect == Deny {
			d.Approvals, d.HoldTimeout = nil, 0
		}
	} else if o.Effect == d.Effect {
		d.PolicyIDs = append(d.PolicyIDs, o.PolicyIDs...)
		d.Reason = cmp.Or(d.Reason, o.Reason)
	}
	d.Effect = min(d.Effect, o.Effect)
	if d.Effect != Deny {
		d.Approvals = unite(d.Approvals, o.Approvals)
		d.HoldTimeout = shorter(d.HoldTimeout, o.HoldTimeout)
	}
	d.permits = append(d.permits, o.permits...)
	d.Findings = append(d.Findings, o.Findings...)
	d.Errors = append(d.Errors, o.Errors...)
	d.Depends |= o.Depends
	d.oblige(o.RowLimit, o.Record, o.recorded, o.Undo)
}

// oblige adds obligations, the strictest of each kind.
func (d *Decision) oblige(rows int64, record RecordLevel, recorded bool, undo Undo) {
	if rows > 0 && (d.RowLimit == 0 || rows < d.RowLimit) {
		d.RowLimit = rows
	}
	if recorded && (!d.recorded || record.strictness() > d.Record.strictness()) {
		d.Record, d.recorded = record, true
	}
	d.Undo = max(d.Undo, undo)
}

func (d *Decision) obligeBy(r *rule) {
	var level RecordLevel
	if r.record != nil {
		level = *r.record
	}
	d.oblige(r.rows, level, r.record != nil, r.undo)
}

// release turns a hold into an allow, determined by the holds and by what permits the rest.
func (d *Decision) release() {
	d.Effect, d.Reason, d.Findings, d.HoldTimeout = Allow, "", nil, 0
	d.PolicyIDs = append(d.PolicyIDs, d.permits...)
}

// settle ends the merging: a hold whose approvals were all given is released.
func (d *Decision) settle(given []Approval) {
	if d.Effect == Hold && covers(given, d.Approvals) {
		d.release()
	}
	d.finish()
}

// finish puts the lists in order.
func (d *Decision) finish() {
	slices.Sort(d.PolicyIDs)
	d.PolicyIDs = slices.Compact(d.PolicyIDs)
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// unite merges approvals: of one group the larger count is enough, in the hours of both.
func unite(a, b []Approval) []Approval {
	for _, n := range b {
		i := slices.IndexFunc(a, func(o Approval) bool { return o.Group == n.Group })
		if i < 0 {
			a = append(slices.Clip(a), n)
		} else if a[i].Count < n.Count || a[i].Hours != n.Hours {
			a = slices.Clone(a)
			a[i].Count, a[i].Hours = max(a[i].Count, n.Count), bothHours(a[i].Hours, n.Hours)
		}
	}
	slices.SortFunc(a, func(x, y Approval) int { return strings.Compare(x.Group, y.Group) })
	return a
}

// covers reports whether given answers every approval in wanted.
func covers(given, wanted []Approval) bool {
	return !slices.ContainsFunc(wanted, func(w Approval) bool {
		return !slices.ContainsFunc(given, func(g Approval) bool {
			return g.Group == w.Group && g.Count >= w.Count && keepsHours(g.Hours, w.Hours)
		})
	})
}

func approvalsText(as []Approval) string {
	parts := make([]string, len(as))
	for i, a := range as {
		parts[i] = a.String()
	}
	return strings.Join(parts, ", ")
}
