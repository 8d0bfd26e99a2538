package awsconfig

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/writhq/writ/pkg/cli/internal/wholefile"
)

// ErrChanged is a file that others changed at the same time, again and again.
var ErrChanged = errors.New("the AWS config file changes while it is edited")

// tries bounds how often an edit begins anew since the file was changed meanwhile.
const tries = 3

// Edit changes a config file, and puts the new one, which only its owner can read, in the place of the old one at once. A
// missing file is an empty one. What edit refuses leaves the file as it is, as does an edit without effect. It may call
// edit several times.
func Edit(name string, edit func(*File) error) error {
	target, err := wholefile.Target(name)
	if err != nil {
		return fmt.Errorf("read AWS config: %w", err)
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

func read(name string) ([]byte, error) {
	content, err := wholefile.Read(name, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read AWS config: %w", err)
	}
	return content, nil
}

// replace writes the file whole or not at all, and not over what is no longer before.
func replace(name string, before, after []byte) (done bool, err error) {
	commit, discard, err := wholefile.Prepare(name, after)
	if err != nil {
		return false, fmt.Errorf("write AWS config: %w", err)
	}
	defer discard()
	if now, err := read(name); err != nil || !bytes.Equal(now, before) {
		return false, err
	}
	if err := commit(); err != nil {
		return false, fmt.Errorf("write AWS config: %w", err)
	}
	return true, nil
}
