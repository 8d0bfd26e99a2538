package policy

import (
	"fmt"
	"slices"
)

// delegator decides as the person for whom a principal acts.
type delegator struct {
	name string
	eval *Evaluator
}

// forDelegators makes an Evaluator for each of p's delegators. Nobody stands behind one
// under a name that OnBehalfOf does not hold.
func (s *Set) forDelegators(p Principal, r Resource, o Origin) ([]delegator, error) {
	if len(p.Delegators) > MaxDelegators {
		return nil, fmt.Errorf("%w: %d delegators; at most %d are possible", ErrDelegation, len(p.Delegators), MaxDelegators)
	}
	var all []delegator
	for _, d := range p.Delegators {
		if d.ID == p.ID && d.Kind == p.Kind || !slices.Contains(p.OnBehalfOf, d.ID) {
			return nil, fmt.Errorf("%w: %q does not act on behalf of %q", ErrDelegation, p.ID, d.ID)
		}
		e, err := s.forOne(d.alone(), r, o)
		if err != nil {
			return nil, fmt.Errorf("delegator %q: %w", d.ID, err)
		}
		all = append(all, delegator{name: d.ID, eval: e})
	}
	return all, nil
}

// Narrowed returns p with those of its groups, and of each of its delegators', that the newest
// sign-in still has. newest is of that name; one that is not known, or is of another issuer,
// takes nothing away. Nobody gains a group: what was approved was approved for less.
func (p Principal) Narrowed(newest func(name string) (now Principal, known bool, err error)) (Principal, error) {
	var err error
	if p.Groups, err = p.stillIn(newest); err != nil {
		return p, err
	}
	p.Delegators = slices.Clone(p.Delegators)
	for i, d := range p.Delegators {
		if p.Delegators[i].Groups, err = d.stillIn(newest); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p Principal) stillIn(newest func(name string) (Principal, bool, error)) ([]string, error) {
	now, known, err := newest(p.ID)
	if err != nil || !known || now.Issuer != p.Issuer {
		return p.Groups, err
	}
	return slices.DeleteFunc(slices.Clone(p.Groups), func(g string) bool { return !slices.Contains(now.Groups, g) }), nil
}

// delegatorCount is 0 for the zero Evaluator.
func (e *Evaluator) delegatorCount() int {
	if e == nil {
		return 0
	}
	return len(e.delegators)
}

// decide answers for the delegator, and says in the reason and the findings for whom.
func (d *delegator) decide(m Moment, f *Facts, questions []Question) Decision {
	out := d.eval.decideAll(m, f, questions)
	if out.Reason != "" {
		out.Reason = "for " + d.name + ": " + out.Reason
	}
	for i := range out.Findings {
		out.Findings[i].For = d.name
	}
	return out
}

// Reveal says how column is shown. Allowed, it is shown in clear. Denied, the strictest
// @mask of the forbids that determined it applies. Denied without a @mask, held, failed or
// not asked properly, it is redacted. Of a principal and its delegators the strictest counts.
func (e *Evaluator) Reveal(m Moment, f *Facts, column Entity) Masking {
	out := e.reveal(m, f, column)
	for i := range e.delegatorCount() {
		out.merge(e.delegators[i].eval.reveal(m, f, column))
	}
	return out
}

// merge keeps the stricter mask, and the policies of both where they are equally strict.
func (m *Masking) merge(o Masking) {
	depends := m.Depends | o.Depends
	switch {
	case o.Stricter(m.Mask):
		*m = o
	case !m.Stricter(o.Mask):
		m.PolicyIDs = slices.Compact(slices.Sorted(slices.Values(slices.Concat(m.PolicyIDs, o.PolicyIDs))))
	}
	m.Depends = depends
}
