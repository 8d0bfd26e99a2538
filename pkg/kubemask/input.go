package kubemask

import (
	"fmt"
	"io"
)

const (
	firstBuffer  = 8 << 10
	streamBuffer = 256 << 10
)

// input is the text that came and was not used yet.
type input struct {
	src   io.Reader
	buf   []byte
	at    int // buf[:at] is used
	limit int // the largest unit
	err   error
}

func (in *input) rest() []byte { return in.buf[in.at:] }

func (in *input) used(n int) { in.at += n }

// more reads until there is about twice as much, so that a unit that is read again from its start is not read often.
func (in *input) more() error {
	if in.err != nil {
		return in.err
	}
	in.room()
	before := len(in.buf)
	for in.err == nil && len(in.buf) < cap(in.buf) {
		in.read()
	}
	if len(in.buf) > before {
		return nil
	}
	return in.err
}

// some reads what there is.
func (in *input) some() error {
	if in.err != nil {
		return in.err
	}
	in.room()
	before := len(in.buf)
	for in.err == nil && len(in.buf) == before {
		in.read()
	}
	if len(in.buf) > before {
		return nil
	}
	return in.err
}

func (in *input) read() {
	n, err := in.src.Read(in.buf[len(in.buf):cap(in.buf)])
	in.buf = in.buf[:len(in.buf)+n]
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read answer: %w", err)
	}
	in.err = err
}

// room makes room behind the text: a unit fits with as much again.
func (in *input) room() {
	size := cap(in.buf)
	if size < streamBuffer || len(in.rest()) > size/2 {
		size = max(firstBuffer, 2*size)
	}
	size = min(size, max(in.limit+1, firstBuffer))
	if size > cap(in.buf) {
		in.buf = append(make([]byte, 0, size), in.rest()...)
	} else {
		in.buf = in.buf[:copy(in.buf[:cap(in.buf)], in.rest())]
	}
	in.at = 0
}
