package checkpoints

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/merklelog"
)

const (
	maxGroup     = 200 // entries in one write
	writeTimeout = 10 * time.Second
)

// queue writes entries to a collection in groups: what comes while one group is written shares the next.
type queue struct {
	to      *store.Collection[[]string]
	replica string

	mu      sync.Mutex
	pending []*ticket
	busy    bool
	written uint64 // groups
}

// ticket is an entry on its way.
type ticket struct {
	entry string
	done  chan error
	group *group // that it was written in
}

// group is some entries under one key.
type group struct {
	key  string
	mu   sync.Mutex
	left int // entries that are not settled
}

// add writes an entry, and returns when that is durable.
func (q *queue) add(ctx context.Context, entry string) (*group, error) {
	t := &ticket{entry: entry, done: make(chan error, 1)}
	q.mu.Lock()
	q.pending = append(q.pending, t)
	if !q.busy {
		q.busy = true
		go q.run()
	}
	q.mu.Unlock()
	select {
	case err := <-t.done:
		return t.group, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// run writes groups until nothing is pending.
func (q *queue) run() {
	for {
		q.mu.Lock()
		n := min(len(q.pending), maxGroup)
		next := append([]*ticket(nil), q.pending[:n]...)
		q.pending = q.pending[n:]
		q.busy = n > 0
		q.written++
		number := q.written
		q.mu.Unlock()
		if n == 0 {
			return
		}
		q.write(next, number)
	}
}

func (q *queue) write(tickets []*ticket, number uint64) {
	entries := make([]string, len(tickets))
	for i, t := range tickets {
		entries[i] = t.entry
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	g := &group{key: fmt.Sprintf("%s/%016d", q.replica, number), left: len(tickets)}
	_, err := q.to.Create(ctx, g.key, entries)
	for _, t := range tickets {
		t.group = g
		t.done <- err
	}
}

// settled counts an entry of the group, and takes the group away with its last one.
func (q *queue) settled(g *group) {
	g.mu.Lock()
	g.left--
	last := g.left == 0
	g.mu.Unlock()
	if !last {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	_, _ = q.to.Delete(ctx, g.key) // what is left behind, the leader looks after
}

// Register has put store an object, and makes sure that it gets its entry, also if this process ends in between. It returns when that is durable.
// Where put fails, an object that is there all the same gets its entry later. An object that is registered twice has two entries that say the
// same.
func (l *Log) Register(ctx context.Context, e merklelog.Entry, put func() error) error {
	encoded, err := e.Encode()
	if err != nil {
		return fmt.Errorf("register %s: %w", e.Key, err)
	}
	announced, err := l.announcing.add(ctx, string(encoded))
	if err != nil {
		return fmt.Errorf("announce %s: %w", e.Key, err)
	}
	if err := put(); err != nil {
		return err
	}
	if _, err := l.registering.add(ctx, string(encoded)); err != nil {
		return fmt.Errorf("register %s: %w", e.Key, err)
	}
	go l.announcing.settled(announced)
	return nil
}
