package audit

import (
	"bytes"
	"fmt"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Decode reads one record from b, all of it. It accepts exactly what AppendBinary writes: an unknown or repeated
// field, another order, a longer form of a number or anything behind the last field is ErrMalformed. The record
// does not share memory with b.
func Decode(b []byte) (Record, error) {
	var r Record
	if len(b) > MaxRecordBytes {
		return r, fmt.Errorf("record of %d bytes: %w", len(b), ErrTooLarge)
	}
	for rest := b; len(rest) > 0; {
		f, n, err := readField(rest)
		if err != nil {
			return Record{}, err
		}
		if err := r.set(f); err != nil {
			return Record{}, err
		}
		rest = rest[n:]
	}
	again, err := r.AppendBinary(make([]byte, 0, len(b)))
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(again, b) {
		return Record{}, malformed("not in canonical form")
	}
	return r, nil
}

// field is one field as it is on the wire: num holds varints and fixed64s, data the rest.
type field struct {
	number protowire.Number
	kind   protowire.Type
	num    uint64
	data   []byte
}

func readField(b []byte) (field, int, error) {
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 {
		return field{}, 0, malformed("bad field tag")
	}
	f := field{number: number, kind: kind}
	m := 0
	switch kind {
	case protowire.VarintType:
		f.num, m = protowire.ConsumeVarint(b[n:])
	case protowire.Fixed64Type:
		f.num, m = protowire.ConsumeFixed64(b[n:])
	case protowire.BytesType:
		f.data, m = protowire.ConsumeBytes(b[n:])
	default:
		return field{}, 0, malformed("unknown wire type")
	}
	if m < 0 {
		return field{}, 0, fmt.Errorf("%w: field %d is cut short", ErrMalformed, number)
	}
	return f, n + m, nil
}

// set puts a field where it belongs. Wire types, order and repetition are settled by Decode's comparison.
func (r *Record) set(f field) error {
	if s := r.text(f.number); s != nil {
		return setText(s, f)
	}
	if list := r.list(f.number); list != nil {
		return addText(list, f)
	}
	if h := r.hash(f.number); h != nil {
		return setExact(h[:], f)
	}
	switch f.number {
	case fieldID:
		return setExact(r.ID[:], f)
	case fieldTime:
		r.Time = time.Unix(0, int64(f.num)).UTC()
	case fieldSeq:
		r.Seq = f.num
	case fieldKind:
		if f.num > 255 {
			return malformed("unknown kind")
		}
		r.Kind = Kind(f.num)
	case fieldRevision:
		r.Revision = f.num
	case fieldRowCount:
		r.RowCount = int64(f.num)
	case fieldBytes:
		r.Bytes = int64(f.num)
	case fieldDuration:
		r.Duration = time.Duration(f.num)
	case fieldTrimmed:
		r.Trimmed = f.num == 1
	default:
		return r.setMessage(f)
	}
	return nil
}

func (r *Record) setMessage(f field) error {
	switch f.number {
	case fieldDecision:
		r.Decision = Decision(f.data)
		return nil
	case fieldParams:
		return addMessage(&r.Params, f, decodeValue)
	case fieldRows:
		return addMessage(&r.Rows, f, decodeRow)
	case fieldAttrs:
		return addMessage(&r.Attrs, f, decodeAttr)
	}
	return fmt.Errorf("%w: unknown field %d", ErrMalformed, f.number)
}

func (r *Record) text(number protowire.Number) *string {
	switch number {
	case fieldEdge:
		return &r.Edge
	case fieldSession:
		return &r.Session
	case fieldPrincipal:
		return &r.Principal
	case fieldPrincipalKind:
		return &r.PrincipalKind
	case fieldResource:
		return &r.Resource
	case fieldGrant:
		return &r.Grant
	case fieldClientAddr:
		return &r.ClientAddr
	case fieldProtocol:
		return &r.Protocol
	case fieldApplication:
		return &r.Application
	case fieldCommand:
		return &r.Command
	case fieldStatement:
		return &r.Statement
	case fieldReason:
		return &r.Reason
	case fieldRequestID:
		return &r.RequestID
	case fieldHoldID:
		return &r.HoldID
	case fieldCommandTag:
		return &r.CommandTag
	case fieldErrorCode:
		return &r.ErrorCode
	case fieldErrorMessage:
		return &r.ErrorMessage
	}
	return nil
}

func (r *Record) list(number protowire.Number) *[]string {
	switch number {
	case fieldOnBehalfOf:
		return &r.OnBehalfOf
	case fieldPolicyIDs:
		return &r.PolicyIDs
	case fieldActions:
		return &r.Actions
	case fieldTables:
		return &r.Tables
	case fieldMaskedColumns:
		return &r.MaskedColumns
	case fieldColumns:
		return &r.Columns
	}
	return nil
}

func (r *Record) hash(number protowire.Number) *[HashSize]byte {
	switch number {
	case fieldDigest:
		return &r.Digest
	case fieldPrev:
		return &r.Prev
	case fieldHash:
		return &r.Hash
	}
	return nil
}

func setText(s *string, f field) error {
	if !utf8.Valid(f.data) {
		return fmt.Errorf("%w: field %d is not UTF-8", ErrMalformed, f.number)
	}
	*s = string(f.data)
	return nil
}

func addText(list *[]string, f field) error {
	var s string
	if err := setText(&s, f); err != nil {
		return err
	}
	if len(*list) == maxListItems {
		return fmt.Errorf("%w: field %d has too many items", ErrMalformed, f.number)
	}
	*list = append(*list, s)
	return nil
}

func setExact(dst []byte, f field) error {
	if len(f.data) != len(dst) {
		return fmt.Errorf("%w: field %d has %d bytes, not %d", ErrMalformed, f.number, len(f.data), len(dst))
	}
	copy(dst, f.data)
	return nil
}

func addMessage[T any](list *[]T, f field, decode func([]byte) (T, error)) error {
	if len(*list) == maxListItems {
		return fmt.Errorf("%w: field %d has too many items", ErrMalformed, f.number)
	}
	v, err := decode(f.data)
	if err != nil {
		return err
	}
	*list = append(*list, v)
	return nil
}

func decodeValue(b []byte) (Value, error) {
	var v Value
	err := eachField(b, func(f field) error {
		switch f.number {
		case fieldValueData:
			v.Data = bytes.Clone(f.data)
		case fieldValueNull:
			v.Null = f.num == 1
		case fieldValueMasked:
			v.Masked = f.num == 1
		default:
			return malformed("unknown field in a value")
		}
		return nil
	})
	return v, err
}

func decodeRow(b []byte) ([]Value, error) {
	var row []Value
	err := eachField(b, func(f field) error {
		if f.number != fieldRowValues {
			return malformed("unknown field in a row")
		}
		return addMessage(&row, f, decodeValue)
	})
	return row, err
}

func decodeAttr(b []byte) (Attr, error) {
	var a Attr
	err := eachField(b, func(f field) error {
		switch f.number {
		case fieldAttrName:
			return setText(&a.Name, f)
		case fieldAttrValue:
			return setText(&a.Value, f)
		}
		return malformed("unknown field in an attribute")
	})
	return a, err
}

func eachField(b []byte, do func(field) error) error {
	for len(b) > 0 {
		f, n, err := readField(b)
		if err != nil {
			return err
		}
		if err := do(f); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
