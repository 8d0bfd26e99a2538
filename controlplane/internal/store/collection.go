package store

import (
	"context"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Revision numbers every change of the whole store, in order, from 1.
type Revision int64

// Entry is a value with its place and its history.
type Entry[T any] struct {
	Key      string
	Value    T
	Revision Revision // of the last change; 0 inside the transaction that wrote it
	Created  Revision // of the first
	Lease    LeaseID  // 0 when the key lives on its own
}

// Collection is a set of JSON values of one type under one name. Its methods
// are linearizable, safe for concurrent use, and bounded by Config.OpTimeout.
type Collection[T any] struct {
	store *Store
	name  string
	root  string // etcd key prefix, with a trailing slash
	codec codec[T]
}

// Option changes how a collection stores its values.
type Option func(*options)

type options struct{ sealer Sealer }

// Sealed encrypts every value, bound to its etcd key, so that a value moved to
// another key does not open. A nil sealer refuses every operation.
func Sealed(sealer Sealer) Option {
	return func(o *options) {
		if sealer == nil {
			sealer = noSealer{}
		}
		o.sealer = sealer
	}
}

// Define names a collection. The name is part of the program, so an invalid
// one (not lower-case letters, digits and dashes) panics.
func Define[T any](s *Store, name string, opts ...Option) *Collection[T] {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		panic(fmt.Sprintf("store: invalid collection name %q", name))
	}
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return &Collection[T]{store: s, name: name, root: s.prefix + name + "/", codec: codec[T](o)}
}

// PutOption changes one write.
type PutOption func(*putOptions)

type putOptions struct{ lease LeaseID }

// WithLease makes the key vanish when the lease ends. A write without it
// detaches the key from an earlier lease.
func WithLease(id LeaseID) PutOption { return func(o *putOptions) { o.lease = id } }

// Get returns the value at key, or ErrNotFound.
func (c *Collection[T]) Get(ctx context.Context, key string) (Entry[T], error) {
	full, err := c.full(key)
	if err != nil {
		return Entry[T]{}, err
	}
	ctx, cancel := c.store.bound(ctx)
	defer cancel()
	resp, err := c.store.client.Get(ctx, full)
	if err != nil {
		return Entry[T]{}, c.wrap("get", key, c.store.fault(ctx, err))
	}
	if len(resp.Kvs) == 0 {
		return Entry[T]{}, c.wrap("get", key, ErrNotFound)
	}
	return c.entry(resp.Kvs[0])
}

// Create writes a new value. It fails with ErrExists when there is one.
func (c *Collection[T]) Create(ctx context.Context, key string, value T, opts ...PutOption) (Revision, error) {
	return c.write(ctx, "create", key, value, opts, ErrExists, absent)
}

// Put writes a value whether or not there is one.
func (c *Collection[T]) Put(ctx context.Context, key string, value T, opts ...PutOption) (Revision, error) {
	return c.write(ctx, "put", key, value, opts, nil)
}

// Replace writes a value over the one last changed at rev. It fails with
// ErrConflict when that is no longer the last change, also by deletion.
func (c *Collection[T]) Replace(ctx context.Context, key string, value T, rev Revision, opts ...PutOption) (Revision, error) {
	if rev <= 0 { // etcd takes 0 for "absent", which would create
		return 0, c.wrap("replace", key, ErrConflict)
	}
	return c.write(ctx, "replace", key, value, opts, ErrConflict, func(full string) clientv3.Cmp {
		return unchanged(full, int64(rev))
	})
}

// Delete removes the value at key, or fails with ErrNotFound.
func (c *Collection[T]) Delete(ctx context.Context, key string) (Revision, error) {
	full, err := c.full(key)
	if err != nil {
		return 0, err
	}
	cmps := []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(full), ">", 0)}
	rev, err := c.store.commit(ctx, cmps, []clientv3.Op{clientv3.OpDelete(full)}, ErrNotFound)
	return rev, c.wrap("delete", key, err)
}

// write encodes value and commits it if the conditions hold, else fails with
// otherwise.
func (c *Collection[T]) write(ctx context.Context, verb, key string, value T, opts []PutOption,
	otherwise error, conditions ...func(full string) clientv3.Cmp) (Revision, error) {
	full, err := c.full(key)
	if err != nil {
		return 0, err
	}
	cmps := make([]clientv3.Cmp, len(conditions))
	for i, condition := range conditions {
		cmps[i] = condition(full)
	}
	data, err := c.codec.encode(full, value)
	if err != nil {
		return 0, c.wrap(verb, key, err)
	}
	rev, err := c.store.commit(ctx, cmps, []clientv3.Op{putOp(full, data, opts)}, otherwise)
	return rev, c.wrap(verb, key, err)
}

func putOp(full string, data []byte, opts []PutOption) clientv3.Op {
	var o putOptions
	for _, opt := range opts {
		opt(&o)
	}
	return clientv3.OpPut(full, string(data), clientv3.WithLease(clientv3.LeaseID(o.lease)))
}

func (c *Collection[T]) full(key string) (string, error) {
	if err := checkKey(key); err != nil {
		return "", fmt.Errorf("%s: %w", c.name, err)
	}
	return c.root + key, nil
}

func (c *Collection[T]) wrap(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s/%s: %w", verb, c.name, key, err)
}

func absent(full string) clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(full), "=", 0)
}

func unchanged(full string, rev int64) clientv3.Cmp {
	return clientv3.Compare(clientv3.ModRevision(full), "=", rev)
}
