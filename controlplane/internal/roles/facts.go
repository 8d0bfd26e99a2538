package roles

import (
	"context"
	"errors"
	"time"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// Problem says, to people, why nothing is known of a role. The texts are fixed: they are part of what approvers agree to.
type Problem string

// The problems.
const (
	NotRead     Problem = "its policies have not been read yet"
	Refused     Problem = "AWS does not let Writ read its policies"
	Unreachable Problem = "AWS could not be asked for its policies"
	TooLarge    Problem = "its policies are larger than Writ reads"
	Unclear     Problem = "its policies are not understood"
	Stale       Problem = "its policies were last read too long ago"
	Relisted    Problem = "the list of privileged actions has changed since its policies were read"
)

// Facts are what is known of a role. The zero value is that nothing is.
type Facts struct {
	RoleARN string
	Problem Problem // why nothing is known
	ReadAt  time.Time
	// Analysis is nil where nothing is known.
	Analysis *Analysis
}

// Policy is the role as policies see it.
func (f Facts) Policy() *policy.Role {
	role := &policy.Role{ARN: f.RoleARN}
	if f.Analysis != nil {
		role.Privileges = append([]string{}, f.Analysis.Actions...)
	}
	return role
}

// Facts is FactsIn outside a transaction.
func (r *Roles) Facts(ctx context.Context, res resources.Resource) (f Facts, err error) {
	err = r.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		f, err = r.FactsIn(tx, res)
		return err
	})
	return f, err
}

// FactsIn returns what is known of the role of an account, as the transaction sees it; of a resource of another kind it is the zero value.
func (r *Roles) FactsIn(tx *store.Tx, res resources.Resource) (Facts, error) {
	if res.AWS == nil {
		return Facts{}, nil
	}
	set, _, err := r.cfg.Policies.InForce(tx)
	if err != nil {
		return Facts{}, err
	}
	catalog := r.catalog(set)
	e, err := r.rows.In(tx).Get(res.Name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Facts{}, err
	}
	f, digest := e.Value.facts(res.AWS.RoleARN, catalog.Digest(), r.cfg.Now(), r.cfg.Stale)
	if digest == "" {
		return f, nil
	}
	a, err := r.analyses.In(tx).Get(digest)
	if errors.Is(err, store.ErrNotFound) {
		return Facts{RoleARN: res.AWS.RoleARN, Problem: NotRead}, nil
	}
	f.Analysis = &a.Value
	return f, err
}

// facts are what the row says of a role at now, without its analysis, and the digest of that; it is empty where nothing is known.
func (w row) facts(roleARN, catalog string, now time.Time, stale time.Duration) (Facts, string) {
	f := Facts{RoleARN: roleARN}
	switch {
	case w.RoleARN != roleARN:
		f.Problem = NotRead
	case w.Digest == "":
		f.Problem = w.Problem
	case w.Catalog != catalog:
		f.Problem = Relisted
	case now.Sub(w.ReadAt) > stale:
		f.Problem = Stale
	default:
		f.ReadAt = w.ReadAt
		return f, w.Digest
	}
	if f.Problem == "" {
		f.Problem = NotRead
	}
	return f, ""
}
