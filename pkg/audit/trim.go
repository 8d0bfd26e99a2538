package audit

import (
	"strings"
	"unicode/utf8"
)

// Trim cuts what a client or a target can make long (statement, parameters, messages, rows) so that the record
// stays within MaxRecordBytes, and sets Trimmed if it cut. The digest, which covers the whole command, is left
// alone. Use it before Chain.Append where refusing the command for the length of its record is not wanted.
func (r *Record) Trim() {
	const text, message = 512 << 10, 16 << 10
	r.trimText(&r.Statement, text)
	r.trimText(&r.Reason, message)
	r.trimText(&r.ErrorMessage, message)
	r.trimText(&r.Application, message)
	r.trimText(&r.CommandTag, message)
	if r.Kind == KindStream {
		r.trimStream(text - 16)
	}
	r.trimParams(text)
	r.trimRows(text)
}

func (r *Record) trimText(s *string, limit int) {
	if len(*s) <= limit {
		return
	}
	cut := limit
	for cut > limit-utf8.UTFMax && !utf8.RuneStart((*s)[cut]) {
		cut--
	}
	// A byte that is not UTF-8 grows to three when it is written.
	*s = strings.ToValidUTF8((*s)[:cut], "?")
	r.Trimmed = true
}

// trimStream cuts the bytes of a stream, of which a part is worth more than nothing.
func (r *Record) trimStream(limit int) {
	if len(r.Params) == 1 && len(r.Params[0].Data) > limit {
		r.Params = []Param{{Data: r.Params[0].Data[:limit]}}
		r.Trimmed = true
	}
}

func (r *Record) trimParams(room int) {
	kept := 0
	for kept < len(r.Params) && kept < maxListItems {
		room -= len(r.Params[kept].Data) + 16
		if room < 0 {
			break
		}
		kept++
	}
	r.Trimmed = r.Trimmed || kept < len(r.Params)
	r.Params = r.Params[:kept]
}

func (r *Record) trimRows(room int) {
	kept := 0
	for kept < len(r.Rows) && kept < maxListItems {
		room -= 8
		for i := range r.Rows[kept] {
			room -= len(r.Rows[kept][i].Data) + 16
		}
		if room < 0 {
			break
		}
		kept++
	}
	r.Trimmed = r.Trimmed || kept < len(r.Rows)
	r.Rows = r.Rows[:kept]
}
