// Package audit holds Writ's audit record: what it contains, its binary and JSON forms, the hash chain that
// ties the records of one session together, and the segments in which records travel and rest. It is pure:
// values and bytes in, values and bytes out. Whoever makes a record has already taken the secrets out of it.
package audit

import (
	"errors"
	"time"
)

// Sizes a record and a block keep to, in bytes. A block fits a gRPC message of the default 4 MiB.
const (
	MaxRecordBytes = 2 << 20
	MaxBlockBytes  = 3 << 20
	maxListItems   = 1 << 16
	maxUnix        = 1 << 33 // seconds; nanoseconds since 1970 fit an int64 up to here
)

var (
	// ErrInvalid is a record that lacks what every record has, or holds a value out of range.
	ErrInvalid = errors.New("invalid record")
	// ErrTooLarge is a record over MaxRecordBytes or a block over MaxBlockBytes.
	ErrTooLarge = errors.New("too large")
	// ErrMalformed is an encoding that is not exactly what this package writes.
	ErrMalformed = errors.New("malformed record")
)

// HashSize is the length of the digests and chain hashes: SHA-256.
const HashSize = 32

// Record is one audit event. ID, Time and Kind are always there; the rest is filled as far as the kind has it.
// Statement, Params, Rows, Reason and ErrorMessage are already redacted and masked by whoever fills them.
type Record struct {
	ID   RecordID
	Seq  uint64 // place in its session's chain, from 1 and without gaps; set by Chain
	Time time.Time
	Kind Kind

	Edge    string
	Session string

	Principal     string
	PrincipalKind string
	OnBehalfOf    []string // delegation chain, nearest first
	Resource      string
	Grant         string
	ClientAddr    string
	Protocol      string // "postgres", ...
	Application   string // the name the client gave itself

	Command   string // unique in the session; ties intent, outcome and rows together
	Statement string
	Params    []Param
	Digest    [HashSize]byte // SHA-256 of the canonical command

	Decision  Decision
	PolicyIDs []string // the policies that determined the decision
	Revision  uint64   // the policy revision decided under
	Reason    string
	RequestID string
	HoldID    string

	Actions       []string
	Tables        []string
	MaskedColumns []string
	RowCount      int64
	Bytes         int64
	Duration      time.Duration
	CommandTag    string
	ErrorCode     string // SQLSTATE or the protocol's own code
	ErrorMessage  string

	Columns []string // names of the columns of Rows
	Rows    [][]Value

	Attrs   []Attr // what a kind has besides: an edge event's name, an admin call's method and object
	Trimmed bool   // Trim cut something; Digest still covers the whole command

	Prev [HashSize]byte // Hash of the record before it in the session, zero for the first; set by Chain
	Hash [HashSize]byte // SHA-256 over the record's encoding up to here; set by Chain
}

// Value is one field of a row, or one parameter of a command. Null has no Data.
type Value struct {
	Data   []byte
	Null   bool
	Masked bool
}

// Param is one parameter of a command.
type Param = Value

// Attr is one named detail.
type Attr struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Decision is what policy said about a command.
type Decision string

// The decisions. A record about something that is not decided has the empty one.
const (
	Allow Decision = "allow"
	Deny  Decision = "deny"
	Hold  Decision = "hold"
)

func (d Decision) valid() bool {
	return d == "" || d == Allow || d == Deny || d == Hold
}

func (r *Record) check() error {
	switch {
	case r.ID.IsZero():
		return invalid("no id")
	case r.Time.Unix() < 0 || r.Time.Unix() > maxUnix:
		return invalid("no time, or one out of range")
	case !r.Kind.valid():
		return invalid("unknown kind")
	case !r.Decision.valid():
		return invalid("unknown decision")
	case r.RowCount < 0, r.Bytes < 0, r.Duration < 0:
		return invalid("negative count")
	}
	return nil
}
