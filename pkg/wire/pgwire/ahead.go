package pgwire

import (
	"encoding/binary"
	"errors"
)

// ErrAhead is returned by [Reader.Ahead] when as much as it may read is buffered already.
var ErrAhead = errors.New("enough is read ahead")

// Ahead blocks until more of what follows is read, and takes nothing of it; at most
// limit bytes are kept. Errors are [ErrAhead] and those of the source, as they come.
func (r *Reader) Ahead(limit int) error {
	if r.w-r.r >= limit {
		return ErrAhead
	}
	r.makeRoom(r.w - r.r + 1)
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil
	}
	return err
}

// Holds says whether a frame of this type begins among the bytes that are buffered.
func (r *Reader) Holds(typ byte) bool {
	for at := r.r; r.w-at >= HeaderSize; {
		length := binary.BigEndian.Uint32(r.buf[at+1:])
		if r.buf[at] == typ {
			return true
		}
		if length < 4 || uint64(length) >= uint64(r.w-at) {
			return false
		}
		at += int(length) + 1
	}
	return false
}
