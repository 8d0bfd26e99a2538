package seal_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/writhq/writ/controlplane/internal/seal"
)

func newFile(t testing.TB) (string, seal.Sealer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "seal.key")
	s, err := seal.FileOrNew(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, s
}

func TestSealedValueOpensOnlyInItsPlace(t *testing.T) {
	_, s := newFile(t)
	_, other := newFile(t)
	plain, place := []byte("hunter2"), []byte("/writ/credentials/orders-db")
	sealed, err := s.Seal(plain, place)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain) {
		t.Fatal("sealed value shows the plain one")
	}
	again, err := s.Seal(plain, place)
	if err != nil || bytes.Equal(again, sealed) {
		t.Fatalf("sealing twice gave the same bytes (%v)", err)
	}
	got, err := s.Open(sealed, place)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("open: %q, %v", got, err)
	}
	refuse := func(what string, s seal.Sealer, sealed, aad []byte) {
		t.Helper()
		if got, err := s.Open(sealed, aad); !errors.Is(err, seal.ErrOpen) || got != nil {
			t.Fatalf("%s: got %q, %v", what, got, err)
		}
	}
	refuse("another place", s, sealed, []byte("/writ/credentials/other"))
	refuse("no place", s, sealed, nil)
	refuse("another key", other, sealed, place)
	refuse("nothing", s, nil, place)
	for i := range sealed {
		flipped := bytes.Clone(sealed)
		flipped[i] ^= 1
		refuse("flipped byte", s, flipped, place)
		refuse("cut", s, sealed[:i], place)
	}
}

func TestRotate(t *testing.T) {
	path, old := newFile(t)
	before, err := old.Seal([]byte("one"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := seal.Rotate(path); err != nil {
		t.Fatal(err)
	}
	rotated, err := seal.File(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := rotated.Open(before, nil); err != nil || string(got) != "one" {
		t.Fatalf("value from before: %q, %v", got, err)
	}
	after, err := rotated.Seal([]byte("two"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Open(after, nil); !errors.Is(err, seal.ErrOpen) {
		t.Fatalf("the old key still seals: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode after rotation: %v, %v", info.Mode(), err)
	}
}

func TestFileRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := seal.File(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := seal.File(dir); !errors.Is(err, seal.ErrMode) {
		t.Errorf("folder: %v", err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o777} {
		path, _ := newFile(t)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := seal.FileOrNew(path); !errors.Is(err, seal.ErrMode) {
			t.Errorf("mode %v: %v", mode, err)
		}
		if err := seal.Rotate(path); !errors.Is(err, seal.ErrMode) {
			t.Errorf("rotate with mode %v: %v", mode, err)
		}
	}
	secret := filepath.Join(dir, "garbage")
	if err := os.WriteFile(secret, []byte(`{"key": "hunter2"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.File(secret); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("garbage: %v", err)
	}
}

func TestFileOrNewRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	sealers := make([]seal.Sealer, 8)
	var wg sync.WaitGroup
	for i := range sealers {
		wg.Go(func() {
			var err error
			if sealers[i], err = seal.FileOrNew(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	sealed, err := sealers[0].Seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sealers {
		if _, err := s.Open(sealed, nil); err != nil {
			t.Errorf("process %d has another key", i)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".seal-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNone(t *testing.T) {
	if _, err := seal.None().Seal(nil, nil); !errors.Is(err, seal.ErrNotConfigured) {
		t.Error(err)
	}
	if _, err := seal.None().Open(nil, nil); !errors.Is(err, seal.ErrNotConfigured) {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	_, s := newFile(f)
	sealed, err := s.Seal([]byte("plain"), []byte("place"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{0, 0, 0, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		if _, err := s.Open(in, []byte("place")); err == nil && !bytes.Equal(in, sealed) {
			t.Fatalf("opened a forgery: %x", in)
		}
	})
}
