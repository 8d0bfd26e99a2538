package postgres

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// pending is a command in the air that changes what later ones mean.
type pending struct {
	analysed *analysed
	run      *run
}

// remember takes note of what the command does to the session once it is through.
func (p *proxy) remember(a *analysed, r *run) {
	for _, part := range a.parts {
		p.txPending = p.txPending || part.facts.Kind == sqlclass.KindTransaction
	}
	if a.steers || p.unsettled {
		p.pending = append(p.pending, pending{analysed: a, run: r})
	}
}

// settle applies what commands that are through did to the session. Nothing is in the
// air, or the rest of a failed batch is being skipped.
func (p *proxy) settle() {
	for _, c := range p.pending {
		for i, part := range c.analysed.parts {
			p.names.settle(part.facts, c.run.completed(i))
		}
		if c.analysed.resync || c.analysed.endsTx && p.unsettled {
			p.resync, p.unsettled = true, true
		}
		if c.analysed.relist || c.analysed.endsTx && p.private != nil {
			p.private, p.relist = nil, true
			p.target.catalog.stale()
		}
	}
	p.pending = p.pending[:0]
	p.txPending = false
	undo := p.due.takeUndo()
	for i := range undo {
		undo[len(undo)-1-i]()
	}
	tx, _ := p.due.status()
	if tx == pgwire.TxIdle && !p.midBatch {
		p.resync = p.resync || p.unsettled
		p.unsettled, p.relist, p.private = false, false, nil
		clear(p.names.portals)
	}
}

// classify says what a statement does in this session. skipping means that the target
// ignores it anyway, after an error earlier in the batch.
func (p *proxy) classify(sql string) (a *analysed, skipping bool, err error) {
	if len(p.pending) > 0 || p.resync || p.unsettled {
		tx, skipping, err := p.drain()
		if err != nil || skipping {
			return nil, skipping, err
		}
		if tx != pgwire.TxFailed {
			if err := p.lookAround(); err != nil {
				return nil, false, err
			}
		}
	}
	a, err = p.analyse(sql)
	if err == nil && a.missing != nil {
		a, err = p.lookAgain(sql)
	}
	if err == nil && a.missing != nil {
		if err = missing(a.missing); a.missing.What == "prepared" && p.names.statements[a.missing.Name] != nil {
			err = errChanged()
		}
	}
	if err == nil && a.acrossTx && (p.unsettled || p.resync || p.relist || p.private != nil) {
		err = &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "what follows the end of this transaction in one text cannot be understood, because the transaction changed what names mean",
			Next: "send COMMIT or ROLLBACK by itself"}
	}
	if err != nil {
		p.recordUnread(sql, err)
		return nil, false, err
	}
	return a, false, nil
}

// lookAround asks the target what the session's names mean now, where that may have
// changed: after DDL in a transaction that only the session itself sees, of everything.
func (p *proxy) lookAround() (err error) {
	if p.resync {
		if err := p.readEnvironment(); err != nil {
			return err
		}
		p.resync = false
	}
	if p.relist {
		tx, _ := p.due.status()
		if p.private, err = p.target.catalog.within(p.ask, tx == pgwire.TxActive); err != nil {
			return &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "the target's catalog cannot be read, so the statement cannot be understood"}
		}
		p.relist = false
	}
	return nil
}

// analyse classifies under the catalog at hand.
func (p *proxy) analyse(sql string) (*analysed, error) {
	cat := p.private
	if cat == nil {
		var err error
		if cat, err = p.target.catalog.current(p.sess.Done()); err != nil {
			return nil, &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "the target's catalog cannot be read, so statements cannot be understood", Next: "try again; ask whoever runs this edge if it stays so"}
		}
	}
	batch, err := p.target.classifier.Classify(sql, cat, &sqlclass.Session{
		Path: p.env.path, Temp: p.env.temp, TempKey: p.env.tempKey, Prepared: p.preparedFacts, Cursor: p.cursorFacts,
	})
	if err != nil {
		return nil, unread(sql, err)
	}
	return p.target.analysed(batch, cat), nil
}

// lookAgain reads the catalog anew for a name it does not have: within a transaction that
// changed the schema as the session itself sees it.
func (p *proxy) lookAgain(sql string) (*analysed, error) {
	tx, skipping, err := p.drain()
	if err != nil {
		return nil, err
	}
	if tx == pgwire.TxActive && !skipping || p.midBatch && !skipping {
		if p.private, err = p.target.catalog.within(p.ask, tx == pgwire.TxActive); err != nil {
			return nil, &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "the target's catalog cannot be read, so the statement cannot be understood"}
		}
		return p.analyse(sql)
	}
	p.target.catalog.refreshOlder(time.Now())
	return p.analyse(sql)
}

// preparedFacts classifies what EXECUTE name would run now.
func (p *proxy) preparedFacts(name string) *sqlclass.Facts {
	st := p.names.statements[name]
	if st == nil || !st.confirmed.Load() || name == "" {
		return nil
	}
	a, err := p.analyse(st.sql)
	if err != nil || len(a.parts) != 1 || !p.means(st, a.parts[0].facts) {
		return nil
	}
	return a.parts[0].facts
}

// means tells whether a prepared statement means what its text means now. It does where that is what
// it meant when it was prepared, and where the target cannot have kept its plan.
func (p *proxy) means(st *prepared, now *sqlclass.Facts) bool {
	if sameMeaning(st.facts, now) {
		return true
	}
	if st.facts == nil || !replans(st.facts, now, p.exists) {
		return false
	}
	if len(now.Unresolved) == 0 { // else the target cannot plan it either
		st.facts, st.described = now, false
	}
	return true
}

// exists tells whether the session can still see a relation.
func (p *proxy) exists(oid uint32) bool {
	cat := p.private
	if cat == nil {
		cat = p.target.catalog.now.Load()
	}
	return cat == nil || cat.Relation(oid) != nil || slices.ContainsFunc(p.env.temp, func(r *sqlclass.Relation) bool { return r.OID == oid })
}

func (p *proxy) cursorFacts(name string) *sqlclass.Facts { return p.names.cursors[name] }

// unread turns a classifier's error into a refusal. A plain syntax error is answered as
// the target would; it was understood well enough to know that nothing would run.
func unread(sql string, err error) error {
	var u *sqlclass.Unparsed
	if errors.As(err, &u) && u.Reason == sqlclass.ReasonSyntax {
		return syntaxError(sql, u)
	}
	if errors.As(err, &u) {
		code := pgwire.SQLState(u.SQLSTATE())
		if code == "" {
			code = pgwire.StateFeatureNotSupported
		}
		return &localError{code: code, message: "denied by Writ: " + u.Error(), hint: "What the gateway does not understand it does not forward."}
	}
	return &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: "the statement cannot be understood"}
}

// syntaxError has the target's words, with the word that parsing stumbled on but no constant.
func syntaxError(sql string, u *sqlclass.Unparsed) *localError {
	e := &localError{code: pgwire.StateSyntaxError, message: "syntax error", hint: "The gateway could not parse the statement, so it was not sent to the target.", recorded: u.Error()}
	switch token, end := u.Near(sql); {
	case end:
		e.message = "syntax error at end of input"
	case token != "":
		e.message = "syntax error at or near \"" + token + "\""
	}
	if u.Position >= 0 && u.Position <= len(sql) {
		e.position = utf8.RuneCountInString(sql[:u.Position]) + 1
	}
	return e
}

// recordUnread leaves the record of a statement refused before it could be decided.
func (p *proxy) recordUnread(sql string, err error) {
	t := &text{sql: sql}
	d := &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: err.Error()}
	var denied *enforce.Denied
	var local *localError
	switch {
	case errors.As(err, &denied):
		d = denied
	case errors.As(err, &local):
		d.Reason = local.reason()
	}
	p.sess.Begin(context.Background(), &enforce.Command{Refuse: d, Text: t, Digest: t.digest()})
}

// refused records a refusal that the protocol found by itself, and returns it.
func (p *proxy) refused(d *enforce.Denied) error {
	_, err := p.sess.Begin(context.Background(), &enforce.Command{Refuse: d})
	return err
}

// command is one execution of an analysed statement.
func (p *proxy) command(a *analysed, sql string, params []param, inTx bool) *enforce.Command {
	t := &text{sql: sql, batch: a.batch, params: params, detector: p.target.detector}
	return &enforce.Command{
		Subject: a.subject, Text: t, Digest: t.digest(), InTransaction: inTx, Still: func() bool { return p.still(a, sql) },
	}
}

// still reads the catalog anew and reports whether a statement means in it what it meant when it came.
func (p *proxy) still(a *analysed, sql string) bool {
	p.target.catalog.refreshOlder(time.Now())
	now, err := p.analyse(sql)
	if err != nil {
		return false
	}
	return now == a || now.missing == nil && sameSubject(now.subject, a.subject) &&
		slices.EqualFunc(now.parts, a.parts, func(x, y *part) bool { return x.opaque == y.opaque && reflect.DeepEqual(x.output, y.output) })
}

// sameSubject compares all that is decided, but not what anything could derive from: that is every column there is.
func sameSubject(x, y *enforce.Subject) bool {
	a, b := *x, *y
	a.Everything, b.Everything = nil, nil
	return reflect.DeepEqual(a, b)
}

// inTransaction reports whether the next command runs inside a transaction block.
func (p *proxy) inTransaction() (bool, error) {
	tx, idle := p.due.status()
	if p.txPending && !idle {
		var err error
		if tx, _, err = p.drain(); err != nil {
			return false, err
		}
	}
	if idle {
		p.txPending = false
	}
	return tx != pgwire.TxIdle, nil
}
