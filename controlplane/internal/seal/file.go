package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// maxFile bounds a key file in bytes; hundreds of keys fit.
const maxFile = 64 << 10

// ErrMode: the key file can be read or replaced by others.
var ErrMode = errors.New("seal key file is accessible to others")

// File returns the Sealer of a key file, which must be a regular file with no
// permission for group and others (else ErrMode). A missing file is an error
// that wraps fs.ErrNotExist.
func File(path string) (Sealer, error) {
	keys, err := read(path)
	if err != nil {
		return nil, err
	}
	return newEnvelope(keys)
}

// FileOrNew is File, but makes a missing file with a new random key and mode
// 0600. Whoever loses this file loses everything that was sealed with it, so
// replicas that share a store must share the file.
func FileOrNew(path string) (Sealer, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create seal key: %w", err)
		}
	}
	return File(path)
}

// Rotate adds a new key to the file, which seals from the next start on. The
// earlier keys stay, so that what they sealed still opens.
func Rotate(path string) error {
	keys, err := read(path)
	if err != nil {
		return err
	}
	manager := keyset.NewManagerFromHandle(keys)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("rotate seal key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return fmt.Errorf("rotate seal key: %w", err)
	}
	if keys, err = manager.Handle(); err != nil {
		return fmt.Errorf("rotate seal key: %w", err)
	}
	if err := write(path, keys, os.Rename); err != nil {
		return fmt.Errorf("rotate seal key: %w", err)
	}
	return nil
}

func read(path string) (*keyset.Handle, error) {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open seal key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open seal key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %v, want 0600", ErrMode, path, info.Mode())
	}
	keys, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(io.LimitReader(f, maxFile)))
	if err != nil { // its text may quote the file
		return nil, fmt.Errorf("seal key file %s is not a key set", path)
	}
	return keys, nil
}

func create(path string) error {
	keys, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	return write(path, keys, os.Link) // a link never replaces what another process made
}

// write makes the file complete and durable under another name before place
// gives it its own.
func write(path string, keys *keyset.Handle, place func(from, to string) error) error {
	var buf bytes.Buffer
	if err := insecurecleartextkeyset.Write(keys, keyset.NewJSONWriter(&buf)); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".seal-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(buf.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
