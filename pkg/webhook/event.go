package webhook

import "time"

// Version of the body. Members are added without a new version; a receiver ignores those it does not know.
const Version = 1

// Event is the JSON body of a webhook.
type Event struct {
	Version int `json:"version"`
	// ID is also in the header Webhook-Id and the same for every attempt and every receiver: "evt-...".
	ID string `json:"id"`
	// Type is one of Types.
	Type    string    `json:"type"`
	Time    time.Time `json:"time"`
	Subject Subject   `json:"subject"`
	Data    Data      `json:"data"`
	// URL of the console's page about the subject; empty when the control plane has no public-url.
	URL string `json:"url,omitempty"`
}

// Subject is what an event is about.
type Subject struct {
	// Kind is request, held_command, grant, session, lock, policy_revision, edge or receiver.
	Kind string `json:"kind"`
	// ID such as "req-..." or, where the kind has none, a name or a number.
	ID string `json:"id"`
}

// Data tells of the subject. What does not apply is left out. It never holds parameters, plans or results.
type Data struct {
	Principal *Principal `json:"principal,omitempty"` // who asks or acts
	Resource  string     `json:"resource,omitempty"`
	Edge      string     `json:"edge,omitempty"`
	Session   string     `json:"session,omitempty"`
	Grant     string     `json:"grant,omitempty"`
	Request   string     `json:"request,omitempty"`
	Actions   []string   `json:"actions,omitempty"`
	Tables    []string   `json:"tables,omitempty"`
	// Statement is the held command as approvers see it: secrets redacted. It is left out for receivers with
	// "statements: false".
	Statement string `json:"statement,omitempty"`
	// StatementClipped says that only the beginning is here; the console shows all of it.
	StatementClipped bool     `json:"statement_clipped,omitempty"`
	Preview          *Preview `json:"preview,omitempty"`
	// Warnings about the statement, such as characters that deceive the eye.
	Warnings []string `json:"warnings,omitempty"`

	Reason        string  `json:"reason,omitempty"`         // as given by whoever asked or acted
	RequestReason string  `json:"request_reason,omitempty"` // of the access request behind a held command
	PolicyReason  string  `json:"policy_reason,omitempty"`  // of the policy that held or denied
	Ticket        string  `json:"ticket,omitempty"`
	Intent        *Intent `json:"intent,omitempty"`
	BreakGlass    bool    `json:"break_glass,omitempty"`

	// Requirements such as "2 of dba".
	Requirements []string `json:"requirements,omitempty"`
	// Approvals counts the approvals so far.
	Approvals int      `json:"approvals,omitempty"`
	PolicyIDs []string `json:"policy_ids,omitempty"`
	Revision  uint64   `json:"revision,omitempty"`

	// By is the person who decided or did it; empty when policy or time did.
	By string `json:"by,omitempty"`
	// Target and Name say what a lock stops.
	Target string `json:"target,omitempty"`
	Name   string `json:"name,omitempty"`
	// RollbackOf is the revision that a policy revision goes back to.
	RollbackOf uint64 `json:"rollback_of,omitempty"`
	// Justified is a reviewer's verdict.
	Justified *bool `json:"justified,omitempty"`

	DurationSeconds int64      `json:"duration_seconds,omitempty"`
	StartsAt        *time.Time `json:"starts_at,omitempty"`
	ExpiresAt       *time.Time `json:"expires_at,omitempty"`
}

// Principal is who asks or acts.
type Principal struct {
	Name       string   `json:"name"`
	Kind       string   `json:"kind"` // person, agent, job or service
	OnBehalfOf []string `json:"on_behalf_of,omitempty"`
}

// Intent is what the principal says it is about to do. It is a claim.
type Intent struct {
	Task string `json:"task,omitempty"`
	Run  string `json:"run,omitempty"`
}

// Preview is the effect that a held command would have had when it was filed.
type Preview struct {
	EstimatedRows *float64 `json:"estimated_rows,omitempty"`
	ExactRows     *int64   `json:"exact_rows,omitempty"`
}

// Types of events.
const (
	RequestFiled     = "request.filed"
	RequestGranted   = "request.granted"
	RequestDenied    = "request.denied"
	RequestWithdrawn = "request.withdrawn"
	RequestExpired   = "request.expired"
	CommandHeld      = "command.held"
	CommandApproved  = "command.approved"
	CommandDenied    = "command.denied"
	CommandReleased  = "command.released"
	CommandWithdrawn = "command.withdrawn"
	CommandExpired   = "command.expired"
	GrantRevoked     = "grant.revoked"
	GrantReviewDue   = "grant.review_due"
	GrantReviewed    = "grant.reviewed"
	BreakGlass       = "break_glass.used"
	SessionKilled    = "session.killed"
	LockCreated      = "lock.created"
	LockRemoved      = "lock.removed"
	PolicyPushed     = "policy.pushed"
	EdgeRemoved      = "edge.removed"
	Test             = "test"
)

// Types lists every type, in the order of the documentation.
func Types() []string {
	return []string{
		RequestFiled, RequestGranted, RequestDenied, RequestWithdrawn, RequestExpired,
		CommandHeld, CommandApproved, CommandDenied, CommandReleased, CommandWithdrawn, CommandExpired,
		GrantRevoked, GrantReviewDue, GrantReviewed, BreakGlass,
		SessionKilled, LockCreated, LockRemoved, PolicyPushed, EdgeRemoved, Test,
	}
}
