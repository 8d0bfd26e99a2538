package pgwire

import (
	"strconv"
	"strings"
)

// CommandComplete ends one command.
type CommandComplete struct{ Tag string }

// Decode reads a frame's body.
func (m *CommandComplete) Decode(body []byte) error {
	c := cursor{rest: body}
	m.Tag = c.string()
	return c.end("CommandComplete")
}

// Append appends the whole frame.
func (m *CommandComplete) Append(dst []byte) ([]byte, error) {
	e := begin(dst, TypeCommandComplete, "CommandComplete")
	e.string(m.Tag)
	return e.end()
}

// Split returns the tag's command, such as "UPDATE" or "CREATE TABLE", and the
// number of rows, or -1 for a command that counts none.
func (m *CommandComplete) Split() (verb string, rows int64) {
	verb, rows = m.Tag, -1
	if i := strings.LastIndexByte(verb, ' '); i >= 0 {
		if n, err := strconv.ParseUint(verb[i+1:], 10, 63); err == nil {
			verb, rows = verb[:i], int64(n)
		}
	}
	// INSERT has an OID, always 0 today, before its count.
	if rest, ok := strings.CutPrefix(verb, "INSERT "); ok {
		if _, err := strconv.ParseUint(rest, 10, 32); err == nil {
			verb = "INSERT"
		}
	}
	return verb, rows
}
