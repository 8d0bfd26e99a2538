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

// Append appends the whole frame. Severity, Code and Message are required.
func (m *ErrorResponse) Append(dst []byte) ([]byte, error) {
	return m.Diagnostic.append(dst, TypeErrorResponse, "ErrorResponse")
}

// Decode reads a frame's body.
func (m *NoticeResponse) Decode(body []byte) error {
	return m.Diagnostic.decode(body, "NoticeResponse")
}

// Append appends the whole frame. Severity, Code and Message are required.
func (m *NoticeResponse) Append(dst []byte) ([]byte, error) {
	return m.Diagnostic.append(dst, TypeNoticeResponse, "NoticeResponse")
}

// texts returns the fields that are strings, by code. The order is the server's.
func (d *Diagnostic) texts() [15]textField {
	return [...]textField{
		{'S', &d.LocalSeverity}, {'V', (*string)(&d.Severity)}, {'C', (*string)(&d.Code)},
		{'M', &d.Message}, {'D', &d.Detail}, {'H', &d.Hint}, {'q', &d.InternalQuery},
		{'W', &d.Where}, {'s', &d.Schema}, {'t', &d.Table}, {'c', &d.Column},
		{'d', &d.DataType}, {'n', &d.Constraint}, {'F', &d.File}, {'R', &d.Routine},
	}
}

type textField struct {
	code  byte
	value *string
}

func (d *Diagnostic) numbers() [3]numberField {
	return [...]numberField{{'P', &d.Position}, {'p', &d.InternalPosition}, {'L', &d.Line}}
}

type numberField struct {
	code  byte
	value *int
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
	for _, f := range d.texts() {
		if f.code == code {
			*f.value = value
			return true
		}
	}
	for _, f := range d.numbers() {
		if f.code == code {
			n, err := strconv.ParseUint(value, 10, 31)
			*f.value = int(n)
			return err == nil
		}
	}
	d.Unknown = append(d.Unknown, DiagnosticField{Code: code, Value: value})
	return true
}

func (d *Diagnostic) append(dst []byte, typ byte, message string) ([]byte, error) {
	if d.Severity == "" || d.Code == "" || d.Message == "" {
		return dst, fmt.Errorf("encode %s: %w: severity, code and message are required", message, ErrMalformed)
	}
	out := *d
	if out.LocalSeverity == "" {
		out.LocalSeverity = string(out.Severity)
	}
	e := begin(dst, typ, message)
	for _, f := range out.texts() {
		e.field(f.code, *f.value)
	}
	for _, f := range out.numbers() {
		if *f.value > 0 {
			e.field(f.code, strconv.Itoa(*f.value))
		}
	}
	for _, f := range out.Unknown {
		if f.Code == 0 {
			e.bad = "field without a code"
		}
		e.field(f.Code, f.Value)
	}
	e.uint8(0)
	return e.end()
}

func (e *encoder) field(code byte, value string) {
	if value == "" {
		return
	}
	e.uint8(code)
	e.string(value)
}
