package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// Deadlines of the clients. None may be reached unless the process that should answer is stopped.
const (
	connectLimit   = 20 * time.Second
	statementLimit = 12 * time.Second
	holdLimit      = 25 * time.Second
)

// load is a mixed load of several agents.
type load struct {
	r       *rig
	stop    chan struct{}
	wg      sync.WaitGroup
	cancel  context.CancelFunc
	workers []*worker

	statements, errors, sessions, refused, hangs, held atomic.Int64
	mu                                                 sync.Mutex
	slowest                                            time.Duration
	hung                                               []string
	causes                                             map[string]int
}

// worker is one agent's program.
type worker struct {
	l    *load
	name string
	work func(w *worker, conn *pgx.Conn) error
	busy int // statements per session
	good atomic.Int64
}

// forever is a session that only a fault ends.
const forever = 1 << 40

func marker() string {
	b := []byte("mk_")
	for range 16 {
		b = append(b, byte('a'+rand.N(26)))
	}
	return string(b)
}

func (r *rig) startLoad() *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{r: r, stop: make(chan struct{}), cancel: cancel, causes: map[string]int{}}
	for _, w := range []*worker{
		{name: "simple", work: simple, busy: 40},
		{name: "extended", work: extended, busy: 40},
		{name: "transaction", work: transaction, busy: 15},
		{name: "reader", work: reader, busy: 30},
		{name: "churn", work: simple, busy: 1},
		{name: "holder", work: holder, busy: 3},
		{name: "steady", work: steady, busy: forever},
	} {
		w.l = l
		l.workers = append(l.workers, w)
		l.wg.Add(1)
		go w.run()
	}
	go l.approve(ctx)
	return l
}

// end stops the load in good order.
func (l *load) end() {
	close(l.stop)
	done := make(chan struct{})
	go func() {
		l.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		l.hang("the load did not end")
	}
	l.cancel()
}

func (l *load) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *load) hang(what string) {
	l.hangs.Add(1)
	l.mu.Lock()
	l.hung = append(l.hung, what)
	l.mu.Unlock()
}

func (l *load) failed(err error) {
	l.errors.Add(1)
	cause := err.Error()
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		cause = pg.Code + " " + pg.Message
	}
	if len(cause) > 90 {
		cause = cause[:90]
	}
	l.mu.Lock()
	l.causes[cause]++
	l.mu.Unlock()
}

// call runs one call of a client under its deadline.
func (l *load) call(what string, limit time.Duration, call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	err := call(ctx)
	took := time.Since(began)
	l.mu.Lock()
	l.slowest = max(l.slowest, took)
	l.mu.Unlock()
	if ctx.Err() != nil && err != nil {
		l.hang(fmt.Sprintf("%s after %s", what, took.Round(time.Millisecond)))
	}
	return err
}

func (w *worker) run() {
	defer w.l.wg.Done()
	for !w.l.stopped() {
		if err := w.session(); err != nil {
			w.l.failed(fmt.Errorf("%s: %w", w.name, err))
			select {
			case <-time.After(100*time.Millisecond + rand.N(200*time.Millisecond)):
			case <-w.l.stop:
			}
		}
	}
}

func (w *worker) session() error {
	var conn *pgx.Conn
	err := w.l.call(w.name+": connect", connectLimit, func(ctx context.Context) (err error) {
		conn, err = pgx.Connect(ctx, w.l.r.dsn())
		return err
	})
	if err != nil {
		w.l.refused.Add(1)
		return err
	}
	w.l.sessions.Add(1)
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		conn.Close(ctx)
	}()
	for range max(1+rand.N(w.busy), w.busy/2) {
		if w.l.stopped() {
			return nil
		}
		if err := w.work(w, conn); err != nil {
			return err
		}
		w.good.Add(1)
		time.Sleep(rand.N(6 * time.Millisecond))
	}
	return nil
}

// statement runs one statement by the simple protocol.
func (w *worker) statement(conn *pgx.Conn, limit time.Duration, sql string) error {
	w.l.statements.Add(1)
	return w.l.call(w.name+": "+sql, limit, func(ctx context.Context) error {
		_, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		return err
	})
}

func write(how string) string {
	if rand.N(2) == 0 {
		return fmt.Sprintf("INSERT INTO marks (marker, how) VALUES ('%s', '%s')", marker(), how)
	}
	return fmt.Sprintf("UPDATE counters SET last = '%s', n = n + 1 WHERE id = %d", marker(), 1+rand.N(20))
}

func simple(w *worker, conn *pgx.Conn) error {
	return w.statement(conn, statementLimit, write(w.name))
}

// steady writes now and then in one session.
func steady(w *worker, conn *pgx.Conn) error {
	time.Sleep(40 * time.Millisecond)
	return simple(w, conn)
}

func extended(w *worker, conn *pgx.Conn) error {
	w.l.statements.Add(1)
	m := marker()
	sql := "INSERT INTO marks (marker, how) VALUES ($1, 'extended') -- " + m
	return w.l.call(w.name+": "+sql, statementLimit, func(ctx context.Context) error {
		return conn.PgConn().ExecParams(ctx, sql, [][]byte{[]byte(m)}, nil, nil, nil).Read().Err
	})
}

func transaction(w *worker, conn *pgx.Conn) error {
	end := "COMMIT"
	if rand.N(4) == 0 {
		end = "ROLLBACK"
	}
	for _, sql := range []string{"BEGIN", write(w.name), "SELECT count(*) FROM scrap", write(w.name), end} {
		if err := w.statement(conn, statementLimit, sql); err != nil {
			return err
		}
	}
	return nil
}

func reader(w *worker, conn *pgx.Conn) error {
	w.l.statements.Add(1)
	return w.l.call("reader", statementLimit, func(ctx context.Context) error {
		var name, email string
		err := conn.QueryRow(ctx, "SELECT name, email FROM customers WHERE id = $1", 1+rand.N(1000)).Scan(&name, &email)
		if err == nil && email != "***.com" {
			return fmt.Errorf("UNMASKED: %q", email)
		}
		return err
	})
}

// holder sends what policy holds until somebody approves it.
func holder(w *worker, conn *pgx.Conn) error {
	w.l.held.Add(1)
	return w.statement(conn, holdLimit, "DELETE FROM scrap -- "+marker())
}

// approve approves what waits, after a moment, for as long as somebody works: a command is looked at before it is held.
func (l *load) approve(ctx context.Context) {
	for {
		pause := 100 * time.Millisecond
		if l.stopped() {
			pause = 30 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		l.approveAll(ctx)
	}
}

// approveAll does what it can: the control plane may be away.
func (l *load) approveAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := l.r.api.approvals.ListApprovals(ctx, &accessv1.ListApprovalsRequest{})
	if err != nil {
		return
	}
	for _, a := range resp.GetApprovals() {
		c := a.GetCommand()
		if c == nil || c.GetState() != accessv1.HoldState_HOLD_STATE_PENDING {
			continue
		}
		_, _ = l.r.api.approvals.Approve(ctx, &accessv1.ApproveRequest{Id: c.GetId(), Digest: c.GetDigest()})
	}
}
