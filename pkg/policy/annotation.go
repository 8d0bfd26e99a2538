package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go/types"
	internalast "github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Annotation names that a policy may carry.
const (
	annotID          = "id"
	annotReason      = "reason"
	annotApproval    = "approval"
	annotHours       = "approval_hours"
	annotHoldTimeout = "hold_timeout"
	annotMask        = "mask"
	annotRows        = "rows"
	annotRecord      = "record"
	annotUndo        = "undo"
)

var annotationNames = []string{
	annotID, annotReason, annotApproval, annotHours, annotHoldTimeout, annotMask, annotRows, annotRecord, annotUndo,
}

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

// obligations are a policy's annotations, read.
type obligations struct {
	id          string
	reason      string
	approvals   []Approval
	hours       Hours // of approvals, which have them too
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
	for i := range o.approvals {
		o.approvals[i].Hours = o.hours.String()
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
	case annotHours:
		if o.hours, err = ParseHours(value); err == nil && value == "" {
			err = errors.New("empty")
		}
		return `days, hours and a time zone, for example "Mon-Fri 08:00-18:00 Europe/Berlin"`, err
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
		`write a forbid on Action::"sql:reveal", Action::"k8s:reveal" or Action::"aws:reveal"`)
	add(o.holdTimeout > 0 && !held, annotHoldTimeout, "@hold_timeout without @approval", "add @approval")
	add(o.hours.windows != nil && !held, annotHours, "@approval_hours without @approval", "add @approval")
	add(!permit && !held && (o.rows > 0), annotRows, "@rows on a forbid", "put it on the permit")
	add(!permit && !held && (o.record != nil), annotRecord, "@record on a forbid", "put it on the permit; refusals are always recorded")
	add(!permit && !held && (o.undo != UndoNone), annotUndo, "@undo on a forbid", "put it on the permit")
	add(!permit && o.mask != nil && !onlyReveal(p), annotMask, "@mask on a policy that also forbids other actions",
		`limit it to action == Action::"sql:reveal", Action::"k8s:reveal" or Action::"aws:reveal"`)
	add(held && o.mask != nil, annotMask, "@mask together with @approval", "write two policies")
	add(held && !permit && !reads.has(attrApproved), annotApproval, "@approval has no effect: the policy does not read context.approved",
		"end it with unless { context.approved }")
	add(!held && reads.has(attrApproved), "", "context.approved is read by a policy without @approval",
		`add @approval("1 of some-group")`)
	return faults
}

func onlyReveal(p *internalast.Policy) bool {
	reveals := func(uid types.EntityUID) bool { return Action(uid.ID).reveals() && uid == actionUID(Action(uid.ID)) }
	switch s := p.Action.(type) {
	case internalast.ScopeTypeEq:
		return reveals(s.Entity)
	case internalast.ScopeTypeInSet:
		return len(s.Entities) > 0 && !slices.ContainsFunc(s.Entities, func(uid types.EntityUID) bool { return !reveals(uid) })
	}
	return false
}
