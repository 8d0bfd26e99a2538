package kubemask

import (
	"cmp"
	"errors"
	"fmt"
	"io"
)

// Events masks a watch: JSON objects, one for each event, each written and flushed as soon as it is whole. flush may be
// nil. It returns nil when src ends between two events. Errors are as of Answer; the events before were written.
func (m *Masker) Events(dst io.Writer, src io.Reader, flush func()) (rep Report, err error) {
	r := newRun(m, dst, src)
	defer r.end(&rep, &err)
	return rep, r.events(flush)
}

func (r *run) events(flush func()) error {
	for {
		n, err := r.frame(flush)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.s.reset(r.rest()[:n])
		if end := r.s.event(); end != n {
			return malformed(cmp.Or(r.s.why, "brackets that do not match"))
		}
		r.out = r.s.write(r.out, n, r.count)
		r.used(n)
		r.items++
		r.lineEnd()
		if err := r.deliver(flush); err != nil {
			return err
		}
	}
}

// deliver writes what is ready. What stands behind an event goes at once too: some clients read lines.
func (r *run) deliver(flush func()) error {
	if len(r.out) == 0 {
		return nil
	}
	err := r.flush()
	if err == nil && flush != nil {
		flush()
	}
	return err
}

// lineEnd passes the white space that has come behind an event.
func (r *run) lineEnd() {
	n := blank(r.rest())
	r.out = append(r.out, r.rest()[:n]...)
	r.used(n)
}

// event reads an event, which may also be an object by itself.
func (s *scanner) event() int {
	i, _ := s.thing(0, roleEvent, "")
	if s.why != "" {
		return stop
	}
	return i
}

// frame waits until an event is whole and returns its length. White space before it passes.
func (r *run) frame(flush func()) (int, error) {
	var f framer
	for {
		if f.at == 0 {
			r.lineEnd()
			if err := r.deliver(flush); err != nil {
				return 0, err
			}
		}
		n, err := f.end(r.rest())
		switch {
		case err != nil:
			return 0, err
		case max(n, f.at) > r.limit:
			return 0, fmt.Errorf("%w: over %d bytes", ErrTooLarge, r.limit)
		case n > 0:
			return n, nil
		}
		if err := r.some(); errors.Is(err, io.EOF) && f.at > 0 {
			return 0, malformed("it ends too early")
		} else if err != nil {
			return 0, err
		}
	}
}

// framer finds where an object ends, going on where it stopped when more of the text has come.
type framer struct {
	at, depth       int
	inText, escaped bool
}

// end returns the length of the object that b begins with, 0 if its end is not in b.
func (f *framer) end(b []byte) (int, error) {
	if len(b) > 0 && b[0] != '{' {
		return 0, malformed("no object")
	}
	for ; f.at < len(b); f.at++ {
		switch c := b[f.at]; {
		case f.escaped:
			f.escaped = false
		case f.inText:
			f.escaped, f.inText = c == '\\', c != '"'
		case c == '"':
			f.inText = true
		case c == '{' || c == '[':
			f.depth++
		case c == '}' || c == ']':
			if f.depth--; f.depth == 0 {
				f.at++
				return f.at, nil
			}
		}
	}
	return 0, nil
}
