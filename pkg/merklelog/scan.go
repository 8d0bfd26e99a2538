package merklelog

import (
	"fmt"
	"iter"
)

// Entries yields the encoded entries of a log from the first to the last before size, with their indexes. It checks nothing: hash them into a
// Tree and compare its root. A bundle that cannot be read is yielded as an error with the index of its first entry, and reading goes on behind it.
func Entries(read Reader, size int64) iter.Seq2[int64, EntryOrError] {
	return EntriesFrom(read, 0, size)
}

// EntriesFrom yields those of the Entries that have the index from, at least 0, or a greater one.
func EntriesFrom(read Reader, from, size int64) iter.Seq2[int64, EntryOrError] {
	return func(yield func(int64, EntryOrError) bool) {
		for at := from - from%tileWidth; at < size; at += tileWidth {
			entries, err := readBundle(read, at/tileWidth, int(min(tileWidth, size-at)))
			if err != nil {
				if !yield(max(at, from), EntryOrError{Err: err}) {
					return
				}
				continue
			}
			for i, e := range entries {
				if at+int64(i) >= from && !yield(at+int64(i), EntryOrError{Entry: e}) {
					return
				}
			}
		}
	}
}

// EntryOrError is an encoded entry, or why it cannot be read.
type EntryOrError struct {
	Entry []byte
	Err   error
}

// readBundle returns the first entries of a bundle, of which more may be stored.
func readBundle(read Reader, index int64, width int) ([][]byte, error) {
	path := tilePath(entriesLevel, index, width)
	data, err := read(path)
	if err == nil {
		entries, err := splitBundle(data, width)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return entries, nil
	}
	if width == tileWidth {
		return nil, err
	}
	whole, fullErr := read(tilePath(entriesLevel, index, tileWidth))
	if fullErr != nil {
		return nil, err
	}
	entries, err := splitBundle(whole, tileWidth)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tilePath(entriesLevel, index, tileWidth), err)
	}
	return entries[:width], nil
}

// Objects yields the tiles and bundles that a log of that size consists of, with what they hold, as a Tiles lays them out from its entries.
func Objects(entries iter.Seq[[]byte]) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		var t Tiles
		var done []Object
		var err error
		for e := range entries {
			if done, err = t.Append(e, done[:0]); err != nil {
				yield(Object{}, err)
				return
			}
			for _, o := range done {
				if !yield(o, nil) {
					return
				}
			}
		}
		for _, o := range t.Partial() {
			if !yield(o, nil) {
				return
			}
		}
	}
}
