package conformance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// firstUserOID is the first object id that is not the same in every database (transam.h).
const firstUserOID = 16384

// Difference compares two answers and describes the first message that differs, or returns "".
// Object ids of user tables and types count as equal in row descriptions, for two databases give
// different ones; so do the process ids of notifications.
func Difference(a, b []Message) string {
	a, b = ordered(a), ordered(b)
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return fmt.Sprintf("message %d: nothing, against %s", i, b[i])
		case i >= len(b):
			return fmt.Sprintf("message %d: %s, against nothing", i, a[i])
		case a[i].Type != b[i].Type || !bytes.Equal(normal(a[i]), normal(b[i])):
			return fmt.Sprintf("message %d: %s, against %s", i, a[i], b[i])
		}
	}
	return ""
}

// tempSchema finds the name of a session's temporary schema, which has the session's number.
var tempSchema = regexp.MustCompile(`pg_temp_\d+`)

// ordered moves notifications to the end: they may come at any time.
func ordered(ms []Message) (out []Message) {
	var late []Message
	for _, m := range ms {
		if m.Type == 'A' {
			late = append(late, m)
			continue
		}
		out = append(out, m)
	}
	return append(out, late...)
}

// normal returns the body without what differs between two equal databases.
func normal(m Message) []byte {
	switch m.Type {
	case 'T':
		return normalFields(m.Body)
	case 't':
		b := bytes.Clone(m.Body)
		for i := 2; i+4 <= len(b); i += 4 {
			normalOID(b[i:])
		}
		return b
	case 'A':
		return m.Body[4:]
	case 'E', 'N':
		return tempSchema.ReplaceAll(withoutPlace(m.Body), []byte("pg_temp_N"))
	}
	return m.Body
}

func normalFields(body []byte) []byte {
	b := bytes.Clone(body)
	for i := 2; i < len(b); {
		n := bytes.IndexByte(b[i:], 0)
		i += n + 1
		normalOID(b[i:])
		normalOID(b[i+6:])
		i += 18
	}
	return b
}

func normalOID(b []byte) {
	if binary.BigEndian.Uint32(b) >= firstUserOID {
		binary.BigEndian.PutUint32(b, firstUserOID)
	}
}

// withoutPlace leaves the server's source line out of an error: PostgreSQL itself reports other
// places for one error, depending on what is cached.
func withoutPlace(body []byte) []byte {
	var out []byte
	for _, field := range bytes.Split(body, []byte{0}) {
		if len(field) > 0 && !strings.ContainsRune("FLR", rune(field[0])) {
			out = append(append(out, field...), 0)
		}
	}
	return out
}

// String renders a message for a person.
func (m Message) String() string {
	body := m.Body
	if len(body) > 600 {
		body = body[:600]
	}
	return fmt.Sprintf("%c %q", m.Type, body)
}

// Failure returns the error in an answer, or nil.
func Failure(ms []Message) *pgproto3.ErrorResponse {
	for _, m := range ms {
		var e pgproto3.ErrorResponse
		if m.Type == 'E' && e.Decode(m.Body) == nil {
			return &e
		}
	}
	return nil
}

// Rows returns the values of the data rows as text.
func Rows(ms []Message) (rows [][]string) {
	for _, m := range ms {
		var d pgproto3.DataRow
		if m.Type != 'D' || d.Decode(m.Body) != nil {
			continue
		}
		row := make([]string, len(d.Values))
		for i, v := range d.Values {
			row[i] = string(v)
		}
		rows = append(rows, row)
	}
	return rows
}

// Columns returns the names in the latest row description.
func Columns(ms []Message) (names []string) {
	for _, m := range ms {
		var d pgproto3.RowDescription
		if m.Type != 'T' || d.Decode(m.Body) != nil {
			continue
		}
		names = names[:0]
		for _, f := range d.Fields {
			names = append(names, string(f.Name))
		}
	}
	return names
}
