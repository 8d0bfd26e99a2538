package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/writhq/writ/controlplane/internal/store"
)

// Money moves between accounts of two collections while others audit: no
// transaction may ever see, or leave, another total.
func TestUpdateIsSerialisable(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		const accounts, start, movers, moves = 4, 100, 6, 25
		ctx := t.Context()
		banks := []*store.Collection[int]{store.Define[int](s, "bank-a"), store.Define[int](s, "bank-b")}
		for _, bank := range banks {
			for i := range accounts {
				if _, err := bank.Create(ctx, fmt.Sprint(i), start); err != nil {
					t.Fatal(err)
				}
			}
		}
		audit := func(tx *store.Tx) (total int, err error) {
			for _, bank := range banks {
				entries, err := bank.In(tx).List("")
				if err != nil {
					return 0, err
				}
				for _, e := range entries {
					total += e.Value
				}
			}
			return total, nil
		}
		move := func(tx *store.Tx) error {
			from, to := banks[rand.IntN(2)].In(tx), banks[rand.IntN(2)].In(tx)
			a, b, n := fmt.Sprint(rand.IntN(accounts)), fmt.Sprint(rand.IntN(accounts)), rand.IntN(10)
			source, err := from.Get(a)
			if err != nil {
				return err
			}
			if err := from.Put(a, source.Value-n); err != nil {
				return err
			}
			sink, err := to.Get(b) // sees the line above when it is the same account
			if err != nil {
				return err
			}
			return to.Put(b, sink.Value+n)
		}
		var wg sync.WaitGroup
		for range movers {
			wg.Go(func() {
				for range moves {
					if err := s.Update(ctx, move); err != nil && !errors.Is(err, store.ErrConflict) {
						t.Error(err)
					}
				}
			})
			wg.Go(func() {
				for range moves {
					if err := s.Update(ctx, func(tx *store.Tx) error {
						if total, err := audit(tx); err != nil || total != 2*accounts*start {
							return fmt.Errorf("total %d, %w", total, err)
						}
						return nil
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// Two transactions read what the other writes (write skew): only one may win
// for each kind of reading.
func TestUpdateSeesWhatItRead(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		notes := store.Define[int](s, "notes")
		reads := map[string]func(v store.View[int]) error{
			"a value":        func(v store.View[int]) error { _, err := v.Get("present"); return err },
			"an absence":     func(v store.View[int]) error { _, err := v.Get("new"); return ignore(err, store.ErrNotFound) },
			"a range":        func(v store.View[int]) error { _, err := v.List(""); return err },
			"an empty range": func(v store.View[int]) error { _, err := v.List("new"); return err },
			"a range, loses": func(v store.View[int]) error { _, err := v.List(""); return err },
		}
		interfere := map[string]func() error{
			"a value":        func() error { _, err := notes.Put(t.Context(), "present", 2); return err },
			"an absence":     func() error { _, err := notes.Put(t.Context(), "new", 2); return err },
			"a range":        func() error { _, err := notes.Put(t.Context(), "new", 2); return err },
			"an empty range": func() error { _, err := notes.Put(t.Context(), "new", 2); return err },
			"a range, loses": func() error { _, err := notes.Delete(t.Context(), "present"); return err },
		}
		for name, read := range reads {
			t.Run(name, func(t *testing.T) {
				if _, err := notes.Put(t.Context(), "present", 1); err != nil {
					t.Fatal(err)
				}
				_, err := notes.Delete(t.Context(), "new")
				if ignore(err, store.ErrNotFound) != nil {
					t.Fatal(err)
				}
				runs := 0
				err = s.Update(t.Context(), func(tx *store.Tx) error {
					runs++
					if err := read(notes.In(tx)); err != nil {
						return err
					}
					if runs == 1 {
						if err := interfere[name](); err != nil {
							return err
						}
					}
					return notes.In(tx).Put("result", runs)
				})
				if err != nil || runs != 2 {
					t.Fatalf("ran %d times, %v", runs, err)
				}
			})
		}
	})
}

func ignore(err, ignored error) error {
	if errors.Is(err, ignored) {
		return nil
	}
	return err
}

func TestUpdateReadsOneRevision(t *testing.T) {
	s := openEmbedded(t)
	notes := store.Define[int](s, "notes")
	for _, key := range []string{"a", "b"} {
		if _, err := notes.Put(t.Context(), key, 1); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		a, err := notes.In(tx).Get("a")
		if err != nil {
			return err
		}
		if _, err := notes.Put(t.Context(), "b", 2); err != nil {
			return err
		}
		b, err := notes.In(tx).Get("b")
		if err == nil && (a.Value != 1 || b.Value != 1) {
			err = fmt.Errorf("read %d and %d", a.Value, b.Value)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The snapshot that a transaction reads from may be compacted under it.
func TestUpdateSurvivesCompaction(t *testing.T) {
	s := openEmbedded(t)
	notes := store.Define[int](s, "notes")
	if _, err := notes.Put(t.Context(), "a", 1); err != nil {
		t.Fatal(err)
	}
	runs := 0
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		runs++
		if _, err := notes.In(tx).Get("a"); err != nil {
			return err
		}
		if runs == 1 {
			if _, err := notes.Put(t.Context(), "b", 1); err != nil {
				return err
			}
			if err := s.Compact(t.Context()); err != nil {
				return err
			}
		}
		_, err := notes.In(tx).Get("b")
		return err
	})
	if err != nil || runs != 2 {
		t.Fatalf("ran %d times, %v", runs, err)
	}
}

func TestView(t *testing.T) {
	s, other := openEmbedded(t), openEmbedded(t)
	notes, tags := store.Define[int](s, "notes"), store.Define[string](s, "tags")
	foreign := store.Define[int](other, "notes")
	if _, err := notes.Put(t.Context(), "old", 1); err != nil {
		t.Fatal(err)
	}
	check := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", what, err, want)
		}
	}
	boom := errors.New("boom")
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		v := notes.In(tx)
		check("create over", v.Create("old", 2), store.ErrExists)
		check("create", v.Create("new", 2), nil)
		check("create twice", v.Create("new", 2), store.ErrExists)
		check("delete", v.Delete("old"), nil)
		check("delete twice", v.Delete("old"), store.ErrNotFound)
		check("create after delete", v.Create("old", 3), nil)
		check("replace at 0", v.Replace("old", 3, 0), store.ErrConflict)
		check("bad key", v.Put("a b", 1), store.ErrKey)
		check("tag", tags.In(tx).Put("t", "x"), nil)
		if foreign.In(tx).Put("a", 1) == nil {
			t.Error("wrote into another store's transaction")
		}
		if _, err := foreign.In(tx).List(""); err == nil {
			t.Error("listed in another store's transaction")
		}
		entries, err := v.List("")
		check("list", err, nil)
		if len(entries) != 2 || entries[0].Key != "new" || entries[1].Value != 3 {
			t.Errorf("list: %+v", entries)
		}
		return boom
	})
	check("update", err, boom)
	if _, err := notes.Get(t.Context(), "new"); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a failed transaction wrote: %v", err)
	}
	e, err := notes.Get(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		check("stale replace", notes.In(tx).Replace("old", 9, e.Revision-1), store.ErrConflict)
		return notes.In(tx).Replace("old", 9, e.Revision)
	})
	check("replace", err, nil)
}

func TestUpdateLimits(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		notes := store.Define[int](s, "notes")
		fill := func(n int) error {
			return s.Update(t.Context(), func(tx *store.Tx) error {
				for i := range n {
					if err := notes.In(tx).Create(fmt.Sprint(i), i); ignore(err, store.ErrExists) != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := fill(store.MaxTx); err != nil {
			t.Fatal(err)
		}
		if err := fill(store.MaxTx + 1); err != nil { // reads that many, writes one
			if !errors.Is(err, store.ErrTooLarge) {
				t.Fatal(err)
			}
		}
		if err := s.Update(t.Context(), func(tx *store.Tx) error {
			for i := range store.MaxTx + 1 {
				if err := notes.In(tx).Put(fmt.Sprint(i), i); err != nil {
					return err
				}
			}
			return nil
		}); !errors.Is(err, store.ErrTooLarge) {
			t.Fatal(err)
		}
	})
}

func TestUpdateGivesUp(t *testing.T) {
	s := openEmbedded(t)
	notes := store.Define[int](s, "notes")
	runs := 0
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		runs++
		if _, err := notes.In(tx).Get("a"); ignore(err, store.ErrNotFound) != nil {
			return err
		}
		if _, err := notes.Put(t.Context(), "a", runs); err != nil {
			return err
		}
		return notes.In(tx).Put("b", runs)
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Fatalf("after %d runs: %v", runs, err)
	}
}
