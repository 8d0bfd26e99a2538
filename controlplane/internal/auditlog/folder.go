package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const tempPrefix = ".new-"

// Folder is an ObjectStore in a local folder. A new object is written beside
// its place, synced, linked into place (which never replaces) and its folder
// synced, so that a crash leaves all of it or nothing.
type Folder struct{ root *os.Root }

// OpenFolder opens dir, which it creates with mode 0700. A folder that others
// may enter is refused.
func OpenFolder(dir string) (*Folder, error) {
	if dir == "" {
		return nil, errors.New("record folder: a path is required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("record folder %s is open to others (mode %04o): chmod 700 it", dir, info.Mode().Perm())
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return &Folder{root: root}, nil
}

// Close releases the folder.
func (f *Folder) Close() error { return f.root.Close() }

// Put implements ObjectStore.
func (f *Folder) Put(_ context.Context, key string, data []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(data) > MaxObject {
		return fmt.Errorf("object of %d bytes, limit %d", len(data), MaxObject)
	}
	dir := path.Dir(key)
	if err := f.makeDir(dir); err != nil {
		return storage("make folder", err)
	}
	temp, err := f.writeTemp(dir, data)
	if err != nil {
		return storage("write object", err)
	}
	defer func() { _ = f.root.Remove(temp) }()
	if err := f.root.Link(temp, key); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return ErrExists
		}
		return storage("place object", err)
	}
	return storage("sync folder", f.syncDir(dir))
}

// makeDir makes a folder and syncs the ones above it that changed.
func (f *Folder) makeDir(dir string) error {
	if _, err := f.root.Stat(dir); err == nil {
		return nil
	}
	parent := path.Dir(dir)
	if parent != "." {
		if err := f.makeDir(parent); err != nil {
			return err
		}
	}
	if err := f.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.syncDir(parent)
}

func (f *Folder) writeTemp(dir string, data []byte) (name string, err error) {
	name = path.Join(dir, tempPrefix+tempName())
	file, err := f.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, f.root.Remove(name))
	}
	return name, nil
}

func (f *Folder) syncDir(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get implements ObjectStore.
func (f *Folder) Get(_ context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	file, err := f.root.Open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, storage("open object", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxObject+1))
	if err != nil {
		return nil, storage("read object", err)
	}
	if len(data) > MaxObject {
		return nil, fmt.Errorf("object over %d bytes", MaxObject)
	}
	return data, nil
}

// List implements ObjectStore.
func (f *Folder) List(ctx context.Context, folder string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		entries, err := f.entries(folder)
		if err != nil {
			yield("", err)
			return
		}
		for _, e := range entries {
			if !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
				continue
			}
			if ctx.Err() != nil {
				yield("", context.Cause(ctx))
				return
			}
			if !yield(path.Join(folder, e.Name()), nil) {
				return
			}
		}
	}
}

// Folders implements ObjectStore.
func (f *Folder) Folders(_ context.Context, folder string) ([]string, error) {
	entries, err := f.entries(folder)
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func (f *Folder) entries(folder string) ([]fs.DirEntry, error) {
	if err := checkKey(folder); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(f.root.FS(), filepath.ToSlash(folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, storage("list folder", err)
}

func storage(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrStorage, what, err)
}
