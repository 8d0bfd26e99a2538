package kubeconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/writhq/writ/pkg/cli/internal/wholefile"
)

// ErrLocked is a file that something else edits, or left locked.
var ErrLocked = errors.New("the kubeconfig is locked")

const (
	lockWait  = 5 * time.Second
	lockRetry = 50 * time.Millisecond
)

// Edit changes a kubeconfig under the lock that kubectl takes too, and puts the new one, which only its owner can read,
// in the place of the old one at once. A missing file is an empty one. What edit refuses, and what would not read the
// same afterwards, leaves the file as it is, as does an edit without effect.
func Edit(ctx context.Context, name string, edit func(*File) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make kubeconfig folder: %w", err)
	}
	unlock, err := lock(ctx, name+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	target, err := wholefile.Target(name)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	content, err := wholefile.Read(target, maxFile)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	f, err := parse(content)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	before, err := f.format()
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := edit(f); err != nil {
		return err
	}
	after, err := f.format()
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if bytes.Equal(before, after) {
		return nil
	}
	if err := wholefile.Write(target, after); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}

// lock makes the lock file, as k8s.io/client-go/tools/clientcmd does, and waits a while for one that is there.
func lock(ctx context.Context, name string) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	tick := time.NewTicker(lockRetry)
	defer tick.Stop()
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0)
		if err == nil {
			_ = f.Close()
			return func() { _ = os.Remove(name) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("lock kubeconfig: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %s is there", ErrLocked, name)
		case <-tick.C:
		}
	}
}
