package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func testConfig(dir string) Config {
	return Config{Dir: dir, Logger: hclog.NewNullLogger()}
}

func open(t testing.TB, cfg Config) *Spool {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func record(i int) []byte { return fmt.Appendf(nil, "record %d", i) }

// put appends records from..to-1, all durable, and returns their positions.
func put(t testing.TB, s *Spool, from, to int) []Position {
	t.Helper()
	var ends []Position
	for i := from; i < to; i++ {
		pos, err := s.Append(record(i))
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, pos)
	}
	if err := s.Sync(t.Context(), ends[len(ends)-1]); err != nil {
		t.Fatal(err)
	}
	return ends
}

// rest reads what Next has up to what is durable.
func rest(t testing.TB, s *Spool) []string {
	t.Helper()
	var got []string
	for end := s.Stats().Durable; ; {
		if s.reader.next >= end || end == s.Stats().Acked {
			return got
		}
		b, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range b.Records {
			got = append(got, string(rec))
		}
	}
}

func names(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, string(record(i)))
	}
	return out
}

func wantRest(t testing.TB, s *Spool, from, to int) {
	t.Helper()
	if got := rest(t, s); !slices.Equal(got, names(from, to)) {
		t.Errorf("read %d records %.200q, want %d to %d", len(got), got, from, to)
	}
}

func TestRecordsSurviveReopening(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.SegmentBytes, cfg.MaxBytes = 500, 1<<20
	s := open(t, cfg)
	var ends []Position
	for i := range 20 {
		ends = append(ends, put(t, s, i*10, i*10+10)...)
	}
	if files := s.Stats().Files; files < 3 {
		t.Errorf("%d files", files)
	}
	wantRest(t, s, 0, 200)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	wantRest(t, s, 0, 200)
	for _, acked := range []int{1, 37, 100, 110, 199, 200} {
		if err := s.Ack(ends[acked-1]); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s = open(t, cfg)
		wantRest(t, s, acked, 200)
		s.Rewind()
		wantRest(t, s, acked, 200)
	}
	if left := s.Stats().Files; left > 1 {
		t.Errorf("%d files are left when all is acknowledged", left)
	}
	put(t, s, 200, 210)
	wantRest(t, s, 200, 210)
}

func TestNextIsBounded(t *testing.T) {
	s := open(t, testConfig(t.TempDir()))
	big := make([]byte, maxNext/2+1)
	var last Position
	for range 3 {
		pos, err := s.Append(big)
		if err != nil {
			t.Fatal(err)
		}
		last = pos
	}
	if err := s.Sync(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b, err := s.Next(t.Context())
		if err != nil || len(b.Records) != 1 {
			t.Fatalf("%d records, error %v", len(b.Records), err)
		}
		if err := s.Ack(b.End); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Acked != last {
		t.Errorf("acked %d of %d", st.Acked, last)
	}
}

func TestNextWaits(t *testing.T) {
	s := open(t, testConfig(t.TempDir()))
	got := make(chan Batch)
	go func() {
		b, _ := s.Next(t.Context())
		got <- b
	}()
	pos, err := s.Append(record(1)) // nobody calls Sync: FlushInterval makes it durable
	if err != nil {
		t.Fatal(err)
	}
	if b := <-got; b.End != pos || string(b.Records[0]) != "record 1" {
		t.Errorf("got %q up to %d, want up to %d", b.Records, b.End, pos)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAppendCopies(t *testing.T) {
	s := open(t, testConfig(t.TempDir()))
	rec := []byte("before")
	pos, err := s.Append(rec)
	if err != nil {
		t.Fatal(err)
	}
	copy(rec, "after!")
	if err := s.Sync(t.Context(), pos); err != nil {
		t.Fatal(err)
	}
	if got := rest(t, s); got[0] != "before" {
		t.Errorf("stored %q", got)
	}
}

func TestRefusals(t *testing.T) {
	s := open(t, testConfig(t.TempDir()))
	if _, err := s.Append(nil); err == nil {
		t.Error("took an empty record")
	}
	if _, err := s.Append(make([]byte, MaxRecordBytes+1)); err == nil {
		t.Error("took an oversize record")
	}
	ends := put(t, s, 0, 1)
	if err := s.Sync(t.Context(), ends[0]+1000); err == nil {
		t.Error("synced a position that does not exist")
	}
	if err := s.Ack(ends[0] + 1); err == nil {
		t.Error("acknowledged a position that does not exist")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(record(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("next after close: %v", err)
	}
	if err := s.Ack(ends[0]); !errors.Is(err, ErrClosed) {
		t.Errorf("ack after close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestConfigRefusals(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no folder":            func(c *Config) { c.Dir = "" },
		"no logger":            func(c *Config) { c.Logger = nil },
		"room for one segment": func(c *Config) { c.MaxBytes = 16 << 20 },
		"flush after the lag":  func(c *Config) { c.FlushInterval = time.Second },
	} {
		cfg := testConfig(t.TempDir())
		spoil(&cfg)
		if _, err := Open(cfg); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestOneProcessOnly(t *testing.T) {
	dir := t.TempDir()
	s := open(t, testConfig(dir))
	if _, err := Open(testConfig(dir)); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	s.Close()
	open(t, testConfig(dir))
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	put(t, open(t, testConfig(dir)), 0, 1)
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		want := os.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFullRefusesUntilAcknowledged(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.SegmentBytes, cfg.MaxBytes = 1000, 2000
	s := open(t, cfg)
	for round := range 20 { // a file that is full of acknowledged records must not wedge it
		var last Position
		var err error
		for n := 0; ; n++ {
			var pos Position
			if pos, err = s.Append(make([]byte, 90)); err != nil {
				if n < 5 {
					t.Fatalf("round %d: full after %d records", round, n)
				}
				break
			}
			last = pos
		}
		if !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		if err := s.Sync(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		if used := s.Stats().Bytes; used > cfg.MaxBytes {
			t.Errorf("%d bytes of %d in use", used, cfg.MaxBytes)
		}
		if err := s.Ack(last); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Err(); err != nil {
		t.Errorf("being full ended the spool: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	cfg := testConfig(t.TempDir())
	cfg.SegmentBytes = 64 << 10
	s := open(t, cfg)
	const writers, each = 8, 300
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				pos, err := s.Append(fmt.Appendf(nil, "%d:%d", w, i))
				if err == nil && i%10 == 0 {
					err = s.Sync(t.Context(), pos)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	next := make([]int, writers)
	for read := 0; read < writers*each; {
		b, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range b.Records {
			var w, i int
			if _, err := fmt.Sscanf(string(rec), "%d:%d", &w, &i); err != nil || next[w] != i {
				t.Fatalf("read %q, writer %d is at %d", rec, w, next[w])
			}
			next[w]++
			read++
		}
		if err := s.Ack(b.End); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if st := s.Stats(); st.Flushes >= writers*each {
		t.Errorf("%d flushes for %d records: nothing was committed together", st.Flushes, writers*each)
	}
}

func BenchmarkAppend(b *testing.B) {
	cfg := testConfig(b.TempDir())
	cfg.MaxBytes = 1 << 40
	s := open(b, cfg)
	rec := make([]byte, 400)
	b.SetBytes(int64(len(rec)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Append(rec); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendSync(b *testing.B) {
	s := open(b, testConfig(b.TempDir()))
	rec := make([]byte, 400)
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			pos, err := s.Append(rec)
			if err == nil {
				err = s.Sync(context.Background(), pos)
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}
