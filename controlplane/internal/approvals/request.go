package approvals

import (
	"context"
	"net/netip"
	"time"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// State is how far a request or a held command is. The zero value is nothing.
type State string

// The states. Granted is of requests only, Approved and Spent of held commands.
const (
	Pending   State = "pending"
	Granted   State = "granted"
	Approved  State = "approved"
	Spent     State = "spent"
	Refused   State = "denied"
	Withdrawn State = "withdrawn"
	Expired   State = "expired"
)

// Request is an ask that was filed.
type Request struct {
	ID           string            `json:"id"`
	Principal    policy.Principal  `json:"principal"`
	Resource     string            `json:"resource"`
	ResourceUID  string            `json:"resource_uid"`
	Actions      []string          `json:"actions,omitempty"`
	Duration     time.Duration     `json:"duration"`
	Reason       string            `json:"reason,omitempty"`
	Ticket       string            `json:"ticket,omitempty"`
	Extends      string            `json:"extends,omitempty"`
	Intent       Intent            `json:"intent,omitzero"`
	StartAt      time.Time         `json:"start_at,omitzero"` // zero is at once
	BreakGlass   bool              `json:"break_glass,omitempty"`
	Role         *RoleSeen         `json:"role,omitempty"` // of an AWS account
	ClientIP     netip.Addr        `json:"client_ip,omitzero"`
	State        State             `json:"state"`
	Requirements []policy.Approval `json:"requirements,omitempty"`
	Votes        []Vote            `json:"votes,omitempty"`
	Digest       string            `json:"digest"`
	Grant        string            `json:"grant,omitempty"`
	CreatedAt    time.Time         `json:"created_at"`
	ExpiresAt    time.Time         `json:"expires_at"` // of the wait for votes
	DecidedAt    time.Time         `json:"decided_at,omitzero"`
	PolicyIDs    []string          `json:"policy_ids,omitempty"`
	Revision     uint64            `json:"revision,omitempty"`
	Denial       string            `json:"denial,omitempty"`
}

// at is the request as it counts at now: a wait that is over is over, whether or not it was written down.
func (r Request) at(now time.Time) Request {
	if r.State == Pending && !now.Before(r.ExpiresAt) {
		r.State, r.DecidedAt = Expired, r.ExpiresAt
	}
	return r
}

// Create files a request. Policy decides it: *Denied refuses it, otherwise it is granted at once (then the grant is
// returned too) or waits for votes. Asking again for the same while it waits returns the request that waits; asking
// again for what a person denied a moment ago is *Denied at once. Every ask counts towards RequestRate.
func (a *Approvals) Create(ctx context.Context, ask Ask) (Request, *Grant, error) {
	r, err := a.newRequest(ask)
	if err != nil {
		return Request{}, nil, err
	}
	if err := a.countAsk(ctx, r.Principal.ID); err != nil {
		return Request{}, nil, err
	}
	a.freshen(ctx, r.Resource)
	var grant *Grant
	filed := r
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		filed, grant, err = a.file(tx, r)
		return err
	})
	if err != nil {
		return Request{}, nil, err
	}
	if grant != nil && grant.BreakGlass {
		if err := a.recordBreakGlass(ctx, filed, *grant); err != nil {
			return Request{}, nil, err
		}
	}
	return filed, grant, nil
}

// file decides a new request and writes down what came of it.
func (a *Approvals) file(tx *store.Tx, r Request) (Request, *Grant, error) {
	res, err := a.cfg.Resources.GetIn(tx, r.Resource)
	if err != nil {
		return r, nil, err
	}
	r.ResourceUID = res.UID
	if err := a.checkSubject(tx, r); err != nil {
		return r, nil, err
	}
	if r.Extends != "" {
		if r, err = a.extending(tx, r); err != nil {
			return r, nil, err
		}
	}
	if waiting, found, err := a.askedBefore(tx, r); err != nil || found {
		return waiting, nil, err
	}
	target, role, err := a.targetIn(tx, res)
	if err != nil {
		return r, nil, err
	}
	r.Role = role
	r.Digest = r.shown()
	r, grant, err := a.settle(tx, r, target)
	if err != nil {
		return r, nil, err
	}
	switch r.State {
	case Refused:
		return r, nil, a.denied(tx, r, target)
	case Pending:
		if err := a.enqueue(tx, r); err != nil {
			return r, nil, err
		}
	}
	if err := a.requests.In(tx).Create(newest(r.ID), r); err != nil {
		return r, nil, err
	}
	if err := a.filed.In(tx).Put(store.Key(fold(r.Principal.ID), newest(r.ID)), r.ID); err != nil {
		return r, nil, err
	}
	if r.State == Pending {
		return r, nil, a.publish(tx, Event{Kind: RequestFiled, Request: &r})
	}
	return r, grant, a.publishRequest(tx, r)
}

// checkSubject refuses what a lock stops.
func (a *Approvals) checkSubject(tx *store.Tx, r Request) error {
	return a.cfg.Locks.CheckIn(tx, locks.Subject{
		Principals: append([]string{r.Principal.ID}, r.Principal.OnBehalfOf...), Resource: r.Resource, Grant: r.Extends,
	})
}

// Request returns one request as it counts now.
func (a *Approvals) Request(ctx context.Context, id string) (Request, error) {
	if err := checkID(requestPrefix, id); err != nil {
		return Request{}, err
	}
	e, err := a.requests.Get(ctx, newest(id))
	if err != nil {
		return Request{}, notFound(err, id)
	}
	return e.Value.at(a.cfg.Now()), nil
}
