package checkpoints

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/merklelog"
)

const (
	maxPlaced = 1000 // entries placed in one transaction
	maxGroups = 100  // of them, as registered
	// pause is how long entries gather before they are placed.
	pause = 200 * time.Millisecond
)

// Run places entries and lays the log out, on one replica at a time, until ctx ends.
func (l *Log) Run(ctx context.Context) error {
	return l.cfg.Store.Campaign(ctx, "log-sequencer", l.lead)
}

func (l *Log) lead(ctx context.Context) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	var p publisher
	var f finder
	var published, looked time.Time
	for {
		err := l.placeAll(ctx)
		now := time.Now()
		if err == nil && now.Sub(published) >= l.cfg.Period {
			published = now
			err = p.publish(ctx, l)
		}
		if err == nil && now.Sub(looked) >= l.cfg.Lost/4 {
			looked = now
			err = f.look(ctx, l, now)
		}
		if err != nil && ctx.Err() == nil {
			l.cfg.Logger.Error("the log of records does not go on", "error", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// placeAll gives all that waits a place.
func (l *Log) placeAll(ctx context.Context) error {
	for {
		groups, _, err := l.waiting.List(ctx, store.ListOptions{Limit: maxGroups})
		if err != nil || len(groups) == 0 {
			return err
		}
		n, size := 0, 0
		for n < len(groups) && (n == 0 || size+len(groups[n].Value) <= maxPlaced) {
			size += len(groups[n].Value)
			n++
		}
		if err := l.place(ctx, groups[:n]); err != nil {
			return err
		}
	}
}

// place appends groups to the log, in one transaction with its head. What another leader placed meanwhile is left alone.
func (l *Log) place(ctx context.Context, groups []store.Entry[[]string]) error {
	err := l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		heads, waiting := l.heads.In(tx), l.waiting.In(tx)
		h, err := heads.Get(headKey)
		if err != nil {
			return err
		}
		tree := h.Value.Tree.Clone()
		var batch []string
		for _, g := range groups {
			now, err := waiting.Get(g.Key)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			for _, e := range now.Value {
				tree.Append(merklelog.LeafHash([]byte(e)))
				batch = append(batch, e)
			}
			if err := waiting.Delete(g.Key); err != nil {
				return err
			}
		}
		if len(batch) == 0 {
			return nil
		}
		signed, err := merklelog.Checkpoint{Origin: l.origin, Size: tree.Size(), Root: tree.Root()}.Sign(l.signer)
		if err != nil {
			return err
		}
		if err := l.batches.In(tx).Create(batchKey(h.Value.Tree.Size()), batch); err != nil {
			return err
		}
		grown := h.Value
		grown.Tree, grown.Checkpoint = tree, signed
		return heads.Put(headKey, grown)
	})
	if err != nil {
		return fmt.Errorf("place entries: %w", err)
	}
	return nil
}

// batchKey sorts batches by their first entry's place.
func batchKey(first int64) string { return fmt.Sprintf("%016d", first) }
