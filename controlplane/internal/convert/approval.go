package convert

import (
	"maps"
	"time"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/policies"
	"github.com/writhq/writ/pkg/policy"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

var requestStates = map[approvals.State]accessv1.RequestState{
	approvals.Pending:   accessv1.RequestState_REQUEST_STATE_PENDING,
	approvals.Granted:   accessv1.RequestState_REQUEST_STATE_GRANTED,
	approvals.Refused:   accessv1.RequestState_REQUEST_STATE_DENIED,
	approvals.Withdrawn: accessv1.RequestState_REQUEST_STATE_WITHDRAWN,
	approvals.Expired:   accessv1.RequestState_REQUEST_STATE_EXPIRED,
}

var holdStates = map[approvals.State]accessv1.HoldState{
	approvals.Pending:   accessv1.HoldState_HOLD_STATE_PENDING,
	approvals.Approved:  accessv1.HoldState_HOLD_STATE_APPROVED,
	approvals.Spent:     accessv1.HoldState_HOLD_STATE_SPENT,
	approvals.Refused:   accessv1.HoldState_HOLD_STATE_DENIED,
	approvals.Withdrawn: accessv1.HoldState_HOLD_STATE_WITHDRAWN,
	approvals.Expired:   accessv1.HoldState_HOLD_STATE_EXPIRED,
}

// Request is the message of an access request.
func Request(r approvals.Request) *accessv1.AccessRequest {
	return &accessv1.AccessRequest{
		Id: r.ID, Principal: Principal(r.Principal), Resource: r.Resource, Actions: clone(r.Actions),
		Duration: Duration(r.Duration), Reason: r.Reason, Ticket: r.Ticket, State: requestStates[r.State],
		Requirements: Requirements(r.Requirements), Votes: all(r.Votes, vote), Digest: r.Digest, Grant: r.Grant,
		Extends: r.Extends, CreatedAt: Time(r.CreatedAt), ExpiresAt: Time(r.ExpiresAt), DecidedAt: Time(r.DecidedAt),
		PolicyIds: clone(r.PolicyIDs), Revision: r.Revision, Denial: r.Denial,
		Intent: Intent(r.Intent), StartAt: Time(r.StartAt), BreakGlass: r.BreakGlass,
		Role: RoleSummary(r.Role),
	}
}

// Intent is the message of an intent, nil for none.
func Intent(i approvals.Intent) *accessv1.Intent {
	if i.IsZero() {
		return nil
	}
	return &accessv1.Intent{Task: i.Task, Run: i.Run, Commands: clone(i.Commands), Details: maps.Clone(i.Details)}
}

// FromIntent is the reverse of Intent.
func FromIntent(i *accessv1.Intent) approvals.Intent {
	return approvals.Intent{Task: i.GetTask(), Run: i.GetRun(), Commands: i.GetCommands(), Details: i.GetDetails()}
}

// Grant is the message of a grant as it is at now.
func Grant(g approvals.Grant, now time.Time) *accessv1.Grant {
	return &accessv1.Grant{
		Id: g.ID, Principal: Principal(g.Principal), Resource: g.Resource, Actions: clone(g.Actions), Reason: g.Reason,
		Ticket: g.Ticket, Request: g.Request, StartsAt: Time(g.StartsAt), ExpiresAt: Time(g.ExpiresAt),
		RevokedAt: Time(g.RevokedAt), RevokedBy: g.RevokedBy, RevokeReason: g.RevokeReason, Active: g.Active(now),
		Intent: Intent(g.Intent), BreakGlass: g.BreakGlass, Review: review(g.Review),
	}
}

func review(r *approvals.Review) *accessv1.Review {
	if r == nil {
		return nil
	}
	return &accessv1.Review{Reviewer: r.Reviewer, Justified: r.Justified, Comment: r.Comment, At: Time(r.At)}
}

// Hold is the message of a held command.
func Hold(h approvals.Hold) *accessv1.HeldCommand {
	return &accessv1.HeldCommand{
		Id: h.ID, Principal: Principal(h.Principal), Resource: h.Resource, Edge: h.Edge, Session: h.Session,
		Grant: h.Grant, Statement: h.Statement, Params: clone(h.Params), Actions: clone(h.Actions),
		Tables: clone(h.Tables), Reason: h.Reason, RequestReason: h.RequestReason, PolicyIds: clone(h.PolicyIDs),
		Revision: h.Revision, Requirements: Requirements(h.Requirements), Votes: all(h.Votes, vote), Digest: h.Digest,
		State: holdStates[h.State], CreatedAt: Time(h.CreatedAt), ExpiresAt: Time(h.ExpiresAt),
		DecidedAt: Time(h.DecidedAt), SpentAt: Time(h.SpentAt), Intent: Intent(h.Intent), Ticket: h.Ticket,
		Flags: all(h.Flags, textFlag), Preview: preview(h.Preview),
	}
}

// FromPreview reads the preview that came with a held command.
func FromPreview(p *accessv1.Preview) approvals.Preview {
	if p == nil {
		return approvals.Preview{}
	}
	return approvals.Preview{EstimatedRows: p.EstimatedRows, ExactRows: p.ExactRows, Detail: p.GetDetail(), Plan: p.GetPlan(), Diff: p.GetDiff()}
}

func preview(p approvals.Preview) *accessv1.Preview {
	if p == (approvals.Preview{}) {
		return nil
	}
	return &accessv1.Preview{EstimatedRows: p.EstimatedRows, ExactRows: p.ExactRows, Detail: p.Detail, Plan: p.Plan, Diff: p.Diff}
}

func textFlag(f approvals.Flag) *accessv1.TextFlag {
	return &accessv1.TextFlag{Param: int32(f.Param), Offset: int32(f.Offset), Length: int32(f.Length), Kind: f.Kind, Detail: f.Detail}
}

// Approval is the message of a request or a held command.
func Approval(s approvals.Subject) *accessv1.Approval {
	switch {
	case s.Request != nil:
		return &accessv1.Approval{Subject: &accessv1.Approval_Request{Request: Request(*s.Request)}}
	case s.Hold != nil:
		return &accessv1.Approval{Subject: &accessv1.Approval_Command{Command: Hold(*s.Hold)}}
	}
	return &accessv1.Approval{}
}

// Refusal is the message of a refused request.
func Refusal(d *approvals.Denied) *accessv1.Refusal {
	out := &accessv1.Refusal{Resource: d.Resource, Reason: d.Reason, PolicyIds: clone(d.PolicyIDs), Revision: d.Revision}
	if r := d.Repair; r != nil {
		out.Repair = &accessv1.Repair{
			Resource: d.Resource, Actions: clone(r.Actions), Duration: Duration(r.Duration), Dropped: clone(r.Dropped),
			ReasonRequired: r.ReasonRequired, TicketRequired: r.TicketRequired, BreakGlass: r.BreakGlass,
			Requirements: Requirements(r.Requirements),
		}
	}
	return out
}

// FromRequestState is empty, which is every state, for none. The second value is false for one that is not known.
func FromRequestState(s accessv1.RequestState) (approvals.State, bool) {
	if s == accessv1.RequestState_REQUEST_STATE_UNSPECIFIED {
		return "", true
	}
	for state, message := range requestStates {
		if message == s {
			return state, true
		}
	}
	return "", false
}

func vote(v approvals.Vote) *accessv1.Vote {
	return &accessv1.Vote{Voter: v.Voter, Approve: v.Approve, Comment: v.Comment, At: Time(v.At), Groups: clone(v.Groups)}
}

var lockTargets = map[locks.Target]accessv1.LockTarget{
	locks.Principal: accessv1.LockTarget_LOCK_TARGET_PRINCIPAL,
	locks.Resource:  accessv1.LockTarget_LOCK_TARGET_RESOURCE,
	locks.Edge:      accessv1.LockTarget_LOCK_TARGET_EDGE,
	locks.Grant:     accessv1.LockTarget_LOCK_TARGET_GRANT,
}

// Lock is the message of a lock.
func Lock(l locks.Lock) *accessv1.Lock {
	return &accessv1.Lock{
		Id: l.ID, Target: lockTargets[l.Target], Name: l.Name, Reason: l.Reason, CreatedBy: l.CreatedBy,
		CreatedAt: Time(l.CreatedAt), ExpiresAt: Time(l.ExpiresAt),
	}
}

// FromLockTarget is empty, which no lock can have, for a target that is not known.
func FromLockTarget(t accessv1.LockTarget) locks.Target {
	for target, message := range lockTargets {
		if message == t {
			return target
		}
	}
	return ""
}

// Revision is the message of a policy revision, without its files.
func Revision(r policies.Revision) *accessv1.Revision {
	return &accessv1.Revision{
		Number: r.Number, Digest: r.DigestText(), Author: r.Author, Message: r.Message, CreatedAt: Time(r.CreatedAt),
		Policies: int32(r.Policies), RollbackOf: r.RollbackOf,
	}
}

// Problems is the message form of what is wrong with a bundle.
func Problems(in []policy.Problem) []*accessv1.Problem {
	return all(in, func(p policy.Problem) *accessv1.Problem {
		return &accessv1.Problem{File: p.File, Line: int32(p.Line), Column: int32(p.Column), Message: p.Message, Hint: p.Hint}
	})
}

// Results is the message form of test results.
func Results(in []policy.Result) []*accessv1.TestResult {
	return all(in, func(r policy.Result) *accessv1.TestResult {
		detail := r.Detail
		if !r.Passed {
			detail = "want " + r.Want + ", got " + r.Got + ": " + r.Detail
		}
		return &accessv1.TestResult{File: r.File, Name: r.Name, Passed: r.Passed, Detail: detail, Line: int32(r.Line)}
	})
}
