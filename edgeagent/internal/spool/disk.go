package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// disk is the border to the operating system, where tests put failures in.
type disk interface {
	// create makes a new file for appending, mode 0600.
	create(path string) (file, error)
	// reopen opens an existing file for appending and cuts it to size.
	reopen(path string, size int64) (file, error)
	// syncDir makes the names in a folder durable.
	syncDir(dir string) error
}

// file is a file that is written to its end.
type file interface {
	io.WriteCloser
	Sync() error
}

type osDisk struct{}

func (osDisk) create(path string) (file, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
}

func (osDisk) reopen(path string, size int64) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(size), f.Sync()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (osDisk) syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

const segmentSuffix = ".spool"

func segmentPath(dir string, base Position) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", uint64(base), segmentSuffix))
}

func parseSegmentName(name string) (Position, bool) {
	digits, ok := strings.CutSuffix(name, segmentSuffix)
	if !ok || len(digits) != 16 {
		return 0, false
	}
	base, err := strconv.ParseUint(digits, 16, 64)
	return Position(base), err == nil
}

func createSegment(cfg Config, base Position) (file, error) {
	f, err := cfg.disk.create(segmentPath(cfg.Dir, base))
	if err != nil {
		return nil, fmt.Errorf("begin spool file: %w", err)
	}
	if err := cfg.disk.syncDir(cfg.Dir); err != nil {
		f.Close()
		return nil, fmt.Errorf("begin spool file: %w", err)
	}
	return f, nil
}

// lockDir makes the folder and takes its lock, which the kernel gives free when the process ends.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}
