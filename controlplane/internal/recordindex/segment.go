package recordindex

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"sort"
)

// A segment is a part in a file. Numbers in the header are little endian:
//
//	 0  magic "WRX1"
//	 4  CRC-32C of everything after these 8 bytes
//	 8  length of the description, see describe
//	12  length of the posting lists
//	16  number of Terms
//	20  description, posting lists
//	    table: for each Term, ascending, the Term in 8 bytes, big endian, and where its list ends in 4
const (
	magic      = "WRX1"
	headerSize = 20
	entrySize  = 12
	// stride is how many entries of the table one in memory stands for.
	stride = 128
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is a part with its posting lists in a file.
type segment struct {
	part
	file  io.ReaderAt
	close func() error
	lists int64 // where they begin
	table int64
	terms int
	marks []mark
}

// mark is the Term of every stride-th entry of the table and where its list begins.
type mark struct {
	term  Term
	start uint32
}

// encode returns the builder as a segment.
func (b *builder) encode() []byte {
	out := make([]byte, headerSize)
	out = b.describe(out)
	described := len(out)
	terms := slices.Sorted(maps.Keys(b.lists))
	table := make([]byte, 0, len(terms)*entrySize)
	for _, t := range terms {
		out = appendPosting(out, b.lists[t], b.records)
		table = binary.BigEndian.AppendUint64(table, uint64(t))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(out)-described))
	}
	copy(out, magic)
	binary.LittleEndian.PutUint32(out[8:], uint32(described-headerSize))
	binary.LittleEndian.PutUint32(out[12:], uint32(len(out)-described))
	binary.LittleEndian.PutUint32(out[16:], uint32(len(terms)))
	out = append(out, table...)
	binary.LittleEndian.PutUint32(out[4:], crc32.Checksum(out[8:], castagnoli))
	return out
}

// decode checks a whole segment and returns it, to be read from file, which has the same bytes. It fails with ErrCorrupt.
func decode(data []byte, file io.ReaderAt) (*segment, error) {
	if len(data) < headerSize || string(data[:4]) != magic || crc32.Checksum(data[8:], castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
		return nil, fmt.Errorf("%w: header or checksum", ErrCorrupt)
	}
	described, lists := int64(binary.LittleEndian.Uint32(data[8:])), int64(binary.LittleEndian.Uint32(data[12:]))
	s := &segment{file: file, close: func() error { return nil }, terms: int(binary.LittleEndian.Uint32(data[16:]))}
	s.lists = headerSize + described
	s.table = s.lists + lists
	if int64(len(data)) != s.table+int64(s.terms)*entrySize {
		return nil, fmt.Errorf("%w: length", ErrCorrupt)
	}
	var err error
	if s.part, err = parseDescription(data[headerSize:s.lists]); err != nil {
		return nil, err
	}
	s.marks, err = readMarks(data[s.table:], uint32(lists))
	return s, err
}

// readMarks checks that the table ascends up to the end of the lists.
func readMarks(table []byte, lists uint32) ([]mark, error) {
	var marks []mark
	var before Term
	end := uint32(0)
	for i := 0; len(table) > 0; i++ {
		t, next := entry(table)
		if i > 0 && t <= before || next <= end {
			return nil, fmt.Errorf("%w: table", ErrCorrupt)
		}
		if i%stride == 0 {
			marks = append(marks, mark{t, end})
		}
		before, end, table = t, next, table[entrySize:]
	}
	if end != lists {
		return nil, fmt.Errorf("%w: table", ErrCorrupt)
	}
	return marks, nil
}

func entry(b []byte) (Term, uint32) {
	return Term(binary.BigEndian.Uint64(b)), binary.LittleEndian.Uint32(b[8:])
}

// look reads the lists of a Range.
func (s *segment) look(r Range, to set) error {
	return s.each(r, func(_ Term, list []byte) error { return addPosting(to, list, s.records) })
}

// each calls fn with the encoded list of each Term in the Range.
func (s *segment) each(r Range, fn func(t Term, list []byte) error) error {
	i := max(sort.Search(len(s.marks), func(i int) bool { return s.marks[i].term > r.First })-1, 0)
	for ; i < len(s.marks) && s.marks[i].term <= r.Last; i++ {
		n := min(stride, s.terms-i*stride)
		table := make([]byte, n*entrySize)
		if _, err := s.file.ReadAt(table, s.table+int64(i*stride*entrySize)); err != nil {
			return fmt.Errorf("read record index: %w", err)
		}
		if err := s.eachOf(table, s.marks[i].start, r, fn); err != nil {
			return err
		}
	}
	return nil
}

func (s *segment) eachOf(table []byte, start uint32, r Range, fn func(t Term, list []byte) error) error {
	for ; len(table) > 0; table = table[entrySize:] {
		t, end := entry(table)
		if t > r.Last {
			return nil
		}
		if t >= r.First && end > start {
			list := make([]byte, end-start)
			if _, err := s.file.ReadAt(list, s.lists+int64(start)); err != nil {
				return fmt.Errorf("read record index: %w", err)
			}
			if err := fn(t, list); err != nil {
				return err
			}
		}
		start = end
	}
	return nil
}

// reopen returns a builder that goes on where the segment ends.
func (s *segment) reopen() (*builder, error) {
	b := &builder{part: s.part, lists: make(map[Term][]uint32, s.terms), saved: s.to}
	err := s.each(Range{0, ^Term(0)}, func(t Term, list []byte) error {
		records := newSet(s.records)
		if err := addPosting(records, list, s.records); err != nil {
			return err
		}
		b.lists[t] = records.numbers()
		return nil
	})
	return b, err
}
