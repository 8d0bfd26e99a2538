package spool

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// faultyDisk fails or holds writes on demand.
type faultyDisk struct {
	osDisk
	writeErr, syncErr, createErr atomic.Pointer[error]
	held                         atomic.Pointer[chan struct{}]
}

type faultyFile struct {
	file
	disk *faultyDisk
}

func set(p *atomic.Pointer[error], err error) { p.Store(&err) }

func (d *faultyDisk) create(path string) (file, error) {
	if err := d.createErr.Load(); err != nil {
		return nil, *err
	}
	f, err := d.osDisk.create(path)
	return faultyFile{f, d}, err
}

func (d *faultyDisk) reopen(path string, size int64) (file, error) {
	f, err := d.osDisk.reopen(path, size)
	return faultyFile{f, d}, err
}

func (f faultyFile) Write(b []byte) (int, error) {
	if err := f.disk.writeErr.Load(); err != nil {
		n, _ := f.file.Write(b[:len(b)/2])
		return n, *err
	}
	return f.file.Write(b)
}

func (f faultyFile) Sync() error {
	if held := f.disk.held.Load(); held != nil {
		<-*held
	}
	if err := f.disk.syncErr.Load(); err != nil {
		return *err
	}
	return f.file.Sync()
}

func TestFailureStays(t *testing.T) {
	for name, tc := range map[string]struct {
		fault func(*faultyDisk)
		want  error
	}{
		"disk full":    {func(d *faultyDisk) { set(&d.writeErr, syscall.ENOSPC) }, syscall.ENOSPC},
		"fsync fails":  {func(d *faultyDisk) { set(&d.syncErr, syscall.EIO) }, syscall.EIO},
		"no new files": {func(d *faultyDisk) { set(&d.createErr, syscall.EMFILE) }, syscall.EMFILE},
	} {
		t.Run(name, func(t *testing.T) {
			d := new(faultyDisk)
			cfg := testConfig(t.TempDir())
			cfg.SegmentBytes, cfg.disk = 100, d
			s := open(t, cfg)
			put(t, s, 0, 10)
			tc.fault(d)
			pos, err := s.Append(record(10))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Sync(t.Context(), pos); !errors.Is(err, tc.want) {
				t.Fatalf("sync: %v", err)
			}
			<-s.Failed()
			d.writeErr.Store(nil) // the disk is well again; the spool is not
			d.syncErr.Store(nil)
			d.createErr.Store(nil)
			if _, err := s.Append(record(11)); !errors.Is(err, tc.want) {
				t.Errorf("append: %v", err)
			}
			if err := s.Sync(t.Context(), 1); !errors.Is(err, tc.want) {
				t.Errorf("sync: %v", err)
			}
			wantRest(t, s, 0, 10) // what was durable can still be shipped
			if _, err := s.Next(t.Context()); !errors.Is(err, tc.want) {
				t.Errorf("next: %v", err)
			}
			if err := s.Close(); !errors.Is(err, tc.want) {
				t.Errorf("close: %v", err)
			}
			again := open(t, cfg)
			if got := rest(t, again); len(got) < 10 {
				t.Errorf("%d records are left", len(got))
			}
			put(t, again, 11, 12)
		})
	}
}

func TestStallHoldsBack(t *testing.T) {
	d := new(faultyDisk)
	var now atomic.Int64
	cfg := testConfig(t.TempDir())
	cfg.disk, cfg.StallTimeout = d, time.Millisecond
	cfg.Now = func() time.Time { return time.Unix(0, now.Load()) }
	s := open(t, cfg)
	held := make(chan struct{})
	d.held.Store(&held)

	first, err := s.Append(record(0))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Sync(ctx, first); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("sync on a held disk: %v", err)
	}
	now.Add(int64(cfg.orMaxLag()))
	if _, err := s.Append(record(1)); err != nil {
		t.Fatalf("append within the lag: %v", err)
	}
	now.Add(1)
	if _, err := s.Append(record(2)); !errors.Is(err, ErrStalled) {
		t.Fatalf("append beyond the lag: %v", err)
	}
	if s.Lag() <= cfg.orMaxLag() {
		t.Errorf("lag %s", s.Lag())
	}
	d.held.Store(nil)
	close(held)
	s.cfg.StallTimeout = time.Minute
	pos, err := s.Append(record(2)) // waits for the disk, then goes on
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context(), pos); err != nil {
		t.Fatal(err)
	}
	wantRest(t, s, 0, 3)
	if s.Lag() != 0 {
		t.Errorf("lag %s when all is durable", s.Lag())
	}
}

func (c Config) orMaxLag() time.Duration { return orDefault(c.MaxLag, 50*time.Millisecond) }
