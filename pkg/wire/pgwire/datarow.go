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

// Decode checks a frame's body in full.
func (m *DataRow) Decode(body []byte) error {
	*m = DataRow{}
	if len(body) < 2 {
		return malformed("DataRow", "body too short")
	}
	n := int(binary.BigEndian.Uint16(body))
	rest := body[2:]
	for range n {
		if len(rest) < 4 {
			return malformed("DataRow", "body too short")
		}
		size := int32(binary.BigEndian.Uint32(rest))
		rest = rest[4:]
		if size == -1 {
			continue
		}
		if size < 0 || int(size) > len(rest) {
			return malformed("DataRow", "value exceeds the body")
		}
		rest = rest[size:]
	}
	if len(rest) > 0 {
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
		b.e.bad = "value exceeds the protocol's limit"
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
