package approvals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
)

// ratePeriod is what Config.RequestRate counts over.
const ratePeriod = time.Hour

// rateRow holds when a principal asked during the last period, oldest first, in Unix milliseconds. It is in the store,
// so that asking another replica does not help.
type rateRow struct {
	Asked []int64 `json:"asked"`
}

// at forgets what is older than the period.
func (r rateRow) at(now time.Time) rateRow {
	since := now.Add(-ratePeriod).UnixMilli()
	for len(r.Asked) > 0 && r.Asked[0] <= since {
		r.Asked = r.Asked[1:]
	}
	return r
}

// countAsk counts one ask of a principal, whatever comes of it, and fails with ErrRate when it was one too many.
func (a *Approvals) countAsk(ctx context.Context, principal string) error {
	key := store.Key(fold(principal))
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := a.rates.In(tx).Get(key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		now := a.cfg.Now()
		row := e.Value.at(now)
		if len(row.Asked) >= a.cfg.RequestRate {
			again := time.UnixMilli(row.Asked[0]).Add(ratePeriod).UTC()
			return fmt.Errorf("%w: %d in the last hour; ask again at %s", ErrRate, len(row.Asked), again.Format(time.RFC3339))
		}
		row.Asked = append(row.Asked, now.UnixMilli())
		return a.rates.In(tx).Put(key, row)
	})
}
