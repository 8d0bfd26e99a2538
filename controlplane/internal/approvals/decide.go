package approvals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Wait returns the request as soon as it is no longer pending, and as it is when ctx or the request's time ends.
func (a *Approvals) Wait(ctx context.Context, id string) (Request, error) {
	r, err := a.Request(ctx, id)
	if err != nil || r.State != Pending {
		return r, err
	}
	wait, cancel := context.WithTimeout(ctx, r.ExpiresAt.Sub(a.cfg.Now()))
	defer cancel()
	e, err := a.requests.Await(wait, newest(id), func(e store.Entry[Request]) bool { return e.Value.State != Pending })
	if err == nil {
		return e.Value, nil
	}
	if wait.Err() == nil {
		return Request{}, notFound(err, id)
	}
	return a.Request(context.WithoutCancel(ctx), id)
}

// Withdraw takes back a pending request.
func (a *Approvals) Withdraw(ctx context.Context, id string) (Request, error) {
	return a.change(ctx, id, func(tx *store.Tx, r Request) (Request, error) {
		r.State, r.DecidedAt = Withdrawn, a.cfg.Now().UTC()
		return r, nil
	})
}

// change applies step to a pending request in one transaction.
func (a *Approvals) change(ctx context.Context, id string, step func(*store.Tx, Request) (Request, error)) (Request, error) {
	if err := checkID(requestPrefix, id); err != nil {
		return Request{}, err
	}
	done, err := a.turns.take(ctx, id)
	if err != nil {
		return Request{}, err
	}
	defer done()
	var out Request
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := a.requests.In(tx).Get(newest(id))
		if err != nil {
			return notFound(err, id)
		}
		r := e.Value.at(a.cfg.Now())
		if r.State != Pending {
			return fmt.Errorf("%w: request %s is %s", ErrNotPending, r.ID, r.State)
		}
		if out, err = step(tx, r); err != nil {
			return err
		}
		if out.State != Pending {
			if err := a.dequeue(tx, out); err != nil {
				return err
			}
		}
		if err := a.requests.In(tx).Put(newest(id), out); err != nil {
			return err
		}
		return a.publishRequest(tx, out)
	})
	if err != nil {
		return Request{}, err
	}
	return out, nil
}

// voteRequest counts a ballot on a request.
func (a *Approvals) voteRequest(ctx context.Context, b Ballot) (Request, error) {
	asked, err := a.Request(ctx, b.ID)
	if err != nil {
		return Request{}, err
	}
	if asked.Role != nil {
		a.freshen(ctx, asked.Resource)
		if err := a.bringUp(ctx, b.ID); err != nil {
			return Request{}, err
		}
	}
	return a.change(ctx, b.ID, func(tx *store.Tx, r Request) (Request, error) {
		if !sameDigest(r.shown(), b.Digest) {
			return r, ErrDigest
		}
		res, err := a.cfg.Resources.GetIn(tx, r.Resource)
		if errors.Is(err, resources.ErrNotFound) || err == nil && res.UID != r.ResourceUID {
			return refuse(r, goneResource, a.cfg.Now()), nil
		}
		if err != nil {
			return r, err
		}
		target, role, err := a.targetIn(tx, res)
		if err != nil {
			return r, err
		}
		if !sameRole(r.Role, role) { // it changed just now
			return r, ErrDigest
		}
		d, revision, err := a.ask(tx, r, target)
		if err != nil {
			return r, err
		}
		if d.Effect == policy.Deny {
			r.PolicyIDs, r.Revision = d.PolicyIDs, revision
			return refuse(r, d.Reason, a.cfg.Now()), nil
		}
		if err := a.checkBallot(tx, b, r.Principal, d.Approvals, r.Votes); err != nil {
			return r, err
		}
		r.Votes = append(slices.Clone(r.Votes), b.vote(a.cfg.Now().UTC()))
		if !b.Approve {
			return refuse(r, deniedBy(b), a.cfg.Now()), nil
		}
		return a.settleVoted(tx, r, target)
	})
}

const goneResource = "the resource it asks for is gone or was replaced"

func (a *Approvals) settleVoted(tx *store.Tx, r Request, target policy.Resource) (Request, error) {
	if err := a.checkSubject(tx, r); err != nil {
		return r, err
	}
	next, _, err := a.settle(tx, r, target)
	if errors.Is(err, ErrEnded) {
		return refuse(r, "the grant it extends has ended", a.cfg.Now()), nil
	}
	return next, err
}

func refuse(r Request, why string, now time.Time) Request {
	r.State, r.Denial, r.DecidedAt = Refused, why, now.UTC()
	return r
}

func deniedBy(b Ballot) string {
	if b.Comment == "" {
		return "denied by " + b.Voter.ID
	}
	return "denied by " + b.Voter.ID + ": " + b.Comment
}
