package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Annotation names that a policy may carry.
const (
	annotID          = "id"
	annotReason      = "reason"
	annotApproval    = "approval"
	annotHoldTimeout = "hold_timeout"
	annotMask        = "mask"
	annotRows        = "rows"
	annotRecord      = "record"
	annotUndo        = "undo"
)

var annotationNames = []string{annotID, annotReason, annotApproval, annotHoldTimeout, annotMask, annotRows, annotRecord, annotUndo}

// Limits on annotation values.
const (
	maxReason      = 200            // characters
	maxApprovers   = 10             // people for one group
	maxApprovals   = 5              // groups for one policy
	maxRowLimit    = 1_000_000_000  // rows
	minHoldTimeout = time.Second    // shortest wait for an approval
	maxHoldTimeout = 24 * time.Hour // longest wait for an approval
)

var (
	idPattern       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$`)
	approvalPattern = regexp.MustCompile(`^([0-9]{1,2}) of ([^\s,]{1,100})$`)
)

// Approval says that Count distinct people of Group must agree. When a command needs several
// approvals, one person counts for one of them only.
type Approval struct {
	Count int
	Group string
}

func (a Approval) String() string { return fmt.Sprintf("%d of %s", a.Count, a.Group) }

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

// obligations are a policy's annotations, read.
type obligations struct {
	id          string
	reason      string
	approvals   []Approval
	holdTimeout time.Duration
	mask        *Mask
	rows        int64
	record      *RecordLevel
	undo        Undo
}

// fault is what is wrong with one annotation; an empty name is the policy as a whole.
type fault struct{ name, message, hint string }

// readAnnotations reads all annotations of p and says what is wrong with them.
func readAnnotations(p *internalast.Policy) (obligations, []fault) {
	var o obligations
	var faults []fault
	for _, a := range p.Annotations {
		name, value := string(a.Key), string(a.Value)
		if !slices.Contains(annotationNames, name) {
			faults = append(faults, fault{name, fmt.Sprintf("unknown annotation @%s", name), nearest("@", name, annotationNames)})
			continue
		}
		if hint, err := o.set(name, value); err != nil {
			faults = append(faults, fault{name, fmt.Sprintf("@%s: %v", name, err), hint})
		}
	}
	if o.id == "" && !slices.ContainsFunc(faults, func(f fault) bool { return f.name == annotID }) {
		faults = append(faults, fault{"", "policy has no @id", `put @id("a-short-name") before it`})
	}
	return o, append(faults, misplaced(p, o)...)
}

// set reads one annotation.
func (o *obligations) set(name, value string) (hint string, err error) {
	switch name {
	case annotID:
		if !idPattern.MatchString(value) {
			return "use 1 to 64 letters, digits, dots, dashes, colons or underscores", fmt.Errorf("bad id %q", value)
		}
		o.id = value
	case annotReason:
		if n := len([]rune(value)); n == 0 || n > maxReason || strings.ContainsFunc(value, isControl) {
			return fmt.Sprintf("one line of 1 to %d characters", maxReason), fmt.Errorf("bad reason")
		}
		o.reason = value
	case annotApproval:
		o.approvals, err = ParseApprovals(value)
		return `for example @approval("2 of dba") or @approval("1 of dba, 1 of security")`, err
	case annotHoldTimeout:
		o.holdTimeout, err = time.ParseDuration(value)
		if err != nil || o.holdTimeout < minHoldTimeout || o.holdTimeout > maxHoldTimeout {
			return `a duration from 1s to 24h, for example "10m"`, fmt.Errorf("bad duration %q", value)
		}
	case annotMask:
		m, err := ParseMask(value)
		if err != nil || m.Kind == MaskReveal {
			return `one of "redact", "null", "hash" or "partial:4"`, fmt.Errorf("bad mask %q", value)
		}
		o.mask = &m
	case annotRows:
		o.rows, err = strconv.ParseInt(value, 10, 64)
		if err != nil || o.rows < 1 || o.rows > maxRowLimit {
			return `a number of rows, for example "1000"`, fmt.Errorf("bad row limit %q", value)
		}
	case annotRecord:
		level, ok := recordLevels[value]
		if !ok {
			return `one of "digest", "statement" or "rows"`, fmt.Errorf("bad record level %q", value)
		}
		o.record = &level
	case annotUndo:
		level, ok := undoLevels[value]
		if !ok {
			return `one of "try" or "required"`, fmt.Errorf("bad undo level %q", value)
		}
		o.undo = level
	}
	return "", nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 }

// misplaced finds annotations that would have no effect where they stand.
func misplaced(p *internalast.Policy, o obligations) []fault {
	var faults []fault
	add := func(bad bool, name, message, hint string) {
		if bad {
			faults = append(faults, fault{name, message, hint})
		}
	}
	permit := p.Effect == internalast.EffectPermit
	held := len(o.approvals) > 0
	_, _, reads := contextReads(p)
	add(permit && held, annotApproval, "@approval on a permit: a second permit would drop it",
		"write a forbid with unless { context.approved }")
	add(permit && o.mask != nil, annotMask, "@mask on a permit: a permitted column is shown in clear",
		`write a forbid on Action::"sql:reveal"`)
	add(o.holdTimeout > 0 && !held, annotHoldTimeout, "@hold_timeout without @approval", "add @approval")
	add(!permit && !held && (o.rows > 0), annotRows, "@rows on a forbid", "put it on the permit")
	add(!permit && !held && (o.record != nil), annotRecord, "@record on a forbid", "put it on the permit; refusals are always recorded")
	add(!permit && !held && (o.undo != UndoNone), annotUndo, "@undo on a forbid", "put it on the permit")
	add(!permit && o.mask != nil && !onlyReveal(p), annotMask, "@mask on a policy that also forbids other actions",
		`limit it to action == Action::"sql:reveal"`)
	add(held && o.mask != nil, annotMask, "@mask together with @approval", "write two policies")
	add(held && !permit && !reads.has(attrApproved), annotApproval, "@approval has no effect: the policy does not read context.approved",
		"end it with unless { context.approved }")
	add(!held && reads.has(attrApproved), "", "context.approved is read by a policy without @approval",
		`add @approval("1 of some-group")`)
	return faults
}

func onlyReveal(p *internalast.Policy) bool {
	switch s := p.Action.(type) {
	case internalast.ScopeTypeEq:
		return s.Entity == actionUID(SQLReveal)
	case internalast.ScopeTypeInSet:
		return len(s.Entities) == 1 && s.Entities[0] == actionUID(SQLReveal)
	}
	return false
}

// contextReads says which attributes of the context p's conditions read, and whether p uses
// the context as a whole; then set holds all attributes and named only those that are named.
func contextReads(p *internalast.Policy) (set attrSet, whole bool, named attrSet) {
	for _, c := range p.Conditions {
		internalast.Inspect(internalast.NewNode(c.Body), func(n internalast.IsNode) bool {
			var op internalast.StrOpNode
			switch t := n.(type) {
			case internalast.NodeTypeAccess:
				op = t.StrOpNode
			case internalast.NodeTypeHas:
				op = t.StrOpNode
			case internalast.NodeTypeVariable:
				whole = whole || t.Name == "context"
				return true
			default:
				return true
			}
			if v, ok := op.Arg.(internalast.NodeTypeVariable); !ok || v.Name != "context" {
				return true
			}
			if i := slices.Index(attrNames[:], op.Value); i >= 0 {
				named |= 1 << i
			}
			return false
		})
	}
	if whole {
		return 1<<attrCount - 1, true, named
	}
	return named, false, named
}
