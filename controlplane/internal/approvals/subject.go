package approvals

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Subject is one thing that waits or waited for people: exactly one of the two is set.
type Subject struct {
	Request *Request
	Hold    *Hold
}

// Asker is who wants it.
func (s Subject) Asker() policy.Principal {
	if s.Request != nil {
		return s.Request.Principal
	}
	if s.Hold != nil {
		return s.Hold.Principal
	}
	return policy.Principal{}
}

func (s Subject) requirements() ([]policy.Approval, []Vote) {
	if s.Request != nil {
		return s.Request.Requirements, s.Request.Votes
	}
	return s.Hold.Requirements, s.Hold.Votes
}

// Concerns reports whether p is its asker, somebody the asker acts for, one of those whom it asks, or one who voted.
func (s Subject) Concerns(p policy.Principal) bool {
	wanted, votes := s.requirements()
	return involved(s.Asker(), p.ID, p.Email) || eligible(wanted, p.Groups) ||
		slices.ContainsFunc(votes, func(v Vote) bool { return v.Voter == p.ID })
}

// Subject returns the request or held command with that id.
func (a *Approvals) Subject(ctx context.Context, id string) (Subject, error) {
	if strings.HasPrefix(id, holdPrefix) {
		h, err := a.Hold(ctx, id)
		return Subject{Hold: &h}, err
	}
	r, err := a.Request(ctx, id)
	return Subject{Request: &r}, err
}

// Subjects lists what waits, newest first, held commands before requests; all also what is decided.
func (a *Approvals) Subjects(ctx context.Context, all bool) ([]Subject, error) {
	holds, err := listed(ctx, a.holds, a.waiting, all, func(id string) string { return id })
	if err != nil {
		return nil, fmt.Errorf("list held commands: %w", err)
	}
	requests, err := listed(ctx, a.requests, a.pending, all, newest)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	out := make([]Subject, 0, len(holds)+len(requests))
	for i := range holds {
		out = append(out, Subject{Hold: &holds[i]}.at(a.cfg.Now()))
	}
	for i := range requests {
		out = append(out, Subject{Request: &requests[i]}.at(a.cfg.Now()))
	}
	out = slices.DeleteFunc(out, func(s Subject) bool { return !all && !s.Pending() })
	slices.SortFunc(out, func(x, y Subject) int {
		if x.Hold != nil != (y.Hold != nil) {
			return strings.Compare(x.ID(), y.ID()) // "hold-" before "req-"
		}
		return strings.Compare(y.ID(), x.ID())
	})
	return out, nil
}

// listed returns the values of a collection, or only those that an index of it lists. key is the key of an id.
func listed[T any](ctx context.Context, from *store.Collection[T], index *store.Collection[pendingRow], all bool, key func(id string) string) ([]T, error) {
	if all {
		entries, _, err := from.List(ctx, store.ListOptions{})
		out := make([]T, len(entries))
		for i, e := range entries {
			out[i] = e.Value
		}
		return out, err
	}
	rows, _, err := index.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = key(r.Key[strings.LastIndexByte(r.Key, '/')+1:])
	}
	found, err := from.GetAll(ctx, keys)
	var out []T
	for _, e := range found {
		out = append(out, e.Value)
	}
	return out, err
}

// Vote counts a ballot on a request or a held command. One denial by somebody who is asked refuses it.
func (a *Approvals) Vote(ctx context.Context, b Ballot) (Subject, error) {
	if len(b.Comment) > maxComment || !plain(b.Comment) {
		return Subject{}, fmt.Errorf("%w: comment: too long or not plain text; use at most %d bytes", ErrInvalid, maxComment)
	}
	if b.Digest == "" {
		return Subject{}, fmt.Errorf("%w: digest: empty; vote on what you were shown", ErrDigest)
	}
	if strings.HasPrefix(b.ID, holdPrefix) {
		h, err := a.voteHold(ctx, b)
		return Subject{Hold: &h}, err
	}
	r, err := a.voteRequest(ctx, b)
	return Subject{Request: &r}, err
}
