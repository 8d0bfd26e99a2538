package enforce

import (
	"context"
	"time"

	"github.com/writhq/writ/pkg/audit"
)

// pending is a held command whose client need not wait for the whole time that approvers have: it is told to send the same
// command again, and the second one takes up the hold of the first.
type pending struct {
	v        *verdict // as it was filed
	hold     string
	filed    chan struct{} // closed when hold is set, or denied because it could not be filed
	decided  chan struct{} // closed when verdict and denied are set
	verdict  Verdict
	denied   *Denied
	withdraw context.CancelFunc
	waiting  int  // clients; Session.mu
	kept     bool // a denial that goes by itself; Session.mu
}

// keepDecided is how long a decision waits for its client to come back.
const keepDecided = 15 * time.Minute

// keepDenied is how long a denial answers commands like the one that approvers denied. Some clients try another way at once.
const keepDenied = 15 * time.Second

// maxPending bounds the commands of one session that wait for approvers.
const maxPending = 100

// holdPatiently is hold for a command whose client waits for c.Patience and then comes back with the same command. Only one
// command takes up a decision: an approval is spent once.
func (s *Session) holdPatiently(ctx context.Context, c *Command, f *Flight) *Denied {
	p, d := s.pendingFor(ctx, c, f)
	if d != nil {
		return d
	}
	f.v, f.hold = p.v, p.hold
	patience := time.NewTimer(c.Patience)
	defer patience.Stop()
	select {
	case <-p.decided:
	case <-patience.C:
		s.leave(c.Digest, p, false)
		return &Denied{
			Cause: CauseHold, HoldID: p.hold, PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision,
			Reason: p.hold + " " + f.v.Reason + "; it still waits", Next: "send the same request again once " + p.hold + " is approved",
		}
	case <-ctx.Done():
		d := s.usable()
		if d == nil {
			d = s.withdrawn(f)
		}
		if s.leave(c.Digest, p, true) {
			s.recordVerdict(c, f, Verdict{}, d)
		}
		return d
	}
	if !s.take(c.Digest, p) {
		return &Denied{
			Cause: CauseHold, HoldID: p.hold, PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision,
			Reason: "the decision on " + p.hold + " was taken up by another request like this one", Next: "send the request again to ask anew",
		}
	}
	return s.settle(ctx, c, f, p.verdict, p.denied)
}

// pendingFor finds the hold that an earlier command like c left, or files one.
func (s *Session) pendingFor(ctx context.Context, c *Command, f *Flight) (*pending, *Denied) {
	s.mu.Lock()
	if p := s.pending[c.Digest]; p != nil {
		p.waiting++
		s.mu.Unlock()
		<-p.filed
		if p.hold == "" {
			return nil, p.denied
		}
		return p, nil
	}
	if len(s.pending) >= maxPending {
		s.mu.Unlock()
		return nil, &Denied{Cause: CauseHold, PolicyIDs: f.v.PolicyIDs, Revision: f.v.revision, Reason: "too many requests of this session wait for approval", Next: "wait until some are decided"}
	}
	life, withdraw := context.WithCancel(s.ctx)
	p := &pending{v: f.v, filed: make(chan struct{}), decided: make(chan struct{}), withdraw: withdraw, waiting: 1}
	s.pending[c.Digest] = p
	s.mu.Unlock()

	gone := context.AfterFunc(ctx, withdraw) // until it is filed, it goes with its client
	held, timeout, d := s.file(life, c, f)
	gone()
	if d != nil {
		p.denied = d
		s.drop(c.Digest, p)
		close(p.filed)
		withdraw()
		return nil, d
	}
	p.hold = held.ID
	close(p.filed)
	go s.follow(life, c, p, held, timeout)
	return p, nil
}

// follow waits for the decision and keeps it for a while.
func (s *Session) follow(ctx context.Context, c *Command, p *pending, held Held, timeout time.Duration) {
	f := &Flight{s: s, v: p.v, hold: p.hold}
	p.verdict, p.denied = s.await(ctx, &Command{Digest: c.Digest}, f, held, timeout)
	close(p.decided)
	late := time.NewTimer(keepDecided)
	defer late.Stop()
	select {
	case <-late.C:
	case <-s.ctx.Done():
	case <-ctx.Done():
	}
	s.drop(c.Digest, p)
	p.withdraw()
}

// take takes a decision out of the session, which only one can do. A denial stays for a while, for all who ask.
func (s *Session) take(digest [audit.HashSize]byte, p *pending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[digest] != p {
		return false
	}
	if p.verdict.State == HoldDenied {
		if !p.kept {
			p.kept = true
			time.AfterFunc(keepDenied, func() { s.drop(digest, p) })
		}
		return true
	}
	delete(s.pending, digest)
	return true
}

// drop forgets a hold.
func (s *Session) drop(digest [audit.HashSize]byte, p *pending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[digest] == p {
		delete(s.pending, digest)
	}
}

// leave is a client that waits no longer. The last one that gave up, rather than ran out of patience, withdraws the command.
func (s *Session) leave(digest [audit.HashSize]byte, p *pending, gaveUp bool) (withdrawn bool) {
	s.mu.Lock()
	p.waiting--
	if withdrawn = gaveUp && p.waiting == 0 && s.pending[digest] == p; withdrawn {
		delete(s.pending, digest)
	}
	s.mu.Unlock()
	if withdrawn {
		p.withdraw()
	}
	return withdrawn
}

// Waiting reports whether a command of the session waits for approvers, or was decided and not sent again yet.
func (s *Session) Waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pending {
		if !p.kept {
			return true
		}
	}
	return false
}
