// Package wholefile reads and replaces the config files of other tools: whole or not at all, readable by their owner alone, and where a
// link leads.
package wholefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Target is the file itself where name is a link to it, and name where there is nothing yet. A link that leads nowhere is an error.
func Target(name string) (string, error) {
	target, err := filepath.EvalSymlinks(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return target, err
	}
	if _, err := os.Lstat(name); err == nil {
		return "", fmt.Errorf("%s leads nowhere", name)
	}
	return name, nil
}

// Read returns what a file holds, or its first limit+1 bytes where it is larger than limit. A missing file is an empty one.
func Read(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// Write puts content in the place of the file at once. It makes the folder, for its owner alone, if there is none.
func Write(name string, content []byte) error {
	commit, discard, err := Prepare(name, content)
	if err != nil {
		return err
	}
	defer discard()
	return commit()
}

// Prepare writes content beside the file. Then commit puts it in its place, and discard takes away what was not committed.
func Prepare(name string, content []byte) (commit func() error, discard func(), err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".writ-*") // mode 0600
	if err != nil {
		return nil, nil, err
	}
	discard = func() { os.Remove(f.Name()) }
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		discard()
		return nil, nil, err
	}
	return func() error { return os.Rename(f.Name(), name) }, discard, nil
}
