package enforce

import (
	"fmt"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/policy"
)

// Masks says, for each of a subject's columns, how its values are shown.
type Masks struct {
	Columns []policy.Masking
	// Opaque is how a value is shown that may derive from anything.
	Opaque policy.Mask
	// Any is whether anything is masked at all.
	Any bool
	// Near is whether an error or notice may quote something masked.
	Near bool
}

// rules is what one policy revision means for one session.
type rules struct {
	set      *policy.Set
	revision uint64
	eval     *policy.Evaluator
	known    map[subjectKey]*verdict
}

type subjectKey struct {
	subject *Subject
	inTx    bool
}

// verdict is a remembered decision.
type verdict struct {
	policy.Decision
	masks    Masks
	denied   *Denied
	revision uint64
}

// maxKnown bounds the decisions that a session remembers.
const maxKnown = 4096

// current returns the session's rules under the enforced revision; s.mu is held.
func (s *Session) current() (*rules, error) {
	set, revision, ok := s.p.cfg.Policies.Current()
	if !ok || set == nil {
		return nil, &Denied{Cause: CausePolicy, Reason: "this edge has no policy, so everything is denied"}
	}
	if s.rules != nil && s.rules.set == set && s.rules.revision == revision {
		return s.rules, nil
	}
	if err := s.recordChange(); err != nil {
		return nil, err
	}
	resource := s.who.Resource
	resource.Role = s.role
	eval, err := set.For(s.acting, resource, policy.Origin{
		Application: s.ask.Application, ClientIP: s.ask.ClientAddr.Addr(), Reason: s.who.RequestReason, Ticket: s.who.Ticket,
		BreakGlass: s.who.BreakGlass,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare policy: %w", err)
	}
	s.rules = &rules{set: set, revision: revision, eval: eval, known: make(map[subjectKey]*verdict)}
	return s.rules, nil
}

// decideOpen asks session:open.
func (s *Session) decideOpen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.current()
	if err != nil {
		return err
	}
	q := policy.Question{Action: policy.SessionOpen, Entity: s.who.Resource.Name.Itself()}
	d := r.eval.Decide(policy.Moment{Now: s.p.cfg.Clock()}, nil, q)
	if d.Effect != policy.Allow {
		return &Denied{Cause: CausePolicy, Reason: orDefault(d.Reason, "policy does not let you open a session here"), PolicyIDs: d.PolicyIDs, Revision: r.revision}
	}
	return nil
}

// decide answers for one command, from memory where nothing about it can have changed;
// s.mu is held.
func (s *Session) decide(c *Command, approved []policy.Approval) (*verdict, error) {
	r, err := s.current()
	if err != nil {
		return nil, err
	}
	key := subjectKey{c.Subject, c.InTransaction}
	if approved == nil {
		if v := r.known[key]; v != nil {
			return v, nil
		}
	}
	moment := policy.Moment{Now: s.p.cfg.Clock(), InTransaction: c.InTransaction, Approvals: approved}
	v, depends := r.verdict(s, c.Subject, moment)
	if approved == nil && !c.Subject.Once && depends&policy.DependsTime == 0 {
		if len(r.known) >= maxKnown {
			clear(r.known)
		}
		r.known[key] = v
	}
	return v, nil
}

// verdict asks everything there is to ask about a subject.
func (r *rules) verdict(s *Session, sub *Subject, m policy.Moment) (*verdict, policy.Depends) {
	v := &verdict{revision: r.revision}
	if v.denied = r.outsideGrant(s, sub); v.denied != nil {
		return v, 0
	}
	v.Decision = r.eval.Decide(m, sub.Asks[0].Facts, sub.Asks[0].Questions...)
	for _, ask := range sub.Asks[1:] {
		v.Decision = policy.Merge(v.Decision, r.eval.Decide(m, ask.Facts, ask.Questions...))
	}
	depends := v.Depends
	if v.Effect == policy.Deny {
		v.denied = r.refusal(s, v.Decision)
		return v, depends
	}
	depends |= r.mask(sub, m, &v.masks)
	for _, f := range sub.Filters {
		if v.masks.Columns[f.Column].Kind == policy.MaskReveal {
			continue
		}
		q := policy.Question{Action: policy.SQLFilter, Entity: sub.Columns[f.Column].Entity, Equality: f.Equality}
		d := r.eval.Decide(m, sub.Asks[0].Facts, q)
		depends |= d.Depends
		if d.Effect != policy.Allow {
			v.denied = &Denied{
				Cause: CauseMasked, Revision: r.revision, PolicyIDs: d.PolicyIDs,
				Reason: "column " + sub.Columns[f.Column].Name + " is masked for you, so it cannot choose rows",
				Next:   "leave it out of WHERE, JOIN, GROUP BY, ORDER BY, DISTINCT and UNION (UNION ALL may have it), or ask for a policy that permits sql:filter on it",
			}
			return v, depends
		}
	}
	v.denied = r.laundering(sub, &v.masks)
	return v, depends
}

// mask asks reveal for every column of the subject.
func (r *rules) mask(sub *Subject, m policy.Moment, out *Masks) policy.Depends {
	var depends policy.Depends
	out.Columns = make([]policy.Masking, len(sub.Columns))
	for i, col := range sub.Columns {
		out.Columns[i] = r.eval.Reveal(m, sub.Asks[0].Facts, col.Entity)
		depends |= out.Columns[i].Depends
		out.Any = out.Any || out.Columns[i].Kind != policy.MaskReveal
	}
	out.Near = out.Any
	for _, col := range sub.Near {
		if out.Near {
			break
		}
		near := r.eval.Reveal(m, sub.Asks[0].Facts, col.Entity)
		depends |= near.Depends
		out.Near = near.Kind != policy.MaskReveal
	}
	if sub.NearEverything && !out.Near {
		var more policy.Depends
		out.Near, more = r.hides(sub.Everything, sub.Asks[0].Facts, m)
		depends |= more
	}
	out.Opaque = policy.Mask{Kind: policy.MaskReveal}
	if !sub.Opaque && !sub.OpaqueFlow {
		return depends
	}
	hidden := out.Any
	if !hidden {
		var more policy.Depends
		hidden, more = r.hides(sub.Everything, sub.Asks[0].Facts, m)
		depends |= more
	}
	if hidden {
		out.Opaque, out.Any, out.Near = policy.Mask{}, true, true
	}
	return depends
}

// hides reports whether any of the columns is masked.
func (r *rules) hides(all *ColumnList, facts *policy.Facts, m policy.Moment) (hidden bool, depends policy.Depends) {
	if all == nil {
		return true, 0
	}
	for i := range all.Columns {
		shown := r.eval.Reveal(m, facts, all.Columns[i].Entity)
		depends |= shown.Depends
		if shown.Kind != policy.MaskReveal {
			return true, depends
		}
	}
	return false, depends
}

// laundering refuses a command that stores a masked value where it would not be masked.
func (r *rules) laundering(sub *Subject, masks *Masks) *Denied {
	for _, i := range sub.Flows {
		if masks.Columns[i].Kind != policy.MaskReveal {
			return &Denied{
				Cause: CauseMasked, Revision: r.revision, PolicyIDs: masks.Columns[i].PolicyIDs,
				Reason: "column " + sub.Columns[i].Name + " is masked for you, so its values cannot be stored elsewhere",
				Next:   "leave the column out, or ask for a policy that lets you reveal it",
			}
		}
	}
	if sub.OpaqueFlow && masks.Opaque.Kind != policy.MaskReveal {
		return &Denied{
			Cause: CauseMasked, Revision: r.revision,
			Reason: "the statement stores values that may derive from columns masked for you",
			Next:   "write it without the function or construct that hides where its values come from",
		}
	}
	return nil
}

// outsideGrant refuses actions that the grant does not hold.
func (r *rules) outsideGrant(s *Session, sub *Subject) *Denied {
	if len(s.who.Actions) == 0 {
		return nil
	}
	for _, ask := range sub.Asks {
		for _, q := range ask.Questions {
			if s.granted(q.Action) {
				continue
			}
			return &Denied{
				Cause: CauseGrant, Revision: r.revision,
				Reason: fmt.Sprintf("grant %s does not include %s", s.who.Grant, q.Action),
				Next:   fmt.Sprintf("writ request %s --action %s --for 30m --reason \"...\"", s.who.Resource.Name, q.Action),
			}
		}
	}
	return nil
}

// granted reports whether the grant holds the action. What only concerns the session, such
// as BEGIN, or what every client asks first, comes with every grant.
func (s *Session) granted(a policy.Action) bool {
	return a.In(policy.SQLSession) || a == policy.K8sDiscover || slices.ContainsFunc(s.who.Actions, a.In)
}

// refusal words a deny.
func (r *rules) refusal(s *Session, d policy.Decision) *Denied {
	next := "ask whoever keeps the policy, naming " + strings.Join(d.PolicyIDs, ", ")
	if len(d.PolicyIDs) == 0 {
		next = "ask whoever keeps the policy for a permit"
	}
	return &Denied{Cause: CausePolicy, Reason: orDefault(d.Reason, "no policy permits this"), PolicyIDs: d.PolicyIDs, Revision: r.revision, Next: next}
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// Hidden says how a value is shown that may derive from any of the columns: redacted as
// soon as one of them is masked for this session.
func (s *Session) Hidden(facts *policy.Facts, all *ColumnList) policy.Mask {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.current()
	if err != nil {
		return policy.Mask{}
	}
	if hidden, _ := r.hides(all, facts, policy.Moment{Now: s.p.cfg.Clock()}); hidden {
		return policy.Mask{}
	}
	return policy.Mask{Kind: policy.MaskReveal}
}
