package sessions

import (
	"context"
	"errors"
	"fmt"

	"github.com/writhq/writ/controlplane/internal/store"
)

// Events hears of a session in the transaction in which a person ends it. It has no effect outside tx, and fails only
// when the store does.
type Events interface {
	SessionKilled(tx *store.Tx, s Session) error
}

// silence hears nothing.
type silence struct{}

func (silence) SessionKilled(*store.Tx, Session) error { return nil }

// Kill ends one live session because a person wants that, on whatever edge it is, and tells Events. One that has ended
// is ErrEnded.
func (b *Book) Kill(ctx context.Context, id, reason, by string) error {
	if err := CheckID(id); err != nil {
		return err
	}
	return b.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := b.live.In(tx).Get(id)
		if errors.Is(err, store.ErrNotFound) {
			return ErrEnded
		}
		if err != nil {
			return err
		}
		if err := b.endIn(tx, e.Value, reason, by); err != nil {
			return err
		}
		ended, err := b.ended.In(tx).Get(id)
		if err != nil {
			return fmt.Errorf("read ended session: %w", err)
		}
		return b.cfg.Events.SessionKilled(tx, ended.Value)
	})
}
