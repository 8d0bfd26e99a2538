package pgwire

import "fmt"

// CopyData carries a part of a COPY stream, cut anywhere. Data aliases the frame.
type CopyData struct{ Data []byte }

// CopyFail ends a client's COPY stream with a reason.
type CopyFail struct{ Reason string }

// CopyResponse begins a COPY stream. Type is [TypeCopyInResponse],
// [TypeCopyOutResponse] or [TypeCopyBothResponse].
type CopyResponse struct {
	Type          byte
	Format        Format
	ColumnFormats []Format
}

// Decode takes a frame's body, whatever it is.
func (m *CopyData) Decode(body []byte) error {
	m.Data = body
	return nil
}

// Append appends the whole frame.
func (m *CopyData) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeCopyData, "CopyData")
	e.bytes(m.Data)
	return e.end()
}

// Decode reads a frame's body.
func (m *CopyFail) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Reason = c.string()
	return c.end("CopyFail")
}

// Append appends the whole frame.
func (m *CopyFail) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeCopyFail, "CopyFail")
	e.string(m.Reason)
	return e.end()
}

// Decode reads the body of a frame of type Type, which the caller sets before.
func (m *CopyResponse) Decode(body []byte) error {
	if !isCopyResponse(m.Type) {
		return &UnknownMessageError{Type: m.Type}
	}
	c := cursor{rest: body}
	m.Format = Format(c.uint8())
	if m.Format > FormatBinary {
		c.fail("unknown format code")
	}
	m.ColumnFormats = c.formats(m.ColumnFormats[:0])
	return c.end("CopyResponse")
}

// Append appends the whole frame.
func (m *CopyResponse) Append(dst []byte) ([]byte, error) {
	if !isCopyResponse(m.Type) {
		return dst, fmt.Errorf("encode CopyResponse: %w", &UnknownMessageError{Type: m.Type})
	}
	e := begin(dst, m.Type, "CopyResponse")
	e.uint8(byte(m.Format))
	e.formats(m.ColumnFormats)
	return e.end()
}

func isCopyResponse(typ byte) bool {
	return typ == TypeCopyInResponse || typ == TypeCopyOutResponse || typ == TypeCopyBothResponse
}
