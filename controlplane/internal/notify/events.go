package notify

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/edges"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/controlplane/internal/sessions"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/webhook"
)

// types maps what approvals tell to the events of the outside.
var types = map[approvals.EventKind]string{
	approvals.RequestFiled: webhook.RequestFiled, approvals.RequestGranted: webhook.RequestGranted,
	approvals.RequestDenied: webhook.RequestDenied, approvals.RequestWithdrawn: webhook.RequestWithdrawn,
	approvals.RequestExpired: webhook.RequestExpired,
	approvals.HoldFiled:      webhook.CommandHeld, approvals.HoldApproved: webhook.CommandApproved,
	approvals.HoldDenied: webhook.CommandDenied, approvals.HoldSpent: webhook.CommandReleased,
	approvals.HoldWithdrawn: webhook.CommandWithdrawn, approvals.HoldExpired: webhook.CommandExpired,
	approvals.GrantRevoked: webhook.GrantRevoked, approvals.ReviewDue: webhook.GrantReviewDue,
	approvals.GrantReviewed: webhook.GrantReviewed, approvals.BreakGlassUsed: webhook.BreakGlass,
}

// Publish tells of a request, a held command or a grant.
func (d *Deliveries) Publish(tx *store.Tx, what approvals.Event) error {
	eventType, ok := types[what.Kind]
	if !ok {
		d.cfg.Logger.Warn("nobody is told of this event: it is of an unknown kind", "kind", string(what.Kind))
		return nil
	}
	kind, id, data := describe(what)
	data.By = what.By
	return d.publish(tx, eventType, kind, id, what.At, data)
}

func describe(what approvals.Event) (kind, id string, data webhook.Data) {
	switch {
	case what.Hold != nil:
		return "held_command", what.Hold.ID, ofHold(*what.Hold)
	case what.Request != nil:
		data = ofRequest(*what.Request)
		if g := what.Grant; g != nil {
			data.Grant, data.StartsAt, data.ExpiresAt = g.ID, moment(g.StartsAt), moment(g.ExpiresAt)
		}
		return "request", what.Request.ID, data
	case what.Grant != nil:
		return "grant", what.Grant.ID, ofGrant(*what.Grant)
	}
	return "", "", webhook.Data{}
}

// Bounds of texts in an event, in bytes.
const (
	maxStatement = 4 << 10
	maxText      = 1000
	maxList      = 50
)

func ofRequest(r approvals.Request) webhook.Data {
	return webhook.Data{
		Principal: ofPrincipal(r.Principal), Resource: r.Resource, Request: r.ID, Grant: r.Extends, Actions: some(r.Actions),
		Reason: clip(r.Reason, maxText), PolicyReason: clip(r.Denial, maxText), Ticket: r.Ticket, Intent: ofIntent(r.Intent),
		BreakGlass: r.BreakGlass, Requirements: requirements(r.Requirements), Approvals: approved(r.Votes),
		PolicyIDs: some(r.PolicyIDs), Revision: r.Revision, DurationSeconds: int64(r.Duration / time.Second),
		StartsAt: moment(r.StartAt), ExpiresAt: moment(r.ExpiresAt),
	}
}

func ofHold(h approvals.Hold) webhook.Data {
	statement := clip(h.Statement, maxStatement)
	return webhook.Data{
		Principal: ofPrincipal(h.Principal), Resource: h.Resource, Edge: h.Edge, Session: h.Session, Grant: h.Grant,
		Actions: some(h.Actions), Tables: some(h.Tables),
		Statement: statement, StatementClipped: statement != h.Statement, Preview: ofPreview(h.Preview), Warnings: warnings(h.Flags),
		PolicyReason: clip(h.Reason, maxText), RequestReason: clip(h.RequestReason, maxText), Reason: clip(h.Denial, maxText),
		Ticket: h.Ticket, Intent: ofIntent(h.Intent), BreakGlass: h.BreakGlass,
		Requirements: requirements(h.Requirements), Approvals: approved(h.Votes),
		PolicyIDs: some(h.PolicyIDs), Revision: h.Revision, ExpiresAt: moment(h.ExpiresAt),
	}
}

func ofGrant(g approvals.Grant) webhook.Data {
	data := webhook.Data{
		Principal: ofPrincipal(g.Principal), Resource: g.Resource, Request: g.Request, Actions: some(g.Actions),
		RequestReason: clip(g.Reason, maxText), Reason: clip(g.RevokeReason, maxText), Ticket: g.Ticket,
		Intent: ofIntent(g.Intent), BreakGlass: g.BreakGlass, StartsAt: moment(g.StartsAt), ExpiresAt: moment(g.ExpiresAt),
	}
	if r := g.Review; r != nil {
		justified := r.Justified
		data.Justified, data.Reason = &justified, clip(r.Comment, maxText)
	}
	return data
}

// ofPreview leaves out the plan and what was found on the way.
func ofPreview(p approvals.Preview) *webhook.Preview {
	if p.EstimatedRows == nil && p.ExactRows == nil {
		return nil
	}
	return &webhook.Preview{EstimatedRows: p.EstimatedRows, ExactRows: p.ExactRows}
}

// maxWarnings bounds the warnings about one statement.
const maxWarnings = 10

// warnings say once what deceives the eye in a statement or its parameters.
func warnings(flags []approvals.Flag) []string {
	var out []string
	for _, f := range flags {
		text := clip(f.Kind+": "+f.Detail, 200)
		if !slices.Contains(out, text) && len(out) < maxWarnings {
			out = append(out, text)
		}
	}
	return out
}

// SessionKilled tells of a session that a person ended.
func (d *Deliveries) SessionKilled(tx *store.Tx, s sessions.Session) error {
	return d.publish(tx, webhook.SessionKilled, "session", s.ID, s.EndedAt, webhook.Data{
		Principal: ofPrincipal(s.Principal), Resource: s.Resource, Edge: s.Edge, Grant: s.Grant,
		RequestReason: clip(s.RequestReason, maxText), Ticket: s.Ticket, Reason: clip(s.EndReason, maxText), By: s.EndedBy,
	})
}

// LockCreated tells of a lock.
func (d *Deliveries) LockCreated(tx *store.Tx, l locks.Lock) error {
	return d.publish(tx, webhook.LockCreated, "lock", l.ID, l.CreatedAt, ofLock(l, l.CreatedBy))
}

// LockRemoved tells of a lock that somebody lifted.
func (d *Deliveries) LockRemoved(tx *store.Tx, l locks.Lock, by string) error {
	return d.publish(tx, webhook.LockRemoved, "lock", l.ID, d.cfg.Now(), ofLock(l, by))
}

func ofLock(l locks.Lock, by string) webhook.Data {
	return webhook.Data{
		Target: string(l.Target), Name: l.Name, Reason: clip(l.Reason, maxText), By: by, ExpiresAt: moment(l.ExpiresAt),
	}
}

// PolicyPushed tells of a new revision.
func (d *Deliveries) PolicyPushed(tx *store.Tx, r policies.Revision) error {
	return d.publish(tx, webhook.PolicyPushed, "policy_revision", strconv.FormatUint(r.Number, 10), r.CreatedAt, webhook.Data{
		Revision: r.Number, RollbackOf: r.RollbackOf, Reason: clip(r.Message, maxText), By: r.Author,
	})
}

// EdgeRemoved tells of an edge that is refused from now on.
func (d *Deliveries) EdgeRemoved(tx *store.Tx, e edges.Edge) error {
	return d.publish(tx, webhook.EdgeRemoved, "edge", e.Name, d.cfg.Now(), webhook.Data{Edge: e.Name, By: e.RemovedBy})
}

func (d *Deliveries) publish(tx *store.Tx, eventType, kind, id string, at time.Time, data webhook.Data) error {
	e, err := d.event(eventType, kind, id, at)
	if err != nil {
		return err
	}
	e.Data = data
	return d.put(tx, e)
}

func ofPrincipal(p policy.Principal) *webhook.Principal {
	return &webhook.Principal{Name: p.ID, Kind: p.Kind, OnBehalfOf: some(p.OnBehalfOf)}
}

func ofIntent(i approvals.Intent) *webhook.Intent {
	if i.Task == "" && i.Run == "" {
		return nil
	}
	return &webhook.Intent{Task: i.Task, Run: i.Run}
}

func requirements(all []policy.Approval) []string {
	var out []string
	for _, a := range all {
		out = append(out, a.String())
	}
	return out
}

func approved(votes []approvals.Vote) int {
	n := 0
	for _, v := range votes {
		if v.Approve {
			n++
		}
	}
	return n
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// some bounds a list.
func some(list []string) []string { return list[:min(len(list), maxList)] }

// clip bounds a text, at the border of a character.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
