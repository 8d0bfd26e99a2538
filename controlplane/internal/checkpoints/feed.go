package checkpoints

import (
	"context"
	"fmt"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/merklelog"
)

// Placed returns entries of the log from a place on, at least one if there is one, and at most limit, and the log's size.
func (l *Log) Placed(ctx context.Context, from int64, limit int) ([]merklelog.Entry, int64, error) {
	for try := 0; ; try++ {
		h, err := l.heads.Get(ctx, headKey)
		if err != nil {
			return nil, 0, fmt.Errorf("read log: %w", err)
		}
		size := h.Value.Tree.Size()
		if from < 0 || from >= size || limit <= 0 {
			return nil, size, nil
		}
		var entries []merklelog.Entry
		if published := h.Value.Published; from < published {
			entries, err = l.laidOut(ctx, from, published, limit)
		} else {
			entries, err = l.inBatches(ctx, from, size, limit)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read log: %w", err)
		}
		if len(entries) > 0 {
			return entries, size, nil
		}
		if try == maxFeedTries { // else they were laid out meanwhile
			return nil, 0, fmt.Errorf("read log: %w: entry %d of %d is not there", store.ErrCorrupt, from, size)
		}
	}
}

const maxFeedTries = 3

func (l *Log) laidOut(ctx context.Context, from, size int64, limit int) ([]merklelog.Entry, error) {
	entries := make([]merklelog.Entry, 0, min(int64(limit), size-from))
	for _, e := range merklelog.EntriesFrom(l.reader(ctx), from, size) {
		if e.Err != nil {
			if len(entries) > 0 {
				break
			}
			return nil, e.Err
		}
		decoded, err := merklelog.DecodeEntry(e.Entry)
		if err != nil {
			return nil, err
		}
		if entries = append(entries, decoded); len(entries) == limit {
			break
		}
	}
	return entries, nil
}

// inBatches returns nothing when the batch that has the first of them is not there any more.
func (l *Log) inBatches(ctx context.Context, from, size int64, limit int) ([]merklelog.Entry, error) {
	var entries []merklelog.Entry
	after := ""
	for next := from; next < size; {
		batches, _, err := l.batches.List(ctx, store.ListOptions{After: after, Limit: maxBatches})
		if err != nil {
			return nil, err
		}
		for _, b := range batches {
			after = b.Key
			var first int64
			if _, err := fmt.Sscanf(b.Key, "%d", &first); err != nil {
				return nil, fmt.Errorf("%w: batch %.40q", store.ErrCorrupt, b.Key)
			}
			if first > next || next >= first+int64(len(b.Value)) {
				continue
			}
			for _, encoded := range b.Value[next-first:] {
				decoded, err := merklelog.DecodeEntry([]byte(encoded))
				if err != nil {
					return nil, fmt.Errorf("%w: %w", store.ErrCorrupt, err)
				}
				if entries = append(entries, decoded); len(entries) == limit {
					return entries, nil
				}
				next++
			}
		}
		if len(batches) < maxBatches {
			break
		}
	}
	return entries, nil
}

// Unplaced returns the entries that have no place yet, of objects that are stored or may be about to be. What gets its place meanwhile is in
// a later Placed.
func (l *Log) Unplaced(ctx context.Context) ([]merklelog.Entry, error) {
	var entries []merklelog.Entry
	for _, queue := range []*store.Collection[[]string]{l.announced, l.waiting} { // in the order in which they go
		groups, _, err := queue.List(ctx, store.ListOptions{})
		if err != nil {
			return nil, fmt.Errorf("read log: %w", err)
		}
		for _, g := range groups {
			for _, encoded := range g.Value {
				e, err := merklelog.DecodeEntry([]byte(encoded))
				if err != nil {
					return nil, fmt.Errorf("read log: %w: %w", store.ErrCorrupt, err)
				}
				entries = append(entries, e)
			}
		}
	}
	return entries, nil
}
