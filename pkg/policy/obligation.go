package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Approval says that Count distinct people of Group must agree, in Hours. When a command needs
// several approvals, one person counts for one of them only.
type Approval struct {
	Count int
	Group string
	Hours string `json:",omitempty"` // as ParseHours reads them
}

// String is for people, for example "2 of dba (Mon-Fri 08:00-18:00 Europe/Berlin)".
func (a Approval) String() string {
	if a.Hours == "" {
		return a.who()
	}
	return a.who() + " (" + a.Hours + ")"
}

func (a Approval) who() string { return fmt.Sprintf("%d of %s", a.Count, a.Group) }

// OpenAt reports whether somebody may approve at t. Hours that cannot be read are never open.
func (a Approval) OpenAt(t time.Time) (bool, error) {
	h, err := ParseHours(a.Hours)
	if err != nil {
		return false, fmt.Errorf("hours of approval: %w", err)
	}
	return h.Contain(t)
}

// ParseApprovals reads "2 of dba" or "2 of dba, 1 of security".
func ParseApprovals(text string) ([]Approval, error) {
	var out []Approval
	for _, part := range strings.Split(text, ",") {
		m := approvalPattern.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, fmt.Errorf("%q is not of the form %q", strings.TrimSpace(part), "2 of dba")
		}
		n, _ := strconv.Atoi(m[1]) // the pattern holds one or two digits
		if n < 1 || n > maxApprovers {
			return nil, fmt.Errorf("%d approvers; between 1 and %d are possible", n, maxApprovers)
		}
		if slices.ContainsFunc(out, func(a Approval) bool { return a.Group == m[2] }) {
			return nil, fmt.Errorf("group %q is named twice", m[2])
		}
		out = append(out, Approval{Count: n, Group: m[2]})
	}
	if len(out) > maxApprovals {
		return nil, fmt.Errorf("%d groups; at most %d are possible", len(out), maxApprovals)
	}
	return out, nil
}

// RecordLevel says how much of a command's result is recorded. The statement and its
// outcome are always recorded. The zero value is RecordStatement.
type RecordLevel uint8

const (
	RecordStatement RecordLevel = iota // statement, parameters and outcome
	RecordDigest                       // the digest instead of the text and the parameters
	RecordRows                         // also the result rows, as the client gets them: masked
)

var recordLevels = map[string]RecordLevel{"digest": RecordDigest, "statement": RecordStatement, "rows": RecordRows}

// strictness orders levels: the one that records more wins.
func (l RecordLevel) strictness() int {
	return [...]int{RecordStatement: 1, RecordDigest: 0, RecordRows: 2}[l]
}

// Undo says whether what a command changes must be captured first. The zero value is UndoNone.
type Undo uint8

const (
	UndoNone     Undo = iota // nothing is captured
	UndoTry                  // captured where that is possible
	UndoRequired             // refused where it is not possible
)

var undoLevels = map[string]Undo{"try": UndoTry, "required": UndoRequired}
