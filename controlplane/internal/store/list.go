package store

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// pageSize bounds one response of etcd, not what List returns.
const pageSize = 500

const maxListTries = 3

// ListOptions narrows a List. The zero value lists all.
type ListOptions struct {
	Prefix string // keys that start with it; end it with a slash to mean a folder
	After  string // only keys greater than it, for paging
	Limit  int    // at most so many entries; 0 for all
}

// List returns entries in key order, all as of one revision, and that
// revision: a Watch from there misses nothing.
func (c *Collection[T]) List(ctx context.Context, opts ListOptions) ([]Entry[T], Revision, error) {
	start, end, err := c.span(opts)
	if err != nil {
		return nil, 0, err
	}
	for try := 0; ; try++ {
		entries, at, err := c.list(ctx, start, end, opts.Limit)
		if errors.Is(err, ErrCompacted) && try < maxListTries {
			continue // the past went away between two pages
		}
		if err != nil {
			return nil, 0, c.wrap("list", opts.Prefix, err)
		}
		return entries, at, nil
	}
}

func (c *Collection[T]) list(ctx context.Context, start, end string, limit int) (entries []Entry[T], at Revision, err error) {
	for {
		size := pageSize
		if limit > 0 {
			size = min(size, limit-len(entries))
		}
		resp, err := c.page(ctx, start, end, at, size)
		if err != nil {
			return nil, 0, err
		}
		if at == 0 {
			at = Revision(resp.Header.Revision)
		}
		for _, kv := range resp.Kvs {
			e, err := c.entry(kv)
			if err != nil {
				return nil, 0, err
			}
			entries = append(entries, e)
		}
		if !resp.More || limit > 0 && len(entries) >= limit {
			return entries, at, nil
		}
		start = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
	}
}

func (c *Collection[T]) page(ctx context.Context, start, end string, at Revision, size int) (*clientv3.GetResponse, error) {
	ctx, cancel := c.store.bound(ctx)
	defer cancel()
	resp, err := c.store.client.Get(ctx, start, clientv3.WithRange(end), clientv3.WithLimit(int64(size)), clientv3.WithRev(int64(at)))
	return resp, c.store.fault(ctx, err)
}

// Count returns how many keys start with prefix.
func (c *Collection[T]) Count(ctx context.Context, prefix string) (int64, error) {
	start, end, err := c.span(ListOptions{Prefix: prefix})
	if err != nil {
		return 0, err
	}
	ctx, cancel := c.store.bound(ctx)
	defer cancel()
	resp, err := c.store.client.Get(ctx, start, clientv3.WithRange(end), clientv3.WithCountOnly())
	if err != nil {
		return 0, c.wrap("count", prefix, c.store.fault(ctx, err))
	}
	return resp.Count, nil
}

// span returns the half-open range of etcd keys that opts names.
func (c *Collection[T]) span(opts ListOptions) (start, end string, err error) {
	if err := checkKeyPrefix(opts.Prefix); err != nil {
		return "", "", c.wrap("list", "", err)
	}
	start = c.root + opts.Prefix
	end = clientv3.GetPrefixRangeEnd(start)
	if opts.After != "" {
		if err := checkKeyPrefix(opts.After); err != nil {
			return "", "", c.wrap("list", "", err)
		}
		start = max(start, c.root+opts.After+"\x00")
	}
	if start >= end { // after the last key: an empty range, which etcd spells so
		end = start + "\x00"
	}
	return start, end, nil
}
