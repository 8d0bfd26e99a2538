package store

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Event is one change. For a deletion only Key and Revision are set.
type Event[T any] struct {
	Entry[T]
	Deleted bool
}

// Watch yields, in order and each once, the changes after a revision to the
// keys that start with prefix. Changes of one transaction follow each other
// with one revision. It ends with the error of ctx, or after one of
// ErrCompacted (list again), ErrUnavailable (watch again from the last
// revision seen) or ErrCorrupt.
func (c *Collection[T]) Watch(ctx context.Context, prefix string, after Revision) iter.Seq2[Event[T], error] {
	return func(yield func(Event[T], error) bool) {
		start, end, err := c.span(ListOptions{Prefix: prefix})
		if err != nil {
			yield(Event[T]{}, err)
			return
		}
		ctx, cancel := c.store.whileOpen(ctx)
		defer cancel()
		changes := c.store.client.Watch(clientv3.WithRequireLeader(ctx), start,
			clientv3.WithRange(end), clientv3.WithRev(int64(after)+1), clientv3.WithProgressNotify())
		for batch := range changes {
			if err := batch.Err(); err != nil {
				yield(Event[T]{}, c.wrap("watch", prefix, c.store.fault(ctx, err)))
				return
			}
			for _, change := range batch.Events {
				ev, err := c.event(change)
				if !yield(ev, err) || err != nil {
					return
				}
			}
		}
		if err = context.Cause(ctx); err == nil {
			err = ErrUnavailable
		}
		yield(Event[T]{}, c.wrap("watch", prefix, err))
	}
}

// whileOpen ends ctx with ErrUnavailable when the store is closed.
func (s *Store) whileOpen(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	release := context.AfterFunc(s.life, func() { cancel(ErrUnavailable) })
	return ctx, func() { release(); cancel(nil) }
}

func (c *Collection[T]) event(change *clientv3.Event) (Event[T], error) {
	if change.Type == clientv3.EventTypeDelete {
		return Event[T]{Deleted: true, Entry: Entry[T]{
			Key:      string(change.Kv.Key[len(c.root):]),
			Revision: Revision(change.Kv.ModRevision),
		}}, nil
	}
	e, err := c.entry(change.Kv)
	return Event[T]{Entry: e}, err
}

// Follow keeps a consumer's copy of the collection right for as long as ctx
// lives: snapshot replaces everything the consumer has, event changes it by
// one. Both are called from this goroutine, in the order of revisions. After a
// fault it resumes where it was, or starts over with a snapshot when the gap
// is compacted, so no change is missed. The copy lags while the store is
// unreachable; Ready tells that.
//
// It returns the error of ctx, ErrCorrupt, or ErrUnavailable after Close.
func (c *Collection[T]) Follow(ctx context.Context, snapshot func([]Entry[T], Revision), event func(Event[T])) error {
	for tries := 0; ; tries++ {
		entries, at, err := c.List(ctx, ListOptions{})
		if err == nil {
			tries = 0
			snapshot(entries, at)
			err = c.followFrom(ctx, at, event)
		}
		if err := c.store.final(ctx, err); err != nil {
			return err
		}
		c.store.log.Warn("starting over with a full list", "collection", c.name, "error", err)
		backoff(ctx, tries)
	}
}

// followFrom delivers changes until the store has forgotten the next one or
// a final error.
func (c *Collection[T]) followFrom(ctx context.Context, at Revision, event func(Event[T])) error {
	for tries := 0; ; tries++ {
		var fault error
		for ev, err := range c.Watch(ctx, "", at) {
			if fault = err; err != nil {
				break
			}
			tries = 0
			at = ev.Revision
			event(ev)
		}
		if errors.Is(fault, ErrCompacted) || c.store.final(ctx, fault) != nil {
			return fault
		}
		c.store.log.Warn("watch broke, resuming", "collection", c.name, "after", at, "error", fault)
		backoff(ctx, tries)
	}
}

// final returns the error that no retry mends, else nil.
func (s *Store) final(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case s.life.Err() != nil:
		return ErrUnavailable
	case errors.Is(err, ErrCorrupt), errors.Is(err, ErrRefused):
		return err
	}
	return nil
}

// Await returns the entry at key as soon as accept says yes to it. A key that
// does not exist is waited for.
func (c *Collection[T]) Await(ctx context.Context, key string, accept func(Entry[T]) bool) (Entry[T], error) {
	for tries := 0; ; tries++ {
		e, err := c.awaitOnce(ctx, key, accept)
		if err == nil || c.store.final(ctx, err) != nil || errors.Is(err, ErrKey) {
			return e, err
		}
		backoff(ctx, tries)
	}
}

func (c *Collection[T]) awaitOnce(ctx context.Context, key string, accept func(Entry[T]) bool) (Entry[T], error) {
	if err := checkKey(key); err != nil {
		return Entry[T]{}, c.wrap("await", key, err)
	}
	entries, at, err := c.List(ctx, ListOptions{Prefix: key, Limit: 1})
	if err != nil {
		return Entry[T]{}, err
	}
	if len(entries) == 1 && entries[0].Key == key && accept(entries[0]) {
		return entries[0], nil
	}
	for ev, err := range c.Watch(ctx, key, at) {
		if err != nil {
			return Entry[T]{}, err
		}
		if ev.Key == key && !ev.Deleted && accept(ev.Entry) {
			return ev.Entry, nil
		}
	}
	return Entry[T]{}, c.wrap("await", key, ErrUnavailable)
}

// backoff waits 5 ms, 10 ms, ... up to 2 s, less up to half by chance.
func backoff(ctx context.Context, tries int) {
	d := min(5*time.Millisecond<<min(tries, 16), 2*time.Second)
	pause(ctx, d-time.Duration(rand.Int64N(int64(d/2))))
}
