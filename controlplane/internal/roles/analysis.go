package roles

import (
	"context"
	"slices"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/iampolicy"
)

// Analysis is what a role's policies allow that is privileged. It never changes: its digest names it.
type Analysis struct {
	Digest     string           `json:"digest"`
	RoleARN    string           `json:"role_arn"`
	Catalog    string           `json:"catalog"`
	Actions    []string         `json:"actions,omitempty"` // the privileged ones, in order
	Statements []Statement      `json:"statements,omitempty"`
	Policies   []iampolicy.Seen `json:"policies"`
	// KeptAt is when it was last known to be true of a role, to the day.
	KeptAt time.Time `json:"kept_at"`
}

// Statement is one statement that allows privileged actions.
type Statement struct {
	iampolicy.Source
	Actions []ClassActions `json:"actions"`
}

// ClassActions are the actions of one class, in order.
type ClassActions struct {
	Class   iampolicy.Class `json:"class"`
	Actions []string        `json:"actions"`
}

// Privileged reports whether the policies allow anything privileged.
func (a Analysis) Privileged() bool { return len(a.Actions) > 0 }

// Boundary is the ARN of the permissions boundary; empty is none.
func (a Analysis) Boundary() string {
	i := slices.IndexFunc(a.Policies, func(s iampolicy.Seen) bool { return s.Use == "boundary" })
	if i < 0 {
		return ""
	}
	return a.Policies[i].ARN
}

// analyse works out what a role allows.
func analyse(role iampolicy.Role, catalog iampolicy.Catalog, now time.Time) (Analysis, error) {
	found, err := iampolicy.Analyse(role, catalog)
	if err != nil {
		return Analysis{}, err
	}
	a := Analysis{
		Digest: found.Digest, RoleARN: role.ARN, Catalog: catalog.Digest(), Actions: found.Actions(), Policies: found.Seen, KeptAt: now.UTC(),
	}
	classes := make(map[string]iampolicy.Class, len(found.Privileges))
	for _, p := range found.Privileges {
		classes[p.Action] = p.Class
	}
	for _, reason := range found.Reasons() {
		s := Statement{Source: reason.Source}
		for _, class := range reason.Classes {
			others := func(action string) bool { return classes[action] != class }
			s.Actions = append(s.Actions, ClassActions{class, slices.DeleteFunc(slices.Clone(reason.Actions), others)})
		}
		a.Statements = append(a.Statements, s)
	}
	return a, nil
}

// Analysis returns one by its digest. It fails with store.ErrNotFound for one that is forgotten.
func (r *Roles) Analysis(ctx context.Context, digest string) (Analysis, error) {
	e, err := r.analyses.Get(ctx, digest)
	return e.Value, err
}

const (
	// touched is how often an analysis that still holds is marked as such.
	touched = 24 * time.Hour
	// kept is how long one stays that no longer holds. It is longer than access requests stay, which name it.
	kept = 45 * 24 * time.Hour
)

// keep writes an analysis, unless it stands there.
func (r *Roles) keep(tx *store.Tx, a Analysis) error {
	old, err := r.analyses.In(tx).Get(a.Digest)
	if err == nil && a.KeptAt.Sub(old.Value.KeptAt) < touched {
		return nil
	}
	return r.analyses.In(tx).Put(a.Digest, a)
}
