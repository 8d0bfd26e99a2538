package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/controlplane/internal/store"
)

type note struct {
	Text string `json:"text"`
	N    int    `json:"n"`
}

func TestCollection(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		notes := store.Define[note](s, "notes")
		ctx := t.Context()
		wantErr := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Fatalf("%s: got %v, want %v", what, err, want)
			}
		}
		_, err := notes.Get(ctx, "a")
		wantErr("get absent", err, store.ErrNotFound)
		_, err = notes.Delete(ctx, "a")
		wantErr("delete absent", err, store.ErrNotFound)
		_, err = notes.Replace(ctx, "a", note{}, 0)
		wantErr("replace absent at 0", err, store.ErrConflict)
		_, err = notes.Replace(ctx, "a", note{}, 1)
		wantErr("replace absent", err, store.ErrConflict)

		r1, err := notes.Create(ctx, "a", note{Text: "one"})
		wantErr("create", err, nil)
		_, err = notes.Create(ctx, "a", note{})
		wantErr("create again", err, store.ErrExists)
		r2, err := notes.Replace(ctx, "a", note{Text: "two"}, r1)
		wantErr("replace", err, nil)
		_, err = notes.Replace(ctx, "a", note{Text: "stale"}, r1)
		wantErr("replace stale", err, store.ErrConflict)

		e, err := notes.Get(ctx, "a")
		wantErr("get", err, nil)
		if want := (store.Entry[note]{Key: "a", Value: note{Text: "two"}, Revision: r2, Created: r1}); e != want {
			t.Fatalf("got %+v, want %+v", e, want)
		}
		_, err = notes.Delete(ctx, "a")
		wantErr("delete", err, nil)
		_, err = notes.Replace(ctx, "a", note{}, r2)
		wantErr("replace deleted", err, store.ErrConflict)
		wantErr("ready", s.Ready(ctx), nil)
	})
}

func TestKeys(t *testing.T) {
	notes := store.Define[note](openEmbedded(t), "notes")
	for _, key := range []string{"", "/", "/a", "a/", "a//b", ".", "a/..", "a b", "a\x00", "ä", "a*", strings.Repeat("a", store.MaxKey+1)} {
		if _, err := notes.Put(t.Context(), key, note{}); !errors.Is(err, store.ErrKey) {
			t.Errorf("put %q: %v", key, err)
		}
		if _, err := notes.Get(t.Context(), key); !errors.Is(err, store.ErrKey) {
			t.Errorf("get %q: %v", key, err)
		}
	}
	hard := [][]string{{"a/b"}, {"a", "b"}, {"a%2Fb"}, {".."}, {"%2E%2E"}, {"ä b"}, {"a", "%"}}
	for i, parts := range hard {
		if _, err := notes.Create(t.Context(), store.Key(parts...), note{N: i}); err != nil {
			t.Errorf("create %q: %v", parts, err)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add("a", "b")
	f.Add("..", "%2F/")
	f.Fuzz(func(t *testing.T, a, b string) {
		one, two := store.Key(a), store.Key(b)
		if (one == two) != (a == b) {
			t.Fatalf("%q and %q give %q and %q", a, b, one, two)
		}
		if strings.ContainsAny(one, "/ \x00") {
			t.Fatalf("%q gives %q", a, one)
		}
	})
}

func TestDefineRefuses(t *testing.T) {
	s := openEmbedded(t)
	for _, name := range []string{"", "a/b", "A", "a b", ".."} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("defined %q", name)
				}
			}()
			store.Define[note](s, name)
		}()
	}
}

func TestList(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		notes := store.Define[note](s, "notes")
		store.Define[note](s, "notes-other").Put(t.Context(), "x", note{})
		var want []string
		for i := range 1203 { // more than two pages
			key := fmt.Sprintf("%c/%04d", 'a'+i%3, i)
			want = append(want, key)
			if _, err := notes.Put(t.Context(), key, note{N: i}); err != nil {
				t.Fatal(err)
			}
		}
		slices.Sort(want)
		keys := func(opts store.ListOptions) []string {
			entries, rev, err := notes.List(t.Context(), opts)
			if err != nil || rev == 0 {
				t.Fatal(err, rev)
			}
			var keys []string
			for _, e := range entries {
				keys = append(keys, e.Key)
			}
			return keys
		}
		check := func(what string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Fatalf("%s: got %d keys, want %d", what, len(got), len(want))
			}
		}
		check("all", keys(store.ListOptions{}), want)
		check("folder", keys(store.ListOptions{Prefix: "b/"}), want[401:802])
		check("limit", keys(store.ListOptions{Limit: 3}), want[:3])
		check("limit over a page", keys(store.ListOptions{Limit: 700}), want[:700])
		check("after", keys(store.ListOptions{After: want[1200]}), want[1201:])
		check("after in folder", keys(store.ListOptions{Prefix: "b/", After: want[800]}), want[801:802])
		check("after another folder", keys(store.ListOptions{Prefix: "b/", After: "c/9"}), nil)
		check("before the folder", keys(store.ListOptions{Prefix: "b/", After: "a/1"}), want[401:802])
		check("after the end", keys(store.ListOptions{After: "z"}), nil)
		if n, err := notes.Count(t.Context(), "c/"); err != nil || n != 401 {
			t.Fatalf("count %d, %v", n, err)
		}
	})
}

func TestValueTooLarge(t *testing.T) {
	notes := store.Define[string](openEmbedded(t), "notes")
	_, err := notes.Put(t.Context(), "a", strings.Repeat("x", store.MaxValue))
	if !errors.Is(err, store.ErrTooLarge) {
		t.Fatal(err)
	}
	if _, err := notes.Put(t.Context(), "a", strings.Repeat("x", store.MaxValue-2)); err != nil {
		t.Fatal(err)
	}
}

// A value of another shape is corrupt, and the error must not quote it.
func TestCorruptValueIsNotQuoted(t *testing.T) {
	s := openEmbedded(t)
	if _, err := store.Define[string](s, "notes").Put(t.Context(), "a", "hunter2"); err != nil {
		t.Fatal(err)
	}
	_, err := store.Define[note](s, "notes").Get(t.Context(), "a")
	if !errors.Is(err, store.ErrCorrupt) || strings.Contains(err.Error(), "hunter2") {
		t.Fatal(err)
	}
}
