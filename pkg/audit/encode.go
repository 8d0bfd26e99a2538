package audit

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// AppendBinary appends the record's binary form to b. The form is canonical: equal records have equal bytes.
// Text that is not valid UTF-8 is written with U+FFFD in place of what is not. It fails with ErrInvalid or
// ErrTooLarge, and then returns b as it was. It does not allocate when b has room.
func (r *Record) AppendBinary(b []byte) ([]byte, error) {
	out, err := r.appendBody(b)
	if err != nil {
		return b, err
	}
	return appendHash(out, fieldHash, &r.Hash), nil
}

// appendBody appends everything but the hash, which is what the hash covers.
func (r *Record) appendBody(dst []byte) ([]byte, error) {
	if err := r.check(); err != nil {
		return dst, err
	}
	if err := r.checkLists(); err != nil {
		return dst, err
	}
	b := r.appendWho(dst)
	b = r.appendWhat(b)
	b = r.appendOutcome(b)
	b = appendHash(b, fieldPrev, &r.Prev)
	if len(b)-len(dst) > MaxRecordBytes-64 {
		return dst, fmt.Errorf("record of %d bytes: %w", len(b)-len(dst), ErrTooLarge)
	}
	return b, nil
}

func (r *Record) appendWho(b []byte) []byte {
	b = protowire.AppendTag(b, fieldID, protowire.BytesType)
	b = protowire.AppendBytes(b, r.ID[:])
	b = appendUint(b, fieldSeq, r.Seq)
	b = protowire.AppendTag(b, fieldTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, uint64(r.Time.UnixNano()))
	b = appendUint(b, fieldKind, uint64(r.Kind))
	b = appendString(b, fieldEdge, r.Edge)
	b = appendString(b, fieldSession, r.Session)
	b = appendString(b, fieldPrincipal, r.Principal)
	b = appendString(b, fieldPrincipalKind, r.PrincipalKind)
	b = appendStrings(b, fieldOnBehalfOf, r.OnBehalfOf)
	b = appendString(b, fieldResource, r.Resource)
	b = appendString(b, fieldGrant, r.Grant)
	b = appendString(b, fieldClientAddr, r.ClientAddr)
	b = appendString(b, fieldProtocol, r.Protocol)
	return appendString(b, fieldApplication, r.Application)
}

func (r *Record) appendWhat(b []byte) []byte {
	b = appendString(b, fieldCommand, r.Command)
	b = appendString(b, fieldStatement, r.Statement)
	for i := range r.Params {
		b = appendValue(b, fieldParams, &r.Params[i])
	}
	b = appendHash(b, fieldDigest, &r.Digest)
	b = appendString(b, fieldDecision, string(r.Decision))
	b = appendStrings(b, fieldPolicyIDs, r.PolicyIDs)
	b = appendUint(b, fieldRevision, r.Revision)
	b = appendString(b, fieldReason, r.Reason)
	b = appendString(b, fieldRequestID, r.RequestID)
	b = appendString(b, fieldHoldID, r.HoldID)
	b = appendStrings(b, fieldActions, r.Actions)
	b = appendStrings(b, fieldTables, r.Tables)
	return appendStrings(b, fieldMaskedColumns, r.MaskedColumns)
}

func (r *Record) appendOutcome(b []byte) []byte {
	b = appendUint(b, fieldRowCount, uint64(r.RowCount))
	b = appendUint(b, fieldBytes, uint64(r.Bytes))
	b = appendUint(b, fieldDuration, uint64(r.Duration))
	b = appendString(b, fieldCommandTag, r.CommandTag)
	b = appendString(b, fieldErrorCode, r.ErrorCode)
	b = appendString(b, fieldErrorMessage, r.ErrorMessage)
	b = appendStrings(b, fieldColumns, r.Columns)
	for _, row := range r.Rows {
		b = appendRow(b, row)
	}
	for i := range r.Attrs {
		b = appendAttr(b, &r.Attrs[i])
	}
	return appendBool(b, fieldTrimmed, r.Trimmed)
}

func (r *Record) checkLists() error {
	for _, n := range [...]int{
		len(r.OnBehalfOf), len(r.Params), len(r.PolicyIDs), len(r.Actions), len(r.Tables),
		len(r.MaskedColumns), len(r.Columns), len(r.Rows), len(r.Attrs),
	} {
		if n > maxListItems {
			return fmt.Errorf("list of %d items: %w", n, ErrTooLarge)
		}
	}
	return nil
}

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}

func appendBool(b []byte, num protowire.Number, v bool) []byte {
	return appendUint(b, num, protowire.EncodeBool(v))
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return appendItem(b, num, s)
}

func appendStrings(b []byte, num protowire.Number, list []string) []byte {
	for _, s := range list {
		b = appendItem(b, num, s)
	}
	return b
}

func appendItem(b []byte, num protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), validText(s))
}

func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func appendHash(b []byte, num protowire.Number, h *[HashSize]byte) []byte {
	if *h == [HashSize]byte{} {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), h[:])
}

func appendValue(b []byte, num protowire.Number, v *Value) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(sizeValue(v)))
	if v.Null {
		b = appendBool(b, fieldValueNull, true)
	} else if len(v.Data) > 0 {
		b = protowire.AppendBytes(protowire.AppendTag(b, fieldValueData, protowire.BytesType), v.Data)
	}
	return appendBool(b, fieldValueMasked, v.Masked)
}

func sizeValue(v *Value) int {
	n := 0
	if v.Null {
		n += 2
	} else if len(v.Data) > 0 {
		n += 1 + protowire.SizeBytes(len(v.Data))
	}
	if v.Masked {
		n += 2
	}
	return n
}

func appendRow(b []byte, row []Value) []byte {
	n := 0
	for i := range row {
		n += 1 + protowire.SizeBytes(sizeValue(&row[i]))
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, fieldRows, protowire.BytesType), uint64(n))
	for i := range row {
		b = appendValue(b, fieldRowValues, &row[i])
	}
	return b
}

func appendAttr(b []byte, a *Attr) []byte {
	name, value := validText(a.Name), validText(a.Value)
	n := 0
	for _, s := range [...]string{name, value} {
		if s != "" {
			n += 1 + protowire.SizeBytes(len(s))
		}
	}
	b = protowire.AppendVarint(protowire.AppendTag(b, fieldAttrs, protowire.BytesType), uint64(n))
	b = appendString(b, fieldAttrName, name)
	return appendString(b, fieldAttrValue, value)
}
