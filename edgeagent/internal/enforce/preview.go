package enforce

import (
	"context"
	"strconv"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// Preview is the effect that a held command would have had when it was filed. Counts are nil where they are not known.
type Preview struct {
	EstimatedRows *float64 // by the target's planner
	ExactRows     *int64
	Detail        string // for people: how it was found, or why not
	Plan          string // the target's plan in outline, without values and conditions
	Diff          string // how the target's state would change, masked as for the principal
}

// Look decides a read by which a protocol previews a held command, as if the principal had sent it. It is permitted
// where policy permits it without approvers and reveals every column that chooses rows: a count tells about those. The
// intent of what is permitted is recorded, and says which command it previews; a refusal, a *Denied, is only returned.
type Look func(c *Command) (*Flight, error)

// previewTimeout bounds a preview. The command is held with what is known by then.
const previewTimeout = 3 * time.Second

// preview asks the command's protocol what the command would do.
func (s *Session) preview(ctx context.Context, c *Command, f *Flight) (_ Preview, withdrawn bool) {
	if c.Preview == nil {
		return Preview{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, previewTimeout)
	defer cancel()
	return c.Preview(ctx, c, func(read *Command) (*Flight, error) { return s.look(read, f) })
}

func (s *Session) look(c *Command, of *Flight) (*Flight, error) {
	if d := s.usable(); d != nil {
		return nil, d
	}
	if d := c.understood(); d != nil {
		return nil, d
	}
	s.mu.Lock()
	v, err := s.decide(c, nil)
	s.commands++
	n := s.commands
	s.mu.Unlock()
	if err != nil {
		return nil, asDenied(err)
	}
	if d := v.hidesFrom(c); d != nil {
		return nil, d
	}
	f := &Flight{s: s, v: v, cmd: c, command: "c" + strconv.FormatUint(n, 10), began: s.p.cfg.Clock(), previews: of.command}
	return s.launch(c, f)
}

// hidesFrom returns why a preview may not look, or nil.
func (v *verdict) hidesFrom(c *Command) *Denied {
	sub := c.Subject
	switch {
	case v.denied != nil:
		return v.denied
	case v.Effect == policy.Hold && !c.Rehearsal:
		return &Denied{Cause: CauseHold, Reason: "policy wants approvers for the look as well", PolicyIDs: v.PolicyIDs, Revision: v.revision}
	case v.Effect != policy.Allow && v.Effect != policy.Hold:
		return &Denied{Cause: CausePolicy, Reason: "no policy permits the look", Revision: v.revision}
	case sub.Opaque && v.masks.Opaque.Kind != policy.MaskReveal:
		return &Denied{Cause: CauseMasked, Reason: "it may derive from masked columns", Revision: v.revision}
	}
	for _, use := range sub.Filters {
		if m := v.masks.Columns[use.Column]; m.Kind != policy.MaskReveal {
			return &Denied{Cause: CauseMasked, Reason: "it chooses rows by the masked column " + sub.Columns[use.Column].Name, PolicyIDs: m.PolicyIDs, Revision: v.revision}
		}
	}
	return nil
}

// previewAttr names the command that a recorded look was for.
func previewAttr(command string) audit.Attr { return audit.Attr{Name: "previews", Value: command} }
