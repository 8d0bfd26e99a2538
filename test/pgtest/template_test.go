package pgtest

import (
	"sync"
	"testing"
)

// Servers of one template know nothing of each other, though they are made at once.
func TestServersOfOneTemplate(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	servers := make([]*Server, 3)
	var wg sync.WaitGroup
	for i := range servers {
		dir := t.TempDir()
		wg.Go(func() {
			s, err := Run(dir)
			if err != nil {
				t.Error(err)
				return
			}
			servers[i] = s
			t.Cleanup(s.Stop)
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	servers[0].Exec(t, "postgres", "CREATE TABLE only_here (x int)")
	for i, want := range []string{"t", "f", "f"} {
		if got := servers[i].Value(t, "postgres", "SELECT to_regclass('only_here') IS NOT NULL"); got != want {
			t.Errorf("server %d: %s", i, got)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := Run(b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		s.Stop()
	}
}
