package wholefile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "new", "config")
	for _, want := range []string{"one", "and another"} {
		if err := Write(name, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := Read(name, 100)
		if err != nil || string(got) != want {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v", left, err)
	}
}

func TestDiscardLeavesTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config")
	if err := Write(name, []byte("old")); err != nil {
		t.Fatal(err)
	}
	_, discard, err := Prepare(name, []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	discard()
	if got, err := Read(name, 100); err != nil || string(got) != "old" {
		t.Errorf("read %q, %v; want old", got, err)
	}
}

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "config")
	if got, err := Read(name, 3); got != nil || err != nil {
		t.Errorf("a missing file: %q, %v; want nothing", got, err)
	}
	if err := Write(name, []byte("longer")); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(name, 3); err != nil || string(got) != "long" {
		t.Errorf("a large file: %q, %v; want one byte over the limit", got, err)
	}
}

func TestTarget(t *testing.T) {
	dir := t.TempDir()
	file, link, lost := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "lost")
	if err := Write(file, nil); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{link: file, lost: filepath.Join(dir, "nothing")} {
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	real, err := filepath.EvalSymlinks(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Target(link); err != nil || got != real {
		t.Errorf("link: %q, %v; want %q", got, err, real)
	}
	if got, err := Target(filepath.Join(dir, "none")); err != nil || got != filepath.Join(dir, "none") {
		t.Errorf("nothing there: %q, %v; want the name itself", got, err)
	}
	if got, err := Target(lost); err == nil {
		t.Errorf("a link that leads nowhere: %q, want an error", got)
	}
}
