package checkpoints_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/errgroup"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/checkpoints"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/merklelog"
)

const origin = "audit.example.com/log"

// fixture is a store and a folder, which replicas share.
type fixture struct {
	t       *testing.T
	store   *store.Store
	objects *failing
	key     ed25519.PrivateKey
}

// failing is an object store that fails as long as it is told to.
type failing struct {
	*auditlog.Folder
	mu   sync.Mutex
	left int // of Puts that work; below 0 all do
}

func (f *failing) Put(ctx context.Context, key string, data []byte) error {
	f.mu.Lock()
	if f.left == 0 {
		f.mu.Unlock()
		return auditlog.ErrStorage
	}
	f.left--
	f.mu.Unlock()
	return f.Folder.Put(ctx, key, data)
}

func (f *failing) allow(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = n
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	folder, err := auditlog.OpenFolder(filepath.Join(t.TempDir(), "objects"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	return &fixture{t: t, store: st, objects: &failing{Folder: folder, left: -1}, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
}

func (f *fixture) open(replica string) *checkpoints.Log {
	f.t.Helper()
	log, err := checkpoints.Open(f.t.Context(), checkpoints.Config{
		Store: f.store, Objects: f.objects, Origin: origin, Key: f.key, Replica: replica, Period: 10 * time.Millisecond, Lost: 400 * time.Millisecond,
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return log
}

// run runs a replica's part until stop is called.
func (f *fixture) run(log *checkpoints.Log) (stop func()) {
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = log.Run(ctx)
	}()
	return func() { cancel(); <-done }
}

func entry(i int) merklelog.Entry {
	id := audit.RecordID{1, byte(i >> 16), byte(i >> 8), byte(i)}
	return merklelog.Entry{
		Kind: merklelog.Block, Key: fmt.Sprintf("records/v1/block_%d.blk", i), SHA256: sha256.Sum256([]byte{byte(i)}), Bytes: 1, Records: 1, First: id, Last: id,
	}
}

// register registers entries from to below to, several at a time.
func (f *fixture) register(log *checkpoints.Log, from, to int) {
	f.t.Helper()
	g, ctx := errgroup.WithContext(f.t.Context())
	g.SetLimit(50)
	for i := from; i < to; i++ {
		g.Go(func() error { return log.Register(ctx, entry(i), func() error { return nil }) })
	}
	if err := g.Wait(); err != nil {
		f.t.Fatal(err)
	}
}

// checkpoint waits until a log of that size is laid out, and returns its checkpoint.
func (f *fixture) checkpoint(log *checkpoints.Log, size int64) merklelog.Checkpoint {
	f.t.Helper()
	verifier, err := note.NewVerifier(log.PublicKey())
	if err != nil {
		f.t.Fatal(err)
	}
	for {
		signed, err := f.objects.Get(f.t.Context(), fmt.Sprintf("%s/checkpoint/%016d", checkpoints.Folder, size))
		if err == nil {
			c, err := merklelog.OpenCheckpoint(signed, verifier)
			if err != nil || c.Size != size || c.Origin != log.Origin() {
				f.t.Fatalf("checkpoint %+v: %v", c, err)
			}
			return c
		}
		select {
		case <-f.t.Context().Done():
			f.t.Fatalf("no checkpoint of %d entries: %v", size, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// check holds what is stored to a checkpoint, and returns how often each entry is in the log.
func (f *fixture) check(c merklelog.Checkpoint) map[string]int {
	f.t.Helper()
	read := func(path string) ([]byte, error) {
		return f.objects.Get(context.Background(), checkpoints.Folder+"/"+path)
	}
	var tree merklelog.Tree
	times := map[string]int{}
	for i, e := range merklelog.Entries(read, c.Size) {
		if e.Err != nil {
			f.t.Fatalf("entry %d: %v", i, e.Err)
		}
		decoded, err := merklelog.DecodeEntry(e.Entry)
		if err != nil {
			f.t.Fatal(err)
		}
		times[decoded.Key]++
		tree.Append(merklelog.LeafHash(e.Entry))
	}
	if tree.Root() != c.Root || tree.Size() != c.Size {
		f.t.Errorf("%d entries have the root %v, the checkpoint has %v", tree.Size(), tree.Root(), c.Root)
	}
	if err := merklelog.CheckConsistency(read, merklelog.Checkpoint{Origin: c.Origin, Size: c.Size, Root: c.Root}, c); err != nil {
		f.t.Error(err)
	}
	return times
}

func once(t *testing.T, times map[string]int, n int) {
	t.Helper()
	for i := range n {
		if got := times[entry(i).Key]; got != 1 {
			t.Errorf("entry %d is in the log %d times", i, got)
		}
	}
}

// TestReplicas: entries of several replicas have one log, whichever of them leads.
func TestReplicas(t *testing.T) {
	f := newFixture(t)
	a, b := f.open("cp-a"), f.open("cp-b")
	stopA, stopB := f.run(a), f.run(b)
	defer stopB()
	f.register(a, 0, 300)
	f.register(b, 300, 700)
	first := f.checkpoint(a, 700)
	stopA()
	f.register(b, 700, 1500)
	second := f.checkpoint(b, 1500)
	once(t, f.check(second), 1500)
	read := func(path string) ([]byte, error) { return f.objects.Get(t.Context(), checkpoints.Folder+"/"+path) }
	if err := merklelog.CheckConsistency(read, first, second); err != nil {
		t.Error(err)
	}
	signed, err := a.Latest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(a.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := merklelog.OpenCheckpoint(signed, verifier); err != nil || c != second {
		t.Errorf("latest %v, %v; want %v", c, err, second)
	}
}

// TestStorageFails: after each number of writes that still work the log goes on where it was.
func TestStorageFails(t *testing.T) {
	f := newFixture(t)
	const step = 40
	size := 0
	for works := range 8 {
		f.objects.allow(works)
		log := f.open(fmt.Sprintf("cp-%d", works))
		stop := f.run(log)
		f.register(log, size, size+step)
		size += step
		time.Sleep(300 * time.Millisecond) // long enough for a try
		stop()                             // the replica is gone, another goes on
	}
	f.objects.allow(-1)
	log := f.open("cp-last")
	defer f.run(log)()
	once(t, f.check(f.checkpoint(log, int64(size))), size)
}

// TestFork: where something else is stored than what was placed, nothing is laid out any more.
func TestFork(t *testing.T) {
	f := newFixture(t)
	log := f.open("cp-a")
	f.register(log, 0, 3)
	if err := f.objects.Put(t.Context(), checkpoints.Folder+"/tile/entries/000.p/3", []byte("other")); err != nil {
		t.Fatal(err)
	}
	stop := f.run(log)
	time.Sleep(600 * time.Millisecond) // long enough for a try
	stop()
	if _, err := f.objects.Get(t.Context(), fmt.Sprintf("%s/checkpoint/%016d", checkpoints.Folder, 3)); !errors.Is(err, auditlog.ErrNotFound) {
		t.Errorf("a checkpoint over something else: %v", err)
	}
}

// TestNames: a log keeps the name that it began with.
func TestNames(t *testing.T) {
	f := newFixture(t)
	f.open("cp-a")
	log, err := checkpoints.Open(t.Context(), checkpoints.Config{Store: f.store, Objects: f.objects, Origin: "elsewhere.example.com", Key: f.key, Replica: "cp-b"})
	if err != nil || log.Origin() != origin {
		t.Errorf("%v, %v; want %s", log, err, origin)
	}
	if err := log.Register(t.Context(), merklelog.Entry{}, func() error { return nil }); !errors.Is(err, merklelog.ErrEntry) {
		t.Errorf("an empty entry: %v", err)
	}
	if _, err := checkpoints.Open(t.Context(), checkpoints.Config{Store: f.store}); err == nil {
		t.Error("opened without what is required")
	}
}

// TestLost: what a replica stored before it went down gets its entry, and nothing else does.
func TestLost(t *testing.T) {
	f := newFixture(t)
	down := errors.New("the replica went down")
	log := f.open("cp-a")
	stored, other, never := entry(0), entry(1), entry(2)
	for e, data := range map[merklelog.Entry][]byte{stored: {0}, other: []byte("something else"), never: nil} {
		err := log.Register(t.Context(), e, func() error {
			if data != nil {
				if err := f.objects.Put(t.Context(), e.Key, data); err != nil {
					t.Fatal(err)
				}
			}
			return down
		})
		if !errors.Is(err, down) {
			t.Fatal(err)
		}
	}
	next := f.open("cp-b")
	defer f.run(next)()
	times := f.check(f.checkpoint(next, 1))
	if len(times) != 1 || times[stored.Key] != 1 {
		t.Errorf("in the log: %v", times)
	}
	f.register(next, 3, 5)
	if times := f.check(f.checkpoint(next, 3)); len(times) != 3 {
		t.Errorf("in the log: %v", times)
	}
}
