package approvals

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Ballot is one person's vote on one subject.
type Ballot struct {
	ID      string // of the request or the held command
	Digest  string // of what was shown
	Approve bool
	Comment string
	Voter   policy.Principal
}

// Vote is a ballot that was counted.
type Vote struct {
	Voter   string    `json:"voter"`
	Email   string    `json:"email,omitempty"`
	Approve bool      `json:"approve"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
	Groups  []string  `json:"groups,omitempty"` // the voter's when it voted
}

func (b Ballot) vote(now time.Time) Vote {
	return Vote{
		Voter: b.Voter.ID, Email: b.Voter.Email, Approve: b.Approve, Comment: b.Comment,
		At: now, Groups: slices.Clone(b.Voter.Groups),
	}
}

// samePerson compares two people by name and, where both are known, by e-mail address: one person with two sign-ins
// is still one person.
func samePerson(nameA, emailA, nameB, emailB string) bool {
	for _, a := range []string{nameA, emailA} {
		for _, b := range []string{nameB, emailB} {
			if a != "" && strings.EqualFold(a, b) {
				return true
			}
		}
	}
	return false
}

// mayVote refuses who can never vote on what asker asked for, whatever the policy says: anything but a person, a
// delegate, the asker, and anybody the asker acts for.
func mayVote(voter, asker policy.Principal) error {
	switch {
	case voter.Kind != policy.KindPerson:
		return fmt.Errorf("%w: only people vote, and you are signed in as %q", ErrNotApprover, voter.Kind)
	case len(voter.OnBehalfOf) > 0:
		return fmt.Errorf("%w: a sign-in on behalf of somebody cannot vote", ErrNotApprover)
	case involved(asker, voter.ID, voter.Email):
		return ErrOwn
	}
	return nil
}

// involved reports whether the person is the asker or somebody the asker acts for.
func involved(asker policy.Principal, name, email string) bool {
	if samePerson(asker.ID, asker.Email, name, email) || samePerson(asker.Name, "", name, email) {
		return true
	}
	return slices.ContainsFunc(asker.OnBehalfOf, func(p string) bool { return samePerson(p, "", name, email) })
}

// eligible reports whether somebody in these groups is asked at all.
func eligible(wanted []policy.Approval, groups []string) bool {
	return slices.ContainsFunc(wanted, func(w policy.Approval) bool { return slices.Contains(groups, w.Group) })
}

// alreadyVoted refuses a second vote of one person. Who approved may still deny.
func alreadyVoted(votes []Vote, b Ballot) error {
	for _, v := range votes {
		if samePerson(v.Voter, v.Email, b.Voter.ID, b.Voter.Email) && (b.Approve || !v.Approve) {
			return ErrVoted
		}
	}
	return nil
}

// checkBallot refuses a vote that cannot count towards wanted.
func (a *Approvals) checkBallot(tx *store.Tx, b Ballot, asker policy.Principal, wanted []policy.Approval, votes []Vote) error {
	if err := mayVote(b.Voter, asker); err != nil {
		return err
	}
	if err := a.cfg.Locks.CheckIn(tx, locks.Subject{Principals: []string{b.Voter.ID}}); err != nil {
		return err
	}
	present, err := a.presentGroups(tx, b.vote(a.cfg.Now()))
	if err != nil {
		return err
	}
	if err := mayAnswer(wanted, present, b.Approve, a.cfg.Now()); err != nil {
		return err
	}
	return alreadyVoted(votes, b)
}

// mayAnswer refuses the vote of somebody in these groups whom nobody asks, and an approval outside the hours. A denial
// counts at any time: it is the safe answer.
func mayAnswer(wanted []policy.Approval, groups []string, approve bool, now time.Time) error {
	if !eligible(wanted, groups) {
		return fmt.Errorf("%w: it asks for %s", ErrNotApprover, approvalsText(wanted))
	}
	if !approve {
		return nil
	}
	var closed []string
	for _, w := range wanted {
		if !slices.Contains(groups, w.Group) {
			continue
		}
		if open, err := w.OpenAt(now); err == nil && open {
			return nil
		}
		closed = append(closed, w.Hours)
	}
	return fmt.Errorf("%w: %s", ErrHours, strings.Join(closed, "; "))
}

// approvers returns who approved, if the approvals that are still good satisfy wanted.
func (a *Approvals) approvers(tx *store.Tx, wanted []policy.Approval, asker policy.Principal, votes []Vote) ([]string, bool, error) {
	var good []Vote
	for _, v := range votes {
		if !v.Approve || involved(asker, v.Voter, v.Email) || slices.ContainsFunc(good, func(o Vote) bool {
			return samePerson(o.Voter, o.Email, v.Voter, v.Email)
		}) {
			continue
		}
		switch err := a.cfg.Locks.CheckIn(tx, locks.Subject{Principals: []string{v.Voter}}); {
		case errors.Is(err, locks.ErrLocked):
			continue
		case err != nil:
			return nil, false, err
		}
		groups, err := a.presentGroups(tx, v)
		if err != nil {
			return nil, false, err
		}
		v.Groups = groups
		good = append(good, v)
	}
	names := make([]string, len(good))
	for i, v := range good {
		names[i] = v.Voter
	}
	return names, satisfied(wanted, good), nil
}

// presentGroups are the groups that the voter was in when it voted and still is in, as far as its newest sign-in says.
func (a *Approvals) presentGroups(tx *store.Tx, v Vote) ([]string, error) {
	p, known, err := a.cfg.Directory.PrincipalIn(tx, v.Voter)
	if err != nil {
		return nil, fmt.Errorf("look up voter: %w", err)
	}
	if !known {
		return v.Groups, nil
	}
	var both []string
	for _, g := range v.Groups {
		if slices.Contains(p.Groups, g) {
			both = append(both, g)
		}
	}
	return both, nil
}

// satisfied reports whether every place that wanted has can be given to a different voter of its group, who voted in its
// hours: one person in two groups fills one place. It is a bipartite matching by augmenting paths. Nothing wanted, or nobody of a group, is
// never satisfied.
func satisfied(wanted []policy.Approval, votes []Vote) bool {
	var places []policy.Approval
	for _, w := range wanted {
		if w.Count < 1 || w.Group == "" {
			return false
		}
		for range w.Count {
			places = append(places, w)
		}
	}
	if len(places) == 0 {
		return false
	}
	seatOf := make(map[int]int, len(votes)) // vote to place
	for place := range places {
		if !seat(place, places, votes, seatOf, map[int]bool{}) {
			return false
		}
	}
	return true
}

func seat(place int, places []policy.Approval, votes []Vote, seatOf map[int]int, tried map[int]bool) bool {
	for i, v := range votes {
		if tried[i] || !v.fits(places[place]) {
			continue
		}
		tried[i] = true
		held, taken := seatOf[i]
		if !taken || seat(held, places, votes, seatOf, tried) {
			seatOf[i] = place
			return true
		}
	}
	return false
}

// fits reports whether the vote was cast by one of the group, in the hours.
func (v Vote) fits(place policy.Approval) bool {
	if !slices.Contains(v.Groups, place.Group) {
		return false
	}
	open, err := place.OpenAt(v.At)
	return err == nil && open
}

func approvalsText(wanted []policy.Approval) string {
	parts := make([]string, len(wanted))
	for i, w := range wanted {
		parts[i] = w.String()
	}
	return strings.Join(parts, ", ")
}
