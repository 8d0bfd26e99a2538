package enforce

import (
	"context"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/policy"
)

// Subject is what a command does, apart from its values: the questions to decide and
// the columns it touches. It is built once for each analysed statement, never changed
// afterwards, and shared between sessions; a decision is remembered for it.
type Subject struct {
	// Asks hold one entry for each statement in the command; all must be allowed. None at
	// all is refused.
	Asks []Ask
	// Columns are the stored columns whose values reach the result, a filter or another place.
	Columns []Column
	// Near are further columns of what the command changes: its errors and notices may quote
	// them, though no value of theirs is asked for.
	Near []Column
	// NearEverything says that they may quote any column: a COMMIT runs deferred checks.
	NearEverything bool
	// Filters are columns that choose rows; those not revealed need the action sql:filter.
	Filters []Filter
	// Flows index into Columns: values that the command stores somewhere else.
	Flows []int
	// Opaque says that the result may derive from anything: it counts as masked as soon as
	// one of the session's columns is.
	Opaque bool
	// OpaqueFlow says that what it stores elsewhere may derive from anything.
	OpaqueFlow bool
	// Everything lists every column that an opaque value may derive from; nil with Opaque,
	// OpaqueFlow or NearEverything counts as masked.
	Everything *ColumnList
	// Actions and Tables are for records and approvers.
	Actions []string
	Tables  []string
	// Durable commands are forwarded only once their intent is durable: writes and privileged ones.
	Durable bool
	// Once says that the subject is of one command only, so that its decision need not be remembered.
	Once bool
	// Unreadable is set, with the reason, for a command that is refused because it is not understood.
	Unreadable string
}

// Ask is what one statement needs to be allowed, with its facts.
type Ask struct {
	Facts     *policy.Facts
	Questions []policy.Question
}

// Column is a stored column that a subject touches.
type Column struct {
	Entity policy.Entity
	Name   string // "schema.table.column", for records
}

// ColumnList is a list of columns that many subjects share.
type ColumnList struct{ Columns []Column }

// Filter is one use of a column that chooses rows.
type Filter struct {
	Column   int  // index into Subject.Columns
	Equality bool // compared for equality with constants and nothing else
}

// Text renders a command.
type Text interface {
	// Recorded returns the statement and parameters for a record, without secrets. Veiled
	// leaves out every value, for commands that touch masked columns.
	Recorded(veiled bool) (statement string, params []audit.Param)
	// Shown returns what an approver judges: all of it but credentials.
	Shown() (statement string, params []string)
}

// Command is one execution of a subject.
type Command struct {
	Subject *Subject
	// Text gives the command for the record and for approvers.
	Text Text
	// Digest is SHA-256 of the canonical command with all its values.
	Digest [audit.HashSize]byte
	// InTransaction says that the command runs inside a transaction block.
	InTransaction bool
	// Continues is an earlier flight of which this is the rest, such as the next rows of a
	// portal; an approval of that one covers this one.
	Continues *Flight
	// OnHold is called when the command has to wait, and again with the same hold as a sign
	// of life while it waits. The channel it returned first, if any, withdraws the command
	// when it is closed.
	OnHold func(Held) (withdrawn <-chan struct{})
	// Patience, if set, is how long the client waits for approvers. Beyond it Begin refuses with the hold's id, the hold stays,
	// and the next command of the session with the same Digest takes it up.
	Patience time.Duration
	// Rehearsal says that the command, a look, changes nothing though it asks about what does: it may be looked at what
	// approvers would have to agree to.
	Rehearsal bool
	// Preview, if set, asks the target what the command would do before it is put before approvers. It gets the
	// command itself, reads nothing that look did not permit, and returns soon after ctx ends. withdrawn says that the
	// client gave up meanwhile.
	Preview func(ctx context.Context, c *Command, look Look) (_ Preview, withdrawn bool)
	// Still, if set, reports whether the command still means what Subject says. It is asked once approvers agreed, and
	// before their approval is spent.
	Still func() bool
	// Refuse makes Begin record a refusal that the protocol found by itself.
	Refuse *Denied
}
