package mask

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var (
	// ErrMalformed is a row that is not what its format and plan say. It must not be sent.
	ErrMalformed = errors.New("malformed row")
	// ErrTooLarge is a row over the limit. It must not be sent.
	ErrTooLarge = errors.New("row is too large")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// RewriteDataRow masks the body of a DataRow message: a 16-bit count of columns, then for each a 32-bit length, -1 for
// NULL, and the value. It returns how many values it changed. If none, out is row itself and dst is not touched;
// else out is dst with the new body appended. det may be nil. After an error, which is ErrMalformed, nothing of
// the row may be sent. It does not allocate when dst has room.
func RewriteDataRow(dst, row []byte, plan *Plan, det *Detector) (out []byte, changes int, err error) {
	if len(row) < 2 {
		return nil, 0, malformed("no column count")
	}
	if n := int(binary.BigEndian.Uint16(row)); n != len(plan.columns) {
		return nil, 0, malformed("%d columns, the plan has %d", n, len(plan.columns))
	}
	w := rowWriter{plan: plan, det: det, out: dst, row: row}
	at := 2
	for i := range plan.columns {
		end, null, err := fieldEnd(row, at)
		if err != nil {
			return nil, 0, err
		}
		if !null {
			w.field(&plan.columns[i], at, end)
		}
		at = end
	}
	if at != len(row) {
		return nil, 0, malformed("%d bytes behind the last column", len(row)-at)
	}
	if w.changes == 0 {
		return row, 0, nil
	}
	w.out = append(w.out, row[w.done:]...)
	if len(w.out)-len(dst) > math.MaxInt32-4 {
		return nil, 0, fmt.Errorf("%w: %d bytes after masking", ErrTooLarge, len(w.out)-len(dst))
	}
	return w.out, w.changes, nil
}

// fieldEnd returns where the field ends whose length is at at.
func fieldEnd(row []byte, at int) (end int, null bool, err error) {
	if len(row)-at < 4 {
		return 0, false, malformed("a column's length is cut")
	}
	n := int32(binary.BigEndian.Uint32(row[at:]))
	switch {
	case n == -1:
		return at + 4, true, nil
	case n < 0 || int(n) > len(row)-at-4:
		return 0, false, malformed("a column of %d bytes", n)
	}
	return at + 4 + int(n), false, nil
}

// rowWriter copies a row to out as far as a change makes that necessary.
type rowWriter struct {
	plan    *Plan
	det     *Detector
	row     []byte
	out     []byte
	done    int // row[:done] is in out, or not needed
	changes int
}

// field masks the field whose length is at at and whose value ends at end.
func (w *rowWriter) field(c *planned, at, end int) {
	var room [16]Hit
	value := w.row[at+4 : end]
	hits, v := w.plan.find(room[:0], value, c, w.det)
	if v == asItWas {
		return
	}
	w.out = append(w.out, w.row[w.done:at]...)
	length := len(w.out)
	w.out = append(w.out, 0xff, 0xff, 0xff, 0xff) // NULL
	if v == changed {
		var out []byte
		if out, v = w.plan.write(w.out, value, hits, c, w.det); v == changed {
			w.out = out
			binary.BigEndian.PutUint32(w.out[length:], uint32(len(w.out)-length-4))
		}
	}
	w.done = end
	w.changes++
}
