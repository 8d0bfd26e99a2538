// Package partiql says what a statement of DynamoDB's PartiQL does: its kind, its table and index. It is pure, and takes what the
// developer guide's reference describes and nothing else; whatever it does not understand exactly is an error.
package partiql

import "fmt"

// Kind is what a statement does. The zero value is nothing.
type Kind uint8

// The kinds of statements. Exists is a condition on an item, which transactions take as a statement of its own.
const (
	Unknown Kind = iota
	Select
	Insert
	Update
	Delete
	Exists
)

var kindNames = [...]string{Unknown: "unknown", Select: "select", Insert: "insert", Update: "update", Delete: "delete", Exists: "exists"}

// String returns the word in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Unknown]
}

// Writes says that the statement changes items.
func (k Kind) Writes() bool { return k == Insert || k == Update || k == Delete }

// Statement is what one statement does. Which items a WHERE chooses only the table's key tells, which is not in the text: a SELECT
// with a WHERE may still read the whole table.
type Statement struct {
	Kind  Kind
	Table string // a name, or the ARN of a table, as written
	Index string // "" is the table itself
	Where bool   // false for an INSERT
	// Returning says that an UPDATE or DELETE answers with the item.
	Returning bool
	Params    int // how many values "?" stand for
}

// Limits. What is over its limit is an error.
const (
	MaxBytes = 8192 // of one statement, as DynamoDB has it
	maxDepth = 64   // of brackets and NOT
)

// Error says where a statement is not understood. It never quotes the text, which may hold values.
type Error struct {
	Offset int // in bytes
	Why    string
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("PartiQL not understood at byte %d: %s", e.Offset, e.Why)
}

// Parse reads one statement. The error is always an *Error.
func Parse(text string) (Statement, error) {
	if len(text) > MaxBytes {
		return Statement{}, &Error{MaxBytes, "the statement is too long"}
	}
	p := &parser{scanner: scanner{text: text}}
	p.next()
	s := p.statement()
	if p.err != nil {
		return Statement{}, p.err
	}
	s.Params = p.params
	return s, nil
}
