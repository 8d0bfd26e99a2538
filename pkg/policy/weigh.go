package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// weigh adds to out what the rules say that read something unknown, which Cedar was not asked about.
func (e *Evaluator) weigh(out *outcome, known selection, v *view, request cedar.Request) {
	w := &weighing{known.ent, known.unknown, eval.Env{
		Entities: v, Principal: request.Principal, Action: request.Action, Resource: request.Resource, Context: request.Context,
	}}
	var t tally
	for l := range known.plan.relevant(known.ent) {
		if l.open&w.unknown != 0 {
			t.add(e, l, w.weigh(l.whole))
		}
	}
	for i := range known.plan.objects {
		if l := &known.plan.objects[i]; l.scope&w.unknown != 0 {
			t.add(e, l, w.weigh(l.whole))
		}
	}
	out.rests = t.rests(e, out, func() bool {
		known.permits = true
		verdict, _ := cedar.Authorize(known, v, request)
		return verdict == cedar.Allow
	})
	t.settle(out)
}

// tally gathers what single rules answer.
type tally struct {
	permits, forbids []cedar.DiagnosticReason // of rules that apply
	partial          []types.PolicyID         // permits for a part
	errors           []cedar.DiagnosticError
	against, missing unknowns // what might take away forbids and failures, and what might add permits
	certain          bool     // neither approvals nor knowing more makes it an allow
}

func (t *tally) add(e *Evaluator, l *live, a answer) {
	forbid := l.policy.Effect() == cedar.Forbid
	if !forbid && a.truth != yes {
		t.missing |= a.rests
	}
	switch {
	case a.truth == fails:
		t.errors = append(t.errors, cedar.DiagnosticError{PolicyID: l.id, Message: "fails for what is not known"})
		t.against |= a.rests
		t.certain = t.certain || a.settled()
	case forbid && a.truth != no:
		t.forbids = append(t.forbids, cedar.DiagnosticReason{PolicyID: l.id})
		t.against |= a.rests
		t.certain = t.certain || a.settled() && !e.held(l.id)
	case !forbid && a.truth == yes:
		t.permits = append(t.permits, cedar.DiagnosticReason{PolicyID: l.id})
	case !forbid && a.truth == maybe:
		t.partial = append(t.partial, l.id)
	}
}

// held reports whether approvals release a rule.
func (e *Evaluator) held(id types.PolicyID) bool { return len(e.set.byID[string(id)].approvals) > 0 }

// rests says what may turn the outcome into an allow or a hold, once it is known. permitted asks Cedar for the permits.
func (t *tally) rests(e *Evaluator, out *outcome, permitted func() bool) unknowns {
	forbidden := !out.allowed && len(out.Reasons) > 0
	for _, r := range out.Reasons {
		t.certain = t.certain || forbidden && !e.held(r.PolicyID)
	}
	if t.certain || len(out.Errors) > 0 {
		return 0
	}
	if out.allowed || len(t.permits) > 0 || forbidden && permitted() {
		return t.against
	}
	if t.missing == 0 {
		return 0
	}
	return t.against | t.missing
}

// settle makes one outcome of what Cedar said and the tally.
func (t *tally) settle(out *outcome) {
	out.Errors = append(out.Errors, t.errors...)
	out.partial = t.partial
	switch forbidden := !out.allowed && len(out.Reasons) > 0; {
	case forbidden:
		out.Reasons = append(out.Reasons, t.forbids...)
	case len(t.forbids) > 0:
		out.allowed, out.Reasons = false, t.forbids
	default:
		out.Reasons = slices.Concat(out.Reasons, t.permits)
		out.allowed = len(out.Reasons) > 0
	}
}
