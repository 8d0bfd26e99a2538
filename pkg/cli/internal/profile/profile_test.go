package profile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "writ")
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(); !errors.Is(err, ErrNone) {
		t.Errorf("empty store: %v", err)
	}
	want := Login{Server: "https://a:1", Token: "t", Principal: "kim"}
	for range 2 {
		if err := s.Save(want); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Load(); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	for name, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, fileName): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	for range 2 {
		if err := s.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Load(); !errors.Is(err, ErrNone) {
		t.Errorf("after remove: %v", err)
	}
}

func TestStoreRefusesWhatOthersReach(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(Login{}); !errors.Is(err, ErrExposed) {
		t.Errorf("open folder: %v", err)
	}
	name := filepath.Join(dir, fileName)
	if err := os.WriteFile(name, []byte(`{"token": "s3cret"`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(); !errors.Is(err, ErrExposed) {
		t.Errorf("open file: %v", err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("broken file: %v", err)
	}
}

func TestDir(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"WRIT_HOME": "/w", "XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/w"},
		{map[string]string{"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/writ"},
		{map[string]string{"XDG_CONFIG_HOME": "relative", "HOME": "/h"}, "/h/.config/writ"},
		{nil, ""},
	} {
		got, err := Dir(func(n string) string { return c.env[n] })
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Dir(%v) = %q, %v", c.env, got, err)
		}
	}
}
