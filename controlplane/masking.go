package controlplane

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/writhq/writ/controlplane/internal/store"
)

const (
	maskingKeySize = 32 // bytes
	maskingKeyName = "current"
)

// maskingKey returns the key of stable hashes in masked values, which is made once and sealed in the store.
func maskingKey(ctx context.Context, st *store.Store, sealer store.Sealer) ([]byte, error) {
	keys := store.Define[[]byte](st, "masking-key", store.Sealed(sealer))
	fresh := make([]byte, maskingKeySize)
	_, _ = rand.Read(fresh) // never fails, see crypto/rand
	if _, err := keys.Create(ctx, maskingKeyName, fresh); err != nil && !errors.Is(err, store.ErrExists) {
		return nil, fmt.Errorf("make masking key: %w", err)
	}
	e, err := keys.Get(ctx, maskingKeyName)
	if err != nil {
		return nil, fmt.Errorf("read masking key: %w", err)
	}
	if len(e.Value) != maskingKeySize {
		return nil, fmt.Errorf("masking key has %d bytes, want %d", len(e.Value), maskingKeySize)
	}
	return e.Value, nil
}
