package pgwire

import (
	"fmt"
	"strconv"
)

// Severity is how bad an error or notice is.
type Severity string

// The server's severities.
const (
	SeverityError   Severity = "ERROR"
	SeverityFatal   Severity = "FATAL"
	SeverityPanic   Severity = "PANIC"
	SeverityWarning Severity = "WARNING"
	SeverityNotice  Severity = "NOTICE"
	SeverityDebug   Severity = "DEBUG"
	SeverityInfo    Severity = "INFO"
	SeverityLog     Severity = "LOG"
)

// Diagnostic holds the fields of an error or notice. Empty strings and zero numbers
// are absent fields. Severity is never translated; LocalSeverity is, and stands in
// for an absent one on either side.
type Diagnostic struct {
	Severity         Severity // V
	LocalSeverity    string   // S
	Code             SQLState // C
	Message          string   // M
	Detail           string   // D
	Hint             string   // H
	Position         int      // P, in characters from 1
	InternalPosition int      // p
	InternalQuery    string   // q
	Where            string   // W
	Schema           string   // s
	Table            string   // t
	Column           string   // c
	DataType         string   // d
	Constraint       string   // n
	File             string   // F
	Line             int      // L
	Routine          string   // R
	Unknown          []DiagnosticField
}

// DiagnosticField is a field whose code this package does not know. Clients are
// told to ignore such fields.
type DiagnosticField struct {
	Code  byte
	Value string
}

// ErrorResponse ends a command with an error.
type ErrorResponse struct{ Diagnostic }

// NoticeResponse is a message beside the results.
type NoticeResponse struct{ Diagnostic }

// Decode reads a frame's body.
func (m *ErrorResponse) Decode(body []byte) error {
	return m.Diagnostic.decode(body, "ErrorResponse")
}

// Append appends the whole frame. Severity and Code are required.
func (m *ErrorResponse) Append(dst []byte) ([]byte, error) {
	return m.Diagnostic.append(dst, TypeErrorResponse, "ErrorResponse")
}

// Decode reads a frame's body.
func (m *NoticeResponse) Decode(body []byte) error {
	return m.Diagnostic.decode(body, "NoticeResponse")
}

// Append appends the whole frame. Severity and Code are required.
func (m *NoticeResponse) Append(dst []byte) ([]byte, error) {
	return m.Diagnostic.append(dst, TypeNoticeResponse, "NoticeResponse")
}

// fieldOrder is the order in which the server sends the fields (send_message_to_frontend
// in utils/error/elog.c).
const fieldOrder = "SVCMDHWstcdnPpqFLR"

// text returns where the text of this code is kept, or nil.
func (d *Diagnostic) text(code byte) *string {
	switch code {
	case 'S':
		return &d.LocalSeverity
	case 'V':
		return (*string)(&d.Severity)
	case 'C':
		return (*string)(&d.Code)
	case 'M':
		return &d.Message
	case 'D':
		return &d.Detail
	case 'H':
		return &d.Hint
	case 'q':
		return &d.InternalQuery
	case 'W':
		return &d.Where
	case 's':
		return &d.Schema
	case 't':
		return &d.Table
	case 'c':
		return &d.Column
	case 'd':
		return &d.DataType
	case 'n':
		return &d.Constraint
	case 'F':
		return &d.File
	case 'R':
		return &d.Routine
	}
	return nil
}

// number returns where the number of this code is kept, or nil.
func (d *Diagnostic) number(code byte) *int {
	switch code {
	case 'P':
		return &d.Position
	case 'p':
		return &d.InternalPosition
	case 'L':
		return &d.Line
	}
	return nil
}

func (d *Diagnostic) decode(body []byte, message string) error {
	*d = Diagnostic{}
	c := cursor{rest: body}
	var seen [256]bool
	for {
		code := c.uint8()
		if code == 0 {
			break
		}
		if seen[code] {
			c.fail("repeated field")
		}
		seen[code] = true
		if !d.set(code, c.string()) {
			c.fail("field is not a number")
		}
	}
	if d.Severity == "" {
		d.Severity = Severity(d.LocalSeverity)
	}
	return c.end(message)
}

func (d *Diagnostic) set(code byte, value string) bool {
	if text := d.text(code); text != nil {
		*text = value
		return true
	}
	if number := d.number(code); number != nil {
		n, err := strconv.ParseUint(value, 10, 31)
		*number = int(n)
		return err == nil
	}
	d.Unknown = append(d.Unknown, DiagnosticField{Code: code, Value: value})
	return true
}

func (d *Diagnostic) append(dst []byte, typ byte, message string) ([]byte, error) {
	if d.Severity == "" || d.Code == "" {
		return dst, fmt.Errorf("encode %s: %w: severity and code are required", message, ErrMalformed)
	}
	out := *d
	if out.LocalSeverity == "" {
		out.LocalSeverity = string(out.Severity)
	}
	e := begin(dst, typ, message)
	for i := range len(fieldOrder) {
		code := fieldOrder[i]
		if text := out.text(code); text != nil && (*text != "" || code == 'M') {
			e.field(code, *text)
		} else if number := out.number(code); number != nil && *number > 0 {
			e.field(code, strconv.Itoa(*number))
		}
	}
	for _, f := range out.Unknown {
		if f.Code == 0 || out.text(f.Code) != nil || out.number(f.Code) != nil {
			e.bad = "an unknown field has a known code"
		}
		e.field(f.Code, f.Value)
	}
	e.uint8(0)
	return e.end()
}

func (e *encoder) field(code byte, value string) {
	e.uint8(code)
	e.string(value)
}
