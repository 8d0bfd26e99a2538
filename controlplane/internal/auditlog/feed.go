package auditlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/controlplane/internal/recordindex"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/merklelog"
)

// Feed tells what is stored, in the order of the Merkle log.
type Feed interface {
	// Placed returns entries of the log from a place on, at least one if there is one, and at most limit, and how many there are in all.
	Placed(ctx context.Context, from int64, limit int) (entries []merklelog.Entry, size int64, err error)
	// Unplaced returns the entries that have no place yet. What they are of may not be stored. A later Placed has what had its place before.
	Unplaced(ctx context.Context) ([]merklelog.Entry, error)
}

const (
	indexAhead = 64 // entries indexed at a time
	indexReads = 8  // at the same time
	savePeriod = time.Minute
)

// RunIndex keeps the index up with the log until ctx ends. What fails is tried again.
func (l *Log) RunIndex(ctx context.Context) error {
	if l.cfg.Index == nil {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	tick := time.NewTicker(l.cfg.Poll)
	defer tick.Stop()
	saved := time.Now()
	checked := false
	for {
		err := l.follow(ctx, &checked)
		if err == nil && time.Since(saved) >= savePeriod {
			saved, err = time.Now(), l.cfg.Index.Save()
		}
		if err != nil && ctx.Err() == nil {
			l.cfg.Logger.Error("the search index does not go on; searches read the records", "error", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// follow indexes what has a place. At first it makes sure that the index is of this log.
func (l *Log) follow(ctx context.Context, checked *bool) error {
	if !*checked {
		if err := l.checkIndex(ctx); err != nil {
			return err
		}
		*checked = true
	}
	for {
		next, _ := l.cfg.Index.Next()
		entries, size, err := l.cfg.Feed.Placed(ctx, next, indexAhead)
		if err != nil {
			return err
		}
		if size < next {
			*checked = false
			return fmt.Errorf("the log has %d entries, the index %d", size, next)
		}
		if len(entries) == 0 {
			return nil
		}
		if err := l.index(ctx, entries); err != nil {
			return err
		}
	}
}

// checkIndex takes away an index of another log, or of an end that this one no longer has.
func (l *Log) checkIndex(ctx context.Context) error {
	next, hash := l.cfg.Index.Next()
	if next == 0 {
		return nil
	}
	entries, _, err := l.cfg.Feed.Placed(ctx, next-1, 1)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		if last, err := hashOf(entries[0]); err != nil || last == hash {
			return err
		}
	}
	l.cfg.Logger.Warn("the search index is of another log and is made again")
	return l.cfg.Index.Reset()
}

func hashOf(e merklelog.Entry) ([32]byte, error) {
	encoded, err := e.Encode()
	return merklelog.LeafHash(encoded), err
}

// index adds entries, whose blocks it reads at the same time.
func (l *Log) index(ctx context.Context, entries []merklelog.Entry) error {
	ready := make([]recordindex.Entry, len(entries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(indexReads)
	for i, e := range entries {
		g.Go(func() (err error) {
			ready[i], err = l.indexEntry(ctx, e)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, e := range ready {
		if err := l.cfg.Index.Add(e); err != nil {
			return err
		}
	}
	return nil
}

// indexEntry reads what an entry is of. Storage that is out of reach is an error; a block that cannot be read is damaged.
func (l *Log) indexEntry(ctx context.Context, e merklelog.Entry) (x recordindex.Entry, err error) {
	if x.Hash, err = hashOf(e); err != nil {
		return x, err
	}
	if e.Kind == merklelog.Retired {
		x.Retired = e.Key
		return x, nil
	}
	edge, ok := edgeOf(e.Key)
	x.Block = recordindex.Block{Key: e.Key, Edge: edge, First: e.First, Last: e.Last, Damaged: true}
	if !ok {
		return x, nil
	}
	data, err := l.cfg.Objects.Get(ctx, e.Key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return x, err
	}
	var records []audit.Record
	if err == nil {
		records, err = decodeBlock(data, edge)
	}
	if err != nil {
		return x, nil
	}
	whose, err := l.ownersOf(ctx, edge, records)
	if err != nil {
		return x, err
	}
	x.Block.Damaged = false
	for i := range records {
		r := &records[i]
		x.Records = append(x.Records, termsOf(r, whose.of(r), edge == ""))
		if call := procedure(r); edge == "" && call != "" && done(r) {
			x.Labels = append(x.Labels, call)
		}
	}
	return x, nil
}

// edgeOf reads from a block's key whose it is, which is "" for the control plane's own.
func edgeOf(key string) (edge string, ok bool) {
	parts := splitKey(key)
	switch {
	case len(parts) == 5 && parts[0]+"/"+parts[1] == adminFolder:
		return "", true
	case len(parts) == 6 && parts[0]+"/"+parts[1] == recordsFolder && identity.CheckEdgeName(parts[3]) == nil:
		return parts[3], true
	}
	return "", false
}
