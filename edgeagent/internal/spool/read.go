package spool

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"
	"sync"
)

// maxNext is about how many bytes of records Next returns at once.
const maxNext = 1 << 20

// Batch is what is to be shipped next: durable records in the order they were appended. Acknowledge with Ack(End).
type Batch struct {
	Records [][]byte
	End     Position
}

// reader is the shipping side: where it stands and what it has read ahead.
type reader struct {
	mu    sync.Mutex
	next  Position // everything before it was returned
	f     *os.File
	base  Position // of f
	ahead [][]byte // read, not returned; the first begins at next
}

func (r *reader) close() error {
	r.ahead = nil
	if r.f == nil {
		return nil
	}
	err := r.f.Close()
	r.f = nil
	return err
}

// Next returns the records behind those it returned before, about 1 MiB of them, and waits until there is one. After
// Open and Rewind it begins with the first that is not acknowledged. It works on after a failure of writing, for what
// was durable before; then it returns the failure. Records that cannot be read back are ErrDamaged and end the spool.
func (s *Spool) Next(ctx context.Context) (Batch, error) {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	for {
		s.mu.Lock()
		durable, acked, changed, failure, closed := s.durable, s.acked, s.changed, s.err, s.closed
		s.mu.Unlock()
		if closed {
			return Batch{}, fmt.Errorf("read spool: %w", ErrClosed)
		}
		if s.reader.next < acked {
			s.reader.next, s.reader.ahead = acked, nil
		}
		if s.reader.next < durable {
			b, err := s.readBatch()
			if err != nil {
				s.fail(err)
			}
			return b, err
		}
		if failure != nil {
			return Batch{}, fmt.Errorf("read spool: %w", failure)
		}
		if err := s.awaitRecords(ctx, changed); err != nil {
			return Batch{}, err
		}
	}
}

// awaitRecords waits without the reader's lock, so that Rewind and Close do not wait for it.
func (s *Spool) awaitRecords(ctx context.Context, changed <-chan struct{}) error {
	s.reader.mu.Unlock()
	defer s.reader.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("read spool: %w", ctx.Err())
	}
}

// Rewind makes Next begin again with the first record that is not acknowledged, as after a lost connection.
func (s *Spool) Rewind() {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reader.next, s.reader.ahead = s.acked, nil
}

func (s *Spool) readBatch() (Batch, error) {
	r := &s.reader
	if len(r.ahead) == 0 {
		if err := s.readAhead(); err != nil {
			return Batch{}, err
		}
	}
	n, size := 0, 0
	for n < len(r.ahead) && (n == 0 || size+len(r.ahead[n]) <= maxNext) {
		size += len(r.ahead[n])
		n++
	}
	r.next += Position(size + n*recordHeader)
	b := Batch{Records: r.ahead[:n:n], End: r.next}
	r.ahead = r.ahead[n:]
	return b, nil
}

// readAhead reads the batch that holds the record behind r.next, without the records up to there.
func (s *Spool) readAhead() error {
	r := &s.reader
	f, err := s.fileAt(r.next)
	if err != nil {
		return err
	}
	at, err := s.batchAt(f, r.next)
	if err != nil {
		return err
	}
	records, err := r.load(at)
	if err != nil {
		return fmt.Errorf("%w: %s at offset %d", err, segmentPath(s.cfg.Dir, r.base), at-r.base)
	}
	pos := at + batchHeader
	for pos < r.next && len(records) > 0 {
		pos += recordHeader + Position(len(records[0]))
		records = records[1:]
	}
	if at < r.next && pos != r.next {
		return fmt.Errorf("%w: position %d is not between two records", ErrDamaged, r.next)
	}
	r.next, r.ahead = pos, records
	return nil
}

// fileAt opens the file that holds what is behind pos.
func (s *Spool) fileAt(pos Position) (segment, error) {
	s.mu.Lock()
	var found segment
	for _, f := range s.files {
		if f.base <= pos && pos < f.end {
			found = f
		}
	}
	s.mu.Unlock()
	if found.end == 0 {
		return found, fmt.Errorf("%w: no file holds position %d", ErrDamaged, pos)
	}
	r := &s.reader
	if r.f != nil && r.base == found.base {
		return found, nil
	}
	if err := r.close(); err != nil {
		return found, fmt.Errorf("close spool file: %w", err)
	}
	f, err := os.Open(segmentPath(s.cfg.Dir, found.base))
	if err != nil {
		return found, fmt.Errorf("open spool file: %w", err)
	}
	r.f, r.base = f, found.base
	return found, nil
}

// batchAt returns where the batch begins that holds what is behind pos.
func (s *Spool) batchAt(f segment, pos Position) (Position, error) {
	at := f.base
	if h, ok := s.reader.header(pos); ok && h.payload > 0 {
		return pos, nil
	}
	for at < f.end {
		h, ok := s.reader.header(at)
		if !ok {
			break
		}
		next := at + batchHeader + Position(h.payload)
		if pos < next {
			return at, nil
		}
		at = next
	}
	return 0, fmt.Errorf("%w: %s at offset %d", ErrDamaged, segmentPath(s.cfg.Dir, f.base), at-f.base)
}

func (r *reader) header(at Position) (header, bool) {
	var b [batchHeader]byte
	if _, err := r.f.ReadAt(b[:], int64(at-r.base)); err != nil {
		return header{}, false
	}
	return readHeader(b[:], at)
}

func (r *reader) load(at Position) ([][]byte, error) {
	h, ok := r.header(at)
	if !ok {
		return nil, ErrDamaged
	}
	payload := make([]byte, h.payload)
	if _, err := r.f.ReadAt(payload, int64(at-r.base)+batchHeader); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if crc32.Checksum(payload, castagnoli) != h.sum {
		return nil, ErrDamaged
	}
	return split(payload)
}
