package approvals

import (
	"context"
	"sync"
)

// turns lets the changes of one subject follow each other in this replica. At once they would only make each other's
// transactions run again; what keeps them right is the store.
type turns struct {
	mu    sync.Mutex
	taken map[string]*turn
}

// turn is one subject's; free holds a value while nobody has it.
type turn struct {
	free    chan struct{}
	waiting int // those that have it or wait for it
}

// take waits until it is the caller's turn. done gives the turn on.
func (t *turns) take(ctx context.Context, id string) (done func(), err error) {
	t.mu.Lock()
	if t.taken == nil {
		t.taken = map[string]*turn{}
	}
	mine := t.taken[id]
	if mine == nil {
		mine = &turn{free: make(chan struct{}, 1)}
		mine.free <- struct{}{}
		t.taken[id] = mine
	}
	mine.waiting++
	t.mu.Unlock()
	select {
	case <-mine.free:
		return func() { mine.free <- struct{}{}; t.leave(id, mine) }, nil
	case <-ctx.Done():
		t.leave(id, mine)
		return nil, context.Cause(ctx)
	}
}

func (t *turns) leave(id string, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.waiting--; mine.waiting == 0 {
		delete(t.taken, id)
	}
}
