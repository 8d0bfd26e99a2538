package sessions

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/store"
)

// Count is how many commands of a session were decided, as far as their records have arrived.
type Count struct {
	Commands int64 `json:"commands"`
	Denied   int64 `json:"denied"`
	// Through is the last record that is counted; all before it are.
	Through uint64 `json:"through"`
}

// Counts returns the counts of those sessions of which there are any.
func (b *Book) Counts(ctx context.Context, ids []string) (map[string]Count, error) {
	entries, err := b.counts.GetAll(ctx, ids)
	counts := make(map[string]Count, len(entries))
	for id, e := range entries {
		counts[id] = e.Value
	}
	return counts, err
}

// Recorded counts a session's records from the first on.
type Recorded interface {
	Count(ctx context.Context, session string) (auditlog.Shipped, error)
}

// TallyConfig is what a Tally needs. Everything without a stated default is required.
type TallyConfig struct {
	Book *Book
	// Interval between two writes. Default 5 s.
	Interval time.Duration
	// Most sessions whose counts are written at once, so that a busy fleet does not keep the store busy. Default 200.
	Most   int
	Logger hclog.Logger // nil discards
}

// Tally keeps the counts of sessions up to date while their records arrive. A replica holds what it has not yet written;
// if it dies, another notices the gap when the next records come, and counts the session anew.
type Tally struct {
	cfg TallyConfig

	mu      sync.Mutex
	pending map[string]*run
	order   []string // of pending, by when they came
}

// run is what has arrived of a session and is not yet written.
type run struct {
	parts []auditlog.Shipped
	stuck int // how often it could not be written, because what is before it is missing
}

const (
	// patience is how often a run may be stuck: as long, the replica that has the part before it may yet write it.
	patience   = 3
	tallyBatch = 40 // sessions in one transaction
	maxParts   = 1024
	recounts   = 5 // at once, at most
)

// NewTally returns an empty tally.
func NewTally(cfg TallyConfig) (*Tally, error) {
	if cfg.Book == nil {
		return nil, errors.New("session tally: a book is required")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = 5 * time.Second
	}
	if cfg.Most <= 0 {
		cfg.Most = 200
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	return &Tally{cfg: cfg, pending: map[string]*run{}}, nil
}

// Shipped implements auditlog.Tally.
func (t *Tally) Shipped(s auditlog.Shipped) {
	if CheckID(s.Session) != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.pending[s.Session]
	if !ok {
		r = &run{}
		t.pending[s.Session] = r
		t.order = append(t.order, s.Session)
	}
	r.add(s)
}

// add keeps a part, and of too many only the newest: the gap makes the session count anew.
func (r *run) add(s auditlog.Shipped) {
	if len(r.parts) == maxParts {
		r.parts = slices.Delete(r.parts, 0, 1)
	}
	r.parts = append(r.parts, s)
}

// Run writes the counts until ctx ends, and then what is left.
func (t *Tally) Run(ctx context.Context, recorded Recorded) error {
	tick := time.NewTicker(t.cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.cfg.Interval)
			defer cancel()
			_ = t.Write(last, recorded)
			return context.Cause(ctx)
		case <-tick.C:
		}
		if err := t.Write(ctx, recorded); err != nil && ctx.Err() == nil {
			t.cfg.Logger.Warn("write counts of sessions", "error", err)
		}
	}
}

// Write writes the counts of the sessions that have waited longest.
func (t *Tally) Write(ctx context.Context, recorded Recorded) error {
	var err error
	for batch := range slices.Chunk(t.due(), tallyBatch) {
		stuck, writeErr := t.writeBatch(ctx, batch)
		err = errors.Join(err, writeErr)
		for _, id := range stuck[:min(len(stuck), recounts)] {
			err = errors.Join(err, t.recount(ctx, id, recorded))
		}
	}
	return err
}

func (t *Tally) due() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(t.order), t.cfg.Most)
	ids := slices.Clone(t.order[:n])
	t.order = slices.Delete(t.order, 0, n)
	return ids
}

// take returns what is to be written of each session, which stays pending until settle.
func (t *Tally) take(ids []string) map[string][]auditlog.Shipped {
	t.mu.Lock()
	defer t.mu.Unlock()
	parts := make(map[string][]auditlog.Shipped, len(ids))
	for _, id := range ids {
		parts[id] = slices.Clone(t.pending[id].parts)
	}
	return parts
}

// writeBatch adds what has arrived to the counts, and returns the sessions of which something before it is missing.
func (t *Tally) writeBatch(ctx context.Context, ids []string) (stuck []string, err error) {
	parts := t.take(ids)
	counts := make(map[string]Count, len(ids))
	unknown := map[string]bool{}
	b := t.cfg.Book
	err = b.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		clear(counts)
		clear(unknown)
		for _, id := range ids {
			e, err := b.counts.In(tx).Get(id)
			if errors.Is(err, store.ErrNotFound) {
				if _, err = b.GetIn(tx, id); errors.Is(err, ErrNotFound) {
					unknown[id] = true
					continue
				}
			}
			if err != nil {
				return err
			}
			if counts[id] = e.Value.plus(parts[id]); counts[id] == e.Value {
				continue
			}
			if err := b.counts.In(tx).Put(id, counts[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.again(ids)
		return nil, err
	}
	for _, id := range ids {
		if t.settle(id, counts[id].Through, unknown[id]) {
			stuck = append(stuck, id)
		}
	}
	return stuck, nil
}

// again puts sessions back in line.
func (t *Tally) again(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.order = append(t.order, ids...)
}

// plus adds what follows directly on what is counted.
func (c Count) plus(parts []auditlog.Shipped) Count {
	slices.SortFunc(parts, func(a, b auditlog.Shipped) int { return cmp.Compare(a.First, b.First) })
	for _, p := range parts {
		if p.First == c.Through+1 {
			c = Count{Commands: c.Commands + p.Commands, Denied: c.Denied + p.Denied, Through: p.Last}
		}
	}
	return c
}

// settle forgets what is counted through a record, puts the session with the rest back in line, and reports whether it
// has been stuck for too long.
func (t *Tally) settle(id string, through uint64, unknown bool) (stuck bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.pending[id]
	progress := r.forget(through)
	if len(r.parts) == 0 || unknown {
		delete(t.pending, id)
		return false
	}
	t.order = append(t.order, id)
	if r.stuck++; progress {
		r.stuck = 0
	}
	return r.stuck >= patience
}

// counted forgets what is counted through a record of a session that is back in line.
func (t *Tally) counted(id string, through uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.pending[id]; r != nil && r.forget(through) {
		r.stuck = 0
	}
}

func (r *run) forget(through uint64) (any bool) {
	before := len(r.parts)
	r.parts = slices.DeleteFunc(r.parts, func(p auditlog.Shipped) bool { return p.Last <= through })
	return len(r.parts) < before
}

// recount replaces the count of a session by that of its stored records.
func (t *Tally) recount(ctx context.Context, id string, recorded Recorded) error {
	all, err := recorded.Count(ctx, id)
	if err != nil {
		return err
	}
	b := t.cfg.Book
	err = b.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e, err := b.counts.In(tx).Get(id)
		if err != nil && !errors.Is(err, store.ErrNotFound) || e.Value.Through >= all.Last {
			return err
		}
		return b.counts.In(tx).Put(id, Count{Commands: all.Commands, Denied: all.Denied, Through: all.Last})
	})
	if err == nil {
		t.counted(id, all.Last)
	}
	return err
}
