package auditlog

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/writhq/writ/pkg/audit"
)

const (
	adminTimeout  = 10 * time.Second
	maxAdminBatch = 256
	maxAdminList  = 1000
)

// RecordAdmin stores one of the control plane's own records and returns when
// it is durable. It sets ID, Time where it is zero, and the chain's fields.
// Without its success the caller must refuse what it was about to do.
func (l *Log) RecordAdmin(ctx context.Context, r audit.Record) error {
	return l.admin.record(ctx, r)
}

// adminWriter stores records in blocks: what comes while one is being stored
// shares the next.
type adminWriter struct {
	cfg Config
	ids *audit.IDSource
	enc *audit.BlockEncoder

	mu      sync.Mutex
	pending []*entry
	busy    bool

	chain    *audit.Chain // used by the one writer
	chains   int
	sequence uint64
}

type entry struct {
	record audit.Record
	done   chan error
}

func newAdminWriter(cfg Config) (*adminWriter, error) {
	ids, err := audit.NewIDSource(rand.Reader)
	if err != nil {
		return nil, err
	}
	enc, err := audit.NewBlockEncoder("")
	if err != nil {
		return nil, err
	}
	return &adminWriter{cfg: cfg, ids: ids, enc: enc}, nil
}

func (w *adminWriter) record(ctx context.Context, r audit.Record) error {
	e := &entry{record: r, done: make(chan error, 1)}
	w.mu.Lock()
	now := w.cfg.Now()
	e.record.ID = w.ids.Next(now)
	if e.record.Time.IsZero() {
		e.record.Time = now
	}
	w.pending = append(w.pending, e)
	if !w.busy {
		w.busy = true
		go w.write()
	}
	w.mu.Unlock()
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("record: %w", context.Cause(ctx))
	}
}

// write stores batches until nothing is pending.
func (w *adminWriter) write() {
	for {
		w.mu.Lock()
		n := min(len(w.pending), maxAdminBatch)
		batch := slices.Clone(w.pending[:n])
		w.pending = slices.Delete(w.pending, 0, n)
		w.busy = n > 0
		w.mu.Unlock()
		if n == 0 {
			return
		}
		w.store(batch)
	}
}

// store answers every entry. A failed batch ends the chain, because it is not
// known whether it was stored.
func (w *adminWriter) store(batch []*entry) {
	var raw [][]byte
	var kept []*entry
	size := 0
	for i, e := range batch {
		b, err := w.append(&e.record)
		if err != nil {
			e.done <- fmt.Errorf("record: %w", err)
			continue
		}
		if size += audit.BlockCost(b); size > audit.MaxBlockBytes && len(raw) > 0 {
			w.put(kept, raw)
			w.chain = nil // b was chained to what is stored, but is encoded again
			w.store(batch[i:])
			return
		}
		raw, kept = append(raw, b), append(kept, e)
	}
	if len(kept) > 0 {
		w.put(kept, raw)
	}
}

func (w *adminWriter) append(r *audit.Record) ([]byte, error) {
	if w.chain == nil {
		w.chains++
		chain, err := audit.NewChain("", fmt.Sprintf("controlplane:%s:%d", w.cfg.Replica, w.chains))
		if err != nil {
			return nil, err
		}
		w.chain = chain
	}
	b, err := w.chain.Append(nil, r)
	if err == nil {
		return b, nil
	}
	r.Trim()
	return w.chain.Append(nil, r)
}

func (w *adminWriter) put(kept []*entry, raw [][]byte) {
	err := w.putBlock(kept, raw)
	if err != nil {
		w.chain = nil
		w.cfg.Logger.Error("admin records are not stored", "records", len(kept), "error", err)
		err = fmt.Errorf("record: %w", err)
	}
	for _, e := range kept {
		e.done <- err
	}
}

func (w *adminWriter) putBlock(kept []*entry, raw [][]byte) error {
	block, err := w.enc.Encode(nil, raw)
	if err != nil {
		return err
	}
	w.sequence++
	at := kept[0].record.ID.Time().UTC()
	key := path.Join(adminFolder, at.Format(dayLayout), at.Format("15"),
		fmt.Sprintf("%013d_%s_%d%s", at.UnixMilli(), w.cfg.Replica, w.sequence, suffix))
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	records := make([]audit.Record, len(kept))
	for i, e := range kept {
		records[i] = e.record
	}
	return w.cfg.Registrar.Register(ctx, entryOf(key, block, records), func() error { return w.cfg.Objects.Put(ctx, key, block) })
}

// AdminRecords returns the control plane's own records, newest first, at most
// limit of them (1000 at most, 100 when 0).
func (l *Log) AdminRecords(ctx context.Context, limit int) ([]audit.Record, error) {
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, maxAdminList)
	days, err := l.cfg.Objects.Folders(ctx, adminFolder)
	if err != nil {
		return nil, fmt.Errorf("list admin records: %w", err)
	}
	var records []audit.Record
	for _, day := range slices.Backward(days) {
		hours, err := l.cfg.Objects.Folders(ctx, path.Join(adminFolder, day))
		if err != nil {
			return nil, fmt.Errorf("list admin records: %w", err)
		}
		for _, hour := range slices.Backward(hours) {
			if records, err = l.adminHour(ctx, path.Join(adminFolder, day, hour), records, limit); err != nil {
				return nil, fmt.Errorf("list admin records: %w", err)
			}
			if len(records) >= limit {
				return records[:limit], nil
			}
		}
	}
	return records, nil
}

// adminHour appends the newest records of one folder until there are limit.
func (l *Log) adminHour(ctx context.Context, folder string, records []audit.Record, limit int) ([]audit.Record, error) {
	var keys []string
	for key, err := range l.cfg.Objects.List(ctx, folder) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	for _, key := range slices.Backward(keys) {
		if len(records) >= limit {
			break
		}
		data, err := l.cfg.Objects.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		block, err := decodeBlock(data, "")
		if err != nil {
			return nil, fmt.Errorf("block %s: %w", key, err)
		}
		records = append(records, block...)
	}
	slices.SortStableFunc(records, func(a, b audit.Record) int { return cmp.Compare(b.ID.String(), a.ID.String()) })
	return records, nil
}
