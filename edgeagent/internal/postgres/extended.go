package postgres

import (
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// parse decides whether a statement may be known to the target at all. What would only be
// held is let through: it is held when it is executed, with its values.
func (p *proxy) parse(body []byte) error {
	var m pgwire.Parse
	if err := m.Decode(body); err != nil {
		return p.malformed(err)
	}
	if strings.HasPrefix(m.Name, reserved) {
		return p.refuseBatch(&localError{code: pgwire.StateInvalidStatementName, message: "statement names that begin with \"writ \" are the gateway's own"})
	}
	if err := p.catchUp(); err != nil {
		return err
	}
	a, skipping, err := p.classify(m.SQL)
	if skipping {
		p.discard = true
		return nil
	}
	if err == nil {
		err = p.mayParse(&m, a)
	}
	if err != nil {
		return p.refuseBatch(err)
	}
	st := &prepared{name: m.Name, sql: m.SQL, batch: p.batch}
	if len(a.parts) == 1 {
		st.facts = a.parts[0].facts
	}
	undo := note(p.names.statements, m.Name, st)
	p.midBatch = true
	p.due.push(&expect{kind: expectParse, stmt: st, undo: undo})
	return p.sout.build(m.Append)
}

// note sets or, with a nil value, deletes a name and returns how to take that back.
func note[V any](names map[string]*V, name string, v *V) (undo func()) {
	old, had := names[name]
	if v == nil {
		delete(names, name)
	} else {
		names[name] = v
	}
	return func() {
		delete(names, name)
		if had {
			names[name] = old
		}
	}
}

// catchUp takes back names whose messages the target failed or skipped, and applies
// statements that changed names, before a name is looked up.
func (p *proxy) catchUp() error {
	if len(p.pending) == 0 && !p.due.unsure() {
		return nil
	}
	_, _, err := p.drain()
	return err
}

// statement looks a prepared statement up. One from an earlier batch must be known to
// have reached the target: if that batch failed, an older one may still be there.
func (p *proxy) statement(name string) (*prepared, error) {
	if err := p.catchUp(); err != nil {
		return nil, err
	}
	st := p.names.statements[name]
	if st != nil && (st.confirmed.Load() || st.batch == p.batch) {
		return st, nil
	}
	if _, _, err := p.drain(); err != nil {
		return nil, err
	}
	if st = p.names.statements[name]; st != nil && (st.confirmed.Load() || st.batch == p.batch) {
		return st, nil
	}
	if name == "" {
		return nil, &localError{code: pgwire.StateInvalidStatementName, message: "unnamed prepared statement does not exist"}
	}
	return nil, &localError{code: pgwire.StateInvalidStatementName, message: "prepared statement \"" + name + "\" does not exist"}
}

// portal looks a portal up, under the same rule.
func (p *proxy) portal(name string) (*portal, error) {
	if err := p.catchUp(); err != nil {
		return nil, err
	}
	po := p.names.portals[name]
	if po != nil && (po.confirmed.Load() || po.batch == p.batch) {
		return po, nil
	}
	if _, _, err := p.drain(); err != nil {
		return nil, err
	}
	if po = p.names.portals[name]; po != nil && (po.confirmed.Load() || po.batch == p.batch) {
		return po, nil
	}
	return nil, &localError{code: pgwire.StateInvalidCursorName, message: "portal \"" + name + "\" does not exist"}
}

// mayParse applies the target's own rules about names and asks the pipeline.
func (p *proxy) mayParse(m *pgwire.Parse, a *analysed) error {
	if len(a.parts) > 1 {
		err := &localError{code: pgwire.StateSyntaxError, message: "cannot insert multiple commands into a prepared statement"}
		p.recordUnread(m.SQL, err)
		return err
	}
	if m.Name != "" {
		if old, _ := p.statement(m.Name); old != nil {
			return &localError{code: pgwire.StateDuplicateStatement, message: "prepared statement \"" + m.Name + "\" already exists"}
		}
		if len(p.names.statements) >= maxStatements {
			return &localError{code: pgwire.StateConfigurationLimit, message: "too many prepared statements in this session"}
		}
	}
	if len(a.parts) == 0 {
		return nil
	}
	inTx, err := p.inTransaction()
	if err != nil {
		return err
	}
	return p.sess.Check(p.command(a, m.SQL, nil, inTx))
}

// bind gives a statement its values.
func (p *proxy) bind(body []byte) error {
	var m pgwire.Bind
	if err := m.Decode(body); err != nil {
		return p.malformed(err)
	}
	st, err := p.statement(m.Statement)
	if err != nil {
		return p.refuseBatch(err)
	}
	if err := p.mayBind(&m); err != nil {
		return p.refuseBatch(err)
	}
	a, skipping, err := p.classify(st.sql)
	if skipping {
		p.discard = true
		return nil
	}
	if err == nil && len(a.parts) == 1 && !p.means(st, a.parts[0].facts) {
		err = errChanged()
		p.recordUnread(st.sql, err)
	}
	if err != nil {
		return p.refuseBatch(err)
	}
	if m.Portal != "" {
		delete(p.names.cursors, m.Portal)
	}
	po := &portal{name: m.Portal, stmt: st, meaning: a, batch: p.batch, formats: append([]pgwire.Format(nil), m.ResultFormats...)}
	for i, v := range m.Params {
		var value []byte
		if v != nil {
			value = append(make([]byte, 0, len(v)), v...)
		}
		po.params = append(po.params, param{value: value, format: m.ParamFormat(i)})
	}
	undo := note(p.names.portals, m.Portal, po)
	p.midBatch = true
	p.due.push(&expect{kind: expectBind, portal: po, undo: undo})
	return p.sout.build(m.Append)
}

// mayBind keeps portal names unique as the target does, so that the gateway never takes
// one portal for another.
func (p *proxy) mayBind(m *pgwire.Bind) error {
	if strings.HasPrefix(m.Portal, reserved) {
		return &localError{code: pgwire.StateInvalidCursorName, message: "portal names that begin with \"writ \" are the gateway's own"}
	}
	if m.Portal == "" {
		return nil
	}
	if p.names.portals[m.Portal] != nil {
		if _, _, err := p.drain(); err != nil {
			return err
		}
		if p.names.portals[m.Portal] != nil {
			return &localError{code: pgwire.StateDuplicateCursor, message: "cursor \"" + m.Portal + "\" already exists"}
		}
	}
	if len(p.names.portals) >= maxPortals {
		return &localError{code: pgwire.StateConfigurationLimit, message: "too many portals in this session"}
	}
	return nil
}

// describe asks for the shape of a statement or portal that was decided.
func (p *proxy) describe(body []byte) error {
	var m pgwire.Describe
	if err := m.Decode(body); err != nil {
		return p.malformed(err)
	}
	e := &expect{kind: expectDescribeStatement}
	var err error
	if m.Kind == pgwire.KindPortal {
		e.kind = expectDescribePortal
		if e.portal, err = p.portal(m.Name); err == nil {
			e.portal.asked = true
		}
	} else if e.stmt, err = p.statement(m.Name); err == nil {
		e.stmt.described = true
	}
	if err != nil {
		return p.refuseBatch(err)
	}
	p.midBatch = true
	p.due.push(e)
	return p.sout.build(m.Append)
}

// execute decides one execution with its values.
func (p *proxy) execute(body []byte) error {
	var m pgwire.Execute
	if err := m.Decode(body); err != nil {
		return p.malformed(err)
	}
	po, err := p.portal(m.Portal)
	if err != nil {
		return p.refuseBatch(err)
	}
	a := po.meaning
	if len(a.parts) == 0 {
		p.midBatch = true
		p.due.push(&expect{kind: expectExecute})
		return p.sout.build(m.Append)
	}
	inTx, err := p.inTransaction()
	if err != nil {
		return err
	}
	cmd := p.command(a, po.stmt.sql, po.params, inTx)
	cmd.Continues, p.bound = po.flight, po
	f, err := p.begin(cmd)
	p.bound = nil
	if err == nil {
		if err = f.Ready(); err != nil {
			f.End(enforce.Outcome{Cut: "not forwarded: the session ended"})
		}
	}
	if err != nil {
		return p.refuseBatch(err)
	}
	po.flight = f
	p.describeFirst(po, a)
	r := newRun(p, f, a)
	r.portal = po
	p.midBatch = true
	p.ranInBatch(a)
	p.due.push(&expect{kind: expectExecute, run: r})
	p.remember(a, r)
	return p.forward(f, &m)
}

// describeFirst asks for a portal's shape where the client did not: without it the types
// of the result are not known to the masker.
func (p *proxy) describeFirst(po *portal, a *analysed) {
	if po.asked || po.stmt.described || !a.parts[0].facts.ReturnsRows {
		return
	}
	po.asked = true
	p.due.push(&expect{kind: expectDescribePortal, portal: po, internal: true})
	p.sout.build((&pgwire.Describe{Kind: pgwire.KindPortal, Name: po.name}).Append)
}

// closeName forgets a statement or portal.
func (p *proxy) closeName(body []byte) error {
	var m pgwire.Close
	if err := m.Decode(body); err != nil {
		return p.malformed(err)
	}
	if strings.HasPrefix(m.Name, reserved) {
		return p.refuseBatch(&localError{code: pgwire.StateInvalidStatementName, message: "names that begin with \"writ \" are the gateway's own"})
	}
	if err := p.catchUp(); err != nil {
		return err
	}
	e := &expect{kind: expectClose}
	if m.Kind == pgwire.KindPortal {
		e.undo = note(p.names.portals, m.Name, nil)
		delete(p.names.cursors, m.Name)
	} else {
		e.undo = note(p.names.statements, m.Name, nil)
	}
	p.midBatch = true
	p.due.push(e)
	return p.sout.build(m.Append)
}

// sync ends a batch.
func (p *proxy) sync(body []byte) error {
	if err := pgwire.DecodeEmpty(pgwire.TypeSync, body); err != nil {
		return p.malformed(err)
	}
	if p.discard && !p.midBatch { // the target knows nothing of this batch
		p.discard = false
		tx, _ := p.due.status()
		if err := p.out.build((&pgwire.ReadyForQuery{Status: tx}).Append); err != nil {
			return err
		}
		return p.out.flush()
	}
	return p.endBatch()
}

// endBatch sends a Sync, unless the target is taking COPY data and would ignore it.
func (p *proxy) endBatch() error {
	if !p.due.pushSync() {
		return nil
	}
	p.discard, p.midBatch, p.ran, p.opened = false, false, false, false
	p.batch++
	return p.sout.add(pgwire.AppendEmpty(nil, pgwire.TypeSync))
}

func (p *proxy) flush(body []byte) error {
	if err := pgwire.DecodeEmpty(pgwire.TypeFlush, body); err != nil {
		return p.malformed(err)
	}
	if err := p.sout.add(pgwire.AppendEmpty(nil, pgwire.TypeFlush)); err != nil {
		return err
	}
	return p.sout.flush()
}

// refuseBatch answers an extended message that is not forwarded: one error, then nothing
// until Sync. Where the target is in a transaction or already has a part of the batch,
// something that fails goes there instead, so that it skips and rolls back as well.
func (p *proxy) refuseBatch(cause error) error {
	tx, skipping, err := p.drain()
	if err != nil {
		return err
	}
	p.discard = true
	if skipping && !p.due.tell() {
		return nil
	}
	answer, fatal, err := refusal(cause)
	if err != nil {
		return err
	}
	if !fatal && !skipping && (tx == pgwire.TxActive || p.midBatch) {
		p.midBatch = true
		p.due.push(&expect{kind: expectParse, instead: answer})
		return p.sout.build((&pgwire.Parse{SQL: failing}).Append)
	}
	p.out.add(answer)
	if err := p.out.flush(); err != nil {
		return err
	}
	if fatal {
		return cause
	}
	return nil
}

// functionCall refuses the fastpath: it names functions by OID and carries no SQL.
func (p *proxy) functionCall() error {
	d := &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "the function call message (fastpath) is not served", Next: "call the function with SELECT"}
	return p.refuseQuery(p.refused(d))
}
