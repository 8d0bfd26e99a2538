package bundledir

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWriteAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policy")
	files := Files{"a.cedar": []byte("1"), "sub/t.yaml": []byte("2")}
	must(t, Write(dir, files, false))
	must(t, SetBase(dir, 7))
	must(t, os.WriteFile(filepath.Join(dir, "README.md"), []byte("x"), 0o600))
	got, err := Read(dir)
	must(t, err)
	if !maps.EqualFunc(got, files, slices.Equal) {
		t.Errorf("got %v", got)
	}
	if n, err := Base(dir); n != 7 || err != nil {
		t.Errorf("base %d, %v", n, err)
	}
	must(t, Write(dir, files, false)) // the same again loses nothing

	next := Files{"a.cedar": []byte("1"), "b.cedar": []byte("3")}
	if err := Write(dir, next, false); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), "sub/t.yaml") {
		t.Errorf("would lose a file: %v", err)
	}
	must(t, Write(dir, next, true))
	got, err = Read(dir)
	must(t, err)
	if !maps.EqualFunc(got, next, slices.Equal) {
		t.Errorf("after force: %v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		t.Error("force took a file that is no policy")
	}
}

func TestWriteStaysInside(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"../x.cedar", "/x.cedar", "a/../../x.cedar", ".hidden.cedar", "x.sh", ""} {
		if err := Write(dir, Files{name: nil}, true); err == nil {
			t.Errorf("wrote %q", name)
		}
	}
	outside := t.TempDir()
	must(t, os.Symlink(outside, filepath.Join(dir, "link")))
	if err := Write(dir, Files{"link/x.cedar": []byte("x")}, true); err == nil {
		t.Error("wrote through a link")
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("outside: %v", left)
	}
}

func TestReadRefuses(t *testing.T) {
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("read an empty folder")
	}
	dir := t.TempDir()
	must(t, os.Symlink("/etc/hostname", filepath.Join(dir, "x.cedar")))
	if _, err := Read(dir); err == nil {
		t.Error("read a link")
	}
}

func TestDiff(t *testing.T) {
	old := Files{"a.cedar": []byte("1\n"), "gone.cedar": []byte("2\n")}
	text := Diff("old", old, "new", Files{"a.cedar": []byte("1\n"), "new.cedar": []byte("3\n")})
	for _, want := range []string{"--- old/gone.cedar", "-2", "+++ new/new.cedar", "+3"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if text := Diff("a", old, "b", old); text != "" {
		t.Errorf("the same differs: %s", text)
	}
}
