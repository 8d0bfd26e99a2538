package enforce

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// HoldRequest is a command that waits for approvers.
type HoldRequest struct {
	Session   string
	Statement string
	Params    []string
	Actions   []string
	Tables    []string
	Digest    [audit.HashSize]byte
	Approvals []policy.Approval
	PolicyIDs []string
	Revision  uint64
	Reason    string
	Timeout   time.Duration
	Preview   Preview
}

// HoldState is where a held command stands.
type HoldState string

// The states a held command ends in, besides HoldPending.
const (
	HoldPending  HoldState = "pending"
	HoldApproved HoldState = "approved"
	HoldDenied   HoldState = "denied"
	HoldExpired  HoldState = "expired"
)

// Verdict is what approvers decided.
type Verdict struct {
	State   HoldState
	By      []string
	Comment string
}

// Held is a filed hold. Decided delivers at most one verdict; it is closed without one
// when the control plane was lost.
type Held struct {
	ID        string
	Approvals []policy.Approval
	Reason    string
	Decided   <-chan Verdict
}

// signOfLife is how often a waiting client is told that its command still waits.
const signOfLife = 20 * time.Second

// hold files the command, waits for approvers, decides again and spends the approval.
func (s *Session) hold(ctx context.Context, c *Command, f *Flight) *Denied {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // withdraws what is still pending
	stop := context.AfterFunc(s.ctx, cancel)
	defer stop()

	held, timeout, d := s.file(ctx, c, f)
	if d != nil {
		return d
	}
	verdict, d := s.await(ctx, c, f, held, timeout)
	return s.settle(ctx, c, f, verdict, d)
}

// file puts the command before approvers, who are shown what it would do. Ending ctx withdraws it.
func (s *Session) file(ctx context.Context, c *Command, f *Flight) (held Held, timeout time.Duration, d *Denied) {
	if timeout = f.v.HoldTimeout; timeout <= 0 {
		timeout = s.p.cfg.HoldTimeout
	}
	preview, withdrawn := s.preview(ctx, c, f)
	if withdrawn || ctx.Err() != nil {
		if d := s.usable(); d != nil {
			return held, 0, d
		}
		return held, 0, s.withdrawn(f)
	}
	held, err := s.p.cfg.Control.Hold(ctx, s.holdRequest(c, f, timeout, preview))
	if err != nil {
		if refused := (*Denied)(nil); errors.As(err, &refused) && refused.Cause == CauseHold { // the control plane's own words
			return held, 0, &Denied{Cause: CauseHold, Reason: refused.Reason, PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision, Next: refused.Next}
		}
		s.p.cfg.Logger.Error("file hold", "session", s.id, "error", err)
		return held, 0, &Denied{Cause: CauseControl, Reason: "the command needs approval and the control plane cannot be asked", PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision}
	}
	held.Approvals, held.Reason = f.v.Approvals, f.v.Reason
	f.hold = held.ID
	return held, timeout, s.recordHold(c, f)
}

// settle releases what was approved, and records what became of the hold.
func (s *Session) settle(ctx context.Context, c *Command, f *Flight, verdict Verdict, d *Denied) *Denied {
	if d == nil && verdict.State != HoldApproved {
		d = s.holdRefused(f, verdict)
	}
	if d == nil {
		d = s.release(ctx, c, f)
	}
	s.recordVerdict(c, f, verdict, d)
	return d
}

func (s *Session) holdRequest(c *Command, f *Flight, timeout time.Duration, preview Preview) HoldRequest {
	var shown string
	var params []string
	if c.Text != nil {
		shown, params = c.Text.Shown()
	}
	return HoldRequest{
		Session: s.id, Statement: shown, Params: params, Actions: c.Subject.Actions, Tables: c.Subject.Tables, Digest: c.Digest,
		Approvals: f.v.Approvals, PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision, Reason: f.v.Reason, Timeout: timeout, Preview: preview,
	}
}

func (s *Session) recordHold(c *Command, f *Flight) *Denied {
	rec := s.commandRecord(audit.KindHold, c, f.v.masks.Any)
	rec.Command, rec.Decision, rec.PolicyIDs, rec.Revision = f.command, audit.Hold, f.v.PolicyIDs, f.v.revision
	rec.Reason, rec.HoldID = f.v.Reason, f.hold
	if err := s.log.writeDurable(rec); err != nil {
		return &Denied{Cause: CauseRecord, Reason: "the held command cannot be recorded, so it is refused"}
	}
	return nil
}

// await tells the client and waits for a verdict.
func (s *Session) await(ctx context.Context, c *Command, f *Flight, held Held, timeout time.Duration) (Verdict, *Denied) {
	notify := c.OnHold
	if notify == nil {
		notify = func(Held) <-chan struct{} { return nil }
	}
	withdrawn := notify(held)
	alive := time.NewTicker(signOfLife)
	defer alive.Stop()
	late := time.NewTimer(timeout)
	defer late.Stop()
	for {
		select {
		case v, ok := <-held.Decided:
			if ok {
				return v, nil
			}
			return Verdict{}, &Denied{Cause: CauseControl, HoldID: f.hold, Reason: "the control plane was lost while the command waited for approval", PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision}
		case <-alive.C:
			notify(held)
		case <-late.C:
			return Verdict{State: HoldExpired}, nil
		case <-withdrawn:
			return Verdict{}, s.withdrawn(f)
		case <-ctx.Done():
			if d := s.usable(); d != nil {
				return Verdict{}, d
			}
			return Verdict{}, s.withdrawn(f)
		}
	}
}

// withdrawn is the refusal of a command whose client gave up.
func (s *Session) withdrawn(f *Flight) *Denied {
	return &Denied{Cause: CauseWithdrawn, HoldID: f.hold, Reason: "the command was withdrawn while it waited for approval", PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision}
}

// release decides the command again under the current revision and spends the approval.
func (s *Session) release(ctx context.Context, c *Command, f *Flight) *Denied {
	if d := s.usable(); d != nil {
		return d
	}
	if c.Still != nil && !c.Still() {
		return &Denied{
			Cause: CauseHold, HoldID: f.hold, PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision,
			Reason: "what the command names changed while it waited, so it is not what was approved", Next: "send the command again",
		}
	}
	s.mu.Lock()
	v, err := s.decide(c, f.v.Approvals)
	s.mu.Unlock()
	switch {
	case err != nil:
		return asDenied(err)
	case v.denied != nil:
		return v.denied
	case v.Effect != policy.Allow:
		return &Denied{
			Cause: CauseHold, HoldID: f.hold, PolicyIDs: v.PolicyIDs, Revision: v.revision,
			Reason: "policy changed while the command waited and now wants other approvals", Next: "send the command again",
		}
	}
	if _, err := s.p.cfg.Control.Spend(ctx, f.hold, s.id, c.Digest, v.revision); err != nil {
		s.p.cfg.Logger.Warn("spend approval", "session", s.id, "hold", f.hold, "error", err)
		return &Denied{Cause: CauseHold, HoldID: f.hold, Reason: "the approval cannot be used", PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision, Next: "send the command again"}
	}
	f.approved = f.v.Approvals
	policyIDs := f.v.PolicyIDs
	f.v = v
	if len(f.v.PolicyIDs) == 0 {
		f.v.PolicyIDs = policyIDs
	}
	return nil
}

func (s *Session) holdRefused(f *Flight, v Verdict) *Denied {
	d := &Denied{Cause: CauseHold, HoldID: f.hold, PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision}
	switch v.State {
	case HoldDenied:
		d.Reason = fmt.Sprintf("%s was denied by %s", f.hold, strings.Join(v.By, ", "))
		if v.Comment != "" {
			d.Reason += ": " + v.Comment
		}
		d.Next = "change the command, or talk to the approver"
	case HoldExpired:
		d.Reason = f.hold + " was not approved in time"
		d.Next = "send the command again when an approver is there"
	default:
		d.Reason = f.hold + " was not approved"
	}
	return d
}

func (s *Session) recordVerdict(c *Command, f *Flight, v Verdict, d *Denied) {
	rec := s.commandRecord(audit.KindHoldDecided, c, f.v.masks.Any)
	rec.Command, rec.HoldID, rec.Revision, rec.PolicyIDs = f.command, f.hold, f.v.revision, f.v.PolicyIDs
	rec.Decision = audit.Allow
	if d != nil {
		rec.Decision, rec.Reason = audit.Deny, d.Reason
	}
	for _, by := range v.By {
		rec.Attrs = append(rec.Attrs, audit.Attr{Name: "by", Value: by})
	}
	if _, err := s.log.write(rec); err != nil {
		s.end(&Ended{Reason: "decisions cannot be recorded at this edge"})
	}
}
