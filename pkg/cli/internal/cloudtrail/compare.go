package cloudtrail

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// ErrTooMany is more than one comparison holds.
var ErrTooMany = errors.New("these are too many to compare at once: give fewer files")

// maxKept bounds events, and records, that are held.
const maxKept = 1_000_000

// Call is Writ's record of a call that AWS answered.
type Call struct {
	Session   string    `json:"session"`
	Command   string    `json:"command"` // within the session
	Resource  string    `json:"resource"`
	RequestID string    `json:"request_id"`
	Time      time.Time `json:"time"` // of the answer
}

// key is by what a call is found. AWS makes request ids, and the session that a call came from is part of what AWS knows
// of it, so neither is anything that a client could choose.
type key struct{ session, request string }

// Comparison takes the events in some roles, and then the records of the sessions in them. The zero value is not usable.
type Comparison struct {
	roles  map[Role]bool
	seen   map[string]bool // ids of events
	events []Event
	calls  map[key]Call
	report Report
}

// Report is what a comparison found.
type Report struct {
	Files   int `json:"files"`
	Events  int `json:"events"`   // of anybody
	InRoles int `json:"in_roles"` // of those, in Writ's roles
	// From and Until are the first and the last of the events in the roles.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`

	Recorded     int      `json:"recorded"`     // events that have a record
	ByServices   int      `json:"by_services"`  // that services of AWS made on a session's behalf, which have none
	ByWrit       int      `json:"by_writ"`      // by which the control plane reads the roles' policies
	Unrecorded   []Event  `json:"unrecorded"`   // that have no record: the credentials were used past the edge
	Unidentified []Event  `json:"unidentified"` // of sessions without a source identity, which Writ never makes
	Undelivered  []Call   `json:"undelivered"`  // records without an event
	Damaged      []string `json:"damaged"`      // records that cannot be read
}

// Findings is how much somebody has to look into.
func (r Report) Findings() int { return len(r.Unrecorded) + len(r.Unidentified) + len(r.Damaged) }

// New compares what happens in these roles.
func New(roles []Role) (*Comparison, error) {
	if len(roles) == 0 {
		return nil, errors.New("compare events: no roles")
	}
	c := &Comparison{roles: map[Role]bool{}, seen: map[string]bool{}, calls: map[key]Call{}, report: Report{
		Unrecorded: []Event{}, Unidentified: []Event{}, Undelivered: []Call{}, Damaged: []string{},
	}}
	for _, r := range roles {
		c.roles[r] = true
	}
	return c, nil
}

// AddFile counts a file with so many events.
func (c *Comparison) AddFile(events int) {
	c.report.Files, c.report.Events = c.report.Files+1, c.report.Events+events
}

// AddEvent takes an event. One that comes again, as when two trails log it, is the same. The error is ErrTooMany.
func (c *Comparison) AddEvent(e Event) error {
	if !c.roles[e.Role] || e.ID != "" && c.seen[e.ID] {
		return nil
	}
	if len(c.events) == maxKept {
		return ErrTooMany
	}
	c.seen[e.ID] = true
	c.events = append(c.events, e)
	return nil
}

// Span is from the first to the last event so far; ok is false without any.
func (c *Comparison) Span() (from, until time.Time, ok bool) {
	for i, e := range c.events {
		if i == 0 || e.Time.Before(from) {
			from = e.Time
		}
		if i == 0 || e.Time.After(until) {
			until = e.Time
		}
	}
	return from, until, len(c.events) > 0
}

// AddCall takes a record. The error is ErrTooMany.
func (c *Comparison) AddCall(call Call) error {
	if len(c.calls) == maxKept {
		return ErrTooMany
	}
	c.calls[key{call.Session, call.RequestID}] = call
	return nil
}

// AddDamage takes the reason why some records cannot be read.
func (c *Comparison) AddDamage(reason string) { c.report.Damaged = append(c.report.Damaged, reason) }

// Report compares.
func (c *Comparison) Report() Report {
	r := c.report
	r.InRoles = len(c.events)
	r.From, r.Until, _ = c.Span()
	found := map[key]bool{}
	for _, e := range c.events {
		k := key{e.Session, e.RequestID}
		_, recorded := c.calls[k]
		switch {
		case e.SourceIdentity == "":
			r.Unidentified = append(r.Unidentified, e)
		case recorded && e.RequestID != "":
			r.Recorded++
			found[k] = true
		case e.InvokedBy != "":
			r.ByServices++
		case e.readsRole():
			r.ByWrit++
		default:
			r.Unrecorded = append(r.Unrecorded, e)
		}
	}
	for k, call := range c.calls {
		if !found[k] && !call.Time.Before(r.From) && !call.Time.After(r.Until) {
			r.Undelivered = append(r.Undelivered, call)
		}
	}
	byTime := func(a, b Event) int { return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.ID, b.ID)) }
	slices.SortFunc(r.Unrecorded, byTime)
	slices.SortFunc(r.Unidentified, byTime)
	slices.SortFunc(r.Undelivered, func(a, b Call) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Session, b.Session), strings.Compare(a.RequestID, b.RequestID))
	})
	return r
}

// How the control plane shows where it reads the policies of a role.
const (
	readerSession = "writ-role-reader"
	readerSource  = "writ-controlplane"
)

// readsRole tells a reading of the role's policies. Its session may do nothing else, so anything else under its name is not it.
func (e Event) readsRole() bool {
	if e.Session != readerSession || e.SourceIdentity != readerSource || e.Service != "iam.amazonaws.com" {
		return false
	}
	switch e.Name {
	case "GetRole", "ListAttachedRolePolicies", "GetPolicy", "GetPolicyVersion", "ListRolePolicies", "GetRolePolicy":
		return true
	}
	return false
}
