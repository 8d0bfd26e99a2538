package pgwire

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed says that a message's body is not what its type requires. The
	// framing is intact.
	ErrMalformed = errors.New("malformed message")
	// ErrUnknownMessage says that a frame's type is not valid in this direction and
	// phase. The stream cannot be used any more. It is wrapped in an
	// [UnknownMessageError].
	ErrUnknownMessage = errors.New("unknown message type")
	// ErrFrame says that a frame's length cannot be true. The stream cannot be used
	// any more.
	ErrFrame = errors.New("invalid frame length")
	// ErrTooLarge says that a message is larger than what is held or sent. It is
	// wrapped in a [SizeError] when it comes from a [Reader].
	ErrTooLarge = errors.New("message too large")
	// ErrUnfinished says that a frame was asked for while the body of the frame
	// before it was still being streamed.
	ErrUnfinished = errors.New("streamed frame not finished")
)

// UnknownMessageError names a frame's unexpected type.
type UnknownMessageError struct{ Type byte }

func (e *UnknownMessageError) Error() string {
	return fmt.Sprintf("%v %q", ErrUnknownMessage, e.Type)
}

func (e *UnknownMessageError) Unwrap() error { return ErrUnknownMessage }

// SizeError tells of a frame that is valid but larger than this reader holds. The
// frame was not consumed: [Reader.Begin] and [Reader.Discard] step over it, after
// which the stream is usable.
type SizeError struct {
	Type   byte
	Length int // bytes, length word and body
	Limit  int // bytes, length word and body
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("%v: type %q has %d bytes, the limit is %d", ErrTooLarge, e.Type, e.Length, e.Limit)
}

func (e *SizeError) Unwrap() error { return ErrTooLarge }

func malformed(message, what string) error {
	return fmt.Errorf("decode %s: %w: %s", message, ErrMalformed, what)
}
