package awsconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrChanged is a file that others changed at the same time, again and again.
var ErrChanged = errors.New("the AWS config file changes while it is edited")

// tries bounds how often an edit begins anew since the file was changed meanwhile.
const tries = 3

// Edit changes a config file, and puts the new one, which only its owner can read, in the place of the old one at once. A
// missing file is an empty one. What edit refuses leaves the file as it is, as does an edit without effect. It may call
// edit several times.
func Edit(name string, edit func(*File) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make folder of AWS config: %w", err)
	}
	target, err := followed(name)
	if err != nil {
		return err
	}
	for range tries {
		done, err := editOnce(target, edit)
		if done || err != nil {
			return err
		}
	}
	return ErrChanged
}

func editOnce(name string, edit func(*File) error) (done bool, err error) {
	before, err := read(name)
	if err != nil {
		return false, err
	}
	f, err := Parse(before, false)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", name, err)
	}
	if err := edit(f); err != nil {
		return false, err
	}
	after := f.Bytes()
	if bytes.Equal(before, after) {
		return true, nil
	}
	return replace(name, before, after)
}

// Load reads a file; a missing one is empty.
func Load(name string, credentials bool) (*File, error) {
	content, err := read(name)
	if err != nil {
		return nil, err
	}
	return Parse(content, credentials)
}

// followed is the file itself where name is a link to it.
func followed(name string) (string, error) {
	target, err := filepath.EvalSymlinks(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(name); err == nil {
			return "", fmt.Errorf("read AWS config: %s leads nowhere", name)
		}
		return name, nil
	case err != nil:
		return "", fmt.Errorf("read AWS config: %w", err)
	}
	return target, nil
}

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read AWS config: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read AWS config: %w", err)
	}
	return content, nil
}

// replace writes the file whole or not at all, and not over what is no longer before.
func replace(name string, before, after []byte) (done bool, err error) {
	temp, err := write(filepath.Dir(name), after)
	if err != nil {
		return false, err
	}
	defer os.Remove(temp)
	if now, err := read(name); err != nil || !bytes.Equal(now, before) {
		return false, err
	}
	if err := os.Rename(temp, name); err != nil {
		return false, fmt.Errorf("write AWS config: %w", err)
	}
	return true, nil
}

// WriteFile writes a file that only its owner can read, whole or not at all, and makes its folder.
func WriteFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	temp, err := write(filepath.Dir(name), content)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	return os.Rename(temp, name)
}

func write(dir string, content []byte) (string, error) {
	f, err := os.CreateTemp(dir, ".writ-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("write AWS config: %w", err)
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("write AWS config: %w", err)
	}
	return f.Name(), nil
}
