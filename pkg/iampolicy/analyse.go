package iampolicy

import (
	"fmt"
	"slices"
	"strings"
)

// Analyse finds the catalog's actions that a role may take. It never misses one that AWS would allow through the
// role's own policies, and may name some that AWS would not: a Deny counts only when it has no conditions and is about all
// resources, and an Allow counts whatever its conditions and resources are. Boundaries and service control policies
// take away what they do not allow at all. Errors are [ErrRole] and [ErrCatalog]; such a role is to be treated as
// privileged, as the zero Analysis is.
func Analyse(r Role, c Catalog) (Analysis, error) {
	if c.Len() == 0 {
		return Analysis{}, fmt.Errorf("%w: empty", ErrCatalog)
	}
	if err := r.validate(); err != nil {
		return Analysis{}, err
	}
	a := newAnalyser(c)
	a.identity("attached", r.Attached)
	a.identity("inline", r.Inline)
	for _, group := range r.bounds() {
		a.bound(group)
	}
	out := Analysis{Role: r.ARN, Digest: r.Digest(c), Seen: r.seen()}
	out.Privileges = a.privileges()
	out.Sources = a.keep(out.Privileges)
	return out, nil
}

// analyser keeps what is known of each entry: those with names first, then those with patterns.
type analyser struct {
	catalog Catalog
	sources []Source
	because [][]Because
	denied  []bool
	limit   []extent // what the bounds leave
}

// extent is how far something is allowed. The zero value is not at all.
type extent struct{ some, unconditional, everywhere bool }

func (e extent) or(f extent) extent {
	return extent{e.some || f.some, e.unconditional || f.unconditional, e.everywhere || f.everywhere}
}

func (e extent) and(f extent) extent {
	return extent{e.some && f.some, e.unconditional && f.unconditional, e.everywhere && f.everywhere}
}

func extentOf(s *Statement) extent { return extent{true, len(s.Conditions) == 0, s.allResources()} }

func newAnalyser(c Catalog) *analyser {
	n := c.Len()
	a := &analyser{catalog: c, because: make([][]Because, n), denied: make([]bool, n), limit: make([]extent, n)}
	for i := range a.limit {
		a.limit[i] = extent{true, true, true}
	}
	return a
}

// identity takes in documents that give permissions.
func (a *analyser) identity(use string, documents []Document) {
	for _, d := range documents {
		for i := range d.Policy.Statements {
			s := &d.Policy.Statements[i]
			if s.Effect != Allow {
				a.deny(s)
				continue
			}
			source := len(a.sources)
			a.sources = append(a.sources, Source{
				Use: use, Policy: d.Name, ARN: d.ARN, Version: d.Version, Sid: s.Sid, Index: s.Index, Text: s.Text,
				Conditional: len(s.Conditions) > 0, AllResources: s.allResources(), Resources: s.Resources, NotResources: s.NotResources,
			})
			a.allowed(s, func(entry int, pattern string) {
				if b := a.because[entry]; len(b) == 0 || b[len(b)-1].Source != source {
					a.because[entry] = append(b, Because{source, pattern})
				}
			})
		}
	}
}

// bound takes in documents of which one must allow what is to be allowed.
func (a *analyser) bound(documents []Document) {
	leaves := make([]extent, a.catalog.Len())
	for _, d := range documents {
		for i := range d.Policy.Statements {
			s := &d.Policy.Statements[i]
			if s.Effect != Allow {
				a.deny(s)
				continue
			}
			e := extentOf(s)
			a.allowed(s, func(entry int, _ string) { leaves[entry] = leaves[entry].or(e) })
		}
	}
	for i := range a.limit {
		a.limit[i] = a.limit[i].and(leaves[i])
	}
}

// deny marks what the statement denies whatever the request.
func (a *analyser) deny(s *Statement) {
	if !s.onEverything() {
		return
	}
	if s.NotActions == nil {
		for _, p := range s.actions {
			a.catalog.covered(p, func(i int) { a.denied[i] = true })
		}
		return
	}
	for i, spared := range a.spared(s, a.catalog.overlapping) {
		a.denied[i] = a.denied[i] || !spared
	}
}

// allowed visits entries of which the statement allows at least one action.
func (a *analyser) allowed(s *Statement, visit func(entry int, pattern string)) {
	if s.NotActions == nil {
		for i, p := range s.actions {
			a.catalog.overlapping(p, func(entry int) { visit(entry, s.Actions[i]) })
		}
		return
	}
	for i, spared := range a.spared(s, a.catalog.covered) {
		if !spared {
			visit(i, "")
		}
	}
}

// spared tells of each entry whether one of the statement's patterns finds it.
func (a *analyser) spared(s *Statement, find func(pattern, func(int))) []bool {
	spared := make([]bool, a.catalog.Len())
	for _, p := range s.actions {
		find(p, func(i int) { spared[i] = true })
	}
	return spared
}

// privileges lists what is allowed and neither denied nor out of bounds.
func (a *analyser) privileges() []Privilege {
	var found []Privilege
	for i, because := range a.because {
		if len(because) == 0 || a.denied[i] || !a.limit[i].some {
			continue
		}
		var widest extent
		for _, b := range because {
			s := &a.sources[b.Source]
			widest = widest.or(extent{true, !s.Conditional, s.AllResources})
		}
		widest = widest.and(a.limit[i])
		e := a.catalog.entry(i)
		p := Privilege{Action: e.action, Class: e.class, Verdict: Conditional, AllResources: widest.everywhere, Because: because}
		if widest.unconditional {
			p.Verdict = Allowed
		}
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b Privilege) int {
		return strings.Compare(strings.ToLower(a.Action), strings.ToLower(b.Action))
	})
	return found
}

// keep returns the sources that the privileges speak of, and numbers those anew.
func (a *analyser) keep(privileges []Privilege) []Source {
	used := make([]bool, len(a.sources))
	for _, p := range privileges {
		for _, b := range p.Because {
			used[b.Source] = true
		}
	}
	var kept []Source
	number := make([]int, len(a.sources))
	for i, s := range a.sources {
		if used[i] {
			number[i] = len(kept)
			kept = append(kept, s)
		}
	}
	for _, p := range privileges {
		for i := range p.Because {
			p.Because[i].Source = number[p.Because[i].Source]
		}
	}
	return kept
}
