package spool

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
)

// recover reads what is in the folder and makes the spool ready to append.
func (s *Spool) recover() error {
	if err := s.ack.open(s.cfg); err != nil {
		return err
	}
	s.acked = s.ack.pos
	if err := s.listFiles(); err != nil {
		return err
	}
	if err := s.dropAcked(); err != nil {
		return err
	}
	if len(s.files) == 0 {
		return s.startFresh()
	}
	if err := s.checkFiles(); err != nil {
		return err
	}
	last := s.files[len(s.files)-1]
	out, err := s.cfg.disk.reopen(segmentPath(s.cfg.Dir, last.base), int64(last.end-last.base))
	if err != nil {
		return fmt.Errorf("reopen spool file: %w", err)
	}
	s.out, s.durable, s.reader.next = out, last.end, s.acked
	return nil
}

func (s *Spool) startFresh() error {
	if s.acked != 0 {
		return fmt.Errorf("%w: records were acknowledged up to %d, but no file is left", ErrDamaged, s.acked)
	}
	out, err := createSegment(s.cfg, 0)
	if err != nil {
		return err
	}
	s.out, s.files = out, []segment{{}}
	return nil
}

// listFiles finds the files; their ends are as their sizes say.
func (s *Spool) listFiles() error {
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		base, ok := parseSegmentName(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		s.files = append(s.files, segment{base: base, end: base + Position(info.Size())})
	}
	slices.SortFunc(s.files, func(a, b segment) int {
		if a.base < b.base {
			return -1
		}
		return 1
	})
	return nil
}

// dropAcked removes the files a crash kept from being removed. The last stays, to go on from.
func (s *Spool) dropAcked() error {
	for len(s.files) > 1 && s.files[1].base <= s.acked {
		if err := os.Remove(segmentPath(s.cfg.Dir, s.files[0].base)); err != nil {
			return fmt.Errorf("remove acknowledged spool file: %w", err)
		}
		s.files = s.files[1:]
	}
	return nil
}

func (s *Spool) checkFiles() error {
	if first := s.files[0].base; first > s.acked {
		return fmt.Errorf("%w: records from %d to %d are missing", ErrDamaged, s.acked, first)
	}
	for i := range s.files {
		f, last := &s.files[i], i == len(s.files)-1
		end, err := s.checkFile(*f, last)
		if err != nil {
			return err
		}
		f.end = end
		if !last && end != s.files[i+1].base {
			return fmt.Errorf("%w: %s ends at offset %d, but the next file continues at %d", ErrDamaged,
				segmentPath(s.cfg.Dir, f.base), end-f.base, s.files[i+1].base-f.base)
		}
	}
	if end := s.files[len(s.files)-1].end; end < s.acked {
		return fmt.Errorf("%w: records were acknowledged up to %d, but the files end at %d", ErrDamaged, s.acked, end)
	}
	return nil
}

// checkFile checks every batch of a file and returns where the last good one ends. Only the last file may be torn.
func (s *Spool) checkFile(f segment, last bool) (Position, error) {
	path := segmentPath(s.cfg.Dir, f.base)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read spool file: %w", err)
	}
	good := goodPrefix(b, f.base)
	if good == len(b) {
		return f.base + Position(good), nil
	}
	if !last || !torn(b[good:], f.base+Position(good)) {
		return 0, fmt.Errorf("%w: %s at offset %d", ErrDamaged, path, good)
	}
	s.log.Warn("cut off a write that a crash interrupted", "file", path, "offset", good, "bytes", len(b)-good)
	return f.base + Position(good), nil
}

// goodPrefix returns the length of the whole batches that b, which begins at base, begins with.
func goodPrefix(b []byte, base Position) int {
	good := 0
	for {
		rest := b[good:]
		h, ok := readHeader(rest, base+Position(good))
		if !ok || h.payload > len(rest)-batchHeader {
			return good
		}
		payload := rest[batchHeader : batchHeader+h.payload]
		if crc32.Checksum(payload, castagnoli) != h.sum {
			return good
		}
		if _, err := split(payload); err != nil {
			return good
		}
		good += batchHeader + h.payload
	}
}

// torn tells whether b, which begins at position at with something that is no whole batch, can be what a crash leaves
// of the last write. It cannot if anything was written behind it, for that would have waited for this to be durable.
func torn(b []byte, at Position) bool {
	if h, ok := readHeader(b, at); ok {
		return batchHeader+h.payload >= len(b)
	}
	for i := 1; i < len(b); {
		next := bytes.Index(b[i:], []byte(batchMagic))
		if next < 0 {
			return true
		}
		i += next
		if _, ok := readHeader(b[i:], at+Position(i)); ok {
			return false
		}
		i++
	}
	return true
}
