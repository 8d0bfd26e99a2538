package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/store"
)

func TestLease(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		notes, ctx := store.Define[int](s, "notes"), t.Context()
		lease, err := s.Lease(ctx, 30*time.Second)
		if err != nil || lease.TTL() != 30*time.Second {
			t.Fatal(lease, err)
		}
		if _, err := notes.Create(ctx, "alone", 1); err != nil {
			t.Fatal(err)
		}
		if _, err := notes.Create(ctx, "bound", 1, store.WithLease(lease.ID())); err != nil {
			t.Fatal(err)
		}
		err = s.Update(ctx, func(tx *store.Tx) error { return notes.In(tx).Create("too", 1, store.WithLease(lease.ID())) })
		if err != nil {
			t.Fatal(err)
		}
		if e, err := notes.Get(ctx, "too"); err != nil || e.Lease != lease.ID() {
			t.Fatal(e, err)
		}
		again, err := s.Attach(ctx, lease.ID())
		if err != nil || again.Renew(ctx) != nil || again.TTL() != lease.TTL() {
			t.Fatal(again, err)
		}
		if err := lease.Revoke(ctx); err != nil {
			t.Fatal(err)
		}
		if err := lease.Revoke(ctx); err != nil {
			t.Fatalf("second revoke: %v", err)
		}
		entries, _, err := notes.List(ctx, store.ListOptions{})
		if err != nil || len(entries) != 1 || entries[0].Key != "alone" {
			t.Fatalf("left: %+v, %v", entries, err)
		}
		_, create := notes.Create(ctx, "late", 1, store.WithLease(lease.ID()))
		_, attach := s.Attach(ctx, lease.ID())
		update := s.Update(ctx, func(tx *store.Tx) error { return notes.In(tx).Put("late", 1, store.WithLease(lease.ID())) })
		for name, err := range map[string]error{
			"create": create, "attach": attach, "update": update, "renew": again.Renew(ctx), "keep alive": again.KeepAlive(ctx),
		} {
			if !errors.Is(err, store.ErrLeaseLost) {
				t.Errorf("%s under an ended lease: %v", name, err)
			}
		}
	})
}

func TestKeepAliveOutlivesTheLease(t *testing.T) {
	s := openEmbedded(t)
	notes := store.Define[int](s, "notes")
	lease, err := s.Lease(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := notes.Put(t.Context(), "a", 1, store.WithLease(lease.ID())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*lease.TTL())
	defer cancel()
	if err := lease.KeepAlive(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if _, err := notes.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	_, at, err := notes.List(t.Context(), store.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for ev, err := range notes.Watch(t.Context(), "a", at) { // nobody renews it any more
		if err != nil || !ev.Deleted {
			t.Fatal(ev, err)
		}
		break
	}
}

// Cut off from the store, the holder must stop counting on the lease no later
// than the store does.
func TestKeepAliveGivesUpInTime(t *testing.T) {
	server := startServer(t)
	wire := newWire(t, server.url[len("https://"):])
	far := open(t, store.Config{Endpoints: []string{"https://" + wire.addr()}, TLS: server.tls})
	lease, err := far.Lease(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	granted := time.Now()
	wire.cut()
	if err := lease.KeepAlive(t.Context()); !errors.Is(err, store.ErrLeaseLost) {
		t.Fatal(err)
	}
	t.Logf("gave up after %v of %v", time.Since(granted), lease.TTL())
	wire.mend()
}

func TestCampaign(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		counter := store.Define[int](s, "counter")
		var inside, most atomic.Int32
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				err := s.Campaign(t.Context(), "sweeper", func(ctx context.Context) error {
					most.Store(max(most.Load(), inside.Add(1)))
					defer inside.Add(-1)
					return s.Update(ctx, func(tx *store.Tx) error {
						e, err := counter.In(tx).Get("n")
						if ignore(err, store.ErrNotFound) != nil {
							return err
						}
						return counter.In(tx).Put("n", e.Value+1)
					})
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if e, err := counter.Get(t.Context(), "n"); err != nil || e.Value != 4 || most.Load() != 1 {
			t.Fatalf("ran %d times, %d at once, %v", e.Value, most.Load(), err)
		}
	})
}

// A leader that slept past its term writes nothing, even before it notices.
func TestFormerLeaderWritesNothing(t *testing.T) {
	s := openEmbedded(t)
	notes := store.Define[int](s, "notes")
	terms := 0
	boom := errors.New("boom")
	err := s.Campaign(t.Context(), "sweeper", func(ctx context.Context) error {
		if terms++; terms == 2 {
			_, err := notes.Put(ctx, "a", 2)
			return errors.Join(err, boom)
		}
		if err := s.Seize(ctx, "sweeper"); err != nil {
			t.Error(err)
		}
		_, put := notes.Put(ctx, "a", 1)
		_, create := notes.Create(ctx, "b", 1)
		_, del := notes.Delete(ctx, "c")
		update := s.Update(ctx, func(tx *store.Tx) error { return notes.In(tx).Put("d", 1) })
		for name, err := range map[string]error{"put": put, "create": create, "delete": del, "update": update} {
			if !errors.Is(err, store.ErrNotLeader) {
				t.Errorf("%s: %v", name, err)
			}
		}
		return put
	})
	if !errors.Is(err, boom) || terms != 2 {
		t.Fatalf("%d terms, %v", terms, err)
	}
	entries, _, err := notes.List(t.Context(), store.ListOptions{})
	if err != nil || len(entries) != 1 || entries[0].Value != 2 {
		t.Fatalf("left: %+v, %v", entries, err)
	}
}

func TestCampaignWaitsAndEnds(t *testing.T) {
	s := openEmbedded(t)
	leading := make(chan struct{})
	first := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		first <- s.Campaign(ctx, "x", func(ctx context.Context) error {
			close(leading)
			<-ctx.Done()
			return context.Cause(ctx)
		})
	}()
	<-leading
	waiting, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	err := s.Campaign(waiting, "x", func(context.Context) error { t.Error("two leaders"); return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := s.Campaign(t.Context(), "x", func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Campaign(t.Context(), "a b", nil); !errors.Is(err, store.ErrKey) {
		t.Fatal(err)
	}
}
