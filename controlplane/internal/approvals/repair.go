package approvals

import (
	"errors"
	"slices"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Repair is an ask close to a refused one that policy would permit, or put to approvers.
type Repair struct {
	Actions        []string // empty is everything that policy permits
	Duration       time.Duration
	ReasonRequired bool // a reason must be given
	TicketRequired bool // a ticket must be given
	// BreakGlass says that it is permitted as break-glass only. It is unset where break-glass is what stands in the way.
	BreakGlass   bool
	Requirements []policy.Approval // whom it would wait for; nobody when it would be granted at once
	Dropped      []string          // the actions asked for that are not in Actions
}

// denied makes the refusal of a request, with what would be permitted instead.
func (a *Approvals) denied(tx *store.Tx, r Request, target policy.Resource) error {
	d := &Denied{Resource: r.Resource, Reason: r.Denial, PolicyIDs: r.PolicyIDs, Revision: r.Revision}
	set, revision, err := a.cfg.Policies.InForce(tx)
	if err != nil {
		return errors.Join(d, err)
	}
	if revision == r.Revision {
		s := search{set: set, target: target, now: a.cfg.Now(), maxBreakGlass: a.cfg.MaxBreakGlass}
		d.Repair = s.repair(r)
	}
	return d
}

// maxProbes bounds how often policy is asked for one of the ways to repair a request.
const maxProbes = 600

// filled stands for a reason or a ticket that the asker has yet to write.
const filled = "(to be filled in)"

// ladder are the durations that are tried, the longest first.
var ladder = []time.Duration{
	8 * time.Hour, 4 * time.Hour, 2 * time.Hour, time.Hour, 30 * time.Minute, 15 * time.Minute, 5 * time.Minute, minGrant,
}

// search looks for a repair by asking policy about changed requests. Whatever it proposes, policy was asked about it.
type search struct {
	set           *policy.Set
	target        policy.Resource
	now           time.Time
	maxBreakGlass time.Duration
	left          int // probes
}

// probe reports what policy says about a request. A break-glass request that would have to wait is refused.
func (s *search) probe(r Request) (policy.Decision, bool) {
	if s.left <= 0 {
		return policy.Decision{}, false
	}
	s.left--
	d, err := decide(s.set, r, s.target, s.now)
	return d, err == nil && (d.Effect == policy.Allow || d.Effect == policy.Hold && !r.BreakGlass)
}

func (s *search) passes(r Request) bool {
	_, ok := s.probe(r)
	return ok
}

// repair finds the smallest change, from the least to the most that the asker gives up: words that are missing, time,
// actions, and last the ordinary way itself.
func (s *search) repair(asked Request) *Repair {
	for _, base := range s.ways(asked) {
		s.left = maxProbes
		for _, change := range []func(Request) (Request, bool){s.asIs, s.shorter, s.fewer, s.fewerAndShorter} {
			for _, worded := range wordings(base) {
				if r, ok := change(worded); ok {
					return s.describe(asked, r)
				}
			}
		}
	}
	return nil
}

// ways are the request as it is, and with break-glass turned around. A request that must wait, or extends a grant,
// cannot break the glass.
func (s *search) ways(r Request) []Request {
	other := r
	other.BreakGlass = !r.BreakGlass
	switch {
	case r.Extends != "" || !r.StartAt.IsZero():
		return []Request{r}
	case other.BreakGlass:
		other.Duration = min(r.Duration, s.maxBreakGlass)
	}
	return []Request{r, other}
}

// wordings are the request with a reason, a ticket or both filled in where they are missing, the fewest first.
func wordings(r Request) []Request {
	reasoned, ticketed, both := r, r, r
	reasoned.Reason, both.Reason = filled, filled
	ticketed.Ticket, both.Ticket = filled, filled
	out := []Request{r}
	if r.BreakGlass && r.Reason == "" { // it needs one whatever policy says
		out = nil
	}
	switch {
	case r.Reason == "" && r.Ticket == "":
		if r.BreakGlass {
			return []Request{reasoned, both}
		}
		return append(out, reasoned, ticketed, both)
	case r.Reason == "":
		return append(out, reasoned)
	case r.Ticket == "":
		return append(out, ticketed)
	}
	return out
}

func (s *search) asIs(r Request) (Request, bool) { return r, s.passes(r) }

// shorter finds the longest duration that passes, to the minute as far as policy has one limit.
func (s *search) shorter(r Request) (Request, bool) {
	refused := r.Duration
	for _, d := range ladder {
		if d >= refused {
			continue
		}
		if r.Duration = d; s.passes(r) {
			return s.bisect(r, refused), true
		}
		refused = d
	}
	return r, false
}

// bisect lengthens r, which passes, towards a duration that does not.
func (s *search) bisect(r Request, refused time.Duration) Request {
	for refused-r.Duration > time.Minute {
		middle := r
		middle.Duration += ((refused - r.Duration) / 2).Truncate(time.Minute)
		if middle.Duration == r.Duration {
			break
		}
		if s.passes(middle) {
			r = middle
		} else {
			refused = middle.Duration
		}
	}
	return r
}

// fewer keeps the actions that pass together. Of "everything" it tries the groups of actions.
func (s *search) fewer(r Request) (Request, bool) {
	if r.Extends != "" { // it keeps the grant's actions
		return r, false
	}
	wanted := r.Actions
	if len(wanted) == 0 {
		wanted = actionGroups
	}
	var alone []string
	for _, action := range wanted {
		if r.Actions = []string{action}; s.passes(r) {
			alone = append(alone, action)
		}
	}
	if len(alone) == 0 {
		return r, false
	}
	if r.Actions = alone; s.passes(r) {
		return r, true
	}
	r.Actions = alone[:1]
	for _, action := range alone[1:] {
		more := r
		if more.Actions = append(slices.Clone(r.Actions), action); s.passes(more) {
			r = more
		}
	}
	return r, true
}

// actionGroups are what "everything" is made of, without what must be named to be allowed.
var actionGroups = func() []string {
	groups := []string{
		string(policy.SQLRead), string(policy.SQLWrite), string(policy.SQLExecute), string(policy.SQLSession), string(policy.SQLAdmin),
	}
	slices.Sort(groups)
	return groups
}()

// fewerAndShorter drops actions at the first duration of the ladder that leaves any.
func (s *search) fewerAndShorter(r Request) (Request, bool) {
	refused := r.Duration
	for _, d := range ladder {
		if d >= refused {
			continue
		}
		r.Duration = d
		if kept, ok := s.fewer(r); ok {
			return s.bisect(kept, refused), true
		}
		refused = d
	}
	return r, false
}

// describe says how r, which passes, differs from what was asked.
func (s *search) describe(asked, r Request) *Repair {
	d, ok := s.probe(r)
	if !ok {
		return nil
	}
	out := &Repair{
		Actions: r.Actions, Duration: r.Duration, BreakGlass: r.BreakGlass,
		ReasonRequired: r.Reason != asked.Reason, TicketRequired: r.Ticket != asked.Ticket,
	}
	if d.Effect == policy.Hold {
		out.Requirements = d.Approvals
	}
	for _, action := range asked.Actions {
		if !slices.Contains(r.Actions, action) {
			out.Dropped = append(out.Dropped, action)
		}
	}
	return out
}
