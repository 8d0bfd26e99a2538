package approvals

import (
	"context"
	"errors"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/roles"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Roles knows what the roles of AWS accounts allow.
type Roles interface {
	// Freshen reads the role of an account again, unless that was done a moment ago. What fails makes it less known.
	Freshen(ctx context.Context, res resources.Resource) error
	// FactsIn returns what is known of the role; the zero value for resources of other kinds.
	FactsIn(tx *store.Tx, res resources.Resource) (roles.Facts, error)
}

// strangers are roles of which nobody knows anything.
type strangers struct{}

func (strangers) Freshen(context.Context, resources.Resource) error { return nil }

func (strangers) FactsIn(_ *store.Tx, res resources.Resource) (roles.Facts, error) {
	if res.AWS == nil {
		return roles.Facts{}, nil
	}
	return roles.Facts{RoleARN: res.AWS.RoleARN, Problem: roles.NotRead}, nil
}

// RoleSeen is what was known of the role of an account, as people are shown it.
type RoleSeen struct {
	ARN string `json:"arn"`
	// Analysis is its digest; empty is that nothing was known, for the reason in Problem. It is kept for as long as the request is.
	Analysis string        `json:"analysis,omitempty"`
	Problem  roles.Problem `json:"problem,omitempty"`
	// Actions is how many privileged actions the role's policies allow.
	Actions int `json:"actions,omitempty"`
}

// Privileged reports whether the role may do anything privileged, or nobody knows.
func (s RoleSeen) Privileged() bool { return s.Analysis == "" || s.Actions > 0 }

// seen is what people are shown of a role; nil where there is none.
func seen(f roles.Facts) *RoleSeen {
	switch {
	case f.RoleARN == "":
		return nil
	case f.Analysis == nil:
		return &RoleSeen{ARN: f.RoleARN, Problem: f.Problem}
	}
	return &RoleSeen{ARN: f.RoleARN, Analysis: f.Analysis.Digest, Actions: len(f.Analysis.Actions)}
}

func (d digest) role(s *RoleSeen) {
	d.flag(s != nil)
	if s != nil {
		d.text(s.ARN)
		d.text(s.Analysis)
		d.text(string(s.Problem))
		d.number(int64(s.Actions))
	}
}

// sameRole reports whether people are shown the same.
func sameRole(a, b *RoleSeen) bool { return a == b || a != nil && b != nil && *a == *b }

// targetIn is a resource as policies see it, and what people are shown of its role.
func (a *Approvals) targetIn(tx *store.Tx, res resources.Resource) (policy.Resource, *RoleSeen, error) {
	target := policy.Resource{Name: policy.ResourceName(res.Name), Kind: res.Kind(), Labels: res.Labels}
	if res.AWS == nil {
		return target, nil, nil
	}
	facts, err := a.cfg.Roles.FactsIn(tx, res)
	target.Role = facts.Policy()
	return target, seen(facts), err
}

// freshen has the role of an account read again before somebody decides. What it could not do shows in what is known.
func (a *Approvals) freshen(ctx context.Context, resource string) {
	res, err := a.cfg.Resources.Get(ctx, resource)
	if err == nil {
		err = a.cfg.Roles.Freshen(ctx, res)
	}
	if err != nil && !errors.Is(err, resources.ErrNotFound) && ctx.Err() == nil {
		a.cfg.Logger.Warn("read role", "resource", resource, "error", err)
	}
}

// bringUp shows of the role what is known of it by now, in a request that waits. Votes for what was shown before are void, and policy
// decides it anew.
func (a *Approvals) bringUp(ctx context.Context, id string) error {
	changed, err := a.outdated(ctx, id)
	if err != nil || !changed {
		return err
	}
	_, err = a.change(ctx, id, func(tx *store.Tx, r Request) (Request, error) {
		res, err := a.cfg.Resources.GetIn(tx, r.Resource)
		if errors.Is(err, resources.ErrNotFound) || err == nil && res.UID != r.ResourceUID {
			return refuse(r, goneResource, a.cfg.Now()), nil
		}
		if err != nil {
			return r, err
		}
		target, role, err := a.targetIn(tx, res)
		if err != nil || sameRole(r.Role, role) {
			return r, err
		}
		r.Role, r.Votes = role, nil
		r.Digest = r.shown()
		return a.settleVoted(tx, r, target)
	})
	if errors.Is(err, ErrNotPending) {
		return nil
	}
	return err
}

// outdated reports whether a request waits that shows another role than is known.
func (a *Approvals) outdated(ctx context.Context, id string) (changed bool, err error) {
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		changed = false
		e, err := a.requests.In(tx).Get(newest(id))
		if err != nil || e.Value.Role == nil || e.Value.at(a.cfg.Now()).State != Pending {
			return gone(err)
		}
		res, err := a.cfg.Resources.GetIn(tx, e.Value.Resource)
		if errors.Is(err, resources.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		_, now, err := a.targetIn(tx, res)
		changed = err == nil && res.UID == e.Value.ResourceUID && !sameRole(e.Value.Role, now)
		return err
	})
	return changed, err
}
