package approvals

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/policy"
)

// Ask is what a principal asks for.
type Ask struct {
	Principal policy.Principal
	Resource  string
	Actions   []string      // empty is everything that policy permits
	Duration  time.Duration // 0 is 1 h, or the most that is possible if that is less
	Reason    string
	Ticket    string
	Extend    string // a grant of the principal's own to lengthen
	Intent    Intent
	// StartAt is when the grant begins, at most MaxAhead from now; what is not after now is at once.
	StartAt time.Time
	// BreakGlass asks without approvers, where policy permits that. The grant lasts Config.MaxBreakGlass at most.
	BreakGlass bool
	ClientIP   netip.Addr
}

// MaxAhead is how long before its start a grant may be asked for.
const MaxAhead = 7 * 24 * time.Hour

// newRequest turns an ask that is well-formed into a pending request.
func (a *Approvals) newRequest(ask Ask) (Request, error) {
	if ask.Duration == 0 {
		ask.Duration = min(defaultGrant, a.cfg.MaxGrant)
	}
	now := a.cfg.Now().UTC()
	if !ask.StartAt.After(now) {
		ask.StartAt = time.Time{}
	}
	if err := a.checkAsk(ask, now); err != nil {
		return Request{}, err
	}
	if ask.BreakGlass {
		ask.Duration = min(ask.Duration, a.cfg.MaxBreakGlass)
	}
	id, err := a.newID(requestPrefix)
	if err != nil {
		return Request{}, err
	}
	actions := slices.Clone(ask.Actions)
	slices.Sort(actions)
	r := Request{
		ID: id, Principal: ask.Principal, Resource: ask.Resource, Actions: slices.Compact(actions),
		Duration: ask.Duration, Reason: ask.Reason, Ticket: ask.Ticket, Extends: ask.Extend, ClientIP: ask.ClientIP,
		Intent: ask.Intent.clone(), BreakGlass: ask.BreakGlass,
		State: Pending, CreatedAt: now, ExpiresAt: now.Add(a.cfg.RequestTTL),
	}
	if !ask.StartAt.IsZero() {
		r.StartAt = ask.StartAt.UTC()
	}
	return r, nil
}

func (a *Approvals) checkAsk(ask Ask, now time.Time) error {
	switch {
	case ask.Principal.ID == "":
		return fmt.Errorf("%w: no principal", ErrInvalid)
	case ask.Resource == "":
		return fmt.Errorf("%w: resource: empty; name the resource", ErrInvalid)
	case ask.Duration < minGrant || ask.Duration > a.cfg.MaxGrant:
		return fmt.Errorf("%w: duration: %s; use %s to %s", ErrInvalid, ask.Duration, minGrant, a.cfg.MaxGrant)
	case len(ask.Reason) > maxReason || !plain(ask.Reason):
		return fmt.Errorf("%w: reason: too long or not plain text; use at most %d bytes", ErrInvalid, maxReason)
	case len(ask.Ticket) > maxTicket || !plain(ask.Ticket):
		return fmt.Errorf("%w: ticket: too long or not plain text; use at most %d bytes", ErrInvalid, maxTicket)
	}
	if err := checkActions(ask.Actions); err != nil {
		return err
	}
	if err := checkTiming(ask, now); err != nil {
		return err
	}
	if err := ask.Intent.check(); err != nil {
		return err
	}
	if ask.Extend != "" {
		return checkID(grantPrefix, ask.Extend)
	}
	return nil
}

func checkActions(actions []string) error {
	if len(actions) > maxActions {
		return fmt.Errorf("%w: actions: %d; use at most %d", ErrInvalid, len(actions), maxActions)
	}
	for _, action := range actions {
		if !policy.Action(action).Known() {
			return fmt.Errorf("%w: actions: %q is not an action; use one such as %q", ErrInvalid, clip(action), policy.SQLRead)
		}
	}
	return nil
}

// checkTiming refuses combinations of start, extension and break-glass that would mean nothing.
func checkTiming(ask Ask, now time.Time) error {
	later := !ask.StartAt.IsZero()
	switch {
	case later && ask.StartAt.Sub(now) > MaxAhead:
		return fmt.Errorf("%w: start_at: more than %s ahead", ErrInvalid, MaxAhead)
	case later && ask.Extend != "":
		return fmt.Errorf("%w: start_at: an extension begins where the grant ends; leave it out", ErrInvalid)
	case later && ask.BreakGlass:
		return fmt.Errorf("%w: start_at: break-glass begins at once; leave it out", ErrInvalid)
	case ask.BreakGlass && ask.Extend != "":
		return fmt.Errorf("%w: break_glass: it extends no grant; file a new request", ErrInvalid)
	case ask.BreakGlass && strings.TrimSpace(ask.Reason) == "":
		return fmt.Errorf("%w: reason: empty; say why the glass has to be broken", ErrInvalid)
	}
	return nil
}

// plain is text that shows as what it is: no control characters and none that change the direction of what follows.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
	})
}
