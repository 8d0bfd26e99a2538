package pgwire

import "encoding/binary"

// TypeSet is a set of message types.
type TypeSet [256]bool

// NewTypeSet returns the set of the given types.
func NewTypeSet(types ...byte) *TypeSet {
	set := new(TypeSet)
	for _, typ := range types {
		set[typ] = true
	}
	return set
}

// NextRun takes up to most whole, consecutive, buffered frames whose types are in
// set and returns them as they came, in one slice that is valid until the next
// call, and how many they are. It never blocks: without such a frame it returns
// nil, and [Reader.Next] or [Reader.Peek] say why.
func (r *Reader) NextRun(set *TypeSet, most int) (run []byte, frames int) {
	if r.left > 0 || r.broken != nil {
		return nil, 0
	}
	unread := r.buf[r.r:r.w]
	end := 0
	for frames < most && len(unread)-end >= HeaderSize {
		typ, length := unread[end], binary.BigEndian.Uint32(unread[end+1:])
		if !set[typ] || length < 4 || length > r.max[typ] || uint64(length) >= uint64(len(unread)-end) {
			break
		}
		end += int(length) + 1
		frames++
	}
	if frames == 0 {
		return nil, 0
	}
	r.r += end
	return unread[:end:end], frames
}
