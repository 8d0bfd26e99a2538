package enforce

import (
	"errors"
	"fmt"
	"strings"
)

// Cause says what refused.
type Cause uint8

// The causes. The zero Cause is the least specific refusal, never a permission.
const (
	CauseUnknown    Cause = iota
	CausePolicy           // a policy forbids it, or none permits it
	CauseGrant            // outside the actions of the grant
	CauseIdentity         // no valid access token
	CauseMasked           // it would carry a masked column past the mask
	CauseUnreadable       // it is not understood
	CauseHold             // approvers said no, or not in time
	CauseWithdrawn        // the client gave up while it was held
	CauseEnded            // the session is over
	CauseRecord           // it cannot be recorded
	CauseControl          // the control plane cannot be asked
)

// Denied is a refusal. Its text is for the person or agent that asked.
type Denied struct {
	Cause     Cause
	Reason    string
	PolicyIDs []string
	Revision  uint64
	HoldID    string
	// Next is the next step, for example the request to file.
	Next string
}

// Error returns the reason with the policies that determined it.
func (d *Denied) Error() string {
	if len(d.PolicyIDs) == 0 {
		return d.Reason
	}
	return fmt.Sprintf("%s (policy %s, revision %d)", d.Reason, strings.Join(d.PolicyIDs, ", "), d.Revision)
}

// Fatal reports whether the session cannot go on after this refusal.
func (d *Denied) Fatal() bool {
	return d.Cause == CauseEnded || d.Cause == CauseRecord || d.Cause == CauseIdentity
}

// Ended says why a session is over.
type Ended struct {
	Reason string
	By     string // who ordered it, if anybody did
}

// Error returns the reason.
func (e *Ended) Error() string {
	if e.By == "" {
		return e.Reason
	}
	return e.Reason + " (by " + e.By + ")"
}

// errClosed is the cause of a session that its client ended.
var errClosed = errors.New("closed by the client")
