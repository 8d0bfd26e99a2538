package recordindex

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// A posting list says which records of a part have a Term, by their numbers, ascending. Its first byte is its form: gaps between numbers,
// gaps and lengths of runs, both in uvarints, or a bitmap. The shortest is taken.
const (
	formGaps byte = iota + 1
	formRuns
	formBitmap
)

// ErrCorrupt is an index file that is not as it was written.
var ErrCorrupt = errors.New("corrupt record index")

// set is a set of records.
type set []uint64

func newSet(records int) set { return make(set, (records+63)/64) }

func (s set) add(n uint32) { s[n/64] |= 1 << (n % 64) }

func (s set) addRun(from, to uint32) {
	for ; from < to && from%64 != 0; from++ {
		s.add(from)
	}
	for ; from+64 <= to; from += 64 {
		s[from/64] = ^uint64(0)
	}
	for ; from < to; from++ {
		s.add(from)
	}
}

func (s set) keep(other set) (any bool) {
	for i := range s {
		s[i] &= other[i]
		any = any || s[i] != 0
	}
	return any
}

func (s set) remove(other set) {
	for i := range s {
		s[i] &^= other[i]
	}
}

// next is the first record from from on that is in the set, and false when there is none.
func (s set) next(from uint32) (uint32, bool) {
	i := int(from / 64)
	if i >= len(s) {
		return 0, false
	}
	word := s[i] >> (from % 64) << (from % 64)
	for word == 0 {
		if i++; i == len(s) {
			return 0, false
		}
		word = s[i]
	}
	return uint32(i*64 + bits.TrailingZeros64(word)), true
}

// appendPosting appends the list, of which all numbers are below records.
func appendPosting(dst []byte, list []uint32, records int) []byte {
	start := len(dst)
	dst = appendRuns(append(dst, formRuns), list)
	runs := len(dst)
	dst = appendGaps(append(dst, formGaps), list)
	bitmap := 1 + (records+7)/8
	switch gaps := len(dst) - runs; {
	case bitmap < min(gaps, runs-start):
		return appendBitmap(append(dst[:start], formBitmap), list, bitmap-1)
	case gaps < runs-start:
		return append(dst[:start], dst[runs:]...)
	}
	return dst[:runs]
}

func appendGaps(dst []byte, list []uint32) []byte {
	next := uint32(0)
	for _, n := range list {
		dst = binary.AppendUvarint(dst, uint64(n-next))
		next = n + 1
	}
	return dst
}

func appendRuns(dst []byte, list []uint32) []byte {
	next := uint32(0)
	for i := 0; i < len(list); {
		j := i + 1
		for j < len(list) && list[j] == list[j-1]+1 {
			j++
		}
		dst = binary.AppendUvarint(dst, uint64(list[i]-next))
		dst = binary.AppendUvarint(dst, uint64(j-i))
		next = list[j-1] + 1
		i = j
	}
	return dst
}

func appendBitmap(dst []byte, list []uint32, size int) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, size)...)
	for _, n := range list {
		dst[at+int(n/8)] |= 1 << (n % 8)
	}
	return dst
}

// addPosting adds the records of a list, all below records, to the set. It fails with ErrCorrupt.
func addPosting(to set, b []byte, records int) error {
	if len(b) == 0 {
		return ErrCorrupt
	}
	switch form, b := b[0], b[1:]; form {
	case formGaps, formRuns:
		return addNumbers(to, b, uint64(records), form == formRuns)
	case formBitmap:
		return addBitmap(to, b, records)
	}
	return ErrCorrupt
}

func addNumbers(to set, b []byte, records uint64, runs bool) error {
	at := uint64(0)
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 || gap >= records-at {
			return ErrCorrupt
		}
		at, b = at+gap, b[n:]
		length := uint64(1)
		if runs {
			if length, n = binary.Uvarint(b); n <= 0 || length == 0 || length > records-at {
				return ErrCorrupt
			}
			b = b[n:]
		}
		to.addRun(uint32(at), uint32(at+length))
		at += length
	}
	return nil
}

func addBitmap(to set, b []byte, records int) error {
	if len(b) != (records+7)/8 || records%8 != 0 && b[len(b)-1]>>(records%8) != 0 {
		return ErrCorrupt
	}
	for i, v := range b {
		to[i/8] |= uint64(v) << (i % 8 * 8)
	}
	return nil
}

// numbers lists what is in the set.
func (s set) numbers() []uint32 {
	var all []uint32
	for n, ok := s.next(0); ok; n, ok = s.next(n + 1) {
		all = append(all, n)
	}
	return all
}
