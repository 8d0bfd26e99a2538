package mask

import (
	"errors"
	"fmt"
	"strings"
)

// CopyFormat is the format of a COPY.
type CopyFormat uint8

// The formats of COPY. The zero value is none.
const (
	CopyText CopyFormat = iota + 1
	CopyCSV
	CopyBinary
)

// DefaultMaxRow is how long a row of a COPY may be by default, in bytes.
const DefaultMaxRow = 16 << 20

// CopyOptions say how the rows of a COPY are written, as the statement's own options do.
type CopyOptions struct {
	Format    CopyFormat
	Delimiter byte    // default a tab, in CSV a comma
	Null      *string // what stands for NULL; default \N, in CSV nothing
	Quote     byte    // CSV only; default a double quote
	Escape    byte    // CSV only; default Quote
	Header    bool    // the first row has the columns' names; it passes
	MaxRow    int     // bytes; default DefaultMaxRow
}

func (o *CopyOptions) complete() error {
	null := ""
	switch o.Format {
	case CopyText:
		null = `\N`
		o.Delimiter = orElse(o.Delimiter, '\t')
	case CopyCSV:
		o.Delimiter, o.Quote = orElse(o.Delimiter, ','), orElse(o.Quote, '"')
		o.Escape = orElse(o.Escape, o.Quote)
	case CopyBinary:
	default:
		return errors.New("unknown format")
	}
	if o.Null == nil {
		o.Null = &null
	}
	if o.MaxRow == 0 {
		o.MaxRow = DefaultMaxRow
	}
	return o.check()
}

// check refuses what PostgreSQL refuses too (ProcessCopyOptions in copy.c), as it would make rows ambiguous.
func (o *CopyOptions) check() error {
	isCSV := o.Format == CopyCSV
	switch {
	case o.MaxRow < 0:
		return errors.New("negative row limit")
	case o.Format == CopyBinary:
		if o.Header {
			return errors.New("a binary COPY has no header row")
		}
		return nil
	case strings.ContainsAny(*o.Null, "\r\n") || strings.IndexByte(*o.Null, o.Delimiter) >= 0:
		return errors.New("NULL must not contain a line break or the delimiter")
	case o.Delimiter == '\n' || o.Delimiter == '\r' || o.Delimiter >= 0x80:
		return errors.New("impossible delimiter")
	case !isCSV && strings.IndexByte("\\.abcdefghijklmnopqrstuvwxyz0123456789", o.Delimiter) >= 0:
		return errors.New("impossible delimiter")
	case isCSV && (o.Quote == o.Delimiter || o.Quote == '\n' || o.Quote == '\r' || o.Quote >= 0x80):
		return errors.New("impossible quote")
	case isCSV && (o.Escape == o.Delimiter || o.Escape == '\n' || o.Escape == '\r' || o.Escape >= 0x80):
		return errors.New("impossible escape")
	case isCSV && strings.IndexByte(*o.Null, o.Quote) >= 0:
		return errors.New("NULL must not contain the quote")
	}
	return nil
}

func orElse(c, def byte) byte {
	if c == 0 {
		return def
	}
	return c
}

// Copy masks the data of one COPY TO as it passes. Chunks may be cut anywhere; a row leaves when it is whole. After
// an error nothing more of the COPY may be sent. Not safe for concurrent use.
type Copy struct {
	opts    CopyOptions
	plan    *Plan
	det     *Detector
	carry   []byte // the beginning of a row whose end has not come
	form    rows
	rows    uint64
	changes uint64
	err     error
}

// rows knows where the rows of a format end and how to mask one.
type rows interface {
	// next returns the length of the first row in b, 0 if its end is not in b. It is called with the same row until it
	// is whole.
	next(b []byte) (int, error)
	// rewrite appends the whole row to dst, masked, and returns how many values it changed; data is false for what is
	// no row of values.
	rewrite(dst, row []byte) (out []byte, changes int, data bool, err error)
	// finish returns an error unless a COPY may end here.
	finish() error
}

// NewCopy returns a masker for one COPY TO whose columns plan has. In text and CSV the plan's columns are not binary,
// in binary they all are. det may be nil.
func NewCopy(opts CopyOptions, plan *Plan, det *Detector) (*Copy, error) {
	if plan == nil {
		return nil, errors.New("copy: no plan")
	}
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("copy: %w", err)
	}
	for i := range plan.columns {
		if plan.columns[i].binary != (opts.Format == CopyBinary) {
			return nil, fmt.Errorf("copy: column %d is planned for another format", i+1)
		}
	}
	c := &Copy{opts: opts, plan: plan, det: det}
	switch opts.Format {
	case CopyBinary:
		c.form = &binaryRows{plan: plan, det: det}
	case CopyCSV:
		c.form = &csvRows{copyRow: newCopyRow(c)}
	default:
		c.form = &textRows{copyRow: newCopyRow(c)}
	}
	return c, nil
}

// Write appends the rows that chunk completes to dst, masked. Errors are ErrMalformed and ErrTooLarge, and stay.
func (c *Copy) Write(dst, chunk []byte) ([]byte, error) {
	if c.err != nil {
		return nil, c.err
	}
	data := chunk
	if len(c.carry) > 0 {
		c.carry = append(c.carry, chunk...)
		data = c.carry
	}
	out, used, err := c.rewrite(dst, data)
	if err == nil && len(data)-used > c.opts.MaxRow {
		err = fmt.Errorf("%w: over %d bytes", ErrTooLarge, c.opts.MaxRow)
	}
	if err != nil {
		c.err = fmt.Errorf("copy row %d: %w", c.rows+1, err)
		return nil, c.err
	}
	c.carry = append(c.carry[:0], data[used:]...)
	return out, nil
}

func (c *Copy) rewrite(dst, data []byte) (out []byte, used int, err error) {
	for used < len(data) {
		n, err := c.form.next(data[used:])
		if err != nil {
			return nil, 0, err
		}
		if n == 0 {
			break
		}
		if n > c.opts.MaxRow {
			return nil, 0, fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
		}
		row := data[used : used+n]
		used += n
		if c.opts.Header && c.rows == 0 {
			dst = append(dst, row...)
			c.rows++
			continue
		}
		var changes int
		var isRow bool
		if dst, changes, isRow, err = c.form.rewrite(dst, row); err != nil {
			return nil, 0, err
		}
		c.changes += uint64(changes)
		if isRow {
			c.rows++
		}
	}
	return dst, used, nil
}

// Close says that the COPY is over. It returns ErrMalformed if that was in the middle of a row.
func (c *Copy) Close() error {
	if c.err != nil {
		return c.err
	}
	if err := c.form.finish(); err != nil || len(c.carry) > 0 {
		if err == nil {
			err = malformed("the data ends in the middle of a row")
		}
		c.err = err
		return fmt.Errorf("copy: %w", err)
	}
	c.err = errors.New("copy: is over")
	return nil
}

// Rows returns how many rows have passed, a header row included.
func (c *Copy) Rows() uint64 { return c.rows }

// Changes returns how many values were masked.
func (c *Copy) Changes() uint64 { return c.changes }

// copyRow is what text and CSV have in common.
type copyRow struct {
	opts    CopyOptions
	plan    *Plan
	det     *Detector
	value   []byte // scratch: a value without its escapes
	masked  []byte // scratch: a value after masking
	changes int
}

func newCopyRow(c *Copy) copyRow { return copyRow{opts: c.opts, plan: c.plan, det: c.det} }

// column masks one value, which is not NULL.
func (r *copyRow) column(i int, value []byte) ([]byte, verdict) {
	var room [16]Hit
	c := &r.plan.columns[i]
	hits, v := r.plan.find(room[:0], value, c, r.det)
	if v == changed {
		r.masked, v = r.plan.write(r.masked[:0], value, hits, c, r.det)
	}
	if v != asItWas {
		r.changes++
	}
	return r.masked, v
}

// count refuses a row with another number of columns than the plan. A row of no columns looks like one empty one.
func (r *copyRow) count(n int, empty bool) error {
	if n != len(r.plan.columns) && !(empty && n == 1 && len(r.plan.columns) == 0) {
		return malformed("%d columns, the plan has %d", n, len(r.plan.columns))
	}
	return nil
}
