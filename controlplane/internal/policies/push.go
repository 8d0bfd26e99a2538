package policies

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/iampolicy"
	"github.com/writhq/writ/pkg/policy"
)

// Push is a bundle that is to become the next revision.
type Push struct {
	Files   map[string][]byte
	Author  string
	Message string
	Base    uint64 // the revision it started from; 0 is not checked
}

const maxMessage = 1000

// Push checks a bundle with its own tests and makes it the next revision, whole or not at all. It fails with
// *policy.BundleError for a bad bundle and with ErrBase when the newest revision is not Base.
func (p *Policies) Push(ctx context.Context, push Push) (Revision, error) {
	if err := push.check(); err != nil {
		return Revision{}, err
	}
	set, err := compile(policy.Bundle{Files: push.Files})
	if err != nil {
		return Revision{}, err
	}
	r := Revision{Files: push.Files, Author: push.Author, Message: push.Message, Policies: set.Len()}
	r, err = p.append(ctx, r, push.Base)
	if err != nil {
		return Revision{}, err
	}
	p.remember(r.Number, set)
	return r, nil
}

// compile checks a bundle, also for what only a control plane can tell.
func compile(b policy.Bundle) (*policy.Set, error) {
	set, err := policy.Compile(b)
	if err != nil {
		return nil, err
	}
	if _, err := iampolicy.Default().With(set.PrivilegedActions().Add, set.PrivilegedActions().Remove); err != nil {
		return nil, &policy.BundleError{Problems: []policy.Problem{{
			File: policy.PrivilegedFile, Message: err.Error(), Hint: "the list is in docs/aws-roles.md",
		}}}
	}
	return set, set.CheckZones()
}

func (push Push) check() error {
	switch {
	case len(push.Files) == 0:
		return fmt.Errorf("%w: no files; push at least one .cedar file", ErrInvalid)
	case len(push.Message) > maxMessage || !utf8.ValidString(push.Message):
		return fmt.Errorf("%w: message of %d bytes; use at most %d", ErrInvalid, len(push.Message), maxMessage)
	}
	return nil
}

// Rollback makes the bundle of an earlier revision the next one. The earlier one is compiled again: it must still be
// good.
func (p *Policies) Rollback(ctx context.Context, number uint64, author, message string) (Revision, error) {
	if number == 0 {
		return Revision{}, fmt.Errorf("%w: revision: 0; name the revision to go back to", ErrInvalid)
	}
	old, err := p.Get(ctx, number)
	if err != nil {
		return Revision{}, err
	}
	if err := (Push{Files: old.Files, Message: message}).check(); err != nil {
		return Revision{}, err
	}
	set, err := compile(old.Bundle())
	if err != nil {
		return Revision{}, err
	}
	r, err := p.append(ctx, Revision{
		Files: old.Files, Author: author, Message: message, Policies: set.Len(), RollbackOf: number,
	}, 0)
	if err != nil {
		return Revision{}, err
	}
	p.remember(r.Number, set)
	return r, nil
}

// append numbers and signs the revision and puts it in force.
func (p *Policies) append(ctx context.Context, r Revision, base uint64) (Revision, error) {
	r.CreatedAt = p.cfg.Now().UTC().Truncate(time.Microsecond)
	err := p.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		head, err := p.head.In(tx).Get(headKey)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		newest := head.Value.Number
		if base != 0 && base != newest {
			return fmt.Errorf("%w: you started from %d and the newest is %d; pull it first", ErrBase, base, newest)
		}
		r.Number = newest + 1
		p.sign(&r)
		if err := p.rows.In(tx).Create(key(r.Number), r); err != nil {
			return err
		}
		if err := p.head.In(tx).Put(headKey, headRow{Number: r.Number}); err != nil {
			return err
		}
		return p.cfg.Events.PolicyPushed(tx, r)
	})
	return r, err
}
