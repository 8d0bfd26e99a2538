package iampolicy

import (
	"errors"
	"fmt"
)

var (
	// ErrSyntax says that a document is not a policy, or could be read in two ways.
	ErrSyntax = errors.New("not an IAM policy")
	// ErrTooLarge says that a document is over a limit of this package, or a session policy over one of AWS STS.
	ErrTooLarge = errors.New("policy too large")
	// ErrRole says that a role is not described completely enough to be analysed.
	ErrRole = errors.New("role not understood")
	// ErrCatalog says that a catalog is empty, or an entry of it malformed.
	ErrCatalog = errors.New("catalog not understood")
	// ErrScope says that what a session policy is asked for is empty or malformed.
	ErrScope = errors.New("scope not understood")
)

// SyntaxError tells where a document stops making sense. It wraps [ErrSyntax] and repeats nothing of the document but
// names of elements.
type SyntaxError struct {
	Part   string // such as "statement 2: Action"
	Offset int    // in bytes of the decoded document
	Why    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s, at byte %d: %s", e.Part, e.Offset, e.Why)
}

func (e *SyntaxError) Unwrap() error { return ErrSyntax }

// SizeError says by how much a session policy does not fit. It wraps [ErrTooLarge].
type SizeError struct {
	Size, Limit int // in characters
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("session policy of %d characters; AWS STS takes %d: ask for fewer actions or resources", e.Size, e.Limit)
}

func (e *SizeError) Unwrap() error { return ErrTooLarge }
