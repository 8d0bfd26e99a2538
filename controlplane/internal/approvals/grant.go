package approvals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Grant is what a request got.
type Grant struct {
	ID           string           `json:"id"`
	Principal    policy.Principal `json:"principal"`
	Resource     string           `json:"resource"`
	ResourceUID  string           `json:"resource_uid"`
	Actions      []string         `json:"actions,omitempty"` // empty is everything that policy permits
	Reason       string           `json:"reason,omitempty"`
	Ticket       string           `json:"ticket,omitempty"`
	Intent       Intent           `json:"intent,omitzero"`
	BreakGlass   bool             `json:"break_glass,omitempty"`
	Request      string           `json:"request"`
	StartsAt     time.Time        `json:"starts_at"` // may be in the future
	ExpiresAt    time.Time        `json:"expires_at"`
	RevokedAt    time.Time        `json:"revoked_at,omitzero"`
	RevokedBy    string           `json:"revoked_by,omitempty"`
	RevokeReason string           `json:"revoke_reason,omitempty"`
	Review       *Review          `json:"review,omitempty"` // of a break-glass grant
	// DueNoted is when it was noted that its review is due.
	DueNoted time.Time `json:"due_noted,omitzero"`
}

// Review is a person's verdict on a break-glass grant.
type Review struct {
	Reviewer  string    `json:"reviewer"`
	Justified bool      `json:"justified"`
	Comment   string    `json:"comment,omitempty"`
	At        time.Time `json:"at"`
}

// Active reports whether the grant's own times let it be used at now. Admit asks for everything else as well.
func (g Grant) Active(now time.Time) bool {
	return g.ID != "" && g.RevokedAt.IsZero() && !now.Before(g.StartsAt) && now.Before(g.ExpiresAt)
}

func (g Grant) subject(edge string) locks.Subject {
	return locks.Subject{
		Principals: append([]string{g.Principal.ID}, g.Principal.OnBehalfOf...),
		Resource:   g.Resource, Edge: edge, Grant: g.ID,
	}
}

// over reports whether the grant can no longer be used at now, nor ever again.
func (g Grant) over(now time.Time) bool { return !g.RevokedAt.IsZero() || !now.Before(g.ExpiresAt) }

// usable says why the grant cannot be used at now, nil when its own times let it be.
func (g Grant) usable(now time.Time) error {
	switch {
	case g.over(now):
		return fmt.Errorf("%w: %s; file a new request", ErrEnded, g.ID)
	case !g.Active(now):
		return fmt.Errorf("%w: %s begins at %s", ErrNotYet, g.ID, g.StartsAt.UTC().Format(time.RFC3339))
	}
	return nil
}

// begin makes a new grant whose clock starts now, or when it was asked to.
func (a *Approvals) begin(tx *store.Tx, r Request, now time.Time) (Grant, error) {
	id, err := a.newID(grantPrefix)
	if err != nil {
		return Grant{}, err
	}
	start := now
	if r.StartAt.After(now) {
		start = r.StartAt
	}
	g := Grant{
		ID: id, Principal: r.Principal, Resource: r.Resource, ResourceUID: r.ResourceUID, Actions: r.Actions,
		Reason: r.Reason, Ticket: r.Ticket, Intent: r.Intent, BreakGlass: r.BreakGlass, Request: r.ID,
		StartsAt: start, ExpiresAt: start.Add(r.Duration),
	}
	if g.BreakGlass {
		if err := a.unreviewed.In(tx).Put(newest(g.ID), g.ID); err != nil {
			return Grant{}, err
		}
	}
	if err := a.owned.In(tx).Put(store.Key(fold(g.Principal.ID), newest(g.ID)), g.ID); err != nil {
		return Grant{}, err
	}
	return g, a.grants.In(tx).Create(newest(g.ID), g)
}

// extending checks that the request may lengthen the grant it names. Who asks for no actions asks for the grant's own.
func (a *Approvals) extending(tx *store.Tx, r Request) (Request, error) {
	e, err := a.grants.In(tx).Get(newest(r.Extends))
	if err != nil {
		return r, notFound(err, r.Extends)
	}
	g := e.Value
	if len(r.Actions) == 0 {
		r.Actions = g.Actions
	}
	switch {
	case g.Principal.ID != r.Principal.ID || !slices.Equal(g.Principal.OnBehalfOf, r.Principal.OnBehalfOf):
		return r, fmt.Errorf("%w: %q", ErrNotFound, r.Extends)
	case g.usable(a.cfg.Now()) != nil:
		return r, g.usable(a.cfg.Now())
	case g.BreakGlass:
		return r, fmt.Errorf("%w: extend: %s is a break-glass grant; file a new request", ErrInvalid, g.ID)
	case g.Resource != r.Resource || g.ResourceUID != r.ResourceUID:
		return r, fmt.Errorf("%w: extend: %s is for another resource", ErrInvalid, g.ID)
	case !slices.Equal(g.Actions, r.Actions):
		return r, fmt.Errorf("%w: extend: %s is for other actions; ask for the same, or file a new request", ErrInvalid, g.ID)
	case g.ExpiresAt.Add(r.Duration).Sub(a.cfg.Now()) > a.cfg.MaxGrant:
		return r, fmt.Errorf("%w: duration: more than %s would be left; ask for less or later", ErrInvalid, a.cfg.MaxGrant)
	}
	return r, nil
}

// lengthen adds the request's duration to the end of the grant, which keeps its id: sessions go on without a gap.
func (a *Approvals) lengthen(tx *store.Tx, r Request, now time.Time) (Grant, error) {
	e, err := a.grants.In(tx).Get(newest(r.Extends))
	if err != nil {
		return Grant{}, notFound(err, r.Extends)
	}
	g := e.Value
	if !g.Active(now) || g.ResourceUID != r.ResourceUID {
		return Grant{}, fmt.Errorf("%w: %s", ErrEnded, g.ID)
	}
	g.ExpiresAt = g.ExpiresAt.Add(r.Duration)
	if latest := now.Add(a.cfg.MaxGrant); g.ExpiresAt.After(latest) { // two extensions may have waited at once
		g.ExpiresAt = latest
	}
	return g, a.grants.In(tx).Put(newest(g.ID), g)
}

// Grant returns one grant, whether or not it has ended.
func (a *Approvals) Grant(ctx context.Context, id string) (Grant, error) {
	if err := checkID(grantPrefix, id); err != nil {
		return Grant{}, err
	}
	e, err := a.grants.Get(ctx, newest(id))
	if err != nil {
		return Grant{}, notFound(err, id)
	}
	return e.Value, nil
}

// Admission is what somebody wants to use a grant for.
type Admission struct {
	Grant     string
	Principal string // whose access token it is
	Resource  string
	Edge      string // empty when no edge is involved yet
}

// Admit returns the grant if it can be used now for exactly that: it is active, it is the principal's, its resource is
// still the one it was given for, and no lock stops it. The principal in it, and each of its delegators, has lost the
// groups that its newest sign-in does not have.
func (a *Approvals) Admit(ctx context.Context, adm Admission) (Grant, error) {
	if err := checkID(grantPrefix, adm.Grant); err != nil {
		return Grant{}, err
	}
	var g Grant
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		g, err = a.AdmitIn(tx, adm)
		return err
	})
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

// AdmitIn is Admit inside a transaction.
func (a *Approvals) AdmitIn(tx *store.Tx, adm Admission) (Grant, error) {
	e, err := a.grants.In(tx).Get(newest(adm.Grant))
	if err != nil {
		return Grant{}, notFound(err, adm.Grant)
	}
	g := e.Value
	if g.Principal.ID != adm.Principal || g.Resource != adm.Resource {
		return Grant{}, fmt.Errorf("%w: %q", ErrNotFound, adm.Grant)
	}
	if err := g.usable(a.cfg.Now()); err != nil {
		return Grant{}, err
	}
	res, err := a.cfg.Resources.GetIn(tx, g.Resource)
	if errors.Is(err, resources.ErrNotFound) || err == nil && res.UID != g.ResourceUID {
		return Grant{}, fmt.Errorf("%w: the resource %q is gone or was replaced", ErrEnded, g.Resource)
	}
	if err != nil {
		return Grant{}, err
	}
	if adm.Edge != "" && !slices.Contains(res.Edges, adm.Edge) {
		return Grant{}, fmt.Errorf("%w: edge %q does not serve %q", ErrNotFound, adm.Edge, g.Resource)
	}
	if err := a.cfg.Locks.CheckIn(tx, g.subject(adm.Edge)); err != nil {
		return Grant{}, err
	}
	if g.Principal, err = a.present(tx, g.Principal); err != nil {
		return Grant{}, err
	}
	return g, nil
}

// ExpiryIn returns when a grant ends. It fails with ErrEnded for one that has ended already.
func (a *Approvals) ExpiryIn(tx *store.Tx, grant string) (time.Time, error) {
	if err := checkID(grantPrefix, grant); err != nil {
		return time.Time{}, err
	}
	e, err := a.grants.In(tx).Get(newest(grant))
	if err != nil {
		return time.Time{}, notFound(err, grant)
	}
	if !e.Value.Active(a.cfg.Now()) {
		return time.Time{}, fmt.Errorf("%w: %s", ErrEnded, grant)
	}
	return e.Value.ExpiresAt, nil
}

// Revocation ends a grant.
type Revocation struct {
	Grant  string
	By     string
	Reason string
}

// Revoke ends a grant now and orders its sessions to end. The grant is over even when that order fails; the error then
// says so. Revoking what has ended changes nothing.
func (a *Approvals) Revoke(ctx context.Context, rev Revocation) (Grant, int, error) {
	if err := checkID(grantPrefix, rev.Grant); err != nil {
		return Grant{}, 0, err
	}
	if len(rev.Reason) > maxReason || !plain(rev.Reason) {
		return Grant{}, 0, fmt.Errorf("%w: reason: too long or not plain text; use at most %d bytes", ErrInvalid, maxReason)
	}
	var g Grant
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := a.grants.In(tx).Get(newest(rev.Grant))
		if err != nil {
			return notFound(err, rev.Grant)
		}
		g = e.Value
		if g.over(a.cfg.Now()) {
			return nil
		}
		g.RevokedAt, g.RevokedBy, g.RevokeReason = a.cfg.Now().UTC(), rev.By, rev.Reason
		if err := a.grants.In(tx).Put(newest(g.ID), g); err != nil {
			return err
		}
		return a.publish(tx, Event{Kind: GrantRevoked, Grant: &g, By: rev.By})
	})
	if err != nil {
		return Grant{}, 0, err
	}
	ended, err := a.cfg.Sessions.EndGrantSessions(ctx, g.ID, "grant revoked: "+rev.Reason, rev.By)
	if err != nil {
		return g, ended, fmt.Errorf("%s is revoked, but ending its sessions failed: %w", g.ID, err)
	}
	return g, ended, nil
}
