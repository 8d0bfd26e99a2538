package checkpoints_test

import (
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/checkpoints"
	"github.com/writhq/writ/pkg/merklelog"
)

// placed reads the log from a place on, in parts.
func placed(t *testing.T, log *checkpoints.Log, from int64, limit int) (all []merklelog.Entry, size int64) {
	t.Helper()
	for {
		entries, n, err := log.Placed(t.Context(), from+int64(len(all)), limit)
		if err != nil || len(entries) > limit || n < size {
			t.Fatalf("%d entries of %d after %d of %d: %v", len(entries), n, len(all), size, err)
		}
		if size = n; len(entries) == 0 {
			return all, size
		}
		all = append(all, entries...)
	}
}

// The log can be read from anywhere, laid out or not, and whoever reads what has no place first misses nothing.
func TestFeed(t *testing.T) {
	f := newFixture(t)
	f.objects.allow(0) // so that nothing is laid out
	log := f.open("cp-a")
	f.register(log, 0, 40)
	if entries, size := placed(t, log, 0, 10); len(entries) != 0 || size != 0 {
		t.Fatalf("%d entries before there is a log", len(entries))
	}
	waiting, err := log.Unplaced(t.Context())
	if err != nil || len(different(waiting)) != 40 {
		t.Fatalf("%d entries wait: %v", len(waiting), err)
	}
	stop := f.run(log)
	inBatches := wait(t, log, 40)
	f.objects.allow(-1)
	f.register(log, 40, 700)
	f.checkpoint(log, 700)
	stop()
	f.register(log, 700, 720)
	for _, limit := range []int{1, 7, 256, 1000} {
		all, size := placed(t, log, 0, limit)
		if len(all) != 700 || size != 700 || len(different(all)) != 700 {
			t.Fatalf("by %d: %d entries, %d different, of %d", limit, len(all), len(different(all)), size)
		}
		for i, e := range inBatches {
			if all[i] != e {
				t.Fatalf("entry %d is %v, was %v before it was laid out", i, all[i], e)
			}
		}
		for _, from := range []int64{1, 39, 255, 256, 257, 699, 700, 900} {
			rest, _ := placed(t, log, from, limit)
			if want := max(700-int(from), 0); len(rest) != want || want > 0 && rest[0] != all[from] {
				t.Fatalf("from %d by %d: %d entries", from, limit, len(rest))
			}
		}
	}
	waiting, err = log.Unplaced(t.Context())
	if err != nil || !different(waiting)[entry(719).Key] {
		t.Fatalf("%d entries wait: %v", len(waiting), err)
	}
}

func different(entries []merklelog.Entry) map[string]bool {
	all := map[string]bool{}
	for _, e := range entries {
		all[e.Key] = true
	}
	return all
}

// wait reads the log until it has that many entries.
func wait(t *testing.T, log *checkpoints.Log, n int) []merklelog.Entry {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		all, _ := placed(t, log, 0, 9)
		if len(all) == n {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d entries have a place, want %d", len(all), n)
		}
	}
}

// While entries get their places and are laid out, none is ever missing.
func TestFeedMissesNothing(t *testing.T) {
	f := newFixture(t)
	log := f.open("cp-a")
	stop := f.run(log)
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; n < 400; n += 20 {
			f.register(log, n, n+20)
		}
	}()
	seen := map[string]bool{}
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		waiting, err := log.Unplaced(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all, _ := placed(t, log, 0, 50)
		now := different(append(all, waiting...))
		for key := range seen {
			if !now[key] {
				t.Fatalf("%s is gone", key)
			}
		}
		seen = now
	}
	if len(seen) != 400 {
		t.Fatalf("%d entries", len(seen))
	}
}
