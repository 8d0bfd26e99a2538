package approvals

import (
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
)

// EventKind says what happened.
type EventKind string

// What happens to requests, held commands and grants. The comment says which parts of the Event are set.
const (
	RequestFiled     EventKind = "request-filed"     // Request; it waits for people
	RequestGranted   EventKind = "request-granted"   // Request and Grant; By is who approved last, empty when policy granted at once
	RequestDenied    EventKind = "request-denied"    // Request; By is who denied, empty when policy did
	RequestWithdrawn EventKind = "request-withdrawn" // Request
	RequestExpired   EventKind = "request-expired"   // Request
	HoldFiled        EventKind = "hold-filed"        // Hold; it waits for people
	HoldApproved     EventKind = "hold-approved"     // Hold; By is who approved last
	HoldDenied       EventKind = "hold-denied"       // Hold; By is who denied
	HoldSpent        EventKind = "hold-spent"        // Hold; its command was released
	HoldWithdrawn    EventKind = "hold-withdrawn"    // Hold
	HoldExpired      EventKind = "hold-expired"      // Hold
	GrantRevoked     EventKind = "grant-revoked"     // Grant; By is who revoked it
	BreakGlassUsed   EventKind = "break-glass-used"  // Request and Grant; it comes with RequestGranted
	ReviewDue        EventKind = "review-due"        // Grant; a break-glass grant has ended and nobody has reviewed it
	GrantReviewed    EventKind = "grant-reviewed"    // Grant; By is the reviewer
)

// Event is one thing that happened. Request, Hold and Grant are as they are afterwards.
type Event struct {
	Kind    EventKind
	At      time.Time
	By      string // the person who did it; empty for policy, time and the asker
	Request *Request
	Hold    *Hold
	Grant   *Grant
}

// Events hears of what happens.
type Events interface {
	// Publish notes an event in the transaction that makes it happen, so that it is kept exactly when the event
	// happened. It may be called again for the same event when the transaction is run again; it must have no effect
	// outside tx, write at most ten keys, and not fail for anything but the store: its error undoes what happened.
	Publish(tx *store.Tx, e Event) error
}

// silence hears nothing.
type silence struct{}

func (silence) Publish(*store.Tx, Event) error { return nil }

// publish fills in the time.
func (a *Approvals) publish(tx *store.Tx, e Event) error {
	e.At = a.cfg.Now().UTC()
	return a.cfg.Events.Publish(tx, e)
}

// publishRequest tells what became of a request. While it waits there is nothing to tell of it.
func (a *Approvals) publishRequest(tx *store.Tx, r Request) error {
	switch r.State {
	case Granted:
		return a.publishGranted(tx, r)
	case Refused:
		return a.publish(tx, Event{Kind: RequestDenied, Request: &r, By: lastVoter(r.Votes, false)})
	case Withdrawn:
		return a.publish(tx, Event{Kind: RequestWithdrawn, Request: &r})
	case Expired:
		return a.publish(tx, Event{Kind: RequestExpired, Request: &r})
	}
	return nil
}

func (a *Approvals) publishGranted(tx *store.Tx, r Request) error {
	e, err := a.grants.In(tx).Get(newest(r.Grant))
	if err != nil {
		return notFound(err, r.Grant)
	}
	granted := Event{Kind: RequestGranted, Request: &r, Grant: &e.Value, By: lastVoter(r.Votes, true)}
	if err := a.publish(tx, granted); err != nil || !r.BreakGlass {
		return err
	}
	return a.publish(tx, Event{Kind: BreakGlassUsed, Request: &r, Grant: &e.Value})
}

var holdEvents = map[State]EventKind{
	Approved: HoldApproved, Refused: HoldDenied, Spent: HoldSpent, Withdrawn: HoldWithdrawn, Expired: HoldExpired,
}

// publishHold tells what became of a held command. While it waits there is nothing to tell of it.
func (a *Approvals) publishHold(tx *store.Tx, h Hold) error {
	kind, ok := holdEvents[h.State]
	if !ok {
		return nil
	}
	e := Event{Kind: kind, Hold: &h}
	switch h.State {
	case Approved:
		e.By = lastVoter(h.Votes, true)
	case Refused:
		e.By = lastVoter(h.Votes, false)
	}
	return a.publish(tx, e)
}

// lastVoter is who cast the last vote, if that was for approve.
func lastVoter(votes []Vote, approve bool) string {
	if n := len(votes); n > 0 && votes[n-1].Approve == approve {
		return votes[n-1].Voter
	}
	return ""
}
