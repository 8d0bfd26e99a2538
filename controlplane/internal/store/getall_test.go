package store_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/writhq/writ/controlplane/internal/store"
)

func TestGetAll(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		numbers := store.Define[int](s, "numbers")
		var keys []string
		for i := range 3 * store.MaxTx / 2 {
			key := fmt.Sprintf("k%04d", i)
			if keys = append(keys, key); i%3 == 0 {
				continue
			}
			if _, err := numbers.Put(t.Context(), key, i); err != nil {
				t.Fatal(err)
			}
		}
		found, err := numbers.GetAll(t.Context(), keys)
		if err != nil {
			t.Fatal(err)
		}
		for i, key := range keys {
			e, ok := found[key]
			if ok != (i%3 != 0) || ok && (e.Value != i || e.Key != key || e.Revision == 0) {
				t.Fatalf("%s: %+v, %v", key, e, ok)
			}
		}
		if none, err := numbers.GetAll(t.Context(), nil); err != nil || len(none) != 0 {
			t.Fatal(none, err)
		}
		if _, err := numbers.GetAll(t.Context(), []string{"k0001", "../x"}); !errors.Is(err, store.ErrKey) {
			t.Fatalf("got %v", err)
		}
	})
}
