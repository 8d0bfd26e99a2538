package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// Times that a preview allows the target. Together they stay below the pipeline's limit.
const (
	estimateTimeout = 700 * time.Millisecond
	countTimeout    = 2 * time.Second
	lookLockTimeout = 200 * time.Millisecond
)

// maxLook bounds what one look may answer, in bytes.
const maxLook = 256 << 10

// step is one query of the gateway's own, answered by at most one row, or a question for a statement's parameters.
type step struct {
	sql    string
	params []param
	types  []uint32

	describe *prepared
	learn    func(types []uint32)

	row  []string        // of the answer; set by the target loop
	code pgwire.SQLState // of the error, if it failed; set by the target loop
}

// value is the only value of the answer, "" without one.
func (s *step) value() string {
	if s.code != "" || len(s.row) != 1 {
		return ""
	}
	return s.row[0]
}

// room is the session's connection at rest in the midst of what the client sent, for a preview.
type room struct {
	p      *proxy
	block  bool    // inside the client's transaction block
	rebind *portal // what has to be bound again
}

// makeRoom brings the connection to where the gateway can look and take everything back, or says why it cannot: an
// error must never reach what the client has under way.
func (p *proxy) makeRoom(ctx context.Context, po *portal) (_ *room, why string) {
	switch {
	case p.midBatch && (po == nil || p.ran):
		return nil, "it came in one batch with other commands"
	case po != nil && (po.flight != nil || p.names.statements[po.stmt.name] != po.stmt):
		return nil, "it continues an earlier one"
	}
	if why := p.rest(ctx); why != "" {
		return nil, why
	}
	tx, _ := p.due.status()
	r := &room{p: p, block: tx == pgwire.TxActive || p.opened}
	if p.midBatch {
		if p.names.portals[po.name] != po || !r.block && p.others(po) {
			return nil, "it came in one batch with other commands"
		}
		if !r.block {
			r.rebind = po
		}
		p.endCycle()
		p.midBatch, p.opened = false, false
	}
	return r, ""
}

// endCycle sends a Sync of the gateway's own.
func (p *proxy) endCycle() {
	p.due.push(&expect{kind: expectSync, internal: true})
	p.sout.add(pgwire.AppendEmpty(nil, pgwire.TypeSync))
}

// rest waits until nothing is in the air.
func (p *proxy) rest(ctx context.Context) (why string) {
	if p.midBatch {
		p.sout.add(pgwire.AppendEmpty(nil, pgwire.TypeFlush))
	}
	if err := p.sout.flush(); err != nil {
		return "the target went away"
	}
	if !p.answered(ctx) {
		return "the target is busy with earlier commands"
	}
	tx, skipping, err := p.drain()
	switch {
	case err != nil:
		return "the target went away"
	case skipping || tx == pgwire.TxFailed:
		return "the transaction has failed"
	}
	return ""
}

// answered waits until nothing is due, and reports whether that was before ctx ended.
func (p *proxy) answered(ctx context.Context) bool {
	done := make(chan struct{})
	go func() {
		p.due.drain()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// others reports whether the batch holds further portals: the end of a cycle would close them.
func (p *proxy) others(po *portal) bool {
	for _, other := range p.names.portals {
		if other != po && other.batch == p.batch {
			return true
		}
	}
	return false
}

// prepare learns the types of the parameters. It refuses transactions whose snapshot stays: a look would fix what they
// see before the client's command does, and could make it fail.
func (r *room) prepare(ctx context.Context, v *viewing) (why string) {
	level := &step{sql: "SHOW transaction_isolation"}
	var steps []*step
	if po := v.portal; po != nil && len(po.params) > 0 {
		steps = append(steps, &step{describe: po.stmt, learn: func(oids []uint32) { v.types = oids }})
	}
	if r.block {
		steps = append(append([]*step{{sql: savepoint}, level}, steps...), r.close()...)
	}
	switch {
	case len(steps) == 0:
		return ""
	case !r.run(ctx, steps):
		return "the target did not answer in time"
	}
	for _, s := range steps {
		if s.code != "" {
			return failure(s.code)
		}
	}
	if level.value() == "repeatable read" || level.value() == "serializable" {
		return "looking would fix what its " + level.value() + " transaction sees"
	}
	return ""
}

// savepoint is what looking in a client's transaction goes back to.
const savepoint = `SAVEPOINT "writ preview"`

// open begins what close takes back: nothing in between can write.
func (r *room) open(limit time.Duration) []*step {
	if r.block {
		return []*step{{sql: savepoint}, {sql: "SET LOCAL transaction_read_only = on"}, limits(limit)}
	}
	return []*step{{sql: "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY"}, limits(limit)}
}

func (r *room) close() []*step {
	if r.block {
		return []*step{{sql: `ROLLBACK TO SAVEPOINT "writ preview"`}, {sql: `RELEASE SAVEPOINT "writ preview"`}}
	}
	return []*step{{sql: "ROLLBACK"}}
}

// limits bounds what follows in the transaction.
func limits(time time.Duration) *step {
	return &step{sql: fmt.Sprintf("SELECT pg_catalog.set_config('statement_timeout', '%d', true), pg_catalog.set_config('lock_timeout', '%d', true), "+
		"pg_catalog.set_config('max_parallel_workers_per_gather', '0', true)", time.Milliseconds(), lookLockTimeout.Milliseconds())}
}

// run sends the steps together, so that what ends them is on its way before the first is answered, and reports
// whether the target answered all before ctx ended. Before that nothing of them may be read.
func (r *room) run(ctx context.Context, steps []*step) bool {
	p := r.p
	p.lookEnds = pgwire.TxIdle
	if r.block {
		p.lookEnds = pgwire.TxActive
	}
	for _, s := range steps {
		if err := p.sendStep(s); err != nil {
			return false
		}
	}
	if p.sout.flush() != nil || !p.answered(ctx) {
		return false
	}
	p.broken = p.lookedOn()
	return p.broken == nil
}

// errAstray is a connection that is not as it was before the gateway looked.
var errAstray = errors.New("the target is not as it was before a preview")

// lookedOn waits for the end of a look and checks that it left the transaction as it was.
func (p *proxy) lookedOn() error {
	if p.lookEnds == 0 {
		return nil
	}
	want := p.lookEnds
	p.lookEnds = 0
	tx, _, err := p.drain()
	if err == nil && tx != want {
		err = errAstray
	}
	return err
}

// sendStep queues one query as a cycle of its own. What one before it left behind is closed first.
func (p *proxy) sendStep(s *step) error {
	if s.describe != nil {
		return p.sendDescribe(s)
	}
	const name = reserved + "preview"
	failed := func(code pgwire.SQLState) { s.code = code }
	rows := func(body []byte) {
		if cols, err := textColumns(body); err == nil && s.row == nil && len(body) <= maxLook {
			s.row = cols
		}
	}
	for _, e := range []*expect{
		{kind: expectClose}, {kind: expectClose}, {kind: expectParse}, {kind: expectBind}, {kind: expectExecute, rows: rows}, {kind: expectSync},
	} {
		e.internal, e.failed = true, failed
		p.due.push(e)
	}
	bind := &pgwire.Bind{Portal: name, Statement: name}
	for _, v := range s.params {
		bind.Params, bind.ParamFormats = append(bind.Params, v.value), append(bind.ParamFormats, v.format)
	}
	frames, err := pgwire.AppendAll(nil,
		&pgwire.Close{Kind: pgwire.KindPortal, Name: name}, &pgwire.Close{Kind: pgwire.KindStatement, Name: name},
		&pgwire.Parse{Name: name, SQL: s.sql, ParamOIDs: s.types}, bind, &pgwire.Execute{Portal: name})
	if err != nil {
		return err
	}
	return p.sout.add(pgwire.AppendEmpty(frames, pgwire.TypeSync))
}

func (p *proxy) sendDescribe(s *step) error {
	failed := func(code pgwire.SQLState) { s.code = code }
	p.due.push(&expect{kind: expectDescribeStatement, internal: true, stmt: s.describe, types: s.learn, failed: failed})
	p.due.push(&expect{kind: expectSync, internal: true, failed: failed})
	frames, err := (&pgwire.Describe{Kind: pgwire.KindStatement, Name: s.describe.name}).Append(nil)
	if err != nil {
		return err
	}
	return p.sout.add(pgwire.AppendEmpty(frames, pgwire.TypeSync))
}

// leave puts back what making room took away.
func (r *room) leave() {
	po := r.rebind
	if po == nil {
		return
	}
	bind := &pgwire.Bind{Portal: po.name, Statement: po.stmt.name, ResultFormats: po.formats}
	for _, v := range po.params {
		bind.Params, bind.ParamFormats = append(bind.Params, v.value), append(bind.ParamFormats, v.format)
	}
	r.p.due.push(&expect{kind: expectBind, portal: po, again: true})
	r.p.sout.build(bind.Append)
	r.p.names.portals[po.name], r.p.midBatch = po, true
}

// ranInBatch notes what a batch has executed so far: with anything but BEGIN there is no looking in its midst.
func (p *proxy) ranInBatch(a *analysed) {
	for _, part := range a.parts {
		begins := part.facts.Kind == sqlclass.KindTransaction && part.facts.Tx == sqlclass.TxBegin
		p.ran, p.opened = p.ran || !begins, p.opened || begins
	}
}

// lookedBack ends what a preview began: cancel requests go to the target again, and a look that was not waited for has
// to be over before anything else is sent.
func (p *proxy) lookedBack() error {
	if p.holding.Load() != nil {
		p.holding.Store(nil)
	}
	if p.broken == nil && p.lookEnds != 0 {
		p.broken = p.lookedOn()
	}
	return p.broken
}
