package policy

import (
	"maps"
	"slices"
)

// ChangeKind is how a policy differs between two bundles.
type ChangeKind string

// Kinds of change.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed"
)

// Change is one policy that differs. Before and After are its texts; the one that does not
// exist is empty.
type Change struct {
	ID     string
	Kind   ChangeKind
	File   string // where it is now, or was
	Before string
	After  string
}

// Diff lists by @id which policies of b differ from those of a, sorted. Moving a policy to
// another file or place is no change. Both bundles must compile, apart from their tests.
func Diff(a, b Bundle) ([]Change, error) {
	before, err := compilePolicies(a)
	if err != nil {
		return nil, err
	}
	after, err := compilePolicies(b)
	if err != nil {
		return nil, err
	}
	ids := maps.Clone(before.byID)
	maps.Copy(ids, after.byID)
	var changes []Change
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		was, is := before.byID[id], after.byID[id]
		switch {
		case was == nil:
			changes = append(changes, Change{ID: id, Kind: Added, File: is.file, After: is.text})
		case is == nil:
			changes = append(changes, Change{ID: id, Kind: Removed, File: was.file, Before: was.text})
		case was.text != is.text:
			changes = append(changes, Change{ID: id, Kind: Changed, File: is.file, Before: was.text, After: is.text})
		}
	}
	return changes, nil
}
