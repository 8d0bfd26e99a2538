package store_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/writhq/writ/controlplane/internal/store"
)

func TestWatch(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		notes, ctx := store.Define[int](s, "notes"), t.Context()
		first, err := notes.Put(ctx, "a/1", 1)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = notes.Put(ctx, "a/1", 2)
		_, _ = notes.Put(ctx, "b/1", 9)
		_, _ = notes.Delete(ctx, "a/1")
		err = s.Update(ctx, func(tx *store.Tx) error {
			return errors.Join(notes.In(tx).Put("a/2", 3), notes.In(tx).Put("a/3", 4))
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		var last store.Revision
		for ev, err := range notes.Watch(ctx, "a/", first) {
			if err != nil {
				t.Fatal(err)
			}
			if ev.Revision < last {
				t.Fatalf("revision %d after %d", ev.Revision, last)
			}
			last = ev.Revision
			got = append(got, fmt.Sprintf("%s %v %d", ev.Key, ev.Deleted, ev.Value))
			if len(got) == 4 {
				break
			}
		}
		slices.Sort(got[2:])
		want := []string{"a/1 false 2", "a/1 true 0", "a/2 false 3", "a/3 false 4"}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestWatchCompacted(t *testing.T) {
	s := openEmbedded(t)
	notes := store.Define[int](s, "notes")
	for i := range 5 {
		if _, err := notes.Put(t.Context(), "a", i); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, err := range notes.Watch(t.Context(), "", 1) {
		if !errors.Is(err, store.ErrCompacted) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	notes := store.Define[int](openEmbedded(t), "notes")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range notes.Watch(ctx, "", 0) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Fatalf("got %v", last)
	}
}

// mirror is a consumer's copy, kept by Follow.
type mirror struct {
	mu        sync.Mutex
	values    map[string]int
	snapshots int
	changed   chan struct{}
}

func follow(t *testing.T, c *store.Collection[int]) *mirror {
	m := &mirror{changed: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Follow(ctx, m.reset, m.apply); !errors.Is(err, context.Canceled) {
			t.Errorf("follow ended with %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return m
}

func (m *mirror) reset(entries []store.Entry[int], _ store.Revision) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshots++
	m.values = map[string]int{}
	for _, e := range entries {
		m.values[e.Key] = e.Value
	}
	m.note()
}

func (m *mirror) apply(ev store.Event[int]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ev.Deleted {
		delete(m.values, ev.Key)
	} else {
		m.values[ev.Key] = ev.Value
	}
	m.note()
}

func (m *mirror) note() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// await returns when the copy holds what the store holds.
func (m *mirror) await(t *testing.T, c *store.Collection[int]) {
	t.Helper()
	entries, _, err := c.List(t.Context(), store.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	for _, e := range entries {
		want[e.Key] = e.Value
	}
	for {
		m.mu.Lock()
		same := maps.Equal(m.values, want)
		m.mu.Unlock()
		if same {
			return
		}
		select {
		case <-m.changed:
		case <-t.Context().Done():
			t.Fatal("never caught up")
		}
	}
}

func TestFollowUnderWriters(t *testing.T) {
	everyStore(t, func(t *testing.T, s *store.Store) {
		numbers := store.Define[int](s, "numbers")
		m := follow(t, numbers)
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 50 {
					key := fmt.Sprint(w, "-", i%7)
					_, _ = numbers.Put(t.Context(), key, i)
					if i%5 == 0 {
						_, _ = numbers.Delete(t.Context(), key)
					}
				}
			})
		}
		wg.Wait()
		m.await(t, numbers)
	})
}

// The network is cut, values change and go, the past is compacted, and the
// network comes back: the copy must be right without being told.
func TestFollowAcrossCompaction(t *testing.T) {
	server := startServer(t)
	direct := store.Define[int](server.open(t), "numbers")
	wire := newWire(t, server.url[len("https://"):])
	far := open(t, store.Config{Endpoints: []string{"https://" + wire.addr()}, TLS: server.tls})
	for i := range 5 {
		if _, err := direct.Put(t.Context(), fmt.Sprint(i), i); err != nil {
			t.Fatal(err)
		}
	}
	m := follow(t, store.Define[int](far, "numbers"))
	m.await(t, direct)
	for round := range 3 {
		wire.cut()
		for i := range 5 {
			if _, err := direct.Put(t.Context(), fmt.Sprint(i), 100*round+i); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = direct.Delete(t.Context(), fmt.Sprint(round))
		if err := server.compact(t); err != nil {
			t.Fatal(err)
		}
		wire.mend()
		m.await(t, direct)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.snapshots < 2 {
		t.Fatalf("%d snapshots: the compaction was not met", m.snapshots)
	}
}

func (s *server) compact(t *testing.T) error { return s.open(t).Compact(t.Context()) }

// wire is a TCP relay that can be cut and mended.
type wire struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	down  bool
	conns []net.Conn
	wg    sync.WaitGroup
}

func newWire(t *testing.T, target string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, target: target}
	w.wg.Go(w.accept)
	t.Cleanup(func() { l.Close(); w.cut(); w.wg.Wait() })
	return w
}

func (w *wire) addr() string { return w.listener.Addr().String() }

func (w *wire) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.target)
		w.mu.Lock()
		if err != nil || w.down {
			near.Close()
			if far != nil {
				far.Close()
			}
		} else {
			w.conns = append(w.conns, near, far)
			w.wg.Go(func() { _, _ = io.Copy(near, far); near.Close() })
			w.wg.Go(func() { _, _ = io.Copy(far, near); far.Close() })
		}
		w.mu.Unlock()
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

func TestAwait(t *testing.T) {
	notes := store.Define[int](openEmbedded(t), "notes")
	got := make(chan store.Entry[int], 1)
	go func() {
		e, err := notes.Await(t.Context(), "a", func(e store.Entry[int]) bool { return e.Value >= 3 })
		if err != nil {
			t.Error(err)
		}
		got <- e
	}()
	if _, err := notes.Put(t.Context(), "ab", 9); err != nil { // only shares the beginning
		t.Fatal(err)
	}
	for i := range 5 {
		if _, err := notes.Put(t.Context(), "a", i); err != nil {
			t.Fatal(err)
		}
	}
	if e := <-got; e.Key != "a" || e.Value < 3 {
		t.Fatalf("got %+v", e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := notes.Await(ctx, "b", func(store.Entry[int]) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := notes.Await(t.Context(), "", nil); !errors.Is(err, store.ErrKey) {
		t.Fatal(err)
	}
}

func TestOperationsAreBounded(t *testing.T) {
	server := startServer(t)
	wire := newWire(t, server.url[len("https://"):])
	far := open(t, store.Config{Endpoints: []string{"https://" + wire.addr()}, TLS: server.tls, OpTimeout: 200e6})
	notes := store.Define[int](far, "notes")
	wire.cut()
	ctx := t.Context()
	_, get := notes.Get(ctx, "a")
	_, put := notes.Put(ctx, "a", 1)
	_, _, list := notes.List(ctx, store.ListOptions{})
	update := far.Update(ctx, func(tx *store.Tx) error { return notes.In(tx).Create("a", 1) })
	_, lease := far.Lease(ctx, 5e9)
	for name, err := range map[string]error{"get": get, "put": put, "list": list, "update": update, "lease": lease, "ready": far.Ready(ctx)} {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wire.mend()
}
