package auditlog

import (
	"slices"

	"github.com/writhq/writ/pkg/audit"
)

const (
	// maxSummaries is how many blocks are remembered, at up to about 1 KiB each.
	maxSummaries = 32 << 10
	// maxNames bounds the distinct names in a summary. A block with more may hold any.
	maxNames = 16
)

// summary is what is in a block, for leaving it out of a search without reading it. A block never changes.
type summary struct {
	kinds                 uint64 // by bit
	decisions             [3]bool
	principals, resources []string
	anyPrincipal, anyResource,
	calls bool
}

var decisions = []audit.Decision{audit.Allow, audit.Deny, audit.Hold}

func summarise(records []audit.Record, whose owned) summary {
	var s summary
	for i := range records {
		r := &records[i]
		s.kinds |= 1 << r.Kind
		if n := slices.Index(decisions, r.Decision); n >= 0 {
			s.decisions[n] = true
		}
		s.calls = s.calls || procedure(r) != ""
		about := whose.of(r)
		for _, p := range about.principals {
			s.principals, s.anyPrincipal = note(s.principals, p, s.anyPrincipal)
		}
		s.resources, s.anyResource = note(s.resources, about.resource, s.anyResource)
	}
	return s
}

func note(names []string, name string, full bool) ([]string, bool) {
	switch {
	case full || name == "" || slices.Contains(names, name):
		return names, full
	case len(names) == maxNames:
		return nil, true
	}
	return append(names, name), false
}

// mayHold tells whether a record that is asked for can be in the block.
func (s summary) mayHold(f *filterQuery) bool {
	n := slices.Index(decisions, audit.Decision(f.Decision))
	return (f.kind == 0 || s.kinds&(1<<f.kind) != 0) && (!f.calls || s.calls) && (n < 0 || s.decisions[n]) &&
		(f.Principal == "" || s.anyPrincipal || names(f.Principal, s.principals)) &&
		(f.Resource == "" || s.anyResource || slices.Contains(s.resources, f.Resource))
}
