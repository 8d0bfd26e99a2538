package locks

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/writhq/writ/controlplane/internal/store"
)

// Subject is what is about to happen: every name in it is checked against the locks. Principals holds who acts and
// everybody it acts for.
type Subject struct {
	Principals []string
	Resource   string
	Edge       string
	Grant      string
}

type name struct {
	target Target
	name   string
}

func (s Subject) names() []name {
	var all []name
	for _, p := range s.Principals {
		all = append(all, name{Principal, p})
	}
	return append(all, name{Resource, s.Resource}, name{Edge, s.Edge}, name{Grant, s.Grant})
}

// Check reads the locks as they are now and fails with ErrLocked when one covers the subject. When the store cannot
// be read it fails as well.
func (l *Locks) Check(ctx context.Context, s Subject) error {
	return l.cfg.Store.Update(ctx, func(tx *store.Tx) error { return l.CheckIn(tx, s) })
}

// CheckIn is Check inside a transaction: when a lock is set before the transaction commits, it runs again.
func (l *Locks) CheckIn(tx *store.Tx, s Subject) error {
	now := l.cfg.Now()
	for _, n := range s.names() {
		if n.name == "" {
			continue
		}
		entries, err := l.rows.In(tx).List(key(n.target, n.name, ""))
		if err != nil {
			return fmt.Errorf("check locks: %w", err)
		}
		for _, e := range entries {
			if e.Value.Active(now) {
				return fmt.Errorf("%w: %s %q is locked (%s): %s", ErrLocked, n.target, n.name, e.Value.ID, e.Value.Reason)
			}
		}
	}
	return nil
}

func sortByKey(entries []store.Entry[Lock]) {
	slices.SortFunc(entries, func(a, b store.Entry[Lock]) int { return cmp.Compare(a.Key, b.Key) })
}
