package postgres

import (
	"slices"

	"github.com/writhq/writ/pkg/sqlclass"
)

// sameMeaning tells whether two classifications of one text found the same objects. A text
// that was prepared can mean either: the target keeps the plan it made, or makes a new one.
func sameMeaning(a, b *sqlclass.Facts) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.OutputKnown != b.OutputKnown || a.Opaque != b.Opaque || a.DynamicSQL != b.DynamicSQL {
		return false
	}
	return slices.Equal(a.Accesses, b.Accesses) && slices.Equal(a.Functions, b.Functions) && slices.Equal(a.Flows, b.Flows) &&
		slices.Equal(a.Filters, b.Filters) && slices.EqualFunc(a.Output, b.Output, sameOutput) && sameMeaning(a.Inner, b.Inner)
}

func sameOutput(a, b sqlclass.OutputColumn) bool {
	return a.Direct == b.Direct && a.Column == b.Column && a.Origin == b.Origin && a.Opaque == b.Opaque && slices.Equal(a.Sources, b.Sources)
}

// replans tells whether the target has to plan a prepared statement anew: a change of what the plan
// reads makes it invalid (PlanCacheRelCallback in utils/cache/plancache.c), while a name that came in front of
// another does not. So all that it read has to be gone, or to be read now as well.
func replans(old, now *sqlclass.Facts, exists func(relation uint32) bool) bool {
	for _, a := range old.Accesses {
		if !slices.ContainsFunc(now.Accesses, func(b sqlclass.Access) bool { return a == b || a.OID != 0 && a.OID == b.OID }) && (a.OID == 0 || exists(a.OID)) {
			return false
		}
	}
	for _, f := range old.Functions {
		if !slices.ContainsFunc(now.Functions, func(g sqlclass.FunctionRef) bool { return f.OID != 0 && f.OID == g.OID }) {
			return false
		}
	}
	return len(old.Accesses) > 0
}

// errChanged has the words of the target itself, by which drivers know to prepare again
// (RevalidateCachedQuery in utils/cache/plancache.c).
func errChanged() *localError {
	return &localError{code: "0A000", message: "cached plan must not change result type",
		hint: "What the prepared statement names is not what it named when it was prepared: prepare it again."}
}

// doubted returns the facts of a cursor that may be another one by now: of its rows
// nothing is known.
func doubted(f *sqlclass.Facts) *sqlclass.Facts {
	if f == nil {
		return nil
	}
	d := *f
	d.Output, d.OutputKnown, d.Opaque = nil, false, true
	return &d
}

// sequence is what the statements of one text so far did to the meaning of those behind
// them: all are classified before the first one runs.
type sequence struct {
	shifted bool // names may mean something else
	renamed bool // prepared statements and cursors may be others
	ended   bool // a transaction ended, which may take back what it changed
}

// behind tells whether nothing is known about what f reads, since a statement before it
// changed that.
func (s *sequence) behind(f *sqlclass.Facts) bool {
	switch f.Kind {
	case sqlclass.KindExecute, sqlclass.KindFetch, sqlclass.KindMove:
		return s.shifted || s.renamed
	}
	return s.shifted
}

// add takes note of a statement.
func (s *sequence) add(f *sqlclass.Facts) {
	switch f.Kind {
	case sqlclass.KindPrepare, sqlclass.KindDeallocate, sqlclass.KindDeclare, sqlclass.KindClose:
		s.renamed = true
	case sqlclass.KindDo, sqlclass.KindCall, sqlclass.KindDiscard:
		s.shifted = true
	case sqlclass.KindTransaction:
		s.renamed = s.renamed || !opens[f.Tx]
		s.ended = s.ended || !opens[f.Tx]
	}
	s.renamed = s.renamed || f.Cursors
	s.shifted = s.shifted || movesNames(f) || f.Opaque || f.DynamicSQL || hasOpaque(f)
}

// movesNames tells whether a statement changes how names are looked up.
func movesNames(f *sqlclass.Facts) bool {
	return slices.ContainsFunc(f.Sets, func(s sqlclass.SetEffect) bool {
		return s.Name == "" || s.Unknown || s.All || s.Name == "search_path" || s.Name == "role" || s.Name == "session_authorization"
	})
}

// resolves tells whether a statement holds names that could mean something else.
func resolves(f *sqlclass.Facts) bool {
	return f.ReturnsRows || len(f.Accesses) > 0 || len(f.Functions) > 0 || f.Opaque
}

// callsRoutine tells whether a statement runs code whose names are looked up when it runs.
func callsRoutine(f *sqlclass.Facts) bool {
	return slices.ContainsFunc(f.Functions, func(fn sqlclass.FunctionRef) bool { return !fn.Builtin })
}

// hidesWrites tells whether a statement runs code that may store anything anywhere.
func hidesWrites(f *sqlclass.Facts) bool {
	switch f.Kind {
	case sqlclass.KindDDL, sqlclass.KindPrepare, sqlclass.KindDeclare, sqlclass.KindDrop, sqlclass.KindGrant, sqlclass.KindRole:
		return false // defines, but does not run
	case sqlclass.KindExplain:
		if !f.ExplainAnalyze {
			return false
		}
	case sqlclass.KindDo, sqlclass.KindCall:
		return f.Opaque || f.DynamicSQL
	}
	return f.DynamicSQL || slices.ContainsFunc(f.Functions, func(fn sqlclass.FunctionRef) bool {
		return fn.Opaque && fn.Writes && !fn.Builtin
	})
}
