package pgwire

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// DataRow is one row of values. Decoded, it aliases the frame and walks it without
// allocating.
type DataRow struct {
	values []byte
	count  int
}

// null is the size that stands for NULL.
const null = ^uint32(0)

// Decode checks a frame's body in full.
func (m *DataRow) Decode(body []byte) error {
	*m = DataRow{}
	if len(body) < 2 {
		return malformed("DataRow", "body too short")
	}
	n, at := int(binary.BigEndian.Uint16(body)), 2
	for range n {
		if len(body)-at < 4 {
			return malformed("DataRow", "body too short")
		}
		size := binary.BigEndian.Uint32(body[at:])
		at += 4
		if size == null {
			continue
		}
		if uint64(size) > uint64(len(body)-at) {
			return malformed("DataRow", "value exceeds the body")
		}
		at += int(size)
	}
	if at != len(body) {
		return malformed("DataRow", "trailing bytes")
	}
	m.values, m.count = body[2:], n
	return nil
}

// Len returns the number of values.
func (m *DataRow) Len() int { return m.count }

// Values walks the values; nil is NULL, and an empty value is not nil.
func (m *DataRow) Values() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		rest := m.values
		for i := range m.count {
			size := int32(binary.BigEndian.Uint32(rest))
			rest = rest[4:]
			var v []byte
			if size >= 0 {
				v, rest = rest[:size:size], rest[size:]
			}
			if !yield(i, v) {
				return
			}
		}
	}
}

// RowWalker reads a row's values in one pass, checking as it goes. What it gave is
// worth nothing until [RowWalker.Err] is nil at the end.
type RowWalker struct {
	rest []byte
	left int // values to come; negative when the count itself is missing
}

// WalkRow starts at a DataRow frame's body, which the values alias.
func WalkRow(body []byte) RowWalker {
	if len(body) < 2 {
		return RowWalker{left: -1}
	}
	return RowWalker{rest: body[2:], left: int(binary.BigEndian.Uint16(body))}
}

// Len returns how many values are to come, as the row claims.
func (w *RowWalker) Len() int { return max(w.left, 0) }

// Next returns the next value, nil for NULL, or false at the end or at what is
// wrong.
func (w *RowWalker) Next() (value []byte, ok bool) {
	rest := w.rest
	if w.left <= 0 || len(rest) < 4 {
		return nil, false
	}
	size := binary.BigEndian.Uint32(rest)
	rest = rest[4:]
	if uint64(size) <= uint64(len(rest)) {
		value, w.rest = rest[:size:size], rest[size:]
	} else if size == null {
		w.rest = rest
	} else {
		return nil, false
	}
	w.left--
	return value, true
}

// Err says what is wrong with the row, once [RowWalker.Next] has returned false.
func (w *RowWalker) Err() error {
	switch {
	case w.left != 0:
		return malformed("DataRow", "body too short")
	case len(w.rest) > 0:
		return malformed("DataRow", "trailing bytes")
	}
	return nil
}

// RowBuilder appends one DataRow frame value by value. It starts with
// [BeginDataRow] and ends with [RowBuilder.End].
type RowBuilder struct {
	e    encoder
	left int
}

// BeginDataRow starts a row of so many columns at the end of dst.
func BeginDataRow(dst []byte, columns int) RowBuilder {
	b := RowBuilder{e: begin(dst, TypeDataRow, "DataRow"), left: columns}
	b.e.count(columns)
	return b
}

// Value appends the next column's value; nil is NULL.
func (b *RowBuilder) Value(v []byte) {
	b.left--
	b.e.value(v)
}

// Open begins the next column's value and returns the slice to append it to; the
// grown slice goes back with [RowBuilder.Shut].
func (b *RowBuilder) Open() []byte {
	b.left--
	return append(b.e.buf, 0, 0, 0, 0)
}

// Shut ends the value begun with [RowBuilder.Open], given the grown slice.
func (b *RowBuilder) Shut(grown []byte) {
	at := len(b.e.buf)
	if len(grown)-at-4 > LargeMessageLimit {
		b.e.large = true
		return
	}
	b.e.buf = grown
	binary.BigEndian.PutUint32(grown[at:], uint32(len(grown)-at-4))
}

// End writes the frame's length and returns dst with the frame, or without it and
// an error when values are missing or too many.
func (b *RowBuilder) End() ([]byte, error) {
	if b.left != 0 {
		return b.e.buf[:b.e.start], fmt.Errorf("encode DataRow: %w: %d values missing", ErrMalformed, b.left)
	}
	return b.e.end()
}

// AppendDataRow appends the whole frame; nil is NULL.
func AppendDataRow(dst []byte, values [][]byte) ([]byte, error) {
	b := BeginDataRow(dst, len(values))
	for _, v := range values {
		b.Value(v)
	}
	return b.End()
}
