package aws

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// passing holds the buffers of bodies that pass through.
var passing = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// copy passes the body on, to nobody after the session has ended. Events and what has no length pass as they come; else whole buffers
// do, since what comes from AWS comes in TLS's small records.
func (x *exchange) copy(src io.Reader) (n int64, err error) {
	buf := passing.Get().(*[64 << 10]byte)
	defer passing.Put(buf)
	read := src.Read
	if !x.call.OutputEvents && x.w.Header().Get("Content-Length") != "" {
		read = func(p []byte) (int, error) { return full(src, p) }
	}
	for {
		k, err := read(buf[:])
		if k > 0 {
			if err := x.pass(buf[:k]); err != nil {
				return n, err
			}
			n += int64(k)
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// pass sends a part of the answer to the client; of events, at once.
func (x *exchange) pass(p []byte) error {
	if x.call.OutputEvents {
		if err := x.flight.Recheck(); err != nil {
			return err
		}
	}
	if _, err := x.w.Write(p); err != nil {
		return err
	}
	if x.call.OutputEvents {
		_ = http.NewResponseController(x.w).Flush()
	}
	return nil
}

// full reads until p is full or src ends.
func full(src io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var k int
		k, err = src.Read(p[n:])
		n += k
	}
	return n, err
}
