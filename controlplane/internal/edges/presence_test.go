package edges_test

import (
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/edges"
)

// noted is what everybody sees of how edge-a's records lag, and when that was written.
func noted(t *testing.T, r *edges.Registry) time.Duration {
	t.Helper()
	all, err := r.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0].RecordLag
}

func TestLagIsNotedSeldom(t *testing.T) {
	r, ahead := newRegistry(t)
	token, err := r.CreateJoinToken(t.Context(), "edge-a", []string{"edge-a.example"}, time.Hour, "root")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Enrol(t.Context(), token.Secret.Reveal(), csr(t), csr(t, "edge-a.example")); err != nil {
		t.Fatal(err)
	}
	a, err := r.Announce(t.Context(), edges.Presence{Edge: "edge-a", Boot: "b1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after, lag, shown time.Duration
	}{
		{5 * time.Second, 20 * time.Second, 0},                 // too soon
		{16 * time.Second, 30 * time.Second, 30 * time.Second}, // it began to lag
		{21 * time.Second, 35 * time.Second, 30 * time.Second},
		{26 * time.Second, time.Second, 30 * time.Second},
		{32 * time.Second, time.Second, time.Second}, // and ceased
		{60 * time.Second, 2 * time.Second, time.Second},
		{93 * time.Second, 3 * time.Second, 3 * time.Second}, // a minute later
		{110 * time.Second, -time.Second, 3 * time.Second},
	} {
		*ahead = step.after
		if err := a.Renew(t.Context(), step.lag); err != nil {
			t.Fatal(err)
		}
		if got := noted(t, r); got != step.shown {
			t.Fatalf("after %s: %s is shown, want %s", step.after, got, step.shown)
		}
	}
	if err := a.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := noted(t, r); got != 0 {
		t.Fatalf("a clock that stepped back shows as %s", got)
	}
}
