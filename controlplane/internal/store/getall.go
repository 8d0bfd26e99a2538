package store

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// GetAll returns the entries that exist among keys, by key. Each MaxTx of them are of one revision.
func (c *Collection[T]) GetAll(ctx context.Context, keys []string) (map[string]Entry[T], error) {
	found := make(map[string]Entry[T], len(keys))
	for len(keys) > 0 {
		n := min(len(keys), MaxTx)
		if err := c.getSome(ctx, keys[:n], found); err != nil {
			return nil, err
		}
		keys = keys[n:]
	}
	return found, nil
}

func (c *Collection[T]) getSome(ctx context.Context, keys []string, found map[string]Entry[T]) error {
	ops := make([]clientv3.Op, len(keys))
	for i, key := range keys {
		full, err := c.full(key)
		if err != nil {
			return err
		}
		ops[i] = clientv3.OpGet(full)
	}
	ctx, cancel := c.store.bound(ctx)
	defer cancel()
	resp, err := c.store.client.Txn(ctx).Then(ops...).Commit()
	if err != nil {
		return c.wrap("get", keys[0]+" and others", c.store.fault(ctx, err))
	}
	for _, r := range resp.Responses {
		for _, kv := range r.GetResponseRange().Kvs {
			e, err := c.entry(kv)
			if err != nil {
				return err
			}
			found[e.Key] = e
		}
	}
	return nil
}
