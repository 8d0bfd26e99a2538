package approvals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// Records keeps the control plane's own records.
type Records interface {
	// RecordAdmin returns when the record is durable.
	RecordAdmin(ctx context.Context, r audit.Record) error
}

// recordBreakGlass leaves the record of a broken glass. What cannot be recorded is taken back: no record, no grant.
func (a *Approvals) recordBreakGlass(ctx context.Context, r Request, g Grant) error {
	err := a.cfg.Records.RecordAdmin(ctx, audit.Record{
		Kind: audit.KindGrant, Decision: audit.Allow, RequestID: r.ID, Grant: g.ID, Resource: g.Resource, Actions: g.Actions,
		Principal: g.Principal.ID, PrincipalKind: g.Principal.Kind, OnBehalfOf: g.Principal.OnBehalfOf,
		PolicyIDs: r.PolicyIDs, Revision: r.Revision, Reason: g.Reason,
		Attrs: []audit.Attr{
			{Name: "break_glass", Value: "true"}, {Name: "until", Value: g.ExpiresAt.UTC().Format(time.RFC3339)},
		},
	})
	if err == nil {
		return nil
	}
	_, _, revoked := a.Revoke(context.WithoutCancel(ctx), Revocation{Grant: g.ID, By: "writ", Reason: "it could not be recorded"})
	return errors.Join(fmt.Errorf("record break-glass: %w", err), revoked)
}

// Inspection is a person's verdict on a break-glass grant that is over.
type Inspection struct {
	Grant     string
	Reviewer  policy.Principal
	Justified bool
	Comment   string
}

// ReviewGrant notes a verdict on a break-glass grant, once, after it ended. Nobody reviews a grant of their own, or one
// of somebody who acted for them.
func (a *Approvals) ReviewGrant(ctx context.Context, in Inspection) (Grant, error) {
	if err := checkID(grantPrefix, in.Grant); err != nil {
		return Grant{}, err
	}
	if len(in.Comment) > maxComment || !plain(in.Comment) {
		return Grant{}, fmt.Errorf("%w: comment: too long or not plain text; use at most %d bytes", ErrInvalid, maxComment)
	}
	var g Grant
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := a.grants.In(tx).Get(newest(in.Grant))
		if err != nil {
			return notFound(err, in.Grant)
		}
		g = e.Value
		if err := g.checkReview(in.Reviewer, a.cfg.Now()); err != nil {
			return err
		}
		g.Review = &Review{Reviewer: in.Reviewer.ID, Justified: in.Justified, Comment: in.Comment, At: a.cfg.Now().UTC()}
		if err := gone(a.unreviewed.In(tx).Delete(newest(g.ID))); err != nil {
			return err
		}
		if err := a.grants.In(tx).Put(newest(g.ID), g); err != nil {
			return err
		}
		return a.publish(tx, Event{Kind: GrantReviewed, Grant: &g, By: in.Reviewer.ID})
	})
	if err != nil {
		return Grant{}, err
	}
	return g, nil
}

func (g Grant) checkReview(reviewer policy.Principal, now time.Time) error {
	switch err := mayVote(reviewer, g.Principal); {
	case errors.Is(err, ErrOwn):
		return ErrOwnReview
	case err != nil:
		return err
	case !g.BreakGlass:
		return fmt.Errorf("%w: %s is not a break-glass grant", ErrInvalid, g.ID)
	case g.Review != nil:
		return fmt.Errorf("%w: %s, by %s", ErrReviewed, g.ID, g.Review.Reviewer)
	case !g.over(now):
		return fmt.Errorf("%w: %s can be used until %s; revoke it first", ErrNotYet, g.ID, g.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return nil
}
