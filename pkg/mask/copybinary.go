package mask

import (
	"encoding/binary"
)

// binarySignature begins a binary COPY (PostgreSQL's documentation of COPY, "Binary Format").
const binarySignature = "PGCOPY\n\xff\r\n\x00"

// binaryRows masks COPY's binary format: a header, tuples that look like DataRows, a trailer.
type binaryRows struct {
	plan *Plan
	det  *Detector
	part binaryPart
}

type binaryPart uint8

const (
	binaryHeader binaryPart = iota
	binaryTuples
	binaryEnd
)

func (r *binaryRows) next(b []byte) (int, error) {
	switch r.part {
	case binaryHeader:
		return binaryHeaderLength(b)
	case binaryTuples:
		return r.tupleLength(b)
	}
	return 0, malformed("data behind the trailer")
}

func binaryHeaderLength(b []byte) (int, error) {
	const fixed = len(binarySignature) + 8
	n := min(len(b), len(binarySignature))
	if string(b[:n]) != binarySignature[:n] {
		return 0, malformed("not a binary COPY")
	}
	if len(b) < fixed {
		return 0, nil
	}
	if flags := binary.BigEndian.Uint32(b[fixed-8:]); flags != 0 {
		return 0, malformed("unknown flags %#x", flags)
	}
	if extension := binary.BigEndian.Uint32(b[fixed-4:]); extension != 0 {
		return 0, malformed("a header extension of %d bytes", extension)
	}
	return fixed, nil
}

func (r *binaryRows) tupleLength(b []byte) (int, error) {
	if len(b) < 2 {
		return 0, nil
	}
	n := int16(binary.BigEndian.Uint16(b))
	if n == -1 {
		return 2, nil
	}
	if int(n) != len(r.plan.columns) {
		return 0, malformed("%d columns, the plan has %d", n, len(r.plan.columns))
	}
	at := 2
	for range n {
		if len(b)-at < 4 {
			return 0, nil
		}
		size := int32(binary.BigEndian.Uint32(b[at:]))
		if size < -1 {
			return 0, malformed("a column of %d bytes", size)
		}
		at += 4 + int(max(size, 0))
		if at > len(b) {
			return 0, nil
		}
	}
	return at, nil
}

func (r *binaryRows) rewrite(dst, row []byte) ([]byte, int, bool, error) {
	switch {
	case r.part == binaryHeader:
		r.part = binaryTuples
		return append(dst, row...), 0, false, nil
	case len(row) == 2 && row[0] == 0xff:
		r.part = binaryEnd
		return append(dst, row...), 0, false, nil
	}
	out, changes, err := RewriteDataRow(dst, row, r.plan, r.det)
	if err == nil && changes == 0 {
		out = append(dst, row...)
	}
	return out, changes, true, err
}

func (r *binaryRows) finish() error {
	if r.part != binaryEnd {
		return malformed("no trailer")
	}
	return nil
}
