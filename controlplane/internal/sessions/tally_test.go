package sessions_test

import (
	"context"
	"testing"

	"github.com/writhq/writ/controlplane/internal/auditlog"
	"github.com/writhq/writ/controlplane/internal/sessions"
)

// stored is what the records themselves say.
type stored struct {
	all   auditlog.Shipped
	asked int
}

func (s *stored) Count(_ context.Context, session string) (auditlog.Shipped, error) {
	s.asked++
	s.all.Session = session
	return s.all, nil
}

func newTally(t *testing.T, f *fixture) *sessions.Tally {
	t.Helper()
	tally, err := sessions.NewTally(sessions.TallyConfig{Book: f.book})
	if err != nil {
		t.Fatal(err)
	}
	return tally
}

func part(n int, first, last uint64, commands, denied int64) auditlog.Shipped {
	return auditlog.Shipped{Session: id(n), First: first, Last: last, Commands: commands, Denied: denied}
}

func (f *fixture) count(t *testing.T, n int) sessions.Count {
	t.Helper()
	counts, err := f.book.Counts(t.Context(), []string{id(n)})
	if err != nil {
		t.Fatal(err)
	}
	return counts[id(n)]
}

func write(t *testing.T, tally *sessions.Tally, recorded *stored, times int) {
	t.Helper()
	for range times {
		if err := tally.Write(t.Context(), recorded); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTallyCountsEachRecordOnce(t *testing.T) {
	f := newFixture(t)
	if err := f.create(t, f.session(1)); err != nil {
		t.Fatal(err)
	}
	near, far, records := newTally(t, f), newTally(t, f), new(stored)
	near.Shipped(part(1, 1, 3, 1, 0))
	near.Shipped(part(1, 4, 9, 3, 1))
	write(t, near, records, 1)
	near.Shipped(part(1, 4, 9, 3, 1)) // again, after a lost acknowledgement
	far.Shipped(part(1, 12, 14, 2, 2))
	write(t, far, records, 2) // what is before it is at the other replica
	if got := f.count(t, 1); got != (sessions.Count{Commands: 4, Denied: 1, Through: 9}) {
		t.Fatalf("got %+v", got)
	}
	near.Shipped(part(1, 10, 11, 1, 0))
	write(t, near, records, 1)
	write(t, far, records, 1)
	if got := f.count(t, 1); got != (sessions.Count{Commands: 7, Denied: 3, Through: 14}) || records.asked != 0 {
		t.Fatalf("got %+v, asked %d times", got, records.asked)
	}
}

// A replica died with what it had not written: the session is counted anew.
func TestTallyNoticesAGap(t *testing.T) {
	f := newFixture(t)
	if err := f.create(t, f.session(1)); err != nil {
		t.Fatal(err)
	}
	tally, records := newTally(t, f), &stored{all: auditlog.Shipped{First: 1, Last: 30, Commands: 12, Denied: 5}}
	tally.Shipped(part(1, 20, 30, 4, 1))
	write(t, tally, records, 2)
	if got := f.count(t, 1); got != (sessions.Count{}) {
		t.Fatalf("a part is taken for the whole: %+v", got)
	}
	write(t, tally, records, 1)
	tally.Shipped(part(1, 31, 32, 1, 0))
	write(t, tally, records, 1)
	if got := f.count(t, 1); got != (sessions.Count{Commands: 13, Denied: 5, Through: 32}) || records.asked != 1 {
		t.Fatalf("got %+v, asked %d times", got, records.asked)
	}
}

func TestTallyKeepsNothingOfTheUnknown(t *testing.T) {
	f := newFixture(t)
	tally, records := newTally(t, f), new(stored)
	tally.Shipped(part(7, 1, 3, 1, 0))
	tally.Shipped(auditlog.Shipped{Session: "edge:edge-a:b1", First: 1, Last: 1})
	write(t, tally, records, 2)
	if got := f.count(t, 7); got != (sessions.Count{}) || records.asked != 0 {
		t.Fatalf("got %+v", got)
	}
}

func TestTallyOfManySessions(t *testing.T) {
	f := newFixture(t)
	f.many(t, 300)
	tally, records := newTally(t, f), new(stored)
	for n := range 300 {
		tally.Shipped(part(n, 1, 2, int64(n), 0))
	}
	write(t, tally, records, 1)
	if got := f.count(t, 0); got.Through != 2 {
		t.Fatalf("the first was not written: %+v", got)
	}
	if got := f.count(t, 299); got.Through != 0 {
		t.Fatalf("more than the limit was written: %+v", got)
	}
	write(t, tally, records, 1)
	if got := f.count(t, 299); got.Commands != 299 {
		t.Fatalf("got %+v", got)
	}
}
