// Package bundledir reads a policy bundle from a folder and writes one into a folder: the .cedar and .yaml files
// below it, and the number of the revision they were pulled from.
package bundledir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// ErrChanged says that a folder holds work that writing would lose.
var ErrChanged = errors.New("the folder has changes of its own")

// maxFile bounds one file, in bytes; the control plane's own limits are lower.
const maxFile = 4 << 20

// baseName is the file that keeps the revision's number. It starts with a dot, and so is no part of a bundle.
const baseName = ".writ-revision"

// Files are the bundle's files by slash-separated path.
type Files map[string][]byte

// Read returns the files below dir, at least one. Names that start with a dot are passed over; a link is an error.
func Read(dir string) (Files, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open policy folder: %w", err)
	}
	defer root.Close()
	files, err := read(root)
	if err == nil && len(files) == 0 {
		return nil, fmt.Errorf("read policy folder: no .cedar or .yaml files in %s", dir)
	}
	return files, err
}

func read(root *os.Root) (Files, error) {
	files := Files{}
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || !partOfBundle(name):
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is not a regular file", name)
		}
		files[name], err = readFile(root, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read policy folder: %w", err)
	}
	return files, nil
}

func partOfBundle(name string) bool {
	return slices.Contains([]string{".cedar", ".yaml", ".yml"}, path.Ext(name))
}

func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(raw) > maxFile {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return raw, err
}

// Write makes dir hold exactly files, as far as bundles go. Unless force is set, a folder that holds other bundle
// files, or others' content, is left as it is: ErrChanged. Names that leave dir are refused.
func Write(dir string, files Files, force bool) error {
	for name := range files {
		if !filepath.IsLocal(filepath.FromSlash(name)) || !partOfBundle(name) || strings.HasPrefix(path.Base(name), ".") {
			return fmt.Errorf("write policy folder: bad file name %q", name)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write policy folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("write policy folder: %w", err)
	}
	defer root.Close()
	have, err := read(root)
	if err != nil {
		return err
	}
	if lost := lost(have, files); len(lost) > 0 && !force {
		return fmt.Errorf("%w: %s", ErrChanged, strings.Join(lost, ", "))
	}
	return replace(root, have, files)
}

// lost names the files whose content would be gone.
func lost(have, files Files) []string {
	var names []string
	for name, content := range have {
		if kept, ok := files[name]; !ok || !bytes.Equal(content, kept) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func replace(root *os.Root, have, files Files) error {
	for name := range have {
		if _, keep := files[name]; !keep {
			if err := root.Remove(filepath.FromSlash(name)); err != nil {
				return fmt.Errorf("write policy folder: %w", err)
			}
		}
	}
	for name, content := range files {
		local := filepath.FromSlash(name)
		if err := root.MkdirAll(filepath.Dir(local), 0o755); err != nil {
			return fmt.Errorf("write policy folder: %w", err)
		}
		if err := root.WriteFile(local, content, 0o644); err != nil {
			return fmt.Errorf("write policy folder: %w", err)
		}
	}
	return nil
}

// Base returns the revision that dir was pulled from or pushed as, 0 for none.
func Base(dir string) (uint64, error) {
	raw, err := os.ReadFile(filepath.Join(dir, baseName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read base revision: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read base revision: %s holds no number", filepath.Join(dir, baseName))
	}
	return n, nil
}

// SetBase keeps the revision that dir now stands for.
func SetBase(dir string, revision uint64) error {
	text := strconv.FormatUint(revision, 10) + "\n"
	if err := os.WriteFile(filepath.Join(dir, baseName), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write base revision: %w", err)
	}
	return nil
}

// Diff returns what leads from old to new in unified form, "" for nothing.
func Diff(oldLabel string, old Files, newLabel string, new Files) string {
	names := map[string]bool{}
	for name := range old {
		names[name] = true
	}
	for name := range new {
		names[name] = true
	}
	var b strings.Builder
	for _, name := range sorted(names) {
		b.Write(diff.Diff(oldLabel+"/"+name, old[name], newLabel+"/"+name, new[name]))
	}
	return b.String()
}

func sorted(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
