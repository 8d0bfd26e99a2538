// Package spool keeps an edge's audit records on disk until the control plane has acknowledged them. It is a
// write-ahead log with group commit: Append is cheap, Sync waits for the disk. It fails closed: after a failed
// write nothing more is accepted, and a spool that is full or slow makes its callers wait or refuse.
package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

var (
	// ErrFull says that MaxBytes are in use by unacknowledged records. It passes when some are acknowledged.
	ErrFull = errors.New("spool is full")
	// ErrStalled says that the disk is so slow that records would stay undurable for longer than MaxLag.
	ErrStalled = errors.New("spool is stalled")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("spool is closed")
	// ErrDamaged says that stored records are not what was written. The error names file and offset.
	ErrDamaged = errors.New("spool is damaged")
	// ErrLocked says that another process uses the folder.
	ErrLocked = errors.New("spool is in use by another process")
)

// MaxRecordBytes is the longest record Append takes.
const MaxRecordBytes = 4 << 20

// maxPending bounds what waits in memory for the disk.
const maxPending = 8 << 20

// Position is the place right behind a record. Positions grow from record to record and survive restarts.
type Position uint64

// Config says where and how to spool. Dir and Logger are required.
type Config struct {
	// Dir is the folder, made with mode 0700 if it is missing. One process at a time.
	Dir string
	// MaxBytes is how much of the disk to use. Default 1 GiB; at least twice SegmentBytes, as one segment's worth is
	// for acknowledged records whose file still holds others.
	MaxBytes int64
	// SegmentBytes is the size a file does not grow over, unless one flush does. Default 16 MiB.
	SegmentBytes int64
	// FlushInterval is how long a record nobody waits for may stay in memory. Default 20 ms.
	FlushInterval time.Duration
	// MaxLag is how old a record may become before it is durable, without Append holding back the next. Default 50 ms.
	MaxLag time.Duration
	// StallTimeout is how long Append holds back before it gives up with ErrStalled. Default 5 s.
	StallTimeout time.Duration
	// Logger gets what an operator should know.
	Logger hclog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time

	disk disk // default: the operating system's
}

func (c *Config) complete() error {
	switch {
	case c.Dir == "":
		return errors.New("no folder")
	case c.Logger == nil:
		return errors.New("no logger")
	}
	c.MaxBytes = orDefault(c.MaxBytes, 1<<30)
	c.SegmentBytes = orDefault(c.SegmentBytes, 16<<20)
	c.FlushInterval = orDefault(c.FlushInterval, 20*time.Millisecond)
	c.MaxLag = orDefault(c.MaxLag, 50*time.Millisecond)
	c.StallTimeout = orDefault(c.StallTimeout, 5*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.disk == nil {
		c.disk = osDisk{}
	}
	if c.SegmentBytes < 1 || c.MaxBytes < 2*c.SegmentBytes {
		return fmt.Errorf("%d bytes at most do not hold two segments of %d", c.MaxBytes, c.SegmentBytes)
	}
	if c.FlushInterval < 0 || c.MaxLag < c.FlushInterval {
		return fmt.Errorf("flush interval %s is over the longest lag %s", c.FlushInterval, c.MaxLag)
	}
	return nil
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Spool is an open spool. Safe for concurrent use; Next has one reader at a time.
type Spool struct {
	cfg    Config
	log    hclog.Logger
	lock   *os.File
	kick   chan struct{} // wakes the flusher
	urgent chan struct{} // tells it not to wait for FlushInterval
	failed chan struct{} // closed by the first failure
	done   chan struct{} // closed when the flusher has ended

	mu       sync.Mutex
	pending  batch // what the next flush writes
	inflight batch // what is being written
	durable  Position
	acked    Position
	files    []segment     // oldest first; the last is written to
	changed  chan struct{} // closed and replaced when durable, acked or err changes
	err      error
	closed   bool
	flushes  uint64

	out    file // the last of files; the flusher's own
	ack    ackFile
	reader reader
}

// segment is one file of batches and the positions it covers.
type segment struct {
	base, end Position
}

// Open recovers the spool in cfg.Dir, or starts one. A torn end, as a crash leaves it, is cut off; any other damage
// is ErrDamaged.
func Open(cfg Config) (*Spool, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &Spool{
		cfg: cfg, log: cfg.Logger.Named("spool"), lock: lock,
		kick: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
		failed: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}),
	}
	if err := s.recover(); err != nil {
		s.closeFiles()
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s.pending.begin(s.durable)
	go s.flushLoop()
	return s, nil
}

// Append puts a copy of rec, which is not empty, behind the others and returns its position. It is durable after Sync,
// or by itself within MaxLag. Append waits while the disk cannot keep that, then fails with ErrStalled. Other errors:
// ErrFull, ErrClosed and the failure that ended the spool.
func (s *Spool) Append(rec []byte) (Position, error) {
	if len(rec) == 0 || len(rec) > MaxRecordBytes {
		return 0, fmt.Errorf("append to spool: record of %d bytes", len(rec))
	}
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.admit(now, len(rec)); err != nil {
		return 0, fmt.Errorf("append to spool: %w", err)
	}
	if s.pending.empty() {
		s.pending.since = now
		signal(s.kick)
	}
	return s.pending.add(rec), nil
}

// admit returns when a record of n bytes may be added, or why it may not. It gives the lock up while it waits.
func (s *Spool) admit(now time.Time, n int) error {
	var deadline *time.Timer
	for {
		if err := s.usable(); err != nil {
			return err
		}
		if int64(s.pending.end()-s.acked)+int64(n)+recordHeader > s.cfg.MaxBytes-s.cfg.SegmentBytes {
			return ErrFull
		}
		if s.lag(now) <= s.cfg.MaxLag && len(s.pending.buf)+n <= maxPending {
			return nil
		}
		if deadline == nil {
			deadline = time.NewTimer(s.cfg.StallTimeout)
			defer deadline.Stop()
		}
		if !s.waitChange(deadline.C) {
			return ErrStalled
		}
		now = s.cfg.Now()
	}
}

// waitChange gives the lock up until something changes; false means that the time was over first.
func (s *Spool) waitChange(timeout <-chan time.Time) bool {
	changed := s.changed
	signal(s.urgent)
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-changed:
		return true
	case <-timeout:
		return false
	}
}

func (s *Spool) usable() error {
	if s.err != nil {
		return s.err
	}
	if s.closed {
		return ErrClosed
	}
	return nil
}

// lag is the age of the oldest record that is not durable.
func (s *Spool) lag(now time.Time) time.Duration {
	switch {
	case !s.inflight.empty():
		return now.Sub(s.inflight.since)
	case !s.pending.empty():
		return now.Sub(s.pending.since)
	}
	return 0
}

// Sync returns when everything up to pos is on disk. One fsync serves all who wait.
func (s *Spool) Sync(ctx context.Context, pos Position) error {
	for {
		s.mu.Lock()
		failure, err, durable, end, changed := s.err, s.usable(), s.durable, s.pending.end(), s.changed
		s.mu.Unlock()
		switch {
		case durable >= pos && failure == nil:
			return nil
		case err != nil:
			return fmt.Errorf("sync spool: %w", err)
		case pos > end:
			return fmt.Errorf("sync spool: position %d is beyond the end %d", pos, end)
		}
		signal(s.urgent)
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("sync spool: %w", ctx.Err())
		}
	}
}

// Err returns the failure that ended the spool, if any. It stays.
func (s *Spool) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Failed is closed when the spool fails.
func (s *Spool) Failed() <-chan struct{} { return s.failed }

// Lag returns the age of the oldest record that is not durable yet, 0 if all are.
func (s *Spool) Lag() time.Duration {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lag(now)
}

// Stats is where a spool stands.
type Stats struct {
	Appended, Durable, Acked Position
	Bytes                    int64 // on disk and in memory, acknowledged ones included until their file goes
	Files                    int
	Flushes                  uint64
	Lag                      time.Duration
}

// Stats returns where the spool stands.
func (s *Spool) Stats() Stats {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	end := s.pending.end()
	if s.pending.empty() {
		end = s.durable
	}
	return Stats{
		Appended: end, Durable: s.durable, Acked: s.acked, Bytes: int64(end - s.files[0].base),
		Files: len(s.files), Flushes: s.flushes, Lag: s.lag(now),
	}
}

// Close writes what is pending and gives the folder free. It returns the failure that ended the spool, if any.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.done
		return nil
	}
	s.closed = true
	s.announce()
	s.mu.Unlock()
	signal(s.urgent)
	signal(s.kick)
	<-s.done
	if err := errors.Join(s.Err(), s.closeFiles()); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

func (s *Spool) closeFiles() error {
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	err := s.reader.close()
	if s.out != nil {
		err = errors.Join(err, s.out.Close())
	}
	return errors.Join(err, s.ack.close(), s.lock.Close())
}

// fail ends the spool. The caller holds no lock.
func (s *Spool) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	s.log.Error("the spool has failed, nothing more is accepted", "error", err)
	close(s.failed)
	s.announce()
}

// announce wakes all who wait. The caller holds the lock.
func (s *Spool) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
