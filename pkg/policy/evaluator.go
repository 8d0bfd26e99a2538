package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// Evaluator decides for one principal on one resource, from one Set. It is made once per
// session and specialises the policies per action when that action is first asked about.
// For a principal with delegators it decides everything for each of them too, so that
// acting for somebody only ever narrows what is allowed.
// It is safe for concurrent use. The zero Evaluator denies.
type Evaluator struct {
	set        *Set
	plans      *plans
	name       ResourceName
	session    [attrCount]types.Value
	delegators []delegator
}

// For makes an Evaluator. It refuses a principal or a resource that is not complete.
func (s *Set) For(p Principal, r Resource, o Origin) (*Evaluator, error) {
	e, err := s.forOne(p, r, o)
	if err != nil {
		return nil, err
	}
	e.delegators, err = s.forDelegators(p, r, o)
	return e, err
}

// forOne makes an Evaluator for p, leaving its delegators out.
func (s *Set) forOne(p Principal, r Resource, o Origin) (*Evaluator, error) {
	principal, err := p.entity()
	if err != nil {
		return nil, err
	}
	resource, err := r.entity()
	if err != nil {
		return nil, err
	}
	shared := s.sharing.get(subjectOf(p, r), func() *plans {
		return &plans{set: s, principal: principal, resource: resource, byAction: map[Action]*plan{}}
	})
	return &Evaluator{set: s, plans: shared, name: r.Name, session: sessionValues(p, o)}, nil
}

// Decide answers all questions of one command together: any denial denies, else any hold
// holds with all approvals, else it is allowed. f are the command's facts; nil is for
// SessionOpen only. Without a question, or where anything is missing or fails, it denies.
//
// A hold is a denial whose every determining forbid carries @approval and that would be
// an allow with the approvals given. When m.Approvals covers what is asked for now, under
// this policy, the command is allowed and Decision.Approvals says what released it.
func (e *Evaluator) Decide(m Moment, f *Facts, questions ...Question) Decision {
	if len(questions) == 0 {
		return denied("nothing was asked")
	}
	d := e.decideAll(m, f, questions)
	for i := range e.delegatorCount() {
		d.merge(e.delegators[i].decide(m, f, questions))
	}
	d.settle(m.Approvals)
	return d
}

// decideAll answers the questions for the principal itself, as if no approval had been given.
func (e *Evaluator) decideAll(m Moment, f *Facts, questions []Question) (d Decision) {
	defer func() {
		if r := recover(); r != nil { // the evaluation is not ours
			d = denied("policy evaluation failed")
		}
	}()
	d = e.decide(m, f, &questions[0])
	for i := range questions[1:] {
		d.merge(e.decide(m, f, &questions[1+i]))
	}
	return d
}

// decide answers one question, as if no approval had been given.
func (e *Evaluator) decide(m Moment, f *Facts, q *Question) Decision {
	if reason := e.unfit(m, &f, q); reason != "" {
		d := denied(reason)
		d.Findings = []Finding{{Question: *q}}
		return d
	}
	p := e.plans.of(q.Action)
	out := e.authorize(p, m, f, q, false)
	var d Decision
	switch {
	case len(out.Errors) > 0:
		d = failed(out.Errors)
	case out.allowed:
		d = e.allowed(&out)
	case len(out.Reasons) == 0:
		d = denied("no policy permits " + q.String())
	default:
		d = e.forbidden(p, m, f, q, &out)
	}
	if d.Effect != Allow {
		d.Reason += out.rests.hint()
		d.Findings = []Finding{{Question: *q, Effect: d.Effect, PolicyIDs: d.PolicyIDs}}
	}
	d.Depends = p.reads.depends() | out.rests.depends()
	return d
}

// unfit says why a question cannot be decided, "" when it can.
func (e *Evaluator) unfit(m Moment, f **Facts, q *Question) string {
	if e == nil || e.set == nil {
		return "no policy is in force"
	}
	want := q.Action.family()
	if *f == nil && want == familyOpening {
		*f = openingFacts
	}
	switch {
	case want == familyNone:
		return fmt.Sprintf("unknown action %q", q.Action)
	case *f == nil || (*f).family != want && want != familyOpening:
		return "no facts are given for " + q.String()
	case q.Entity.cedar.UID.IsZero() || q.Entity.resource != e.name:
		return "not part of the session's resource: " + q.Entity.String()
	case m.Now.IsZero():
		return "no time is given"
	}
	return ""
}

// outcome is what the policies say to one question.
type outcome struct {
	allowed          bool
	cedar.Diagnostic                  // the reasons are the permits when allowed, else the forbids
	partial          []types.PolicyID // permits for some of what is asked about: they permit nothing, but oblige
	rests            unknowns         // what, once it is known, may turn a denial
}

func (e *Evaluator) authorize(p *plan, m Moment, f *Facts, q *Question, approved bool) outcome {
	v := &view{principal: e.plans.principal, resource: e.plans.resource, action: actionEntity(q.Action), asked: &q.Entity}
	if p.role {
		v.asked = q.Entity.actedOnAs(e.plans.resource)
	}
	request := cedar.Request{
		Principal: e.plans.principal.UID,
		Action:    v.action.UID,
		Resource:  q.Entity.cedar.UID,
		Context:   record(p.reads, &e.session, f, m, q.Equality, approved),
	}
	known := selection{plan: p, ent: &q.Entity, unknown: p.open & (q.Entity.unknown | f.unknown)}
	verdict, diag := cedar.Authorize(known, v, request)
	out := outcome{allowed: verdict == cedar.Allow, Diagnostic: diag}
	if known.unknown != 0 {
		e.weigh(&out, known, v, request)
	}
	return out
}

func failed(errs []cedar.DiagnosticError) Decision {
	d := Decision{}
	for _, err := range errs {
		d.Errors = append(d.Errors, EvaluationError{PolicyID: string(err.PolicyID), Message: err.Message})
		d.PolicyIDs = append(d.PolicyIDs, string(err.PolicyID))
	}
	slices.Sort(d.PolicyIDs)
	d.Reason = "policy could not be evaluated: " + strings.Join(d.PolicyIDs, ", ")
	return d
}

func (e *Evaluator) allowed(out *outcome) Decision {
	d := Decision{Effect: Allow, PolicyIDs: make([]string, 0, len(out.Reasons))}
	for _, r := range out.Reasons {
		rule := e.set.byID[string(r.PolicyID)]
		d.PolicyIDs = append(d.PolicyIDs, rule.id)
		d.obligeBy(rule)
	}
	for _, id := range out.partial {
		d.obligeBy(e.set.byID[string(id)])
	}
	d.permits = d.PolicyIDs
	return d
}

// forbidden is a hold or a denial, by the forbids that matched. What the answer under approval rests on is added to out.
func (e *Evaluator) forbidden(p *plan, m Moment, f *Facts, q *Question, out *outcome) Decision {
	d := Decision{}
	held := true
	for _, r := range out.Reasons {
		rule := e.set.byID[string(r.PolicyID)]
		d.PolicyIDs = append(d.PolicyIDs, rule.id)
		held = held && len(rule.approvals) > 0
	}
	slices.Sort(d.PolicyIDs)
	d.Reason = e.reason(d.PolicyIDs, held)
	if !held {
		return d
	}
	then := e.authorize(p, m, f, q, true)
	out.rests |= then.rests
	if !then.allowed || len(then.Errors) > 0 {
		return e.beyondApproval(d, then.Diagnostic, q)
	}
	d.Effect = Hold
	for _, id := range d.PolicyIDs {
		rule := e.set.byID[id]
		d.Approvals = unite(d.Approvals, rule.approvals)
		d.HoldTimeout = shorter(d.HoldTimeout, rule.holdTimeout)
		d.obligeBy(rule)
	}
	permits := e.allowed(&then)
	d.permits = permits.permits
	d.oblige(permits.RowLimit, permits.Record, permits.recorded, permits.Undo)
	d.Reason = "needs approval by " + approvalsText(d.Approvals) + withReason(d.Reason)
	return d
}

// beyondApproval denies what would be denied even if it were approved.
func (e *Evaluator) beyondApproval(d Decision, diag cedar.Diagnostic, q *Question) Decision {
	switch {
	case len(diag.Errors) > 0:
		return failed(diag.Errors)
	case len(diag.Reasons) == 0:
		return denied("no policy permits " + q.String())
	}
	return d
}

// reason is the @reason of the first forbid that has one, preferring one without
// @approval: it is what stands in the way.
func (e *Evaluator) reason(ids []string, held bool) string {
	text := ""
	for _, id := range ids {
		rule := e.set.byID[id]
		if rule.reason == "" || !held && len(rule.approvals) > 0 {
			continue
		}
		text = rule.reason
		break
	}
	if held {
		return text
	}
	if text == "" {
		return "forbidden by policy " + strings.Join(ids, ", ")
	}
	return text
}

func withReason(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// reveal is Reveal for the principal itself.
func (e *Evaluator) reveal(m Moment, f *Facts, column Entity) Masking {
	d := e.decideAll(m, f, []Question{{Action: column.revealedBy(), Entity: column}})
	d.settle(m.Approvals)
	out := Masking{PolicyIDs: d.PolicyIDs, Depends: d.Depends}
	if d.Effect == Allow {
		out.Kind = MaskReveal
		return out
	}
	if d.Effect == Hold || len(d.Errors) > 0 || len(d.PolicyIDs) == 0 {
		return out
	}
	for i, id := range d.PolicyIDs {
		mask := Mask{}
		if r := e.set.byID[id]; r.mask != nil {
			mask = *r.mask
		}
		if i == 0 || mask.Stricter(out.Mask) {
			out.Mask = mask
		}
	}
	return out
}
