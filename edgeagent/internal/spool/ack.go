package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// ackFile keeps the acknowledged position in two slots, written in turn, so that a torn write leaves the other.
type ackFile struct {
	mu   sync.Mutex
	f    *os.File
	pos  Position
	slot int64
}

const (
	ackName  = "acked"
	ackSlot  = 512 // bytes from slot to slot: one sector each
	ackBytes = 12  // position, CRC-32C
)

func (a *ackFile) open(cfg Config) error {
	f, err := os.OpenFile(filepath.Join(cfg.Dir, ackName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	a.f = f
	if err := cfg.disk.syncDir(cfg.Dir); err != nil {
		return err
	}
	for slot := range int64(2) {
		var b [ackBytes]byte
		if _, err := f.ReadAt(b[:], slot*ackSlot); errors.Is(err, io.EOF) {
			continue
		} else if err != nil {
			return fmt.Errorf("read acknowledged position: %w", err)
		}
		pos := Position(binary.LittleEndian.Uint64(b[:]))
		if crc32.Checksum(b[:8], castagnoli) == binary.LittleEndian.Uint32(b[8:]) && pos >= a.pos {
			a.pos, a.slot = pos, 1-slot
		}
	}
	return nil
}

// store makes pos the acknowledged position, durably.
func (a *ackFile) store(pos Position) error {
	b := binary.LittleEndian.AppendUint64(nil, uint64(pos))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if _, err := a.f.WriteAt(b, a.slot*ackSlot); err != nil {
		return fmt.Errorf("write acknowledged position: %w", err)
	}
	if err := a.f.Sync(); err != nil {
		return fmt.Errorf("write acknowledged position: %w", err)
	}
	a.pos, a.slot = pos, 1-a.slot
	return nil
}

func (a *ackFile) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.f == nil {
		return nil
	}
	err := a.f.Close()
	a.f = nil
	return err
}

// Ack says that everything up to pos, which Append or Next returned, is safe elsewhere. It is remembered durably, and whole files below it are
// removed. A pos that was acknowledged before does nothing; one that is not durable yet is an error.
func (s *Spool) Ack(pos Position) error {
	s.ack.mu.Lock()
	defer s.ack.mu.Unlock()
	s.mu.Lock()
	durable, acked, closed := s.durable, s.acked, s.closed
	s.mu.Unlock()
	switch {
	case closed || s.ack.f == nil:
		return fmt.Errorf("acknowledge: %w", ErrClosed)
	case pos > durable:
		return fmt.Errorf("acknowledge: position %d is beyond the durable %d", pos, durable)
	case pos <= acked:
		return nil
	}
	if err := s.ack.store(pos); err != nil {
		s.fail(err)
		return err
	}
	return s.forget(pos)
}

// forget moves the acknowledged position and removes the files below it.
func (s *Spool) forget(pos Position) error {
	s.mu.Lock()
	s.acked = pos
	var gone []segment
	for len(s.files) > 1 && s.files[0].end <= pos {
		gone = append(gone, s.files[0])
		s.files = s.files[1:]
	}
	s.announce()
	s.mu.Unlock()
	for _, f := range gone {
		if err := os.Remove(segmentPath(s.cfg.Dir, f.base)); err != nil {
			err = fmt.Errorf("remove acknowledged spool file: %w", err)
			s.fail(err)
			return err
		}
	}
	return nil
}
