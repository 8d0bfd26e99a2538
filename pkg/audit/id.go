package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// RecordID identifies a record among all edges and sorts by the time it was made. Layout, big endian: 48 bits of
// Unix milliseconds, a 32-bit counter, 48 random bits of the source. Its text form is a ULID's: 26 characters of
// Crockford's base 32.
type RecordID [16]byte

// IsZero tells whether the id was never set.
func (id RecordID) IsZero() bool { return id == RecordID{} }

// Time returns the millisecond the id was made in.
func (id RecordID) Time() time.Time { return ulid.ULID(id).Timestamp().UTC() }

// String returns the 26-character form.
func (id RecordID) String() string { return ulid.ULID(id).String() }

// MarshalText returns the 26-character form.
func (id RecordID) MarshalText() ([]byte, error) { return ulid.ULID(id).MarshalText() }

// UnmarshalText reads the 26-character form, strictly.
func (id *RecordID) UnmarshalText(text []byte) error {
	parsed, err := ParseRecordID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ParseRecordID reads the 26-character form, strictly.
func ParseRecordID(s string) (RecordID, error) {
	id, err := ulid.ParseStrict(s)
	if err != nil {
		return RecordID{}, fmt.Errorf("parse record id: %w", err)
	}
	return RecordID(id), nil
}

// IDSource makes record ids. One per process start; safe for concurrent use.
type IDSource struct {
	node [6]byte

	mu      sync.Mutex
	ms      uint64
	counter uint32
}

// NewIDSource returns a source whose ids carry 48 bits read from rand, which tell it from every other source.
func NewIDSource(rand io.Reader) (*IDSource, error) {
	if rand == nil {
		return nil, errors.New("record ids need a source of randomness")
	}
	s := new(IDSource)
	if _, err := io.ReadFull(rand, s.node[:]); err != nil {
		return nil, fmt.Errorf("seed record ids: %w", err)
	}
	return s, nil
}

// Next returns an id for now, greater than every id it returned before, even when the clock steps back.
func (s *IDSource) Next(now time.Time) RecordID {
	ms := uint64(max(now.UnixMilli(), 0))
	s.mu.Lock()
	switch {
	case ms > s.ms:
		s.ms, s.counter = ms, 0
	case s.counter == 1<<32-1:
		s.ms, s.counter = s.ms+1, 0
	default:
		s.counter++
	}
	ms, counter := s.ms, s.counter
	s.mu.Unlock()

	var id RecordID
	binary.BigEndian.PutUint64(id[:8], ms<<16)
	binary.BigEndian.PutUint32(id[6:10], counter)
	copy(id[10:], s.node[:])
	return id
}
