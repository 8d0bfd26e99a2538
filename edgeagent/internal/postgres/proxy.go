package postgres

import (
	"context"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// proxy carries one session between a client and its target. Two goroutines work on it:
// the client loop decides and forwards what the client sends, the target loop masks and
// returns what the target answers.
type proxy struct {
	sess   *enforce.Session
	target *target // the resource's shared state
	log    hclog.Logger

	client net.Conn
	in     *pgwire.Reader // client loop
	out    *writer        // both loops

	server *upstream.Conn
	sin    *pgwire.Reader // target loop
	sout   *writer        // client loop

	due    *queue
	shapes shapes // target loop

	// Owned by the client loop.
	names     names
	env       environment
	batch     uint64            // counts Syncs
	midBatch  bool              // extended messages were sent that no Sync has ended
	discard   bool              // skip to Sync after a refusal that the target does not know of
	pending   []pending         // commands in the air that change the session
	txPending bool              // transaction control is in the air
	resync    bool              // the environment must be read again before the next classification
	unsettled bool              // the environment changed in a transaction that may yet be rolled back
	relist    bool              // the catalog changed in this transaction
	private   *sqlclass.Catalog // the catalog as this transaction sees it, after DDL in it
	askLeft   bool              // a failed query of the gateway's own left its statement at the target

	// Of previews, owned by the client loop.
	bound    *portal         // what is being executed
	ran      bool            // the batch has executed something besides BEGIN
	opened   bool            // the batch has executed BEGIN
	lookEnds pgwire.TxStatus // while a look is in the air, how it has to end
	broken   error           // a look left the target otherwise
	gaveUp   atomic.Bool     // the client cancelled while its command was looked at

	onPreview func(context.Context, *enforce.Command, enforce.Look) (enforce.Preview, bool)
	onHold    func(enforce.Held) <-chan struct{}
	guard     *absence               // while a command is held; owned by the client loop
	holding   atomic.Pointer[func()] // withdraws the held command
	leaving   atomic.Bool            // the client said goodbye
	owesSync  atomic.Bool            // a Sync that was kept back has to be sent after all
	broke     atomic.Pointer[string] // why the gateway ended the session, for the records
	closeOnce sync.Once
}

// writer gathers frames for one side and sends them together. It is safe for concurrent use.
type writer struct {
	mu   sync.Mutex
	conn net.Conn
	buf  []byte
	err  error
}

// flushAt is the size in bytes at which a writer sends by itself.
const flushAt = 64 << 10

func newWriter(conn net.Conn) *writer { return &writer{conn: conn} }

// add gathers frames; they are copied.
func (w *writer) add(frames []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, frames...)
	if len(w.buf) >= flushAt {
		return w.flushLocked()
	}
	return w.err
}

// build gathers frames appended by fn.
func (w *writer) build(fn func(dst []byte) ([]byte, error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	out, err := fn(w.buf)
	if err != nil {
		return err
	}
	w.buf = out
	if len(w.buf) >= flushAt {
		return w.flushLocked()
	}
	return w.err
}

// flush sends what was gathered.
func (w *writer) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flushLocked()
}

func (w *writer) flushLocked() error {
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	_, w.err = w.conn.Write(w.buf)
	if cap(w.buf) > 4*flushAt {
		w.buf = nil
	}
	w.buf = w.buf[:0]
	return w.err
}

// run carries the session until either side or the pipeline ends it.
func (p *proxy) run() {
	stop, answered := make(chan struct{}), make(chan struct{})
	go p.watch(stop)
	go func() {
		defer close(answered)
		defer p.hangUp()
		defer p.contain("target loop")
		p.targetLoop()
	}()
	reason := p.guardedClientLoop()
	if why := p.broke.Load(); why != nil {
		reason = "stopped: " + *why
	}
	p.leaving.Store(true)
	p.hangUp()
	close(stop)
	<-answered // what is due is the target loop's until it has ended
	for _, e := range p.due.close() {
		p.abandon(e)
	}
	p.sess.Close(reason)
}

// guardedClientLoop is clientLoop, and ends this session alone when it panics.
func (p *proxy) guardedClientLoop() (reason string) {
	reason = "stopped: internal error"
	defer p.contain("client loop")
	return p.clientLoop()
}

// contain keeps a panic in one session from ending all others. Nothing more is forwarded or
// returned in that session.
func (p *proxy) contain(where string) {
	if r := recover(); r != nil {
		p.log.Error("session stopped by a panic", "where", where, "panic", r, "stack", string(debug.Stack()))
		p.breaks("internal error")
		p.fatal(pgwire.StateInternalError, "the gateway failed at this command, so its answer is withheld and the session is closed")
		p.hangUp()
	}
}

// breaks notes why the gateway ends the session; the first reason counts.
func (p *proxy) breaks(why string) { p.broke.CompareAndSwap(nil, &why) }

// watch ends the connections when the pipeline ends the session: the client is told why,
// and what still runs at the target is cancelled.
func (p *proxy) watch(stop chan struct{}) {
	select {
	case <-stop:
		return
	case <-p.sess.Done():
	}
	cause := p.sess.Err()
	go func() { // outlives this function: the target must hear of it
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := p.server.Cancel(ctx); err != nil {
			p.log.Debug("cancel at target", "error", err)
		}
	}()
	p.client.SetWriteDeadline(time.Now().Add(2 * time.Second))
	p.out.build(func(dst []byte) ([]byte, error) {
		return appendFatal(dst, pgwire.StateAdminShutdown, "session ended: "+cause.Error(), "")
	})
	p.out.flush()
	p.hangUp()
}

// hangUp closes both connections.
func (p *proxy) hangUp() {
	p.closeOnce.Do(func() {
		p.client.Close()
		p.server.Close()
		p.due.wake()
	})
}

// ctx ends with the session.
func (p *proxy) ctx() context.Context { return p.sess.Context() }

// cancel is a client's request to stop what runs: a held command is withdrawn, anything
// else is cancelled at the target.
func (p *proxy) cancel(ctx context.Context) {
	if stop := p.holding.Load(); stop != nil {
		(*stop)()
		return
	}
	if err := p.server.Cancel(ctx); err != nil {
		p.log.Debug("cancel at target", "error", err)
	}
}

// abandon ends the flight of an answer that will not come any more.
func (p *proxy) abandon(e *expect) {
	cut := "the session ended before the target answered"
	if why := p.broke.Load(); why != nil {
		cut = *why
	}
	if e.run != nil {
		e.run.end(enforce.Outcome{Cut: cut})
	}
}
