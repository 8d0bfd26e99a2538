package postgres

import (
	"errors"
	"fmt"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// startCopyOut plans the masking of COPY TO STDOUT.
func (r *run) startCopyOut(body []byte) error {
	m := pgwire.CopyResponse{Type: pgwire.TypeCopyOutResponse}
	if err := m.Decode(body); err != nil {
		return err
	}
	pt := r.current()
	if pt == nil || pt.facts.Copy == nil {
		return fmt.Errorf("%w: copy out", errUnexpected)
	}
	columns := make([]mask.Column, len(m.ColumnFormats))
	known := !pt.opaque && len(pt.output) == len(columns)
	for i := range columns {
		columns[i].Binary = m.Format == pgwire.FormatBinary
		if !known {
			r.p.target.hide(&columns[i], r.p.opaqueMask(r.a, r.flight.Masks()))
			continue
		}
		columns[i].OID = pt.output[i].typeOID
		r.p.target.show(&columns[i], &pt.output[i], r.flight.Masks())
	}
	plan, err := r.p.target.newPlan(columns)
	if err != nil {
		return err
	}
	r.copying, r.copier = true, nil
	if plan != nil {
		opts, err := copyOptions(pt.facts.Copy, m.Format)
		if err == nil {
			r.copier, err = mask.NewCopy(opts, plan, r.p.target.detector)
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errMask, err)
		}
	}
	return nil
}

// copyData masks a piece of COPY data; for CopyDone it returns what is left.
func (r *run) copyData(typ byte, body []byte) (out []byte, err error) {
	defer func() {
		if recover() != nil {
			out, err = nil, errMask
		}
	}()
	if r.copier == nil {
		r.outcome.Bytes += int64(len(body))
		return body, nil
	}
	if typ == pgwire.TypeCopyDone {
		err = r.copier.Close()
		r.outcome.MaskedColumns = merge(r.outcome.MaskedColumns, maskedNames(r.a.subject, r.flight.Masks(), r.current().output))
	} else {
		out, err = r.copier.Write(r.scratch[:0], body)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMask, err)
	}
	r.scratch = out
	r.outcome.Bytes += int64(len(out))
	return out, nil
}

// copyOptions are those that the statement gave; what it gave must be what the target says.
func copyOptions(f *sqlclass.CopyFacts, format pgwire.Format) (mask.CopyOptions, error) {
	o := mask.CopyOptions{Delimiter: firstByte(f.Delimiter), Null: &f.Null, Quote: firstByte(f.Quote), Escape: firstByte(f.Escape), Header: f.Header}
	switch {
	case f.Unknown:
		return o, errors.New("an option of COPY is not understood")
	case f.Format == "binary" && format == pgwire.FormatBinary:
		return mask.CopyOptions{Format: mask.CopyBinary}, nil
	case f.Format == "csv" && format == pgwire.FormatText:
		o.Format = mask.CopyCSV
	case f.Format == "text" && format == pgwire.FormatText:
		o.Format = mask.CopyText
	default:
		return o, errors.New("the target copies in another format than the statement says")
	}
	return o, nil
}

func firstByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

// show sets how one result column is shown.
func (t *target) show(c *mask.Column, out *output, masks *enforce.Masks) {
	worst, masked := policy.Mask{Kind: policy.MaskReveal}, false
	for _, i := range out.sources {
		if m := masks.Columns[i].Mask; m.Kind != policy.MaskReveal {
			masked = true
			if m.Stricter(worst) {
				worst = m
			}
		}
	}
	switch {
	case out.opaque && masks.Opaque.Kind != policy.MaskReveal:
		t.hide(c, masks.Opaque)
	case masked && out.direct:
		c.Rule = t.rule(worst)
	case masked:
		c.Rule, c.Derived = t.rule(worst), true
	case out.labeled:
		c.Clear = true // a person said what it holds, and policy reveals it
	}
}

// hide masks a column of which nothing is known.
func (t *target) hide(c *mask.Column, m policy.Mask) {
	if m.Kind == policy.MaskReveal {
		return
	}
	c.Rule, c.Derived = t.rule(m), true
}

// rule turns policy's mask into the masker's.
func (t *target) rule(m policy.Mask) *mask.Rule {
	rule, err := mask.Parse(m.String())
	if err != nil {
		rule = mask.Rule{} // redact
	}
	return &rule
}
