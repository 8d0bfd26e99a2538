package kubemask

import (
	"errors"
	"fmt"
	"io"
)

// Answer masks one answer, which is one JSON object: an object of the API, a list, a Table or a Status. The elements of
// lists and Tables pass one by one. After an error what was written must not be ended as if it were whole: the caller
// cuts the connection, or answers with an error of its own if Report.Bytes is 0. Errors are ErrMalformed, ErrTooLarge,
// ErrWithheld, and those of src and dst.
func (m *Masker) Answer(dst io.Writer, src io.Reader) (rep Report, err error) {
	r := newRun(m, dst, src)
	defer r.end(&rep, &err)
	return rep, r.answer()
}

// run is one answer or watch as it passes.
type run struct {
	input
	m     *Masker
	said  [said][]byte
	s     scanner
	dst   io.Writer
	out   []byte
	items int64
	bytes int64
	count counts
}

func newRun(m *Masker, dst io.Writer, src io.Reader) *run {
	return &run{m: m, s: scanner{m: m}, dst: dst, input: input{src: src, limit: m.cfg.MaxObject}, count: counts{}}
}

// end completes the report, and makes an error of a panic.
func (r *run) end(rep *Report, err *error) {
	if recover() != nil {
		*err = ErrWithheld // what was recovered may hold a value
	}
	*rep = Report{Masked: r.count, Items: r.items, Bytes: r.bytes}
}

func (r *run) answer() error {
	err := r.unit(func(s *scanner) int { return s.document() })
	if r.s.list == noRole {
		r.items++
	}
	for err == nil && r.s.list != noRole {
		list := r.s.list
		if err = r.heading(); err == nil {
			err = r.elements(list)
		}
		if err == nil {
			err = r.unit(func(s *scanner) int { return s.rest() })
		}
	}
	if err == nil {
		err = r.heading()
	}
	if err == nil {
		err = r.nothingElse()
	}
	if err != nil {
		return err
	}
	return r.flush()
}

// heading keeps what the answer has said of itself around its lists.
func (r *run) heading() error {
	for i, at := range r.s.objs[0].said {
		if at.end == 0 {
			continue
		}
		if r.said[i] != nil {
			return malformed(saidTwice)
		}
		r.said[i] = append([]byte{}, r.s.string(at)...)
	}
	return nil
}

// elements masks the elements of the list that the text is in, and its closing bracket.
func (r *run) elements(list role) error {
	listKind := elementKind(r.said[saidVersion], r.said[saidKind])
	for first := true; ; first = false {
		closed := false
		err := r.unit(func(s *scanner) (i int) {
			i, closed = s.streamed(list, listKind, first)
			return i
		})
		if err != nil || closed {
			return err
		}
		r.items++
	}
}

// document reads an object up to its first list, or to its end.
func (s *scanner) document() int {
	i := s.space(0)
	if i < 0 {
		return stop
	}
	if s.b[i] != '{' {
		return s.fail("no object")
	}
	s.top = s.m.stream
	i, _ = s.thing(i, roleThing, "")
	return i
}

// rest reads the members behind a list of the answer's own.
func (s *scanner) rest() int {
	s.top, s.depth = true, 1
	s.begin(roleThing, "")
	s.objs[0].shell = true
	return s.members(0, false)
}

// streamed reads one element of a list of the answer's own, with the comma before it, or the closing bracket.
func (s *scanner) streamed(list role, listKind string, first bool) (end int, closed bool) {
	s.depth = 2
	i, more := s.separator(0, ']', first)
	if !more {
		return i, i >= 0
	}
	return s.element(i, list, listKind), false
}

// nothingElse refuses what follows the answer, but for white space, which passes.
func (r *run) nothingElse() error {
	for {
		if blank(r.rest()) < len(r.rest()) {
			return malformed("text behind the object")
		}
		r.out = append(r.out, r.rest()...)
		r.used(len(r.rest()))
		if err := r.flushOver(); err != nil {
			return err
		}
		switch err := r.more(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func malformed(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }

// blank returns how much white space b begins with.
func blank(b []byte) int {
	for i, c := range b {
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return i
		}
	}
	return len(b)
}

// unit reads one unit by read, as much text as that needs, and writes it, masked.
func (r *run) unit(read func(*scanner) int) error {
	for {
		s := &r.s
		s.reset(r.rest())
		end := read(s)
		switch {
		case s.why != "":
			return malformed(s.why)
		case end >= 0 && end > r.limit, end < 0 && len(s.b) > r.limit:
			return fmt.Errorf("%w: over %d bytes", ErrTooLarge, r.limit)
		case end >= 0:
			r.out = s.write(r.out, end, r.count)
			r.used(end)
			return r.flushOver()
		}
		if err := r.more(); errors.Is(err, io.EOF) {
			return malformed("it ends too early")
		} else if err != nil {
			return err
		}
	}
}

// reset makes the scanner read another text.
func (s *scanner) reset(b []byte) {
	s.b, s.short, s.why, s.depth, s.obj, s.unsorted, s.top, s.list = b, false, "", 0, 0, false, false, noRole
	clear(s.objs)
	s.objs, s.hits = s.objs[:0], s.hits[:0]
}

func (r *run) flushOver() error {
	if len(r.out) < r.m.gather {
		return nil
	}
	return r.flush()
}

func (r *run) flush() error {
	n, err := r.dst.Write(r.out)
	r.bytes += int64(n)
	r.out = r.out[:0]
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}
