package postgres

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// text is one command's statement and values. It implements enforce.Text.
type text struct {
	sql      string
	batch    *sqlclass.Batch // nil for what could not be classified
	params   []param
	detector *mask.Detector
}

// param is one bound value.
type param struct {
	value  []byte // nil is NULL
	format pgwire.Format
}

// maxRecordedParam bounds what of one value goes into a record, in bytes.
const maxRecordedParam = 4 << 10

// Recorded gives the statement without credentials and with detected secrets masked, or
// with every value left out.
func (t *text) Recorded(veiled bool) (string, []audit.Param) {
	var params []audit.Param
	for _, p := range t.params {
		params = append(params, t.recordedParam(p, veiled))
	}
	if t.batch == nil {
		return sqlclass.Redact(t.sql), params
	}
	if veiled {
		return t.join(func(f *sqlclass.Facts) string { return f.Normalized }), params
	}
	return t.detect(t.redacted()), params
}

// redacted is the statement without credentials. A classification may be shared by texts
// that differ in their literals, so the text comes from the command itself.
func (t *text) redacted() string {
	for _, f := range t.batch.Statements {
		if f.Secret {
			return t.join((*sqlclass.Facts).RedactedText)
		}
	}
	return t.sql
}

func (t *text) recordedParam(p param, veiled bool) audit.Param {
	switch {
	case p.value == nil:
		return audit.Value{Null: true}
	case veiled || p.format != pgwire.FormatText:
		return audit.Value{Masked: true, Data: []byte("***")}
	}
	v := p.value
	if len(v) > maxRecordedParam {
		v = v[:maxRecordedParam]
	}
	return audit.Value{Data: []byte(t.detect(string(v)))}
}

// Shown gives the statement and values as an approver judges them: without credentials.
func (t *text) Shown() (string, []string) {
	params := make([]string, 0, len(t.params))
	for _, p := range t.params {
		switch {
		case p.value == nil:
			params = append(params, "NULL")
		case p.format == pgwire.FormatText:
			params = append(params, string(p.value))
		default:
			params = append(params, "\\x"+hex.EncodeToString(p.value))
		}
	}
	if t.batch == nil {
		return sqlclass.Redact(t.sql), params
	}
	return t.redacted(), params
}

// join renders every statement of the command.
func (t *text) join(render func(*sqlclass.Facts) string) string {
	if len(t.batch.Statements) == 1 {
		return render(t.batch.Statements[0])
	}
	parts := make([]string, len(t.batch.Statements))
	for i, f := range t.batch.Statements {
		parts[i] = render(f)
	}
	return strings.Join(parts, "; ")
}

func (t *text) detect(s string) string {
	if t.detector == nil {
		return s
	}
	text := []byte(s)
	var room [8]mask.Hit
	if len(t.detector.Scan(room[:0], text)) == 0 {
		return s
	}
	return string(t.detector.Redact(nil, text))
}

// digest covers the statement and every value with its format.
func (t *text) digest() [audit.HashSize]byte {
	if len(t.params) == 0 {
		buf := make([]byte, 0, 256)
		buf = append(buf, digestDomain...)
		return sha256.Sum256(append(buf, t.sql...))
	}
	h := sha256.New()
	h.Write([]byte(digestDomain))
	h.Write([]byte(t.sql))
	h.Write([]byte{0})
	var head [10]byte
	for _, p := range t.params {
		binary.BigEndian.PutUint16(head[:], uint16(p.format))
		size := uint64(len(p.value))
		if p.value == nil {
			size = 1<<64 - 1
		}
		binary.BigEndian.PutUint64(head[2:], size)
		h.Write(head[:])
		h.Write(p.value)
	}
	return [audit.HashSize]byte(h.Sum(nil))
}

// digestDomain keeps these digests apart from all others.
const digestDomain = "writ postgres command v1\x00"
