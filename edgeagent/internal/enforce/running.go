package enforce

import (
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// Recheck decides a running command again where policy, the principal or the time may have changed since, and returns a
// *Denied, which it records, when the command may not go on. A protocol calls it before it lets more of a long answer pass,
// and about once a second while nothing passes. What was approved stays approved as long as policy asks for no more.
func (f *Flight) Recheck() error {
	s := f.s
	if d := s.usable(); d != nil {
		return d
	}
	s.mu.Lock()
	r, err := s.current()
	if err == nil && r == f.rules && f.v.Depends&policy.DependsTime == 0 {
		s.mu.Unlock()
		return nil
	}
	var v *verdict
	if err == nil {
		v, err = s.decide(f.cmd, f.approved)
	}
	if err == nil && v.denied == nil && v.Effect == policy.Allow {
		f.rules = r
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return s.refuse(f.cmd, stopped(v, err))
}

// stopped says why a running command may not go on.
func stopped(v *verdict, err error) *Denied {
	switch {
	case err != nil:
		return asDenied(err)
	case v.denied != nil:
		return v.denied
	case v.Effect == policy.Hold:
		return &Denied{Cause: CausePolicy, Reason: "policy changed and now wants approvers for it", PolicyIDs: v.PolicyIDs, Revision: v.revision, Next: "send it again"}
	}
	return &Denied{Cause: CausePolicy, Reason: "no policy permits this any more", Revision: v.revision}
}

// Reveal says how one more column or field of the answer is shown, under the policy that is in force now.
func (f *Flight) Reveal(e policy.Entity) policy.Masking {
	return f.s.reveal(f.cmd.Subject.Asks[0].Facts, e, f.approved)
}

// Reveal says how a column or field would be shown in the answer to a command with these facts.
func (s *Session) Reveal(facts *policy.Facts, e policy.Entity) policy.Masking {
	return s.reveal(facts, e, nil)
}

func (s *Session) reveal(facts *policy.Facts, e policy.Entity, approved []policy.Approval) policy.Masking {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.current()
	if err != nil {
		return policy.Masking{}
	}
	return r.eval.Reveal(policy.Moment{Now: s.p.cfg.Clock(), Approvals: approved}, facts, e)
}

// Revision is the policy revision in force, for a protocol that remembers what Reveal said.
func (s *Session) Revision() uint64 {
	_, revision, _ := s.p.cfg.Policies.Current()
	return revision
}

// Chunk records a piece of a command's stream as it was shown: without masked values. Streams have names such as "stdout".
func (f *Flight) Chunk(stream string, data []byte) {
	rec := &audit.Record{
		Kind: audit.KindStream, Command: f.command, Bytes: int64(len(data)), Duration: f.s.p.cfg.Clock().Sub(f.began),
		Params: []audit.Param{{Data: data}}, Attrs: []audit.Attr{{Name: "stream", Value: stream}},
	}
	if _, err := f.s.log.write(rec); err != nil {
		f.s.end(&Ended{Reason: "what passes cannot be recorded at this edge"})
	}
}

// RecordStreams reports whether what passes through a command's streams is recorded.
func (f *Flight) RecordStreams() bool { return f.v.Record != policy.RecordDigest }

// Held returns the hold that was approved for the command, or "".
func (f *Flight) Held() string { return f.hold }
