package login

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Known is a principal as its newest proof described it.
type Known struct {
	Principal policy.Principal
	Since     time.Time // when that proof was issued
}

// PrincipalQuery narrows Principals.
type PrincipalQuery struct {
	// Text is looked for in names, e-mail addresses and groups, without regard to case. Empty is all.
	Text string
	// After is the name after which the page begins. Empty is the first page.
	After string
	// Limit bounds the page; it must be positive.
	Limit int
}

// Principals lists who has signed in, by name. more says that the query has further ones.
func (l *Logins) Principals(ctx context.Context, q PrincipalQuery) (page []Known, more bool, err error) {
	entries, _, err := l.people.List(ctx, store.ListOptions{})
	if err != nil {
		return nil, false, fmt.Errorf("list principals: %w", err)
	}
	for _, e := range entries {
		if p := e.Value.Principal; p.ID > q.After && mentions(p, strings.ToLower(q.Text)) {
			page = append(page, Known{Principal: p, Since: e.Value.Issued})
		}
	}
	slices.SortFunc(page, func(a, b Known) int { return strings.Compare(a.Principal.ID, b.Principal.ID) })
	if len(page) <= q.Limit {
		return page, false, nil
	}
	return page[:q.Limit], true, nil
}

func mentions(p policy.Principal, text string) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	return has(p.ID) || has(p.Email) || slices.ContainsFunc(p.Groups, has)
}
