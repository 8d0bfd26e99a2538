package store

import (
	"encoding/json"
	"errors"
	"fmt"

	mvccpb "go.etcd.io/etcd/api/v3/mvccpb"
)

// MaxValue is the largest encoded value in bytes. Larger things belong in the
// object store. (etcd refuses requests over 1.5 MiB.)
const MaxValue = 1 << 20

// Sealer encrypts and authenticates. aad is not stored; Open fails unless it
// is the aad given to Seal.
type Sealer interface {
	Seal(plain, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

type noSealer struct{}

var errNoSealer = errors.New("no sealing key is configured")

func (noSealer) Seal(_, _ []byte) ([]byte, error) { return nil, errNoSealer }
func (noSealer) Open(_, _ []byte) ([]byte, error) { return nil, errNoSealer }

// codec turns values into stored bytes: JSON, sealed when there is a sealer.
type codec[T any] struct{ sealer Sealer }

func (c codec[T]) encode(full string, value T) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode value: %w", err)
	}
	if c.sealer != nil {
		if data, err = c.sealer.Seal(data, []byte(full)); err != nil {
			return nil, fmt.Errorf("seal value: %w", err)
		}
	}
	if len(data) > MaxValue {
		return nil, fmt.Errorf("%w: value of %d bytes, limit %d", ErrTooLarge, len(data), MaxValue)
	}
	return data, nil
}

// decode leaves the decoder's own words out of the error: they can quote the
// value.
func (c codec[T]) decode(full string, data []byte) (T, error) {
	var value T
	if c.sealer != nil {
		var err error
		if data, err = c.sealer.Open(data, []byte(full)); err != nil {
			return value, fmt.Errorf("%w: unseal: %w", ErrCorrupt, err)
		}
	}
	if err := json.Unmarshal(data, &value); err != nil {
		var zero T
		return zero, fmt.Errorf("%w: not the expected JSON", ErrCorrupt)
	}
	return value, nil
}

func (c *Collection[T]) entry(kv *mvccpb.KeyValue) (Entry[T], error) {
	e := Entry[T]{
		Key:      string(kv.Key[len(c.root):]),
		Revision: Revision(kv.ModRevision),
		Created:  Revision(kv.CreateRevision),
		Lease:    LeaseID(kv.Lease),
	}
	var err error
	if e.Value, err = c.codec.decode(string(kv.Key), kv.Value); err != nil {
		return Entry[T]{}, c.wrap("read", e.Key, err)
	}
	return e, nil
}
