package controlplane

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/writhq/writ/controlplane/internal/store"
)

const (
	sharedKeySize = 32 // bytes
	sharedKeyName = "current"
)

// sharedKey returns a key that all replicas share, such as that of stable hashes in masked values. It is made once and
// sealed in the store, in a collection of its own.
func sharedKey(ctx context.Context, st *store.Store, sealer store.Sealer, collection string) ([]byte, error) {
	keys := store.Define[[]byte](st, collection, store.Sealed(sealer))
	fresh := make([]byte, sharedKeySize)
	_, _ = rand.Read(fresh) // never fails, see crypto/rand
	if _, err := keys.Create(ctx, sharedKeyName, fresh); err != nil && !errors.Is(err, store.ErrExists) {
		return nil, fmt.Errorf("make %s: %w", collection, err)
	}
	e, err := keys.Get(ctx, sharedKeyName)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", collection, err)
	}
	if len(e.Value) != sharedKeySize {
		return nil, fmt.Errorf("%s has %d bytes, want %d", collection, len(e.Value), sharedKeySize)
	}
	return e.Value, nil
}
