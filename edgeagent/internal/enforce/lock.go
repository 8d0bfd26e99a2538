package enforce

import (
	"strings"
	"time"
)

// Lock is an order to stop a principal, resource, edge or grant.
type Lock struct {
	ID     string
	Target string // "principal", "resource", "edge" or "grant"
	Name   string
	Reason string
	// ExpiresAt is zero for a lock that stays until it is removed.
	ExpiresAt time.Time
}

// SetLocks replaces the locks in force and ends the sessions they match.
func (p *Pipeline) SetLocks(locks []Lock) {
	p.mu.Lock()
	p.locks = locks
	var hit []*Session
	var why []*Ended
	for _, s := range p.live {
		if l, locked := p.lockFor(s.who); locked {
			hit = append(hit, s)
			why = append(why, &Ended{Reason: l.sentence()})
		}
	}
	p.mu.Unlock()
	for i, s := range hit {
		s.end(why[i])
	}
}

// lockFor returns a lock that stops a; p.mu is held.
func (p *Pipeline) lockFor(a Admitted) (Lock, bool) {
	now := p.cfg.Clock()
	for _, l := range p.locks {
		if !l.ExpiresAt.IsZero() && !now.Before(l.ExpiresAt) {
			continue
		}
		switch l.Target {
		case "principal":
			if strings.EqualFold(l.Name, a.Principal.ID) || contains(a.Principal.OnBehalfOf, l.Name) {
				return l, true
			}
		case "resource":
			if strings.EqualFold(l.Name, string(a.Resource.Name)) {
				return l, true
			}
		case "edge":
			if strings.EqualFold(l.Name, p.cfg.Edge) {
				return l, true
			}
		case "grant":
			if l.Name == a.Grant {
				return l, true
			}
		default: // an unknown target stops everything rather than nothing
			return l, true
		}
	}
	return Lock{}, false
}

func (l Lock) sentence() string {
	s := "the " + l.Target + " " + l.Name + " is locked"
	if l.Reason != "" {
		s += ": " + l.Reason
	}
	return s
}

// contains compares names as locks do: in any case.
func contains(list []string, s string) bool {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return true
		}
	}
	return false
}
