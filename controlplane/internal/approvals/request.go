package approvals

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/resources"
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

// Ask is what a principal asks for.
type Ask struct {
	Principal policy.Principal
	Resource  string
	Actions   []string      // empty is everything that policy permits
	Duration  time.Duration // 0 is 1 h, or the most that is possible if that is less
	Reason    string
	Ticket    string
	Extend    string // a grant of the principal's own to lengthen
	Intent    Intent
	// StartAt is when the grant begins, at most MaxAhead from now; zero is at once.
	StartAt time.Time
	// BreakGlass asks without approvers, where policy permits that.
	BreakGlass bool
	ClientIP   netip.Addr
}

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

// same tells two asks of one principal apart, but not the same ask repeated.
func (r Request) same() string {
	d := newDigest("writ same request v1")
	d.principal(r.Principal)
	d.text(r.Resource)
	d.text(r.ResourceUID)
	d.list(r.Actions)
	d.number(int64(r.Duration))
	d.text(r.Reason)
	d.text(r.Ticket)
	d.text(r.Extends)
	return d.String()
}

// Create files a request. Policy decides it: *Denied refuses it, otherwise it is granted at once (then the grant is
// returned too) or waits for votes. Asking again for the same while it waits returns the request that waits.
func (a *Approvals) Create(ctx context.Context, ask Ask) (Request, *Grant, error) {
	r, err := a.newRequest(ask)
	if err != nil {
		return Request{}, nil, err
	}
	var grant *Grant
	filed := r
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		filed, grant, err = a.file(tx, r)
		return err
	})
	if err != nil {
		return Request{}, nil, err
	}
	return filed, grant, nil
}

func (a *Approvals) newRequest(ask Ask) (Request, error) {
	if ask.Duration == 0 {
		ask.Duration = min(defaultGrant, a.cfg.MaxGrant)
	}
	if err := a.checkAsk(ask); err != nil {
		return Request{}, err
	}
	id, err := a.newID(requestPrefix)
	if err != nil {
		return Request{}, err
	}
	now := a.cfg.Now().UTC()
	actions := slices.Clone(ask.Actions)
	slices.Sort(actions)
	return Request{
		ID: id, Principal: ask.Principal, Resource: ask.Resource, Actions: slices.Compact(actions),
		Duration: ask.Duration, Reason: ask.Reason, Ticket: ask.Ticket, Extends: ask.Extend, ClientIP: ask.ClientIP,
		Intent: ask.Intent.clone(), StartAt: ask.StartAt, BreakGlass: ask.BreakGlass,
		State: Pending, CreatedAt: now, ExpiresAt: now.Add(a.cfg.RequestTTL),
	}, nil
}

func (a *Approvals) checkAsk(ask Ask) error {
	switch {
	case ask.Principal.ID == "":
		return fmt.Errorf("%w: no principal", ErrInvalid)
	case ask.Resource == "":
		return fmt.Errorf("%w: resource: empty; name the resource", ErrInvalid)
	case ask.Duration < minGrant || ask.Duration > a.cfg.MaxGrant:
		return fmt.Errorf("%w: duration: %s; use %s to %s", ErrInvalid, ask.Duration, minGrant, a.cfg.MaxGrant)
	case len(ask.Reason) > maxReason || !plain(ask.Reason):
		return fmt.Errorf("%w: reason: too long or not plain text; use at most %d bytes", ErrInvalid, maxReason)
	case len(ask.Ticket) > maxTicket || !plain(ask.Ticket):
		return fmt.Errorf("%w: ticket: too long or not plain text; use at most %d bytes", ErrInvalid, maxTicket)
	case len(ask.Actions) > maxActions:
		return fmt.Errorf("%w: actions: %d; use at most %d", ErrInvalid, len(ask.Actions), maxActions)
	}
	for _, action := range ask.Actions {
		if !policy.Action(action).Known() {
			return fmt.Errorf("%w: actions: %q is not an action; use one such as %q", ErrInvalid, clip(action), policy.SQLRead)
		}
	}
	if ask.Extend != "" {
		return checkID(grantPrefix, ask.Extend)
	}
	return nil
}

// plain is text that shows as what it is: no control characters and none that change the direction of what follows.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
	})
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
	r.Digest = r.shown()
	r, grant, err := a.settle(tx, r, res)
	if err != nil {
		return r, nil, err
	}
	if r.State == Refused {
		return r, nil, &Denied{Resource: r.Resource, Reason: r.Denial, PolicyIDs: r.PolicyIDs, Revision: r.Revision}
	}
	if r.State == Pending {
		waiting, err := a.enqueue(tx, r)
		if err != nil || waiting.ID != r.ID {
			return waiting, nil, err
		}
	}
	if err := a.requests.In(tx).Create(r.ID, r); err != nil {
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

// enqueue lists a request as pending, or returns the one that already waits for the same.
func (a *Approvals) enqueue(tx *store.Tx, r Request) (Request, error) {
	folder := store.Key(fold(r.Principal.ID), "")
	rows, err := a.pending.In(tx).List(folder)
	if err != nil {
		return r, err
	}
	now, live := a.cfg.Now(), 0
	for _, row := range rows {
		id := strings.TrimPrefix(row.Key, folder)
		if !now.Before(row.Value.ExpiresAt) {
			if err := a.pending.In(tx).Delete(row.Key); err != nil {
				return r, err
			}
			continue
		}
		live++
		if row.Value.Same != r.same() {
			continue
		}
		waiting, err := a.requests.In(tx).Get(id)
		if err == nil && waiting.Value.at(now).State == Pending {
			return waiting.Value, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
	}
	if live >= a.cfg.MaxPending {
		return r, fmt.Errorf("%w: %s waiting; withdraw one, or wait for a decision", ErrTooMany, strconv.Itoa(live))
	}
	return r, a.pending.In(tx).Put(store.Key(fold(r.Principal.ID), r.ID), pendingRow{Same: r.same(), ExpiresAt: r.ExpiresAt})
}

func (a *Approvals) dequeue(tx *store.Tx, r Request) error {
	err := a.pending.In(tx).Delete(store.Key(fold(r.Principal.ID), r.ID))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// settle brings a pending request as far as policy as it is now, and the votes that still count, let it come.
func (a *Approvals) settle(tx *store.Tx, r Request, res resources.Resource) (Request, *Grant, error) {
	now := a.cfg.Now().UTC()
	d, revision, err := a.ask(tx, r, res)
	if err != nil {
		return r, nil, err
	}
	r.PolicyIDs, r.Revision, r.Requirements = d.PolicyIDs, revision, d.Approvals
	switch d.Effect {
	case policy.Allow:
		return a.grant(tx, r, now)
	case policy.Hold:
		_, enough, err := a.approvers(tx, d.Approvals, r.Principal, r.Votes)
		if err != nil || !enough {
			return r, nil, err
		}
		return a.grant(tx, r, now)
	}
	r.State, r.Denial, r.DecidedAt = Refused, d.Reason, now
	return r, nil, nil
}

// ask puts the request to the policy in force.
func (a *Approvals) ask(tx *store.Tx, r Request, res resources.Resource) (policy.Decision, uint64, error) {
	set, revision, err := a.cfg.Policies.InForce(tx)
	if err != nil {
		return policy.Decision{}, 0, err
	}
	target := policy.Resource{Name: policy.ResourceName(res.Name), Kind: res.Kind(), Labels: res.Labels}
	ev, err := set.For(r.Principal, target, policy.Origin{ClientIP: r.ClientIP, Reason: r.Reason, Ticket: r.Ticket})
	if err != nil {
		return policy.Decision{}, 0, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	asked := policy.Asked{Duration: r.Duration}
	for _, action := range r.Actions {
		asked.Actions = append(asked.Actions, policy.Action(action))
	}
	d := ev.Decide(policy.Moment{Now: a.cfg.Now()}, asked.Facts(),
		policy.Question{Action: policy.AccessRequest, Entity: target.Name.Itself()})
	return d, revision, nil
}

// grant turns the request into a grant that starts now, or lengthens the one it extends.
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

// Request returns one request as it counts now.
func (a *Approvals) Request(ctx context.Context, id string) (Request, error) {
	if err := checkID(requestPrefix, id); err != nil {
		return Request{}, err
	}
	e, err := a.requests.Get(ctx, id)
	if err != nil {
		return Request{}, notFound(err, id)
	}
	return e.Value.at(a.cfg.Now()), nil
}

// Requests lists requests, newest first; all also those that are decided.
func (a *Approvals) Requests(ctx context.Context, all bool) ([]Request, error) {
	entries, _, err := a.requests.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	now := a.cfg.Now()
	var out []Request
	for _, e := range slices.Backward(entries) {
		if r := e.Value.at(now); all || r.State == Pending {
			out = append(out, r)
		}
	}
	return out, nil
}
