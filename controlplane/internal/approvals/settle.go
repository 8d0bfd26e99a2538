package approvals

import (
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// settle brings a pending request as far as policy as it is now, and the votes that still count, let it come.
func (a *Approvals) settle(tx *store.Tx, r Request, target policy.Resource) (Request, *Grant, error) {
	now := a.cfg.Now().UTC()
	d, revision, err := a.ask(tx, r, target)
	if err != nil {
		return r, nil, err
	}
	r.PolicyIDs, r.Revision, r.Requirements = d.PolicyIDs, revision, d.Approvals
	switch d.Effect {
	case policy.Allow:
		return a.grant(tx, r, now)
	case policy.Hold:
		if r.BreakGlass { // it never waits
			r.Requirements = nil
			return refuse(r, "policy does not let you break the glass here: it "+d.Reason, now), nil, nil
		}
		_, enough, err := a.approvers(tx, d.Approvals, r.Principal, r.Votes)
		if err != nil || !enough {
			return r, nil, err
		}
		return a.grant(tx, r, now)
	}
	return refuse(r, d.Reason, now), nil, nil
}

// ask puts the request to the policy in force.
func (a *Approvals) ask(tx *store.Tx, r Request, target policy.Resource) (policy.Decision, uint64, error) {
	set, revision, err := a.cfg.Policies.InForce(tx)
	if err != nil {
		return policy.Decision{}, 0, err
	}
	if r.Principal, err = a.present(tx, r.Principal); err != nil {
		return policy.Decision{}, 0, err
	}
	d, err := decide(set, r, target, a.cfg.Now())
	return d, revision, err
}

// present returns p without the groups that it, and each of its delegators, has lost since it asked.
func (a *Approvals) present(tx *store.Tx, p policy.Principal) (policy.Principal, error) {
	now, err := p.Narrowed(func(name string) (policy.Principal, bool, error) { return a.cfg.Directory.PrincipalIn(tx, name) })
	if err != nil {
		return p, fmt.Errorf("look up principal: %w", err)
	}
	return now, nil
}

// decide is what a set of policies says about a request. One that begins later is decided as of now and as of then,
// and the stricter verdict counts.
func decide(set *policy.Set, r Request, target policy.Resource, now time.Time) (policy.Decision, error) {
	ev, err := set.For(r.Principal, target, policy.Origin{
		ClientIP: r.ClientIP, Reason: r.Reason, Ticket: r.Ticket, BreakGlass: r.BreakGlass,
	})
	if err != nil {
		return policy.Decision{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	asked := policy.Asked{Duration: r.Duration}
	for _, action := range r.Actions {
		asked.Actions = append(asked.Actions, policy.Action(action))
	}
	facts, question := asked.Facts(), policy.Question{Action: policy.AccessRequest, Entity: target.Name.Itself()}
	d := ev.Decide(policy.Moment{Now: now}, facts, question)
	if r.StartAt.After(now) {
		d = policy.Merge(d, ev.Decide(policy.Moment{Now: r.StartAt}, facts, question))
	}
	return d, nil
}

// grant turns the request into a grant, or lengthens the one it extends.
func (a *Approvals) grant(tx *store.Tx, r Request, now time.Time) (Request, *Grant, error) {
	var g Grant
	var err error
	if r.Extends != "" {
		g, err = a.lengthen(tx, r, now)
	} else {
		g, err = a.begin(tx, r, now)
	}
	if err != nil {
		return r, nil, err
	}
	r.State, r.Grant, r.DecidedAt = Granted, g.ID, now
	return r, &g, nil
}
