package postgres

import (
	"errors"
	"fmt"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// targetLoop masks and returns what the target answers, until it goes away or answers
// something that nobody asked for.
func (p *proxy) targetLoop() {
	for {
		if !p.sin.HasFrame() {
			if p.out.flush() != nil {
				return
			}
		}
		typ, body, err := p.sin.Next()
		if err == nil {
			err = p.answer(typ, body)
		}
		if err != nil {
			p.targetFailed(err)
			return
		}
	}
}

// targetFailed tells the client that the session cannot go on.
func (p *proxy) targetFailed(err error) {
	p.log.Debug("target loop ended", "error", err)
	if p.sess.Err() != nil || p.leaving.Load() {
		return
	}
	message := "the target closed the connection"
	var size *pgwire.SizeError
	switch {
	case errors.As(err, &size):
		message = fmt.Sprintf("an answer of %d bytes is over the gateway's limit of %d", size.Length, size.Limit)
	case errors.Is(err, errUnexpected), errors.Is(err, pgwire.ErrMalformed), errors.Is(err, pgwire.ErrFrame):
		message = "the target answered something that the gateway does not understand, so the session is closed"
		p.log.Error("unexpected answer", "error", err)
	case errors.Is(err, errMask):
		message = "a result could not be masked, so it is withheld and the session is closed"
		p.log.Error("mask result", "error", err)
	}
	p.breaks(message)
	p.fatal(pgwire.StateConnectionFailure, message)
}

var (
	// errUnexpected is an answer that no command asked for.
	errUnexpected = errors.New("unexpected answer from the target")
	// errMask is a row that could not be masked.
	errMask = errors.New("cannot mask a row")
)

// answer handles one message of the target.
func (p *proxy) answer(typ byte, body []byte) error {
	switch typ {
	case pgwire.TypeDataRow:
		return p.dataRow(body)
	case pgwire.TypeReadyForQuery:
		return p.readyForQuery(body)
	case pgwire.TypeErrorResponse:
		return p.errorResponse(body)
	case pgwire.TypeNoticeResponse:
		return p.noticeResponse(body)
	case pgwire.TypeParameterStatus:
		return p.parameterStatus(body)
	case pgwire.TypeNotificationResponse:
		return p.notification(body)
	}
	e := p.due.head()
	if e == nil {
		return fmt.Errorf("%w: %q with nothing due", errUnexpected, typ)
	}
	switch typ {
	case pgwire.TypeParseComplete:
		return p.complete(e, typ, expectParse)
	case pgwire.TypeBindComplete:
		return p.complete(e, typ, expectBind)
	case pgwire.TypeCloseComplete:
		return p.complete(e, typ, expectClose)
	case pgwire.TypeParameterDescription:
		return p.parameterDescription(e, body)
	case pgwire.TypeNoData:
		return p.noData(e)
	case pgwire.TypeRowDescription:
		return p.rowDescription(e, body)
	case pgwire.TypeCommandComplete, pgwire.TypeEmptyQueryResponse, pgwire.TypePortalSuspended:
		return p.commandComplete(e, typ, body)
	case pgwire.TypeCopyInResponse:
		return p.copyInResponse(e, body)
	case pgwire.TypeCopyOutResponse:
		return p.copyOutResponse(e, body)
	case pgwire.TypeCopyData, pgwire.TypeCopyDone:
		return p.copyOut(e, typ, body)
	}
	return fmt.Errorf("%w: %q", errUnexpected, typ)
}

// parameterDescription begins the answer to a Describe of a statement.
func (p *proxy) parameterDescription(e *expect, body []byte) error {
	if e.kind != expectDescribeStatement {
		return fmt.Errorf("%w: parameter description", errUnexpected)
	}
	if e.types != nil {
		var m pgwire.ParameterDescription
		if err := m.Decode(body); err != nil {
			return err
		}
		e.types(append([]uint32(nil), m.OIDs...))
	}
	return p.pass(e, pgwire.TypeParameterDescription, body)
}

// pass returns a message as it came, unless it is the gateway's own business.
func (p *proxy) pass(e *expect, typ byte, body []byte) error {
	if e.internal || e.again {
		return nil
	}
	return p.out.build(func(dst []byte) ([]byte, error) { return appendFrame(dst, typ, body), nil })
}

// appendFrame appends a frame with a body that came from the wire.
func appendFrame(dst []byte, typ byte, body []byte) []byte {
	n := len(body) + 4
	dst = append(dst, typ, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	return append(dst, body...)
}

// complete ends a Parse, Bind or Close.
func (p *proxy) complete(e *expect, typ byte, kind expectKind) error {
	if e.kind != kind {
		return fmt.Errorf("%w: %q", errUnexpected, typ)
	}
	if e.stmt != nil {
		e.stmt.confirmed.Store(true)
	}
	if e.portal != nil {
		e.portal.confirmed.Store(true)
	}
	p.due.pop()
	return p.pass(e, typ, nil)
}

// noData ends a Describe of something without a result.
func (p *proxy) noData(e *expect) error {
	switch e.kind {
	case expectDescribeStatement:
		e.stmt.known = true
	case expectDescribePortal:
		e.portal.known = true
	default:
		return fmt.Errorf("%w: no data", errUnexpected)
	}
	p.due.pop()
	return p.pass(e, pgwire.TypeNoData, nil)
}

// rowDescription ends a Describe, or begins the rows of a simple query.
func (p *proxy) rowDescription(e *expect, body []byte) error {
	var m pgwire.RowDescription
	if err := m.Decode(body); err != nil {
		return err
	}
	switch e.kind {
	case expectDescribeStatement:
		e.stmt.shape, e.stmt.known = p.shapes.of(e.stmt, &m, body), true
		p.due.pop()
	case expectDescribePortal:
		e.portal.shape, e.portal.known = p.shapes.of(e.portal.stmt.sql, &m, body), true
		p.due.pop()
	case expectQuery:
		if e.run == nil {
			return fmt.Errorf("%w: row description", errUnexpected)
		}
		if err := e.run.describe(&m, body); err != nil {
			return err
		}
	case expectExecute: // FETCH, EXPLAIN and SHOW describe themselves
		if !e.internal {
			return fmt.Errorf("%w: row description", errUnexpected)
		}
	default:
		return fmt.Errorf("%w: row description", errUnexpected)
	}
	return p.pass(e, pgwire.TypeRowDescription, body)
}

// commandComplete ends one statement of a query, or an Execute.
func (p *proxy) commandComplete(e *expect, typ byte, body []byte) error {
	if e.kind != expectQuery && e.kind != expectExecute {
		return fmt.Errorf("%w: command complete", errUnexpected)
	}
	if e.run != nil {
		tag := ""
		if typ == pgwire.TypeCommandComplete {
			var m pgwire.CommandComplete
			if err := m.Decode(body); err != nil {
				return err
			}
			tag = m.Tag
		}
		if cut := e.run.finish(typ, tag); cut != nil {
			body = cut
			typ = 0
		}
	}
	if e.kind == expectExecute {
		p.due.pop()
		if e.run != nil {
			e.run.end(enforce.Outcome{})
		}
	}
	if typ == 0 {
		return p.out.add(body)
	}
	return p.pass(e, typ, body)
}

// readyForQuery ends a cycle.
func (p *proxy) readyForQuery(body []byte) error {
	var m pgwire.ReadyForQuery
	if err := m.Decode(body); err != nil {
		return err
	}
	done, skipped := p.due.ready(m.Status)
	if len(done) == 0 || len(done) > 1 && !skipped {
		return fmt.Errorf("%w: ready for query before what is due", errUnexpected)
	}
	last := done[len(done)-1]
	for _, e := range done {
		if e.run != nil {
			e.run.end(enforce.Outcome{Cut: skippedOrDone(e, last)})
		}
	}
	return p.pass(last, pgwire.TypeReadyForQuery, body)
}

func skippedOrDone(e, last *expect) string {
	if e == last {
		return ""
	}
	return "skipped by the target after an error in the batch"
}

// errorResponse passes an error on without masked values, or answers with the refusal
// that stands for it.
func (p *proxy) errorResponse(body []byte) error {
	var m pgwire.ErrorResponse
	if err := m.Decode(body); err != nil {
		return err
	}
	e := p.due.head()
	if e == nil {
		scrub(&m.Diagnostic, true, p.target.detect)
		p.out.build(m.Append)
		return p.out.flush()
	}
	if e.kind != expectQuery {
		if p.due.fail(!e.internal || e.kind == expectDescribePortal) { // the client loop waits for the client, which waits for this
			p.owesSync.Store(true)
			p.client.SetReadDeadline(time.Unix(1, 0))
		}
	}
	if e.failed != nil {
		e.failed(m.Code)
	}
	if e.instead != nil {
		return p.out.add(e.instead)
	}
	scrub(&m.Diagnostic, p.veiled(e), p.target.detect)
	if e.run != nil {
		if cut := e.run.failed(&m.Diagnostic); cut != nil {
			return p.out.add(cut)
		}
	}
	if e.internal && e.kind != expectDescribePortal { // that one is on the way to an Execute, and fails it
		return nil
	}
	return p.out.build(m.Append)
}

// veiled reports whether an error or notice now could quote masked values.
func (p *proxy) veiled(e *expect) bool {
	switch {
	case e == nil || e.kind == expectSync: // between commands, and in deferred checks, it may be about anything
		return p.sess.Hidden(policy.Statement{}.Facts(), p.target.everyColumn()).Kind != policy.MaskReveal
	case e.run != nil:
		return e.run.flight.Masks().Near
	case (e.kind == expectBind || e.kind == expectDescribePortal) && e.portal != nil && e.portal.meaning != nil:
		return p.hides(e.portal.meaning.subject) // planning runs functions of constants, and looks at statistics
	case e.kind == expectParse || e.kind == expectBind:
		return e.stmt == nil // a Parse quotes only its own text
	}
	return false
}

// hides tells whether the session does not see all that a statement looks at.
func (p *proxy) hides(s *enforce.Subject) bool {
	if len(s.Asks) == 0 {
		return false
	}
	all := &enforce.ColumnList{Columns: s.Columns}
	if s.Opaque || s.OpaqueFlow {
		all = s.Everything
	}
	return p.sess.Hidden(s.Asks[0].Facts, all).Kind != policy.MaskReveal
}

func (p *proxy) noticeResponse(body []byte) error {
	var m pgwire.NoticeResponse
	if err := m.Decode(body); err != nil {
		return err
	}
	head := p.due.head()
	if head != nil && head.failed != nil { // about the gateway's own queries
		return nil
	}
	scrub(&m.Diagnostic, p.veiled(head), p.target.detect)
	return p.out.build(m.Append)
}

// parameterStatus watches the settings that say how text is read. One that changed behind
// the gateway's back ends the session.
func (p *proxy) parameterStatus(body []byte) error {
	var m pgwire.ParameterStatus
	if err := m.Decode(body); err != nil {
		return err
	}
	if want, fixed := fixedSettings[m.Name]; fixed && want != "" && want != "*" && !sameSetting(m.Name, m.Value) {
		return fmt.Errorf("%w: the target changed %s to %q", errUnexpected, m.Name, m.Value)
	}
	return p.out.build(m.Append)
}

// notification passes a NOTIFY of another session on, with detected secrets masked.
func (p *proxy) notification(body []byte) error {
	var m pgwire.NotificationResponse
	if err := m.Decode(body); err != nil {
		return err
	}
	m.Payload = p.target.detect(m.Payload)
	return p.out.build(m.Append)
}

func (p *proxy) copyInResponse(e *expect, body []byte) error {
	if e.run == nil || e.kind != expectQuery && e.kind != expectExecute {
		return fmt.Errorf("%w: copy in", errUnexpected)
	}
	p.due.startCopy()
	if err := p.pass(e, pgwire.TypeCopyInResponse, body); err != nil {
		return err
	}
	return p.out.flush()
}

func (p *proxy) copyOutResponse(e *expect, body []byte) error {
	if e.run == nil || e.kind != expectQuery && e.kind != expectExecute {
		return fmt.Errorf("%w: copy out", errUnexpected)
	}
	if err := e.run.startCopyOut(body); err != nil {
		return err
	}
	return p.pass(e, pgwire.TypeCopyOutResponse, body)
}

// copyOut returns the rows of COPY TO STDOUT, masked.
func (p *proxy) copyOut(e *expect, typ byte, body []byte) error {
	if e.run == nil || !e.run.copying {
		return fmt.Errorf("%w: copy data", errUnexpected)
	}
	masked, err := e.run.copyData(typ, body)
	if err != nil {
		return err
	}
	if len(masked) > 0 {
		if err := p.pass(e, pgwire.TypeCopyData, masked); err != nil {
			return err
		}
	}
	if typ == pgwire.TypeCopyDone {
		return p.pass(e, pgwire.TypeCopyDone, nil)
	}
	return nil
}

// dataRow returns one row, masked.
func (p *proxy) dataRow(body []byte) error {
	e := p.due.head()
	switch {
	case e == nil || e.kind != expectQuery && e.kind != expectExecute:
		return fmt.Errorf("%w: data row", errUnexpected)
	case e.rows != nil:
		e.rows(body)
		return nil
	case e.run == nil:
		return fmt.Errorf("%w: data row", errUnexpected)
	}
	return e.run.row(body)
}
