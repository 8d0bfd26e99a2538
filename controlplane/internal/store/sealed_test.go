package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/store"
)

func TestSealed(t *testing.T) {
	s := openEmbedded(t)
	sealer, err := seal.FileOrNew(filepath.Join(t.TempDir(), "seal.key"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := store.Define[string](s, "secrets", store.Sealed(sealer))
	if _, err := secrets.Put(t.Context(), "a", "hunter2"); err != nil {
		t.Fatal(err)
	}
	if e, err := secrets.Get(t.Context(), "a"); err != nil || e.Value != "hunter2" {
		t.Fatal(e, err)
	}
	if _, err := store.Define[string](s, "secrets").Get(t.Context(), "a"); !errors.Is(err, store.ErrCorrupt) {
		t.Fatalf("reads without the key: %v", err)
	}
	for _, to := range []string{"secrets/b", "others/a"} {
		if err := s.Move(t.Context(), "secrets/a", to); err != nil {
			t.Fatal(err)
		}
	}
	_, moved := secrets.Get(t.Context(), "b")
	_, elsewhere := store.Define[string](s, "others", store.Sealed(sealer)).Get(t.Context(), "a")
	_, _, list := secrets.List(t.Context(), store.ListOptions{})
	inside := s.Update(t.Context(), func(tx *store.Tx) error { _, err := secrets.In(tx).Get("b"); return err })
	follow := secrets.Follow(t.Context(), func([]store.Entry[string], store.Revision) {}, nil)
	for name, err := range map[string]error{"moved": moved, "elsewhere": elsewhere, "list": list, "update": inside, "follow": follow} {
		if !errors.Is(err, store.ErrCorrupt) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSealedWithoutKey(t *testing.T) {
	s := openEmbedded(t)
	for _, sealer := range []store.Sealer{nil, seal.None()} {
		secrets := store.Define[string](s, "secrets", store.Sealed(sealer))
		if _, err := secrets.Put(t.Context(), "a", "hunter2"); err == nil {
			t.Fatal("kept a secret in the clear")
		}
	}
}
