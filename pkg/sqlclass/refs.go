package sqlclass

import "slices"

// colID packs a relation OID and an attribute number. Zero is no column.
type colID uint64

func newColID(relation uint32, num int16) colID {
	return colID(relation)<<16 | colID(uint16(num))
}

func (c colID) relation() uint32 { return uint32(c >> 16) }
func (c colID) num() int16       { return int16(uint16(c)) }

// refSet is a sorted set of columns; it is never changed once built, so values share them freely.
type refSet []colID

// union returns a set with the members of both, reusing one of them where it can.
func (a refSet) union(b refSet) refSet {
	if len(b) == 0 || (len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]) {
		return a
	}
	if len(a) == 0 {
		return b
	}
	if a.covers(b) {
		return a
	}
	out := make(refSet, 0, len(a)+len(b))
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] < b[j]:
			out, i = append(out, a[i]), i+1
		case a[i] > b[j]:
			out, j = append(out, b[j]), j+1
		default:
			out, i, j = append(out, a[i]), i+1, j+1
		}
	}
	out = append(out, a[i:]...)
	return append(out, b[j:]...)
}

// covers tells whether every member of b is in a.
func (a refSet) covers(b refSet) bool {
	if len(b) > len(a) {
		return false
	}
	i := 0
	for _, x := range b {
		for i < len(a) && a[i] < x {
			i++
		}
		if i == len(a) || a[i] != x {
			return false
		}
	}
	return true
}

// newRefSet sorts ids and drops duplicates; it takes the slice over.
func newRefSet(ids []colID) refSet {
	slices.Sort(ids)
	return refSet(slices.Compact(ids))
}

// value is what is known of an expression: where its value comes from.
type value struct {
	refs   refSet
	direct colID    // the base column it equals; 0 for none
	origin colID    // the relation column the server reports for it; 0 for none
	same   colID    // the one it reports where its cast turns out to change nothing; 0 for none
	typ    uint32   // type OID, when known
	row    []column // the fields, for a whole-row value
	opaque bool     // may derive from anything
	consts bool     // a literal or a parameter
}

// with returns a value derived from both v and w: exact no longer.
func (v value) with(w value) value {
	return value{refs: v.refs.union(w.refs), opaque: v.opaque || w.opaque}
}

// derived returns v as an ingredient: same sources, not the same value.
func (v value) derived() value { return value{refs: v.refs, opaque: v.opaque} }

// column is a named value: a column of a FROM item or of a query's result.
type column struct {
	name    string
	val     value
	notNull bool
}

// allOf returns the union of the columns' values, exact for none of them.
func allOf(cols []column) value {
	var v value
	for i := range cols {
		v = v.with(cols[i].val)
	}
	return v
}
