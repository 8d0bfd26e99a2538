// Package profile keeps who is signed in, and where, in a private folder: one login, one file, written whole.
package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/writhq/writ/pkg/cli/internal/wholefile"
)

var (
	// ErrNone says that nobody is signed in.
	ErrNone = errors.New("not signed in")
	// ErrExposed says that others than the owner can reach the folder or the file.
	ErrExposed = errors.New("others can read it")
)

// fileName is the login's file in the folder.
const fileName = "login.json"

// maxSize bounds the file, in bytes.
const maxSize = 1 << 20

// Login is what a sign-in leaves behind.
type Login struct {
	Server    string    `json:"server"`
	CAPEM     string    `json:"ca_pem,omitempty"`
	Pin       string    `json:"pin,omitempty"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Principal string    `json:"principal"`
}

// Store keeps a login in a folder.
type Store struct{ dir string }

// Open returns the store in dir, which need not exist yet.
func Open(dir string) (*Store, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("profile folder %q is not an absolute path", dir)
	}
	return &Store{dir: dir}, nil
}

// Dir finds the folder: $WRIT_HOME, $XDG_CONFIG_HOME/writ or $HOME/.config/writ. getenv returns "" for what is not set.
func Dir(getenv func(string) string) (string, error) {
	if dir := getenv("WRIT_HOME"); dir != "" {
		return filepath.Abs(dir)
	}
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "writ"), nil
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".config", "writ"), nil
	}
	return "", errors.New("no home folder: none of WRIT_HOME, XDG_CONFIG_HOME and HOME is set")
}

// Load returns the login. Errors: ErrNone, ErrExposed.
func (s *Store) Load() (Login, error) {
	name := filepath.Join(s.dir, fileName)
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Login{}, ErrNone
	case err != nil:
		return Login{}, fmt.Errorf("read login: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return Login{}, fmt.Errorf("read login %s: %w", name, ErrExposed)
	case info.Size() > maxSize:
		return Login{}, fmt.Errorf("read login %s: larger than %d bytes", name, maxSize)
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return Login{}, fmt.Errorf("read login: %w", err)
	}
	var l Login
	if err := json.Unmarshal(raw, &l); err != nil {
		// The decoder's error could quote the token.
		return Login{}, fmt.Errorf("read login %s: not a login file", name)
	}
	return l, nil
}

// Save replaces the login, whole or not at all.
func (s *Store) Save(l Login) error {
	if err := s.prepare(); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("write login: %w", err)
	}
	if err := wholefile.Write(filepath.Join(s.dir, fileName), append(raw, '\n')); err != nil {
		return fmt.Errorf("write login: %w", err)
	}
	return nil
}

// Remove deletes the login; without one it does nothing.
func (s *Store) Remove() error {
	err := os.Remove(filepath.Join(s.dir, fileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove login: %w", err)
	}
	return nil
}

// prepare makes the folder, and refuses one that others can enter.
func (s *Store) prepare() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make profile folder: %w", err)
	}
	info, err := os.Stat(s.dir)
	if err != nil {
		return fmt.Errorf("make profile folder: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("profile folder %s: %w", s.dir, ErrExposed)
	}
	return nil
}
