package pgwire

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// Field describes one result column. TableOID and Attribute (attnum) are 0 when the
// column is not simply one of a table; the server follows views and sub-selects no
// further than its planner does.
type Field struct {
	Name      string
	TableOID  uint32
	Attribute int16
	TypeOID   uint32
	TypeSize  int16 // bytes, or negative for variable sizes
	TypeMod   int32
	Format    Format
}

// fieldFixed is what follows a field's name, in bytes.
const fieldFixed = 4 + 2 + 4 + 2 + 4 + 2

// RowDescription gives the columns of the rows that follow. Decoded, it aliases the
// frame and walks it without allocating.
type RowDescription struct {
	fields []byte
	count  int
}

// Decode checks a frame's body in full.
func (m *RowDescription) Decode(body []byte) error {
	c := cursor{rest: body}
	n := c.count(fieldFixed + 1)
	m.fields, m.count = c.rest, n
	for range n {
		c.text()
		c.take(fieldFixed - 2)
		c.format()
	}
	err := c.end("RowDescription")
	if err != nil {
		*m = RowDescription{}
	}
	return err
}

// Len returns the number of columns.
func (m *RowDescription) Len() int { return m.count }

// Fields walks the columns. The name is copied out.
func (m *RowDescription) Fields() iter.Seq2[int, Field] {
	return func(yield func(int, Field) bool) {
		for i, raw := range m.Raw() {
			if !yield(i, raw.Field()) {
				return
			}
		}
	}
}

// Raw walks the columns without copying.
func (m *RowDescription) Raw() iter.Seq2[int, RawField] {
	return func(yield func(int, RawField) bool) {
		rest := m.fields
		for i := range m.count {
			end := fieldEnd(rest)
			if !yield(i, RawField{raw: rest[:end]}) {
				return
			}
			rest = rest[end:]
		}
	}
}

func fieldEnd(b []byte) int {
	return bytes.IndexByte(b, 0) + 1 + fieldFixed
}

// RawField is one column of a decoded [RowDescription]. It aliases the frame.
type RawField struct{ raw []byte }

func (f RawField) fixed() []byte { return f.raw[len(f.raw)-fieldFixed:] }

// Name returns the column's name, which aliases the frame.
func (f RawField) Name() []byte { return f.raw[:len(f.raw)-fieldFixed-1] }

// TableOID returns the table's OID, or 0.
func (f RawField) TableOID() uint32 { return binary.BigEndian.Uint32(f.fixed()) }

// Attribute returns the column's attnum in its table, or 0.
func (f RawField) Attribute() int16 { return int16(binary.BigEndian.Uint16(f.fixed()[4:])) }

// TypeOID returns the type's OID.
func (f RawField) TypeOID() uint32 { return binary.BigEndian.Uint32(f.fixed()[6:]) }

// TypeMod returns the type modifier, or -1.
func (f RawField) TypeMod() int32 { return int32(binary.BigEndian.Uint32(f.fixed()[12:])) }

// Format returns the column's format.
func (f RawField) Format() Format { return Format(binary.BigEndian.Uint16(f.fixed()[16:])) }

// Field copies the column out.
func (f RawField) Field() Field {
	return Field{
		Name:      string(f.Name()),
		TableOID:  f.TableOID(),
		Attribute: f.Attribute(),
		TypeOID:   f.TypeOID(),
		TypeSize:  int16(binary.BigEndian.Uint16(f.fixed()[10:])),
		TypeMod:   f.TypeMod(),
		Format:    f.Format(),
	}
}

// AppendRowDescription appends the whole frame.
func AppendRowDescription(dst []byte, fields []Field) ([]byte, error) {
	e := begin(dst, TypeRowDescription, "RowDescription")
	e.count(len(fields))
	for i := range fields {
		f := &fields[i]
		e.string(f.Name)
		e.uint32(f.TableOID)
		e.uint16(uint16(f.Attribute))
		e.uint32(f.TypeOID)
		e.uint16(uint16(f.TypeSize))
		e.uint32(uint32(f.TypeMod))
		e.uint16(uint16(f.Format))
	}
	return e.end()
}
