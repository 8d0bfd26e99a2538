package enforce

import (
	"fmt"
	"maps"
	"slices"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// PrincipalChanged says who acts in these sessions from their next command on, as the newest
// sign-ins of the principal and of those it acts for describe them. A session whose principal
// is another, or acts for others, ends. Sessions that are being opened begin with it.
func (p *Pipeline) PrincipalChanged(ids []string, now policy.Principal) {
	for _, id := range ids {
		p.mu.Lock()
		s := p.live[id]
		if _, opening := p.opening[id]; s == nil && opening {
			p.opening[id] = &now
		}
		p.mu.Unlock()
		if s != nil {
			s.becomes(now)
		}
	}
}

// expect notes that a session is being opened, until it is registered or forgotten.
func (p *Pipeline) expect(session string) (forget func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening[session] = nil
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.opening, session)
	}
}

// becomes decides the session's next command for the principal as it is now.
func (s *Session) becomes(now policy.Principal) {
	if !sameWho(s.who.Principal, now) {
		s.end(&Ended{Reason: "who acts in it is no longer known"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !equalPrincipals(s.acting, now) {
		s.acting, s.rules, s.changed = now, nil, true
	}
}

// recordChange records who acts from the next command on, before anything is decided for it; s.mu is held.
func (s *Session) recordChange() error {
	if !s.changed {
		return nil
	}
	rec := s.record(audit.KindLogin)
	rec.Reason, rec.Attrs = "commands are decided with newer sign-ins from here on", groupsOf(s.acting)
	if _, err := s.log.write(rec); err != nil {
		s.end(&Ended{Reason: "a change of groups cannot be recorded at this edge"})
		return fmt.Errorf("record change of groups: %w", err)
	}
	s.changed = false
	return nil
}

// groupsOf lists the groups of a principal and, after their names, of its delegators.
func groupsOf(p policy.Principal) []audit.Attr {
	var out []audit.Attr
	for _, g := range p.Groups {
		out = append(out, audit.Attr{Name: "group", Value: g})
	}
	for _, d := range p.Delegators {
		out = append(out, audit.Attr{Name: "delegator", Value: d.ID})
		out = append(out, groupsOf(d)...)
	}
	return out
}

// sameWho reports whether b is a under another description: no sign-in makes a session anybody else's.
func sameWho(a, b policy.Principal) bool {
	return a.ID == b.ID && a.Kind == b.Kind && a.Issuer == b.Issuer && slices.Equal(a.OnBehalfOf, b.OnBehalfOf) &&
		slices.EqualFunc(a.Delegators, b.Delegators, func(x, y policy.Principal) bool { return x.ID == y.ID && x.Kind == y.Kind })
}

// equalPrincipals reports whether policy sees no difference.
func equalPrincipals(a, b policy.Principal) bool {
	return sameWho(a, b) && a.Name == b.Name && a.Email == b.Email && slices.Equal(a.Groups, b.Groups) &&
		maps.Equal(a.Attrs, b.Attrs) && slices.EqualFunc(a.Delegators, b.Delegators, equalPrincipals)
}
