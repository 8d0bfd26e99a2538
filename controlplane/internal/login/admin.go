package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/token"
)

// AdminTokenLifetime is how long an admin token that was offered can be used.
const AdminTokenLifetime = 24 * time.Hour

// adminRow is the state of the one-time admin token.
type adminRow struct {
	Hash    token.Hash `json:"hash"`
	Expires time.Time  `json:"expires"`
	Closed  bool       `json:"closed"` // it was used, or an administrator came another way
}

const adminKey = "token"

// localAdmin is the principal that the admin token signs in. It is in no group and therefore approves nothing.
var localAdmin = policy.Principal{Kind: policy.KindPerson, ID: reserved + "admin", Name: reserved + "admin", Issuer: "writ"}

// OfferAdminToken makes the token with which the first administrator signs in. ok is false when there is none to offer:
// one was offered and is still good, or was used, or an administrator signed in another way. With reset it always makes
// a new one and voids the former. Only its hash is kept, so the caller shows it now or never.
func (l *Logins) OfferAdminToken(ctx context.Context, reset bool) (secret token.Secret, ok bool, err error) {
	secret = token.NewSecret(token.AdminSecret)
	err = l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		ok = false
		e, err := l.admin.In(tx).Get(adminKey)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if offered := err == nil; offered && !reset && (e.Value.Closed || l.cfg.Now().Before(e.Value.Expires)) {
			return nil
		}
		ok = true
		return l.admin.In(tx).Put(adminKey, adminRow{
			Hash: secret.Hash(), Expires: l.cfg.Now().Add(AdminTokenLifetime).UTC(),
		})
	})
	if err != nil || !ok {
		return token.Secret{}, false, err
	}
	return secret, true, nil
}

// WithAdminToken spends the admin token and signs in the local administrator.
func (l *Logins) WithAdminToken(ctx context.Context, raw string) (SignIn, error) {
	secret, err := token.ParseSecret(token.AdminSecret, raw)
	if err != nil {
		return SignIn{}, fmt.Errorf("%w: it is not an admin token", ErrProof)
	}
	return l.signIn(ctx, verified{principal: localAdmin, issued: l.cfg.Now()}, true, func(tx *store.Tx) error {
		return l.spendAdminToken(tx, secret)
	})
}

func (l *Logins) spendAdminToken(tx *store.Tx, secret token.Secret) error {
	e, err := l.admin.In(tx).Get(adminKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	row := e.Value
	if err != nil || row.Closed || !row.Hash.Matches(secret) || !l.cfg.Now().Before(row.Expires) {
		return fmt.Errorf("%w: this admin token is unknown, used or expired", ErrProof)
	}
	row.Closed = true
	return l.admin.In(tx).Put(adminKey, row)
}

// closeAdminToken voids the admin token, because an administrator has signed in without it.
func (l *Logins) closeAdminToken(tx *store.Tx) error {
	e, err := l.admin.In(tx).Get(adminKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if e.Value.Closed {
		return nil
	}
	return l.admin.In(tx).Put(adminKey, adminRow{Closed: true})
}
