package checkpoints

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/merklelog"
)

// Folder is where the log is in the object store.
const Folder = "log/v1"

// ErrFork is an object of the log that is stored and says something else: the store was changed, or an older state of the control plane
// was restored. The log does not go on until somebody has found out which.
var ErrFork = errors.New("the stored log says something else")

// publisher lays out what was placed. The zero value finds out by itself where the layout ends.
type publisher struct {
	tiles *merklelog.Tiles
}

// publish stores the tiles and the checkpoint of everything that was placed. When it fails it can be called again.
func (p *publisher) publish(ctx context.Context, l *Log) (err error) {
	defer func() {
		if err != nil {
			p.tiles = nil
			err = fmt.Errorf("publish log: %w", err)
		}
	}()
	h, err := l.choose(ctx)
	if err != nil || h.Next == nil {
		return err
	}
	if p.tiles == nil || p.tiles.Size() != h.Published {
		if p.tiles, err = merklelog.ResumeTiles(h.Published, l.reader(ctx)); err != nil {
			return err
		}
	}
	batches, err := p.layOut(ctx, l, h)
	if err != nil {
		return err
	}
	if err := l.put(ctx, fmt.Sprintf("%s/checkpoint/%016d", Folder, h.Next.Size), h.Next.Checkpoint); err != nil {
		return err
	}
	return l.settle(ctx, h.Next.Size, batches)
}

// choose returns the head with the state that is to be laid out, if there is one: the one that a publisher before was about to, or all that
// has a place.
func (l *Log) choose(ctx context.Context) (h head, err error) {
	err = l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		heads := l.heads.In(tx)
		e, err := heads.Get(headKey)
		if err != nil {
			return err
		}
		h = e.Value
		if h.Next != nil || h.Published == h.Tree.Size() {
			return nil
		}
		h.Next = &next{h.Tree.Size(), h.Checkpoint}
		return heads.Put(headKey, h)
	})
	return h, err
}

// layOut stores the tiles of a head, and returns the batches that it is done with.
func (p *publisher) layOut(ctx context.Context, l *Log, h head) (done []string, err error) {
	after := ""
	for p.tiles.Size() < h.Next.Size {
		batches, _, err := l.batches.List(ctx, store.ListOptions{After: after, Limit: maxBatches})
		if err != nil {
			return nil, err
		}
		for _, b := range batches {
			after = b.Key
			switch {
			case b.Key < batchKey(p.tiles.Size()): // laid out by a publisher that ended before it took it away
			case b.Key == batchKey(p.tiles.Size()) && p.tiles.Size() < h.Next.Size:
				err = p.append(ctx, l, b.Value)
			default:
				continue // placed since
			}
			if err != nil {
				return nil, err
			}
			done = append(done, b.Key)
		}
		if len(batches) < maxBatches {
			break
		}
	}
	if p.tiles.Size() != h.Next.Size {
		return nil, fmt.Errorf("%w: entries from %d on are not there, the log has %d", store.ErrCorrupt, p.tiles.Size(), h.Next.Size)
	}
	return done, l.putAll(ctx, p.tiles.Partial())
}

// maxBatches is how many are read at a time.
const maxBatches = 10

// append lays entries out, and stores the tiles that they fill.
func (p *publisher) append(ctx context.Context, l *Log, entries []string) error {
	for _, e := range entries {
		full, err := p.tiles.Append([]byte(e), nil)
		if err == nil {
			err = l.putAll(ctx, full)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle notes how much is laid out, and takes away the batches that it was.
func (l *Log) settle(ctx context.Context, size int64, batches []string) error {
	err := l.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		heads := l.heads.In(tx)
		h, err := heads.Get(headKey)
		if err != nil {
			return err
		}
		if h.Value.Published >= size {
			return nil
		}
		settled := h.Value
		settled.Published, settled.Next = size, nil
		return heads.Put(headKey, settled)
	})
	if err != nil {
		return err
	}
	for _, key := range batches {
		if _, err := l.batches.Delete(ctx, key); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

func (l *Log) reader(ctx context.Context) merklelog.Reader {
	return func(path string) ([]byte, error) { return l.cfg.Objects.Get(ctx, Folder+"/"+path) }
}

func (l *Log) putAll(ctx context.Context, objects []merklelog.Object) error {
	for _, o := range objects {
		if err := l.put(ctx, Folder+"/"+o.Path, o.Data); err != nil {
			return err
		}
	}
	return nil
}

// put stores an object of the log, which may be there already if it is the same.
func (l *Log) put(ctx context.Context, key string, data []byte) error {
	err := l.cfg.Objects.Put(ctx, key, data)
	if !errors.Is(err, auditlog.ErrExists) {
		return err
	}
	old, err := l.cfg.Objects.Get(ctx, key)
	if err == nil && !bytes.Equal(old, data) {
		err = fmt.Errorf("%w: %s", ErrFork, key)
	}
	return err
}
