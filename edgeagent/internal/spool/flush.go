package spool

import (
	"fmt"
	"time"
)

// flushLoop is the one writer. It ends when the spool is closed and everything is written, or when it failed.
func (s *Spool) flushLoop() {
	defer close(s.done)
	for {
		if !s.awaitPending() {
			return
		}
		if err := s.flush(); err != nil {
			s.fail(err)
			return
		}
	}
}

// awaitPending returns true when it is time to write, and false when there is nothing left to do.
func (s *Spool) awaitPending() bool {
	for {
		s.mu.Lock()
		empty, since, closed := s.pending.empty(), s.pending.since, s.closed
		s.mu.Unlock()
		switch {
		case !empty:
			s.linger(since)
			return true
		case closed:
			return false
		}
		<-s.kick
	}
}

// linger gives a batch that began at since the rest of its FlushInterval to grow, unless somebody waits for it.
func (s *Spool) linger(since time.Time) {
	rest := s.cfg.FlushInterval - s.cfg.Now().Sub(since)
	if rest <= 0 {
		return
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-s.urgent:
	case <-timer.C:
	}
}

// flush makes what is pending durable.
func (s *Spool) flush() error {
	s.mu.Lock()
	s.pending, s.inflight = s.inflight, s.pending
	s.pending.begin(s.inflight.end())
	last := s.files[len(s.files)-1]
	s.mu.Unlock()

	if last.end > last.base && int64(s.inflight.end()-last.base) > s.cfg.SegmentBytes {
		if err := s.rotate(last.end); err != nil {
			return err
		}
	}
	s.inflight.seal()
	if _, err := s.out.Write(s.inflight.buf); err != nil {
		return fmt.Errorf("write spool: %w", err)
	}
	if err := s.out.Sync(); err != nil {
		return fmt.Errorf("write spool to disk: %w", err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.durable = s.inflight.end()
	s.files[len(s.files)-1].end = s.durable
	s.inflight.reset()
	s.flushes++
	s.announce()
	return nil
}

// rotate begins a new file at base.
func (s *Spool) rotate(base Position) error {
	next, err := createSegment(s.cfg, base)
	if err != nil {
		return err
	}
	if err := s.out.Close(); err != nil {
		next.Close()
		return fmt.Errorf("close spool file: %w", err)
	}
	s.out = next
	s.mu.Lock()
	s.files = append(s.files, segment{base: base, end: base})
	s.mu.Unlock()
	return nil
}
