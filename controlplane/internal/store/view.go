package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// View is a collection as one transaction sees it, with its own writes.
type View[T any] struct {
	c  *Collection[T]
	tx *Tx
}

// In returns the collection inside tx. Using a transaction of another store
// fails on the first operation.
func (c *Collection[T]) In(tx *Tx) View[T] { return View[T]{c: c, tx: tx} }

var errForeignTx = errors.New("transaction of another store")

func (v View[T]) full(key string) (string, error) {
	if v.tx.store != v.c.store {
		return "", errForeignTx
	}
	return v.c.full(key)
}

// Get returns the value at key, or ErrNotFound.
func (v View[T]) Get(key string) (Entry[T], error) {
	full, err := v.full(key)
	if err != nil {
		return Entry[T]{}, err
	}
	if w, ok := v.tx.writes[full]; ok {
		return v.pending(full, key, w)
	}
	resp, err := v.tx.get(full)
	if err != nil {
		return Entry[T]{}, v.c.wrap("get", key, err)
	}
	if len(resp.Kvs) == 0 {
		return Entry[T]{}, v.c.wrap("get", key, ErrNotFound)
	}
	return v.c.entry(resp.Kvs[0])
}

func (v View[T]) pending(full, key string, w *write) (Entry[T], error) {
	if w.data == nil {
		return Entry[T]{}, v.c.wrap("get", key, ErrNotFound)
	}
	value, err := v.c.codec.decode(full, w.data)
	return Entry[T]{Key: key, Value: value}, err
}

// List returns the entries whose keys start with prefix, in key order. More
// than MaxTx of them fail with ErrTooLarge.
func (v View[T]) List(prefix string) ([]Entry[T], error) {
	if v.tx.store != v.c.store {
		return nil, errForeignTx
	}
	start, end, err := v.c.span(ListOptions{Prefix: prefix})
	if err != nil {
		return nil, err
	}
	resp, err := v.tx.scan(start, end)
	if err != nil {
		return nil, v.c.wrap("list", prefix, err)
	}
	var entries []Entry[T]
	for _, kv := range resp.Kvs {
		if _, ok := v.tx.writes[string(kv.Key)]; ok {
			continue
		}
		e, err := v.c.entry(kv)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return v.withPending(entries, start)
}

func (v View[T]) withPending(entries []Entry[T], start string) ([]Entry[T], error) {
	for full, w := range v.tx.writes {
		if w.data == nil || !strings.HasPrefix(full, start) {
			continue
		}
		e, err := v.pending(full, full[len(v.c.root):], w)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry[T]) int { return strings.Compare(a.Key, b.Key) })
	return entries, nil
}

// Create writes a new value. It fails with ErrExists when there is one.
func (v View[T]) Create(key string, value T, opts ...PutOption) error {
	switch _, err := v.Get(key); {
	case err == nil, errors.Is(err, ErrCorrupt):
		return v.c.wrap("create", key, ErrExists)
	case !errors.Is(err, ErrNotFound):
		return err
	}
	return v.Put(key, value, opts...)
}

// Put writes a value whether or not there is one.
func (v View[T]) Put(key string, value T, opts ...PutOption) error {
	full, err := v.full(key)
	if err != nil {
		return err
	}
	data, err := v.c.codec.encode(full, value)
	if err != nil {
		return v.c.wrap("put", key, err)
	}
	v.tx.writes[full] = &write{data: data, opts: opts}
	return nil
}

// Replace writes a value over the one last changed at rev, else fails with
// ErrConflict. Not for a key this transaction has written.
func (v View[T]) Replace(key string, value T, rev Revision, opts ...PutOption) error {
	e, err := v.Get(key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if rev <= 0 || e.Revision != rev {
		return fmt.Errorf("replace %s/%s: %w", v.c.name, key, errStale)
	}
	return v.Put(key, value, opts...)
}

// errStale is an ErrConflict that running again does not mend.
var errStale = fmt.Errorf("%w: not the revision that was read", ErrConflict)

// Delete removes the value at key, or fails with ErrNotFound.
func (v View[T]) Delete(key string) error {
	if _, err := v.Get(key); err != nil && !errors.Is(err, ErrCorrupt) {
		return err
	}
	full, err := v.full(key)
	if err != nil {
		return err
	}
	v.tx.writes[full] = &write{}
	return nil
}
