package recordindex

import (
	"bytes"

	"github.com/writhq/writ/pkg/audit"
)

// Query says which records may be asked for. The zero Query is for all.
type Query struct {
	// Of each of All a record has a Term in one of the Ranges.
	All [][]Range
	// None are Terms that it does not have.
	None []Term
	// Only records of blocks between From, inclusive, and Until, exclusive. Zero is without bound.
	From, Until audit.RecordID
}

// outside tells whether nothing from first to last is asked for.
func (q *Query) outside(first, last audit.RecordID) bool {
	return bytes.Compare(last[:], q.From[:]) < 0 || !q.Until.IsZero() && bytes.Compare(first[:], q.Until[:]) >= 0
}

// Found is a block that may hold what is asked for.
type Found struct {
	Block
	// Records are the numbers of the records in the block, ascending; none for a damaged block, which may hold any.
	Records []int
}

// lookup adds the records that have a Term of the Range to a set.
type lookup func(r Range, to set) error

// find returns the blocks of a part that may hold what is asked for.
func find(q *Query, blocks []Block, records int, look lookup) ([]Found, error) {
	wanted, err := evaluate(q, records, look)
	if err != nil {
		return nil, err
	}
	var all []Found
	for _, b := range blocks {
		if q.outside(b.First, b.Last) {
			continue
		}
		f := Found{Block: b}
		if wanted != nil {
			f.Records = b.within(wanted)
		}
		if b.Damaged || len(f.Records) > 0 {
			all = append(all, f)
		}
	}
	return all, nil
}

// within returns which of a set's records are in the block, by their numbers there.
func (b *Block) within(s set) []int {
	var all []int
	end := b.start + b.records
	for n, ok := s.next(uint32(b.start)); ok && int(n) < end; n, ok = s.next(n + 1) {
		all = append(all, int(n)-b.start)
	}
	return all
}

// evaluate returns the records that may be asked for, nil for none.
func evaluate(q *Query, records int, look lookup) (set, error) {
	wanted := newSet(records)
	wanted.addRun(0, uint32(records))
	for _, ranges := range q.All {
		some := newSet(records)
		for _, r := range ranges {
			if err := look(r, some); err != nil {
				return nil, err
			}
		}
		if !wanted.keep(some) {
			return nil, nil
		}
	}
	for _, t := range q.None {
		without := newSet(records)
		if err := look(One(t), without); err != nil {
			return nil, err
		}
		wanted.remove(without)
	}
	return wanted, nil
}
