package pgwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Options are the settings of a [Reader].
type Options struct {
	// BufferSize is the buffer kept for the reader's whole life, in bytes. Default
	// [DefaultBufferSize], at least 64.
	BufferSize int
	// MaxMessage is the largest message that is held in memory, in bytes of length
	// word and body. Default [DefaultMaxMessage], at most [LargeMessageLimit].
	// Streamed frames are bounded by the protocol's limit alone.
	MaxMessage int
	// MaxStatement is the same for Query and Parse. Default [DefaultMaxStatement],
	// at most MaxMessage.
	MaxStatement int
	// Initial is what was read from the source already and comes before it. It is
	// copied.
	Initial []byte
}

func (o Options) withDefaults() Options {
	if o.BufferSize <= 0 {
		o.BufferSize = DefaultBufferSize
	}
	if o.MaxMessage <= 0 {
		o.MaxMessage = DefaultMaxMessage
	}
	if o.MaxStatement <= 0 {
		o.MaxStatement = DefaultMaxStatement
	}
	o.BufferSize = max(o.BufferSize, 64)
	o.MaxMessage = min(o.MaxMessage, LargeMessageLimit)
	o.MaxStatement = min(o.MaxStatement, o.MaxMessage)
	return o
}

// Reader cuts one direction of a connection into frames. It is not safe for
// concurrent use.
//
// Errors of the source are passed on and lose nothing: after a read deadline the
// same call can be made again. io.EOF comes between frames only, inside one it is
// io.ErrUnexpectedEOF. [ErrFrame] and [ErrUnknownMessage] come again on every later
// call.
type Reader struct {
	src    io.Reader
	buf    []byte
	r, w   int // unread bytes are buf[r:w]
	base   int // buffer size while no large frame is held
	max    *limits
	ready  *limits // becomes max once authenticated
	held   uint32
	stmt   uint32
	isFE   bool
	calm   int   // fills since the last large frame
	left   int   // body bytes of a streamed frame not yet taken
	broken error // framing is lost
}

// NewFrontendReader reads what a frontend sends after its startup message. Until
// [Reader.Authenticated] is called only password messages are valid.
func NewFrontendReader(src io.Reader, o Options) *Reader {
	return newReader(src, o, &frontendAuthLimits, &frontendLimits)
}

// NewBackendReader reads what a backend sends after the startup message. Until
// [Reader.Authenticated] is called only the messages of the startup phase are
// valid.
func NewBackendReader(src io.Reader, o Options) *Reader {
	return newReader(src, o, &backendAuthLimits, &backendLimits)
}

func newReader(src io.Reader, o Options, auth, ready *limits) *Reader {
	o = o.withDefaults()
	r := &Reader{
		src: src, base: o.BufferSize, max: auth, ready: ready, isFE: ready == &frontendLimits,
		held: uint32(o.MaxMessage), stmt: uint32(o.MaxStatement),
		buf: make([]byte, max(o.BufferSize, len(o.Initial))),
	}
	r.w = copy(r.buf, o.Initial)
	return r
}

// Authenticated ends the startup phase: from here on exactly the messages of a
// running session are valid.
func (r *Reader) Authenticated() { r.max = r.ready }

// Next returns the next frame's type and body, and blocks until it is there. The
// body is valid until the next call. Errors: [SizeError], [UnknownMessageError],
// [ErrFrame], [ErrUnfinished], and those of the source.
func (r *Reader) Next() (typ byte, body []byte, err error) {
	frame, err := r.NextFrame()
	if err != nil {
		return 0, nil, err
	}
	return frame[0], frame[HeaderSize:], nil
}

// NextFrame is [Reader.Next] with the frame as it came, header included, for
// passing it on.
func (r *Reader) NextFrame() ([]byte, error) {
	size, ok := r.whole()
	if !ok {
		var err error
		if size, err = r.hold(); err != nil {
			return nil, err
		}
	}
	frame := r.buf[r.r : r.r+size : r.r+size]
	r.r += size
	return frame, nil
}

// Peek returns the next frame's type and its body's size in bytes without taking
// it, and blocks until its header is there.
func (r *Reader) Peek() (typ byte, size int, err error) {
	length, err := r.header()
	if err != nil {
		return 0, 0, err
	}
	return r.buf[r.r], int(length) - 4, nil
}

// Buffered returns how many bytes are read and not yet taken.
func (r *Reader) Buffered() int { return r.w - r.r }

// HasFrame says whether the next call of [Reader.Next] returns without reading from
// the source: a whole frame is buffered, or an error is certain.
func (r *Reader) HasFrame() bool {
	if r.broken != nil || r.left > 0 {
		return true
	}
	if r.w-r.r < HeaderSize {
		return false
	}
	length := binary.BigEndian.Uint32(r.buf[r.r+1:])
	typ := r.buf[r.r]
	return length < 4 || length > r.holds(typ) || uint32(r.w-r.r) > length
}

// whole returns the size of the next frame if all of it is buffered and valid.
func (r *Reader) whole() (size int, ok bool) {
	if r.left > 0 || r.w-r.r < HeaderSize {
		return 0, false
	}
	typ, length := r.buf[r.r], binary.BigEndian.Uint32(r.buf[r.r+1:])
	if length < 4 || length > r.holds(typ) || length >= uint32(r.w-r.r) {
		return 0, false
	}
	return int(length) + 1, true
}

// holds returns the largest length of a frame of this type that is kept whole; 0
// for an unknown type.
func (r *Reader) holds(typ byte) uint32 {
	limit := min(r.max[typ], r.held)
	if r.isFE && (typ == TypeQuery || typ == TypeParse) {
		limit = min(limit, r.stmt)
	}
	return limit
}

// header blocks until the next header is buffered and returns its valid length.
func (r *Reader) header() (length uint32, err error) {
	if r.broken != nil {
		return 0, r.broken
	}
	if r.left > 0 {
		return 0, ErrUnfinished
	}
	if err := r.fill(HeaderSize); err != nil {
		return 0, err
	}
	typ, length := r.buf[r.r], binary.BigEndian.Uint32(r.buf[r.r+1:])
	switch limit := r.max[typ]; {
	case limit == 0:
		r.broken = &UnknownMessageError{Type: typ}
	case length < 4 || length > limit:
		r.broken = fmt.Errorf("%w: type %q claims %d bytes", ErrFrame, typ, length)
	}
	return length, r.broken
}

// hold blocks until the whole next frame is buffered and returns its size.
func (r *Reader) hold() (size int, err error) {
	length, err := r.header()
	if err != nil {
		return 0, err
	}
	if limit := r.holds(r.buf[r.r]); length > limit {
		return 0, &SizeError{Type: r.buf[r.r], Length: int(length), Limit: int(limit)}
	}
	size = int(length) + 1
	return size, r.fill(size)
}

// Buffers up to keepBuffer bytes outlive the large frame they were made for by
// calmFills fills, so that a result of large rows does not allocate for each row.
const (
	keepBuffer = 256 << 10
	calmFills  = 32
	maxNoBytes = 100
)

// fill reads until n bytes are buffered. The buffer grows with what arrives, not
// with what a header claims, and shrinks again once large frames are taken.
func (r *Reader) fill(n int) error {
	if n > r.base {
		r.calm = 0
	}
	for empty := 0; r.w-r.r < n; {
		r.makeRoom(n)
		got, err := r.src.Read(r.buf[r.w:])
		r.w += got
		if err != nil && r.w-r.r < n {
			if errors.Is(err, io.EOF) && r.w > r.r {
				return io.ErrUnexpectedEOF
			}
			return err
		}
		if got > 0 {
			empty = 0
		} else if empty++; empty == maxNoBytes {
			return io.ErrNoProgress
		}
	}
	return nil
}

// makeRoom leaves space behind w for a read towards n buffered bytes.
func (r *Reader) makeRoom(n int) {
	switch {
	case r.shrinks(n):
		r.move(make([]byte, r.base))
	case r.r > 0:
		r.move(r.buf)
	case r.w == len(r.buf):
		r.move(make([]byte, 2*len(r.buf)))
	}
}

func (r *Reader) shrinks(n int) bool {
	if len(r.buf) == r.base || n > r.base || r.w-r.r >= r.base {
		return false
	}
	r.calm++
	return len(r.buf) > keepBuffer || r.calm > calmFills
}

func (r *Reader) move(to []byte) {
	r.w = copy(to, r.buf[r.r:r.w])
	r.r, r.buf = 0, to
}
