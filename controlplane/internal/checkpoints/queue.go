package checkpoints

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/writhq/writ/pkg/merklelog"
)

const (
	maxGroup     = 200 // entries in one write
	writeTimeout = 10 * time.Second
)

// queue makes entries durable in groups: what comes while one group is written shares the next.
type queue struct {
	log *Log

	mu      sync.Mutex
	pending []ticket
	busy    bool
	written uint64 // groups
}

type ticket struct {
	entry string
	done  chan error
}

// Register makes sure that an object, which is stored, gets its entry. It returns when that is durable. An object that is registered twice
// has two entries that say the same.
func (l *Log) Register(ctx context.Context, e merklelog.Entry) error {
	encoded, err := e.Encode()
	if err != nil {
		return fmt.Errorf("register %s: %w", e.Key, err)
	}
	t := ticket{entry: string(encoded), done: make(chan error, 1)}
	l.queue.add(t)
	select {
	case err := <-t.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("register %s: %w", e.Key, context.Cause(ctx))
	}
}

func (q *queue) add(t ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending = append(q.pending, t)
	if !q.busy {
		q.busy = true
		go q.run()
	}
}

// run writes groups until nothing is pending.
func (q *queue) run() {
	for {
		q.mu.Lock()
		n := min(len(q.pending), maxGroup)
		group := append([]ticket(nil), q.pending[:n]...)
		q.pending = q.pending[n:]
		q.busy = n > 0
		q.written++
		number := q.written
		q.mu.Unlock()
		if n == 0 {
			return
		}
		err := q.write(group, number)
		for _, t := range group {
			t.done <- err
		}
	}
}

func (q *queue) write(group []ticket, number uint64) error {
	entries := make([]string, len(group))
	for i, t := range group {
		entries[i] = t.entry
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	key := fmt.Sprintf("%s/%016d", q.log.cfg.Replica, number)
	if _, err := q.log.waiting.Create(ctx, key, entries); err != nil {
		return fmt.Errorf("register %d entries: %w", len(group), err)
	}
	return nil
}
