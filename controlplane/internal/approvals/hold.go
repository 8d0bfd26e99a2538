package approvals

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Hold is one command that waits at an edge. The edge fills in the first part, as far as Preview; File does the rest,
// and takes the principal's groups and the intent from the grant.
type Hold struct {
	ID            string            `json:"id"`
	Principal     policy.Principal  `json:"principal"`
	Resource      string            `json:"resource"`
	Edge          string            `json:"edge"`
	Session       string            `json:"session"`
	Grant         string            `json:"grant"`
	Statement     string            `json:"statement"` // secrets redacted
	Params        []string          `json:"params,omitempty"`
	Actions       []string          `json:"actions,omitempty"`
	Tables        []string          `json:"tables,omitempty"`
	Reason        string            `json:"reason,omitempty"`         // of the policy that held it
	RequestReason string            `json:"request_reason,omitempty"` // of the access request
	Ticket        string            `json:"ticket,omitempty"`         // of the access request
	Intent        Intent            `json:"intent,omitzero"`          // of the access request
	BreakGlass    bool              `json:"break_glass,omitempty"`    // the grant is a break-glass one
	PolicyIDs     []string          `json:"policy_ids,omitempty"`
	Revision      uint64            `json:"revision"`
	Requirements  []policy.Approval `json:"requirements"`
	Command       []byte            `json:"command"`           // SHA-256 of the command itself, by the edge
	Timeout       time.Duration     `json:"timeout,omitempty"` // 0 is the default
	Preview       Preview           `json:"preview,omitzero"`
	Flags         []Flag            `json:"flags,omitempty"` // found by File

	Votes     []Vote    `json:"votes,omitempty"`
	Digest    string    `json:"digest"` // of what is shown
	State     State     `json:"state"`
	Denial    string    `json:"denial,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	DecidedAt time.Time `json:"decided_at,omitzero"`
	SpentAt   time.Time `json:"spent_at,omitzero"`
}

// at is the hold as it counts at now. An approval that is not spent in time is as good as none.
func (h Hold) at(now time.Time) Hold {
	if (h.State == Pending || h.State == Approved) && !now.Before(h.ExpiresAt) {
		h.State = Expired
		if h.DecidedAt.IsZero() {
			h.DecidedAt = h.ExpiresAt
		}
	}
	return h
}

// Approvers are the names of those who approved.
func (h Hold) Approvers() []string {
	var names []string
	for _, v := range h.Votes {
		if v.Approve {
			names = append(names, v.Voter)
		}
	}
	return names
}

// Limits of a held command. What is longer cannot be judged by a person and is refused.
const (
	maxStatement = 256 << 10
	maxParams    = 1000
	maxParamsLen = 256 << 10
)

func (h Hold) check() error {
	params := 0
	for _, p := range h.Params {
		params += len(p)
	}
	switch {
	case h.Session == "" || h.Edge == "" || h.Grant == "" || h.Resource == "" || h.Principal.ID == "":
		return fmt.Errorf("%w: a held command needs a session, edge, grant, resource and principal", ErrInvalid)
	case len(h.Command) != sha256.Size:
		return fmt.Errorf("%w: digest of %d bytes, want %d", ErrInvalid, len(h.Command), sha256.Size)
	case len(h.Requirements) == 0 || len(h.Requirements) > 20:
		return fmt.Errorf("%w: %d requirements", ErrInvalid, len(h.Requirements))
	case len(h.Statement) > maxStatement || len(h.Params) > maxParams || params > maxParamsLen:
		return fmt.Errorf("%w: the command is too long to be judged by a person", ErrInvalid)
	case h.Timeout < 0 || h.Timeout > maxHold:
		return fmt.Errorf("%w: timeout: %s; use 0 to %s", ErrInvalid, h.Timeout, maxHold)
	}
	for _, r := range h.Requirements {
		if r.Count < 1 || r.Count > 100 || r.Group == "" {
			return fmt.Errorf("%w: requirement %q", ErrInvalid, r)
		}
		if _, err := policy.ParseHours(r.Hours); err != nil {
			return fmt.Errorf("%w: hours of requirement %q: %w", ErrInvalid, r, err)
		}
	}
	return nil
}

// File puts a held command before the people that its policy asks. The grant must still be good, and the edge must
// have decided under the revision in force.
func (a *Approvals) File(ctx context.Context, h Hold) (Hold, error) {
	if err := h.check(); err != nil {
		return Hold{}, err
	}
	id, err := a.newID(holdPrefix)
	if err != nil {
		return Hold{}, err
	}
	if h.Timeout == 0 {
		h.Timeout = a.cfg.HoldTTL
	}
	h.ID, h.State, h.Votes, h.Denial = id, Pending, nil, ""
	h.Preview, h.Flags = h.Preview.bounded(), h.flags()
	h.DecidedAt, h.SpentAt = time.Time{}, time.Time{}
	h.CreatedAt = a.cfg.Now().UTC()
	h.ExpiresAt = h.CreatedAt.Add(h.Timeout)
	filed := h
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		filed, err = a.fileHold(tx, h)
		return err
	})
	if err != nil {
		return Hold{}, err
	}
	return filed, nil
}

func (a *Approvals) fileHold(tx *store.Tx, h Hold) (Hold, error) {
	g, err := a.AdmitIn(tx, h.admission())
	if err != nil {
		return h, err
	}
	if err := a.underRevision(tx, h.Revision); err != nil {
		return h, err
	}
	h.Principal, h.RequestReason, h.Ticket = g.Principal, g.Reason, g.Ticket // from the grant, whatever the edge says
	h.Intent, h.BreakGlass = g.Intent, g.BreakGlass
	h.Digest = h.shown()
	if err := a.wait(tx, h); err != nil {
		return h, err
	}
	if err := a.holds.In(tx).Create(h.ID, h); err != nil {
		return h, err
	}
	return h, a.publish(tx, Event{Kind: HoldFiled, Hold: &h})
}

func (h Hold) admission() Admission {
	return Admission{Grant: h.Grant, Principal: h.Principal.ID, Resource: h.Resource, Edge: h.Edge}
}

func (a *Approvals) underRevision(tx *store.Tx, decided uint64) error {
	_, current, err := a.cfg.Policies.InForce(tx)
	if err != nil {
		return err
	}
	if decided != current {
		return fmt.Errorf("%w: decided under revision %d, in force is %d", ErrPolicyChanged, decided, current)
	}
	return nil
}

// Hold returns one held command as it counts now.
func (a *Approvals) Hold(ctx context.Context, id string) (Hold, error) {
	if err := checkID(holdPrefix, id); err != nil {
		return Hold{}, err
	}
	e, err := a.holds.Get(ctx, id)
	if err != nil {
		return Hold{}, notFound(err, id)
	}
	return e.Value.at(a.cfg.Now()), nil
}

// Watch yields the held command now and after every change. It ends after the first state that is not pending, and
// with an error when ctx ends or the store fails.
func (a *Approvals) Watch(ctx context.Context, id string) iter.Seq2[Hold, error] {
	return func(yield func(Hold, error) bool) {
		if err := checkID(holdPrefix, id); err != nil {
			yield(Hold{}, err)
			return
		}
		var seen *Hold
		for {
			h, err := a.nextHold(ctx, id, seen)
			if !yield(h, err) || err != nil || h.State != Pending {
				return
			}
			seen = &h
		}
	}
}

// nextHold returns the hold once it differs from what was seen, or once its time is over.
func (a *Approvals) nextHold(ctx context.Context, id string, seen *Hold) (Hold, error) {
	if seen == nil {
		return a.Hold(ctx, id)
	}
	wait, cancel := context.WithTimeout(ctx, seen.ExpiresAt.Sub(a.cfg.Now()))
	defer cancel()
	e, err := a.holds.Await(wait, id, func(e store.Entry[Hold]) bool {
		return e.Value.State != seen.State || len(e.Value.Votes) != len(seen.Votes)
	})
	switch {
	case err == nil:
		return e.Value, nil
	case ctx.Err() != nil:
		return Hold{}, context.Cause(ctx)
	case wait.Err() != nil:
		h := *seen
		return h.at(h.ExpiresAt), nil
	}
	return Hold{}, notFound(err, id)
}

// changeHold applies step to a held command that is in one of the states.
func (a *Approvals) changeHold(ctx context.Context, id string, states []State, step func(*store.Tx, Hold) (Hold, error)) (Hold, error) {
	if err := checkID(holdPrefix, id); err != nil {
		return Hold{}, err
	}
	done, err := a.turns.take(ctx, id)
	if err != nil {
		return Hold{}, err
	}
	defer done()
	var out Hold
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := a.holds.In(tx).Get(id)
		if err != nil {
			return notFound(err, id)
		}
		h := e.Value.at(a.cfg.Now())
		if !slices.Contains(states, h.State) {
			return fmt.Errorf("%w: held command %s is %s", wrongState(h.State, states), h.ID, h.State)
		}
		if out, err = step(tx, h); err != nil {
			return err
		}
		if out.State != Pending {
			if err := a.unwait(tx, out); err != nil {
				return err
			}
		}
		if err := a.holds.In(tx).Put(id, out); err != nil || out.State == h.State {
			return err
		}
		return a.publishHold(tx, out)
	})
	if err != nil {
		return Hold{}, err
	}
	return out, nil
}

func wrongState(is State, wanted []State) error {
	switch {
	case is == Spent:
		return ErrSpent
	case slices.Contains(wanted, Pending):
		return ErrNotPending
	}
	return ErrNotApproved
}

// WithdrawHold takes back a held command that is not spent, because its session no longer wants it.
func (a *Approvals) WithdrawHold(ctx context.Context, id string) (Hold, error) {
	return a.changeHold(ctx, id, []State{Pending, Approved}, func(_ *store.Tx, h Hold) (Hold, error) {
		h.State = Withdrawn
		if h.DecidedAt.IsZero() {
			h.DecidedAt = a.cfg.Now().UTC()
		}
		return h, nil
	})
}

// voteHold counts a ballot on a held command.
func (a *Approvals) voteHold(ctx context.Context, b Ballot) (Hold, error) {
	return a.changeHold(ctx, b.ID, []State{Pending}, func(tx *store.Tx, h Hold) (Hold, error) {
		if !sameDigest(h.shown(), b.Digest) {
			return h, ErrDigest
		}
		if err := a.checkBallot(tx, b, h.Principal, h.Requirements, h.Votes); err != nil {
			return h, err
		}
		now := a.cfg.Now().UTC()
		h.Votes = append(slices.Clone(h.Votes), b.vote(now))
		if !b.Approve {
			h.State, h.Denial, h.DecidedAt = Refused, deniedBy(b), now
			return h, nil
		}
		if _, err := a.AdmitIn(tx, h.admission()); err != nil {
			return h, err
		}
		_, enough, err := a.approvers(tx, h.Requirements, h.Principal, h.Votes)
		if err == nil && enough {
			h.State, h.DecidedAt = Approved, now
		}
		return h, err
	})
}

// Spending is one release of a held command to its target.
type Spending struct {
	Hold     string
	Session  string
	Edge     string
	Digest   []byte // of the command that is about to run
	Revision uint64 // under which it was decided again
}

// Spend turns an approval into exactly one release and returns who approved. It refuses unless the hold is approved and
// its time is not over, session, edge and command are the ones it was filed for, the command was decided under the
// revision in force, the grant is still good, and those who approved still may.
func (a *Approvals) Spend(ctx context.Context, s Spending) ([]string, error) {
	var names []string
	_, err := a.changeHold(ctx, s.Hold, []State{Approved}, func(tx *store.Tx, h Hold) (Hold, error) {
		if h.Session != s.Session || h.Edge != s.Edge {
			return h, fmt.Errorf("%w: %q", ErrNotFound, s.Hold)
		}
		if len(s.Digest) == 0 || subtle.ConstantTimeCompare(h.Command, s.Digest) != 1 {
			return h, ErrDigest
		}
		if err := a.underRevision(tx, s.Revision); err != nil {
			return h, err
		}
		if _, err := a.AdmitIn(tx, h.admission()); err != nil {
			return h, err
		}
		by, enough, err := a.approvers(tx, h.Requirements, h.Principal, h.Votes)
		if err != nil {
			return h, err
		}
		if !enough {
			return h, fmt.Errorf("%w: an approver lost the role since", ErrNotApproved)
		}
		names = by
		h.State, h.SpentAt = Spent, a.cfg.Now().UTC()
		return h, nil
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}
