package enforce

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/writhq/writ/edgeagent/internal/spool"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// Begin decides a command, holds it where policy wants approvers, and writes its
// intent record. Only with the Flight it returns may anything be written to the target.
// A refusal is a *Denied and is recorded before Begin returns. ctx ends the wait of a
// held command, which withdraws it.
func (s *Session) Begin(ctx context.Context, c *Command) (*Flight, error) {
	if c.Refuse != nil {
		return nil, s.refuse(c, c.Refuse)
	}
	if d := s.usable(); d != nil {
		return nil, s.refuse(c, d)
	}
	if d := c.understood(); d != nil {
		return nil, s.refuse(c, d)
	}
	s.mu.Lock()
	var approved []policy.Approval
	if c.Continues != nil {
		approved = c.Continues.approved
	}
	v, err := s.decide(c, approved)
	s.commands++
	n := s.commands
	s.mu.Unlock()
	if err != nil {
		return nil, s.refuse(c, asDenied(err))
	}
	if v.denied != nil {
		return nil, s.refuse(c, v.denied)
	}
	f := &Flight{s: s, v: v, cmd: c, command: "c" + strconv.FormatUint(n, 10), began: s.p.cfg.Clock(), approved: approved}
	switch v.Effect {
	case policy.Allow:
	case policy.Hold:
		hold := s.hold
		if c.Patience > 0 {
			hold = s.holdPatiently
		}
		if d := hold(ctx, c, f); d != nil {
			return nil, s.refuse(c, d)
		}
	default:
		return nil, s.refuse(c, &Denied{Cause: CausePolicy, Reason: "no policy permits this", Revision: v.revision})
	}
	return s.launch(c, f)
}

// launch writes the intent record and looks once more whether the session may act.
func (s *Session) launch(c *Command, f *Flight) (*Flight, error) {
	rec := s.commandRecord(audit.KindCommand, c, f.v.masks.Any)
	rec.Command, rec.Decision, rec.PolicyIDs, rec.Revision, rec.HoldID = f.command, audit.Allow, f.v.PolicyIDs, f.v.revision, f.hold
	if f.previews != "" {
		rec.Attrs = []audit.Attr{previewAttr(f.previews)}
	}
	if f.v.Record == policy.RecordDigest {
		rec.Statement, rec.Params = "", nil
	}
	pos, err := s.log.writeSpare(rec)
	if err == nil && (c.Subject.Durable || f.hold != "") {
		err = s.log.sync(pos)
	}
	if err != nil {
		s.end(&Ended{Reason: "commands cannot be recorded at this edge"})
		s.p.cfg.Logger.Error("record intent", "session", s.id, "error", err)
		return nil, &Denied{Cause: CauseRecord, Reason: "the command cannot be recorded, so it is refused"}
	}
	if d := s.usable(); d != nil {
		return nil, s.refuse(c, d)
	}
	f.pos = pos
	return f, nil
}

// understood refuses a command without a subject or whose subject says it is not understood.
func (c *Command) understood() *Denied {
	switch {
	case c.Subject == nil || len(c.Subject.Asks) == 0 && c.Subject.Unreadable == "":
		return &Denied{Cause: CauseUnreadable, Reason: "the command is not understood, so it is refused"}
	case c.Subject.Unreadable != "":
		return &Denied{Cause: CauseUnreadable, Reason: c.Subject.Unreadable, Next: "rewrite it so that what it reads and changes can be told from its text"}
	}
	return nil
}

// refuse records a refusal and returns it. A refusal that cannot be recorded ends the session.
func (s *Session) refuse(c *Command, d *Denied) error {
	veiled := c.Subject == nil || len(c.Subject.Columns) > 0 || c.Subject.Opaque
	rec := s.commandRecord(audit.KindRefusal, c, veiled)
	rec.Decision, rec.PolicyIDs, rec.Revision, rec.Reason, rec.HoldID = audit.Deny, d.PolicyIDs, d.Revision, d.Reason, d.HoldID
	if rec.Revision == 0 {
		_, rec.Revision, _ = s.p.cfg.Policies.Current()
	}
	if _, err := s.log.writeSpare(rec); err != nil {
		s.end(&Ended{Reason: "refusals cannot be recorded at this edge"})
	}
	return d
}

// spare holds records between two uses: every command needs two of them, and they are large.
var spare = sync.Pool{New: func() any { return new(audit.Record) }}

// commandRecord starts a record about a command, with who and on what; from where is in
// the session's first record. writeSpare takes it back.
func (s *Session) commandRecord(kind audit.Kind, c *Command, veiled bool) *audit.Record {
	rec := spare.Get().(*audit.Record)
	rec.Kind, rec.Principal, rec.PrincipalKind = kind, s.who.Principal.ID, s.who.Principal.Kind
	rec.OnBehalfOf, rec.Resource, rec.Grant = s.who.Principal.OnBehalfOf, string(s.who.Resource.Name), s.who.Grant
	rec.Digest = c.Digest
	if c.Text != nil {
		rec.Statement, rec.Params = c.Text.Recorded(veiled)
	}
	if c.Subject != nil {
		rec.Actions, rec.Tables = c.Subject.Actions, c.Subject.Tables
	}
	return rec
}

// writeSpare writes a record of the pool and gives it back.
func (j *journal) writeSpare(rec *audit.Record) (spool.Position, error) {
	pos, err := j.write(rec)
	*rec = audit.Record{}
	spare.Put(rec)
	return pos, err
}

func asDenied(err error) *Denied {
	if d, ok := err.(*Denied); ok {
		return d
	}
	return &Denied{Cause: CausePolicy, Reason: "the command cannot be decided, so it is refused"}
}

// Flight is a decided command on its way. Writers to the target take one.
type Flight struct {
	s        *Session
	v        *verdict
	cmd      *Command
	rules    *rules // that it was last decided by
	command  string
	hold     string
	approved []policy.Approval
	previews string // the command that this one is a look for
	began    time.Time
	pos      spool.Position
	ended    bool
}

// Ready returns a *Denied when the flight may no longer be written to the target. Call it
// directly before the write.
func (f *Flight) Ready() error {
	if d := f.s.usable(); d != nil {
		return d
	}
	return nil
}

// Masks says how the subject's columns are shown in the answer.
func (f *Flight) Masks() *Masks { return &f.v.masks }

// RowLimit returns the most rows that the answer may hold, 0 for no limit.
func (f *Flight) RowLimit() int64 { return f.v.RowLimit }

// RecordRows reports whether the masked result rows are recorded.
func (f *Flight) RecordRows() bool { return f.v.Record == policy.RecordRows }

// Outcome is what became of a command.
type Outcome struct {
	Tag           string // the target's own word, such as "DELETE 3"
	Rows          int64
	Bytes         int64
	ErrorCode     string
	ErrorMessage  string // without masked values
	MaskedColumns []string
	Attrs         []audit.Attr // what a protocol has besides
	// Cut says that the gateway stopped the answer, and why.
	Cut string
}

// End records the outcome. Later calls do nothing.
func (f *Flight) End(o Outcome) {
	if f.ended {
		return
	}
	f.ended = true
	rec := spare.Get().(*audit.Record)
	*rec = audit.Record{
		Kind: audit.KindOutcome, Command: f.command, Revision: f.v.revision, CommandTag: o.Tag, RowCount: o.Rows, Bytes: o.Bytes,
		Duration: f.s.p.cfg.Clock().Sub(f.began), ErrorCode: o.ErrorCode, ErrorMessage: o.ErrorMessage,
		MaskedColumns: o.MaskedColumns, Reason: o.Cut, Attrs: o.Attrs,
	}
	if _, err := f.s.log.writeSpare(rec); err != nil {
		f.s.end(&Ended{Reason: "outcomes cannot be recorded at this edge"})
	}
}

// Rows records masked result rows.
func (f *Flight) Rows(columns []string, rows [][]audit.Value) {
	rec := &audit.Record{Kind: audit.KindRows, Command: f.command, Columns: columns, Rows: rows, RowCount: int64(len(rows))}
	if _, err := f.s.log.write(rec); err != nil {
		f.s.end(&Ended{Reason: "result rows cannot be recorded at this edge"})
	}
}

// Check decides a command without starting it, for a protocol that prepares commands
// before it runs them. A denial is recorded and returned; what would be held passes, since
// Begin holds it.
func (s *Session) Check(c *Command) error {
	if d, _ := s.Would(c); d != nil {
		return s.refuse(c, d)
	}
	return nil
}

// Would decides a command without starting it and without a record: it returns the refusal, nil where there is none, and
// what of a single execution the decision rests on. What would be held is no refusal.
func (s *Session) Would(c *Command) (*Denied, policy.Depends) {
	if d := s.usable(); d != nil {
		return d, 0
	}
	if d := c.understood(); d != nil {
		return d, 0
	}
	s.mu.Lock()
	v, err := s.decide(c, nil)
	s.mu.Unlock()
	switch {
	case err != nil:
		return asDenied(err), 0
	case v.denied != nil:
		return v.denied, v.Depends
	case v.Effect == policy.Deny:
		return &Denied{Cause: CausePolicy, Reason: "no policy permits this", Revision: v.revision}, v.Depends
	}
	return nil, v.Depends
}
