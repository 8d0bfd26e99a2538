package auditlog

import (
	"strings"

	"github.com/writhq/writ/controlplane/internal/recordindex"
	"github.com/writhq/writ/pkg/audit"
)

// Dimensions of names in the index. Part of its stored form.
const (
	dimKind      = 'k'
	dimDecision  = 'd'
	dimPrincipal = 'p'
	dimResource  = 'r'
	dimUnowned   = 'u' // a session's, of which it was not known whose it is
	dimSession   = 's'
	dimPolicy    = 'y'
	dimTable     = 't'
	dimAction    = 'a'
	dimCall      = 'c' // a call to the control plane
	dimDone      = 'q' // such a call, by its procedure, that was allowed and did not fail
)

// longestName is that of the longest value that a query can ask for, in bytes, in any case: a character of one byte may be that of three
// in the other.
const longestName = 3 * maxText

type terms []recordindex.Term

func (t *terms) name(dimension byte, value string) {
	if value != "" && len(value) <= longestName {
		*t = append(*t, recordindex.Name(dimension, value))
	}
}

// termsOf is all by which a record, which is about o, can be asked for; own is whether it is the control plane's.
func termsOf(r *audit.Record, o owner, own bool) []recordindex.Term {
	t := make(terms, 0, 32+len(r.Statement))
	t.name(dimKind, r.Kind.String())
	t.name(dimDecision, string(r.Decision))
	for _, p := range o.principals {
		t.name(dimPrincipal, recordindex.Fold(p))
	}
	t.name(dimResource, o.resource)
	if r.Principal == "" && r.Session != "" && len(o.principals) == 0 {
		t.name(dimUnowned, "?")
	}
	t.name(dimSession, r.Session)
	for _, id := range r.PolicyIDs {
		t.name(dimPolicy, id)
	}
	t.endings(dimTable, r.Tables, tableMarks)
	t.endings(dimAction, r.Actions, actionMarks)
	call := procedure(r)
	if own {
		t.call(r, call)
	}
	t = recordindex.Text(t, strings.ToLower(r.Statement))
	return recordindex.Text(t, strings.ToLower(call))
}

func (t *terms) call(r *audit.Record, call string) {
	for _, a := range r.Attrs {
		t.name(dimSession, a.Value)
	}
	if call == "" {
		return
	}
	t.name(dimCall, "?")
	if done(r) {
		t.name(dimDone, call)
	}
}

func (t *terms) endings(dimension byte, values []string, marks string) {
	for _, v := range values {
		for ending := range endings(v, marks) {
			if len(ending) <= longestName {
				t.name(dimension, recordindex.Fold(ending))
			}
		}
	}
}

// indexed is the query for the index, which has done as labels.
func (f *filterQuery) indexed(labels []string) recordindex.Query {
	q := recordindex.Query{From: firstID(f.from), Until: f.until}
	has := func(dimension byte, value string, or ...recordindex.Range) {
		if value != "" {
			q.All = append(q.All, append(or, recordindex.One(recordindex.Name(dimension, value))))
		}
	}
	unowned := recordindex.One(recordindex.Name(dimUnowned, "?"))
	has(dimPrincipal, recordindex.Fold(f.Principal), unowned)
	has(dimResource, f.Resource, unowned)
	has(dimSession, f.Session)
	has(dimPolicy, f.PolicyID)
	has(dimTable, recordindex.Fold(f.Table))
	has(dimAction, recordindex.Fold(f.Action))
	has(dimDecision, f.Decision)
	if f.calls {
		has(dimCall, "?")
	}
	if f.kind != 0 {
		has(dimKind, f.kind.String())
	} else {
		q.None = append(q.None, recordindex.Name(dimKind, audit.KindStream.String()))
	}
	for _, r := range recordindex.Containing(f.text) {
		q.All = append(q.All, []recordindex.Range{r})
	}
	if f.Without != nil {
		for _, call := range labels {
			if f.Without(call) {
				q.None = append(q.None, recordindex.Name(dimDone, call))
			}
		}
	}
	return q
}
