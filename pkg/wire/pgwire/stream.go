package pgwire

import (
	"fmt"
	"io"
)

// Begin takes the next frame's header and returns its type and its body's size in
// bytes. The body is then taken with [Reader.Chunk], [Reader.Discard] or
// [Reader.CopyBody], and is bounded by the protocol's limit for its type only: it is
// never held as a whole.
func (r *Reader) Begin() (typ byte, size int, err error) {
	length, err := r.header()
	if err != nil {
		return 0, 0, err
	}
	typ = r.buf[r.r]
	r.r += HeaderSize
	r.left = int(length) - 4
	return typ, r.left, nil
}

// Chunk returns the next part of the body started with [Reader.Begin], at least one
// byte and valid until the next call, or io.EOF when the body was taken in full.
func (r *Reader) Chunk() ([]byte, error) {
	if r.left == 0 {
		return nil, io.EOF
	}
	if err := r.fill(1); err != nil {
		return nil, noEOF(err)
	}
	n := min(r.left, r.w-r.r)
	chunk := r.buf[r.r : r.r+n : r.r+n]
	r.r += n
	r.left -= n
	return chunk, nil
}

// Remaining returns how many bytes of the started body are not yet taken.
func (r *Reader) Remaining() int { return r.left }

// Discard steps over what is left of the started body.
func (r *Reader) Discard() error {
	for r.left > 0 {
		if _, err := r.Chunk(); err != nil {
			return err
		}
	}
	return nil
}

// CopyBody writes what is left of the started body to w. After an error the writer
// holds a part of a frame and cannot be used for frames any more.
func (r *Reader) CopyBody(w io.Writer) error {
	for r.left > 0 {
		chunk, err := r.Chunk()
		if err != nil {
			return err
		}
		if _, err := w.Write(chunk); err != nil {
			return fmt.Errorf("write chunk: %w", err)
		}
	}
	return nil
}

// CopyFrame writes the next frame, header included, to w in chunks. After an error
// of w or inside the frame, w holds a part of a frame.
func (r *Reader) CopyFrame(w io.Writer) error {
	if _, err := r.header(); err != nil {
		return err
	}
	var header [HeaderSize]byte
	copy(header[:], r.buf[r.r:])
	if _, _, err := r.Begin(); err != nil {
		return err
	}
	if _, err := w.Write(header[:]); err != nil {
		return fmt.Errorf("write header: %w", err)
	}
	return r.CopyBody(w)
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
