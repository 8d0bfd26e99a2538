package postgres

import (
	"sync"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

// expectKind is what kind of answer the target owes.
type expectKind uint8

const (
	expectQuery expectKind = iota + 1
	expectParse
	expectBind
	expectDescribeStatement
	expectDescribePortal
	expectExecute
	expectClose
	expectSync
)

// expect is one answer that is due, in the order in which it will come.
type expect struct {
	kind expectKind
	// internal answers are the gateway's own business and not passed on.
	internal bool
	// instead replaces the target's error: the command was refused and something that
	// fails was sent in its place, so that the target's transaction fails too.
	instead []byte
	// run follows the results of a Query or Execute.
	run *run
	// stmt and portal are what a Parse, Bind, Describe or Close is about.
	stmt   *prepared
	portal *portal
	// rows collects the values of an internal query, types those of a statement's parameters.
	rows  func(body []byte)
	types func(oids []uint32)
	// failed is told the code of an internal query's error.
	failed func(code pgwire.SQLState)
	// again says that the client was told of success before: only an error is passed on.
	again bool
	// undo takes back what the client loop noted in advance; it runs there when the target
	// failed or skipped the message.
	undo func()
}

// queue holds the answers that are due. The client loop adds, the target loop takes.
type queue struct {
	mu   sync.Mutex
	cond *sync.Cond
	due  []*expect
	// skipping is set from an error in an extended batch until its Sync is answered.
	skipping bool
	// untold is set while that error was one of the gateway's own messages, which the client
	// was not told of.
	untold bool
	closed bool
	tx     pgwire.TxStatus
	undo   []func()
	// copyIn is set while the target takes COPY data, copyBatch when that is in a batch.
	copyIn, copyBatch bool
	// copied is set once COPY data was sent, owed by a Sync that came after that: should the
	// target fail, that is the Sync it waits for.
	copied, owed bool
}

func newQueue() *queue {
	q := &queue{tx: 'I'}
	q.cond = sync.NewCond(&q.mu)
	return q
}

// push adds an answer that is due.
func (q *queue) push(e *expect) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due = append(q.due, e)
}

// head returns the answer that is due next, or nil.
func (q *queue) head() *expect {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.due) == 0 {
		return nil
	}
	return q.due[0]
}

// pop removes the head.
func (q *queue) pop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due[0] = nil
	q.due = q.due[1:]
	if len(q.due) == 0 {
		q.due = q.due[:0]
		q.cond.Broadcast()
	}
}

// fail notes an error of the target, of which the client is told or not: within an extended
// batch all until Sync is skipped. It reports whether the client has sent that Sync before.
func (q *queue) fail(told bool) (owed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	owed = q.copyIn && q.owed
	q.skipping, q.untold, q.copyIn, q.owed = true, !told, false, false
	q.cond.Broadcast()
	return owed
}

// ready ends a cycle: it takes everything up to the query or Sync that is answered, and
// returns that behind what the target left out; skipping says that an error made it do so.
func (q *queue) ready(tx pgwire.TxStatus) (done []*expect, skipping bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tx = tx
	for i, e := range q.due {
		if e.kind == expectSync || e.kind == expectQuery && !q.skipping {
			done = q.due[:i+1]
			q.due = q.due[i+1:]
			break
		}
	}
	for _, e := range done {
		if e.undo != nil {
			q.undo = append(q.undo, e.undo)
		}
	}
	skipping = q.skipping
	q.skipping, q.untold, q.copyIn = false, false, false
	if len(q.due) == 0 {
		q.due = nil
		q.cond.Broadcast()
	}
	return done, skipping
}

// drain waits until nothing is due, the rest of the batch is being skipped or the target takes COPY data, and
// returns the transaction status then.
func (q *queue) drain() (tx pgwire.TxStatus, skipping bool, alive bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.due) > 0 && !q.adrift() && !q.copyIn && !q.closed {
		q.cond.Wait()
	}
	return q.tx, q.skipping, !q.closed
}

// adrift reports whether the target skips messages and no Sync is on its way to end that: what
// is skipped is the batch that the client has not finished. q.mu is held.
func (q *queue) adrift() bool {
	if !q.skipping {
		return false
	}
	for _, e := range q.due {
		if e.kind == expectSync {
			return false
		}
	}
	return true
}

// tell reports whether the client still has to hear of the error that made the target skip, and
// counts that as done.
func (q *queue) tell() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	untold := q.untold
	q.untold = false
	return untold
}

// takeUndo returns what has to be taken back, in the order in which it was done.
func (q *queue) takeUndo() []func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	undo := q.undo
	q.undo = nil
	return undo
}

// unsure reports whether something has to be taken back.
func (q *queue) unsure() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.undo) > 0
}

// startCopy notes that the target takes COPY data from now on. A Sync that is already on
// its way is ignored by the target while it does.
func (q *queue) startCopy() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.copyIn, q.copyBatch = true, q.due[0].kind == expectExecute
	q.copied, q.owed = false, false
	kept := q.due[:1]
	for _, e := range q.due[1:] {
		if e.kind != expectSync {
			kept = append(kept, e)
		}
	}
	q.due = kept
	q.cond.Broadcast()
}

// endCopy notes that the client sent its last data; batch says that a Sync is still due.
func (q *queue) endCopy() (batch bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.copyIn, q.owed = false, false
	return q.copyBatch
}

// pushSync adds a Sync, unless the target is taking COPY data and ignores it.
func (q *queue) pushSync() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.copyIn {
		q.owed = q.copied
		return false
	}
	q.due = append(q.due, &expect{kind: expectSync})
	return true
}

// copying reports whether the target takes COPY data, once that is certain.
func (q *queue) copying() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.copyIn && len(q.due) > 0 && !q.adrift() && !q.closed {
		q.cond.Wait()
	}
	return q.copyIn
}

// sentCopy notes that COPY data was sent.
func (q *queue) sentCopy() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.copied = true
}

// inCopy reports whether the target takes COPY data now.
func (q *queue) inCopy() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.copyIn
}

// status returns the transaction status as last reported and whether nothing is due.
func (q *queue) status() (tx pgwire.TxStatus, idle bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.tx, len(q.due) == 0
}

// close wakes who waits.
func (q *queue) close() (left []*expect) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.cond.Broadcast()
	left, q.due = q.due, nil
	return left
}

// wake ends all waits for good.
func (q *queue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.cond.Broadcast()
}
