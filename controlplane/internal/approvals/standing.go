package approvals

import (
	"fmt"
	"slices"
	"time"

	"github.com/writhq/writ/pkg/policy"
)

// ID is that of the request or held command.
func (s Subject) ID() string {
	switch {
	case s.Request != nil:
		return s.Request.ID
	case s.Hold != nil:
		return s.Hold.ID
	}
	return ""
}

// Pending reports whether it still waits for people.
func (s Subject) Pending() bool { return s.state() == Pending }

func (s Subject) state() State {
	switch {
	case s.Request != nil:
		return s.Request.State
	case s.Hold != nil:
		return s.Hold.State
	}
	return ""
}

// at is the subject as it counts at now.
func (s Subject) at(now time.Time) Subject {
	switch {
	case s.Request != nil:
		r := s.Request.at(now)
		s.Request = &r
	case s.Hold != nil:
		h := s.Hold.at(now)
		s.Hold = &h
	}
	return s
}

// Timed reports whether who may vote on it depends on the time of day.
func (s Subject) Timed() bool {
	if s == (Subject{}) {
		return false
	}
	wanted, _ := s.requirements()
	return slices.ContainsFunc(wanted, func(w policy.Approval) bool { return w.Hours != "" })
}

// Standing says why an approval by voter could not count now; nil means that it could. It goes by what the subject and
// the voter themselves say, so Vote, which also asks the store, may still refuse. Errors are ErrNotPending, ErrOwn,
// ErrNotApprover, ErrHours and ErrVoted.
func (s Subject) Standing(voter policy.Principal, now time.Time) error {
	if state := s.at(now).state(); state != Pending {
		return fmt.Errorf("%w: it is %s", ErrNotPending, state)
	}
	if err := mayVote(voter, s.Asker()); err != nil {
		return err
	}
	wanted, votes := s.requirements()
	if err := mayAnswer(wanted, voter.Groups, true, now); err != nil {
		return err
	}
	return alreadyVoted(votes, Ballot{Approve: true, Voter: voter})
}
