package auditlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/writhq/writ/pkg/audit"
)

// owner says whose a session is. It never changes.
type owner struct {
	edge       string
	principals []string // the principal, and those it acts for
	resource   string
}

// owner returns whose a session is, and false for one that nobody knows, or no longer.
func (l *Log) owner(ctx context.Context, session string) (owner, bool, error) {
	if o, ok := l.owners.Get(session); ok {
		return o, true, nil
	}
	s, err := l.cfg.Sessions.Describe(ctx, session)
	if errors.Is(err, ErrUnknownSession) {
		return owner{}, false, nil
	}
	if err != nil {
		return owner{}, false, fmt.Errorf("whose session: %w", err)
	}
	o := owner{edge: s.Edge, principals: s.Principals, resource: s.Resource}
	l.owners.Add(session, o)
	return o, true, nil
}

// owned says whose the sessions in a block of an edge are, by their ids.
type owned map[string]owner

// ownersOf finds out whose the sessions are of which the block has records without a principal, such as outcomes: by
// another record in the block, else by who opened them at that edge. Those of which neither is known are left out.
func (l *Log) ownersOf(ctx context.Context, edge string, records []audit.Record) (owned, error) {
	all := owned{}
	for i := range records {
		if r := &records[i]; r.Session != "" && r.Principal != "" {
			if _, ok := all[r.Session]; !ok {
				all[r.Session] = ownerIn(r)
			}
		}
	}
	for i := range records {
		session := records[i].Session
		if _, ok := all[session]; ok || session == "" {
			continue
		}
		o, ok, err := l.owner(ctx, session)
		if err != nil {
			return nil, err
		}
		if !ok || o.edge != edge {
			o = owner{}
		}
		all[session] = o
	}
	return all, nil
}

// of is whom and what a record is about.
func (all owned) of(r *audit.Record) owner {
	if r.Principal == "" {
		if o, ok := all[r.Session]; ok {
			return o
		}
	}
	return ownerIn(r)
}

func ownerIn(r *audit.Record) owner {
	return owner{principals: append([]string{r.Principal}, r.OnBehalfOf...), resource: r.Resource}
}
