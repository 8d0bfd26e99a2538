package postgres

import (
	"fmt"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// run follows the results of one Query or Execute in the target loop.
type run struct {
	p      *proxy
	flight *enforce.Flight
	a      *analysed
	portal *portal // of an Execute

	part    int // the statement whose answer comes now
	done    []bool
	one     [1]bool // what done is for a single statement
	plan    *mask.Plan
	planned bool
	copying bool
	copier  *mask.Copy
	limited bool // the row limit was reached: rows are dropped
	scratch []byte

	outcome enforce.Outcome
	columns []string
	kept    [][]audit.Value
	keptLen int
	over    bool // recording stopped for size
}

// Limits of recorded rows of one command.
const (
	maxKeptRows  = 1000
	maxKeptBytes = 256 << 10
)

func newRun(p *proxy, f *enforce.Flight, a *analysed) *run {
	r := &run{p: p, flight: f, a: a}
	if r.done = r.one[:]; len(a.parts) != 1 {
		r.done = make([]bool, len(a.parts))
	}
	return r
}

// completed reports whether the i-th statement ran to its end.
func (r *run) completed(i int) bool { return i < len(r.done) && r.done[i] }

// current is the statement whose answer comes now.
func (r *run) current() *part {
	if r.part < len(r.a.parts) {
		return r.a.parts[r.part]
	}
	return nil
}

// describe plans the masking of a simple query's rows.
func (r *run) describe(m *pgwire.RowDescription, body []byte) error {
	if r.planned {
		return fmt.Errorf("%w: a second description of one result", errUnexpected)
	}
	pt := r.current()
	sh := r.p.shapes.of(pt, m, body)
	plan, err := r.p.planFor(sh, r.a, pt, r.flight.Masks(), nil)
	if err != nil {
		return err
	}
	r.setPlan(plan, sh.fields)
	return nil
}

func (r *run) setPlan(plan *mask.Plan, fields []pgwire.Field) {
	r.plan, r.planned = plan, true
	if r.flight.RecordRows() {
		r.columns = r.columns[:0]
		for _, f := range fields {
			r.columns = append(r.columns, f.Name)
		}
	}
}

// row masks one row and returns it to the client.
func (r *run) row(body []byte) (err error) {
	defer func() { // a masker that fails withholds the row
		if recover() != nil {
			err = errMask
		}
	}()
	if !r.planned {
		if err := r.planPortal(); err != nil {
			return err
		}
	}
	r.outcome.Rows++
	if limit := r.flight.RowLimit(); limit > 0 && r.outcome.Rows > limit {
		r.cutRows(limit)
		return nil
	}
	out := body
	if r.plan != nil {
		var n int
		if out, n, err = mask.RewriteDataRow(r.scratch[:0], body, r.plan, r.p.target.detector); err != nil {
			return fmt.Errorf("%w: %w", errMask, err)
		}
		if n > 0 {
			r.scratch = out
		}
	}
	r.outcome.Bytes += int64(len(out))
	if r.columns != nil {
		if err := r.keep(out); err != nil {
			return err
		}
	}
	return r.p.out.build(func(dst []byte) ([]byte, error) { return appendFrame(dst, pgwire.TypeDataRow, out), nil })
}

// planPortal plans the masking of an Execute's rows by the shape of its portal.
func (r *run) planPortal() error {
	if r.portal == nil {
		return fmt.Errorf("%w: rows without a description", errUnexpected)
	}
	sh, formats := r.portal.shape, []pgwire.Format(nil)
	if !r.portal.known {
		sh = r.portal.stmt.shape
		if sh != nil {
			formats = r.portal.formatsOf(len(sh.fields))
		}
	}
	if sh == nil {
		return fmt.Errorf("%w: rows of an undescribed portal", errUnexpected)
	}
	plan, err := r.p.planFor(sh, r.a, r.current(), r.flight.Masks(), formats)
	if err != nil {
		return err
	}
	r.setPlan(plan, sh.fields)
	return nil
}

// cutRows stops an answer at its row limit.
func (r *run) cutRows(limit int64) {
	if r.limited {
		return
	}
	r.limited = true
	r.outcome.Cut = fmt.Sprintf("stopped at the row limit of %d", limit)
	go r.p.cancel(r.p.ctx())
}

// limitError is the answer to a command that was stopped at its row limit.
func (r *run) limitError() []byte {
	frame, err := appendError(nil, pgwire.StateProgramLimitExceeded, "denied by Writ: the result has more rows than policy allows",
		"add a LIMIT of at most "+fmt.Sprint(r.flight.RowLimit()))
	if err != nil {
		return nil
	}
	return frame
}

// keep gathers masked rows for the record.
func (r *run) keep(body []byte) error {
	if r.over {
		return nil
	}
	var m pgwire.DataRow
	if err := m.Decode(body); err != nil {
		return err
	}
	row := make([]audit.Value, 0, m.Len())
	for _, v := range m.Values() {
		r.keptLen += len(v) + 8
		if v == nil {
			row = append(row, audit.Value{Null: true})
			continue
		}
		row = append(row, audit.Value{Data: append([]byte(nil), v...)})
	}
	r.kept = append(r.kept, row)
	r.over = len(r.kept) >= maxKeptRows || r.keptLen >= maxKeptBytes
	return nil
}

// finish ends one statement. It returns what to answer instead, if its answer was cut.
func (r *run) finish(typ byte, tag string) (instead []byte) {
	if r.part < len(r.done) && typ == pgwire.TypeCommandComplete {
		r.done[r.part] = true
	}
	if p := r.current(); p != nil && r.flight.Masks().Any {
		for _, name := range maskedNames(r.a.subject, r.flight.Masks(), p.output) {
			r.outcome.MaskedColumns = merge(r.outcome.MaskedColumns, []string{name})
		}
	}
	if tag != "" {
		if r.outcome.Tag != "" {
			r.outcome.Tag += "; "
		}
		r.outcome.Tag += tag
		m := pgwire.CommandComplete{Tag: tag}
		if _, rows := m.Split(); rows > 0 && r.outcome.Rows == 0 {
			r.outcome.Rows = rows
		}
	}
	r.part++
	r.plan, r.planned, r.copying = nil, false, false
	r.flushKept()
	if r.limited {
		return r.limitError()
	}
	return nil
}

func (r *run) flushKept() {
	if len(r.kept) > 0 {
		r.flight.Rows(append([]string(nil), r.columns...), r.kept)
		r.kept, r.keptLen, r.over = nil, 0, false
	}
}

// failed notes an error of the target. It returns what to answer instead, if the error
// only came because the answer was cut.
func (r *run) failed(d *pgwire.Diagnostic) (instead []byte) {
	r.flushKept()
	if r.limited && d.Code == pgwire.StateQueryCanceled {
		return r.limitError()
	}
	r.outcome.ErrorCode, r.outcome.ErrorMessage = string(d.Code), d.Message
	return nil
}

// end records the outcome; extra says why it is no ordinary one.
func (r *run) end(extra enforce.Outcome) {
	r.flushKept()
	if r.outcome.Cut == "" && r.outcome.ErrorCode == "" && (r.outcome.Tag == "" || extra.Cut != "") {
		r.outcome.Cut = extra.Cut
	}
	r.flight.End(r.outcome)
}

// formatsOf expands the portal's result formats to n columns.
func (p *portal) formatsOf(n int) []pgwire.Format {
	out := make([]pgwire.Format, n)
	for i := range out {
		out[i] = p.format(i)
	}
	return out
}

// plan says how each column of a result is shown; nil where nothing has to be looked at.
func (p *proxy) plan(a *analysed, pt *part, masks *enforce.Masks, fields []pgwire.Field, formats []pgwire.Format) (*mask.Plan, error) {
	if pt == nil {
		return nil, fmt.Errorf("%w: more results than statements", errUnexpected)
	}
	known := !pt.opaque && len(pt.output) == len(fields) && sameOrigins(pt.output, fields)
	if !known && !pt.opaque {
		p.target.catalog.stale()
		p.log.Warn("result is not what the catalog says; masking all of it")
	}
	columns := make([]mask.Column, len(fields))
	for i, f := range fields {
		columns[i] = mask.Column{OID: f.TypeOID, Binary: f.Format == pgwire.FormatBinary}
		if formats != nil {
			columns[i].Binary = formats[i] == pgwire.FormatBinary
		}
		if !known {
			p.target.hide(&columns[i], p.opaqueMask(a, masks))
			continue
		}
		p.target.show(&columns[i], &pt.output[i], masks)
	}
	return p.target.newPlan(columns)
}

// opaqueMask is how a value is shown of which nothing is known.
func (p *proxy) opaqueMask(a *analysed, masks *enforce.Masks) policy.Mask {
	if a.subject.Opaque {
		return masks.Opaque
	}
	return p.sess.Hidden(a.subject.Asks[0].Facts, p.target.everyColumn())
}

// sameOrigins compares what the classifier derived with what the target says about its
// columns: where they differ the catalog at hand is not the target's.
func sameOrigins(out []output, fields []pgwire.Field) bool {
	for i, f := range fields {
		if f.TableOID == 0 {
			continue
		}
		if !isColumn(out[i].origin, f) && !isColumn(out[i].castOf, f) {
			return false
		}
	}
	return true
}

func isColumn(c sqlclass.ColumnRef, f pgwire.Field) bool {
	return c.Relation == f.TableOID && c.Num == f.Attribute
}
