package login

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
)

// ErrUnknown is a principal who never signed in.
var ErrUnknown = errors.New("no principal of that name has signed in")

// parties are those that a login is of: the principal and whom it acts for.
func parties(p policy.Principal) []string {
	all := append([]string{p.ID}, p.OnBehalfOf...)
	slices.Sort(all)
	return slices.Compact(all)
}

// folderOf is where the keys of a principal's logins are. A hash, because names are as long as keys may be.
func folderOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:]) + "/"
}

// keep writes a login and where EndLogins finds it. Both vanish with the lease.
func (l *Logins) keep(tx *store.Tx, key string, row loginRow, lease store.LeaseID) error {
	if err := l.rows.In(tx).Create(key, row, store.WithLease(lease)); err != nil {
		return err
	}
	for _, name := range parties(row.Principal) {
		if err := l.owned.In(tx).Put(folderOf(name)+key, struct{}{}, store.WithLease(lease)); err != nil {
			return err
		}
	}
	return nil
}

// Logout ends the login that the caller came with. An ID token has none.
func (l *Logins) Logout(ctx context.Context, c Caller) error {
	if c.login == "" {
		return nil
	}
	_, err := l.end(ctx, c.login)
	return err
}

// end removes a login, unless it is gone already.
func (l *Logins) end(ctx context.Context, key string) (ended bool, err error) {
	err = l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		ended = false
		e, err := l.rows.In(tx).Get(key)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ended = true
		for _, name := range parties(e.Value.Principal) {
			if err := ignoreMissing(l.owned.In(tx).Delete(folderOf(name) + key)); err != nil {
				return err
			}
		}
		return l.rows.In(tx).Delete(key)
	})
	return ended && err == nil, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// EndLogins signs a principal out everywhere and returns how many logins ended, those of agents that act for it among
// them. Proofs of identity from before now sign it in no more. It fails with ErrUnknown for a name without a sign-in.
func (l *Logins) EndLogins(ctx context.Context, name string) (int, error) {
	known, err := l.signOut(ctx, name)
	if err != nil {
		return 0, err
	}
	folder := folderOf(name)
	rows, _, err := l.owned.List(ctx, store.ListOptions{Prefix: folder})
	if err != nil {
		return 0, fmt.Errorf("list logins: %w", err)
	}
	if !known && len(rows) == 0 {
		return 0, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	count := 0
	for _, row := range rows {
		ended, err := l.end(ctx, strings.TrimPrefix(row.Key, folder))
		if err != nil {
			return count, err
		}
		if ended {
			count++
		}
	}
	return count, nil
}

// signOut voids earlier proofs. It comes before the logins are listed, so that a sign-in under way either sees it or is
// in the list.
func (l *Logins) signOut(ctx context.Context, name string) (known bool, err error) {
	err = l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := l.people.In(tx).Get(store.Key(name))
		if known = err == nil; errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		e.Value.SignedOut = l.cfg.Now().UTC()
		return l.people.In(tx).Put(e.Key, e.Value)
	})
	return known, err
}

// checkSignedOut refuses a proof from before the principal, or whom it acts for, was signed out everywhere.
func (l *Logins) checkSignedOut(tx *store.Tx, v verified) error {
	for _, name := range parties(v.principal) {
		e, err := l.people.In(tx).Get(store.Key(name))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if !e.Value.SignedOut.IsZero() && !v.issued.After(e.Value.SignedOut) {
			return fmt.Errorf("%w: %q was signed out everywhere after it was issued; get a new one", ErrProof, name)
		}
	}
	return nil
}
