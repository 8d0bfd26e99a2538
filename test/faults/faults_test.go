package faults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/test/world"
)

var (
	rounds = flag.Int("rounds", 3, "fault rounds to run")
	only   = flag.String("fault", "", "run only this fault: edge, control, postgres, edge+control, edge+postgres, stop-edge or stop-control")
)

// Bounds on how long a part may take to be right again.
const (
	usableWithin = 25 * time.Second // from the restart to a whole session through the edge
	tidyWithin   = 30 * time.Second // from the end of the load to nothing left
	stopFor      = 17 * time.Second // longer than a lease
)

// fault breaks one part and mends it. It returns when it broke and when it was mended.
type fault struct {
	name  string
	apply func(r *rig, round *round) error
}

func kill(p func(r *rig) *world.Process) func(r *rig, round *round) error {
	return func(r *rig, round *round) error {
		p(r).Kill()
		round.broke = time.Now()
		if p(r) == r.Edge {
			var err error
			if round.spooled, err = spooled(filepath.Join(r.Dir, "edge", "spool")); err != nil {
				return err
			}
		}
		time.Sleep(rand.N(700 * time.Millisecond))
		round.mended = time.Now()
		return p(r).Start()
	}
}

func pause(p func(r *rig) *world.Process) func(r *rig, round *round) error {
	return func(r *rig, round *round) error {
		if err := p(r).Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		round.broke = time.Now()
		time.Sleep(stopFor)
		round.mended, round.stopped = time.Now(), true
		return p(r).Signal(syscall.SIGCONT)
	}
}

func killPostgres(r *rig, round *round) error {
	r.PG.Kill()
	round.broke = time.Now()
	time.Sleep(rand.N(700 * time.Millisecond))
	round.mended = time.Now()
	return r.PG.Launch()
}

// killTogether kills an edge and another part, and mends the edge first.
func killTogether(other, mend func(r *rig, round *round) error) func(r *rig, round *round) error {
	return func(r *rig, round *round) error {
		done := make(chan error, 1)
		go func() { done <- other(r, round) }()
		err := kill(edgeOf)(r, round)
		if err := errors.Join(err, <-done); err != nil {
			return err
		}
		time.Sleep(time.Second)
		round.mended = time.Now()
		return mend(r, round)
	}
}

func downPostgres(r *rig, _ *round) error { r.PG.Kill(); return nil }
func upPostgres(r *rig, _ *round) error   { return r.PG.Launch() }
func downControl(r *rig, _ *round) error  { r.Control.Kill(); return nil }
func upControl(r *rig, _ *round) error    { return r.Control.Start() }

func edgeOf(r *rig) *world.Process    { return r.Edge }
func controlOf(r *rig) *world.Process { return r.Control }

var faults = []fault{
	{"edge", kill(edgeOf)}, {"control", kill(controlOf)}, {"postgres", killPostgres},
	{"edge+control", killTogether(downControl, upControl)}, {"edge+postgres", killTogether(downPostgres, upPostgres)},
	{"stop-edge", pause(edgeOf)}, {"stop-control", pause(controlOf)},
}

// stops is where in faults the slow ones begin.
const stops = 5

// pick chooses the fault of the n-th round: every tenth is a stop.
func pick(n int) fault {
	if *only != "" {
		i := slices.IndexFunc(faults, func(f fault) bool { return f.name == *only })
		return faults[i]
	}
	if n%10 == 9 {
		return faults[stops+n/10%2]
	}
	if n < stops {
		return faults[n]
	}
	return faults[rand.N(stops)]
}

// round is what one round saw.
type round struct {
	number        int
	fault         string
	broke, mended time.Time
	stopped       bool
	spooled       []audit.Record // on the edge's disk when it was killed

	executed        []executed
	usable          time.Duration
	sessions, roles time.Duration // until none was left
	shipped         time.Duration // until every record was in the store
}

// totals add the rounds up.
type totals struct {
	rounds, writes, sessions, errors, hangs, held, released, records, duplicates, spooled int
	usable, gone, roles, shipped                                                          time.Duration // the longest
	causes                                                                                map[string]int
}

func TestRounds(t *testing.T) {
	r := newRig(t, world.Config{})
	auditor := r.auditor(t)
	sum := totals{causes: map[string]int{}}
	for n := range *rounds {
		began := time.Now()
		f := pick(n)
		rd := &round{number: n + 1, fault: f.name}
		l := r.run(t, f, rd)
		r.judge(t, rd, l)
		sum.add(rd, l, r)
		t.Logf("round %3d %-12s %5.1fs: %4d statements, %3d sessions, %3d errors, %4d writes executed, usable %5s, sessions gone %5s, roles gone %5s, records home %5s, slowest call %s",
			rd.number, rd.fault, time.Since(began).Seconds(), l.statements.Load(), l.sessions.Load(), l.errors.Load(), len(rd.executed),
			ms(rd.usable), ms(rd.sessions), ms(rd.roles), ms(rd.shipped), ms(l.slowest))
		if t.Failed() {
			break
		}
	}
	t.Log(sum)
	report, err := auditor.verify(context.Background())
	if err != nil {
		t.Errorf("the log of records: %v", err)
	}
	t.Logf("log of %d entries: %d objects, %d records of %d sessions, %d without an end, %d findings", report.Size, report.Objects, report.Records, report.Sessions, report.Unfinished, len(report.Findings))
	if n, err := r.unspent(context.Background()); err == nil {
		t.Logf("%d approved commands never ran: what waited for them was lost", n)
	}
	for cause, n := range sum.causes {
		t.Logf("%6d x %s", n, cause)
	}
}

func ms(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }

func (s *totals) add(rd *round, l *load, r *rig) {
	s.rounds++
	s.writes += len(rd.executed)
	s.spooled += len(rd.spooled)
	s.sessions += int(l.sessions.Load())
	s.errors += int(l.errors.Load())
	s.hangs += int(l.hangs.Load())
	s.held += int(l.held.Load())
	for _, e := range rd.executed {
		if strings.HasPrefix(e.sql, "DELETE") {
			s.released++
		}
	}
	s.records, s.duplicates = r.records.records, r.records.duplicates
	s.usable, s.gone = max(s.usable, rd.usable), max(s.gone, rd.sessions)
	s.roles, s.shipped = max(s.roles, rd.roles), max(s.shipped, rd.shipped)
	for c, n := range l.causes {
		s.causes[c] += n
	}
}

func (s totals) String() string {
	return fmt.Sprintf("TOTAL: %d rounds: %d writes executed, each with its intent before it; %d sessions, %d held of which %d were approved and ran, %d client errors, %d clients out of time (at stopped parts only); "+
		"%d records in the store (%d stored twice, %d looked up from killed spools); longest: usable %s, sessions gone %s, roles gone %s, records home %s",
		s.rounds, s.writes, s.sessions, s.held, s.released, s.errors, s.hangs, s.records, s.duplicates, s.spooled, ms(s.usable), ms(s.gone), ms(s.roles), ms(s.shipped))
}

// run loads the world, applies the fault and waits until a session works again.
func (r *rig) run(t *testing.T, f fault, rd *round) *load {
	t.Helper()
	if rd.number%20 == 0 {
		r.refresh(t)
	}
	l := r.startLoad()
	_, err := until(15*time.Second, 10*time.Millisecond, l.warm)
	if err != nil {
		t.Errorf("round %d: before the fault: %v", rd.number, err)
	}
	time.Sleep(rand.N(1200 * time.Millisecond))
	if err := f.apply(r, rd); err != nil {
		t.Errorf("round %d: %s: %v", rd.number, f.name, err)
	}
	if _, err = until(usableWithin, 50*time.Millisecond, func() error { return r.probe(context.Background()) }); err != nil {
		t.Errorf("round %d: %s: not usable %v", rd.number, f.name, err)
	}
	rd.usable = time.Since(rd.mended)
	time.Sleep(200 * time.Millisecond)
	l.end()
	return l
}

// warm says which worker has not done anything yet.
func (l *load) warm() error {
	for _, w := range l.workers {
		if w.good.Load() == 0 && w.name != "holder" {
			return errors.New(w.name + " has done nothing")
		}
	}
	return nil
}

// judge asserts what must hold after every round.
func (r *rig) judge(t *testing.T, rd *round, l *load) {
	t.Helper()
	ctx := context.Background()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("round %d: %s: %s", rd.number, rd.fault, fmt.Sprintf(format, args...))
	}
	ended := time.Now()
	if _, err := until(tidyWithin, 50*time.Millisecond, func() error { return r.noSessions(ctx) }); err != nil {
		fail("sessions left open %v", err)
	}
	rd.sessions = time.Since(ended)
	if _, err := until(tidyWithin, 50*time.Millisecond, func() error { return r.noLeftovers(ctx) }); err != nil {
		fail("left at the target %v", err)
	}
	rd.roles = time.Since(ended)
	found, err := r.log.read()
	if err != nil {
		fail("%v", err)
	}
	for _, e := range found {
		if e.write() {
			rd.executed = append(rd.executed, e)
		}
	}
	if _, err := until(tidyWithin, 50*time.Millisecond, func() error { return r.allRecorded(ctx, rd) }); err != nil {
		fail("records %v", err)
	}
	rd.shipped = time.Since(ended)
	for _, err := range r.misdeeds(rd) {
		fail("%v", err)
	}
	if err := r.replays(ctx); err != nil {
		fail("%v", err)
	}
	if err := some(l.hung); err != nil && !rd.stopped {
		fail("clients hung: %v", err)
	}
	for cause := range l.causes {
		if strings.Contains(cause, "UNMASKED") {
			fail("%s", cause)
		}
	}
}

func (r *rig) noSessions(ctx context.Context) error {
	ids, err := r.live(ctx)
	if err != nil {
		return err
	}
	return some(ids)
}

func (r *rig) noLeftovers(ctx context.Context) error {
	roles, backends, err := r.leftovers(ctx)
	return errors.Join(err, some(roles), some(backends))
}

// allRecorded says what is not in the record store yet.
func (r *rig) allRecorded(ctx context.Context, rd *round) error {
	if err := r.records.read(); err != nil {
		return err
	}
	present, err := r.present(ctx)
	if err != nil {
		return err
	}
	var bare []string
	for _, m := range present {
		if _, ok := r.records.intents[m]; !ok {
			bare = append(bare, "in the table without intent: "+m)
		}
	}
	for _, e := range rd.executed {
		if _, ok := r.records.intents[e.marker]; !ok {
			bare = append(bare, "executed without intent: "+e.sql)
		}
	}
	return errors.Join(some(bare), some(r.records.gaps()), some(r.records.missing(rd.spooled)))
}

// misdeeds are what no waiting makes good.
func (r *rig) misdeeds(rd *round) (found []error) {
	times := map[string]int{}
	for _, e := range rd.executed {
		in := r.records.intents[e.marker]
		times[e.marker]++
		if times[e.marker] > 1 {
			found = append(found, fmt.Errorf("executed twice: %s", e.sql))
		}
		if in.at.Truncate(time.Millisecond).After(e.at) {
			found = append(found, fmt.Errorf("intent of %s is of %s, after the target ran it at %s", e.marker, in.at, e.at))
		}
		if strings.HasPrefix(e.sql, "DELETE") && !r.records.holds[in.hold] {
			found = append(found, fmt.Errorf("executed without its hold: %s", e.sql))
		}
	}
	if rd.stopped {
		found = append(found, r.afterLease(rd)...)
	}
	return found
}

// afterLease finds what sessions from before a stop ran after it, and what ran while the
// lease of a cut-off edge was over.
func (r *rig) afterLease(rd *round) (found []error) {
	const lease = 15 * time.Second
	from := rd.broke.Add(lease)
	old := map[string]bool{}
	for _, e := range rd.executed {
		switch {
		case e.at.Before(rd.broke):
			old[e.role] = true
		case old[e.role] && e.at.After(from):
			found = append(found, fmt.Errorf("%s after the lease ended: %s", e.at.Sub(from), e.sql))
		case e.at.After(from) && e.at.Before(rd.mended):
			found = append(found, fmt.Errorf("%s after the lease ended, by a new session: %s", e.at.Sub(from), e.sql))
		}
	}
	return found
}

// replays asks the control plane for some sessions and compares with the store: for some
// that just ended in good order, and for some that a crash cut, once their end cannot be on
// its way any more.
func (r *rig) replays(ctx context.Context) error {
	const mayOwe = 11 * time.Second
	whole, cut := 0, 0
	for id, c := range r.records.chains {
		if !strings.HasPrefix(id, "ses-") || r.judged[id] {
			continue
		}
		if !c.closed && time.Since(c.came) < mayOwe {
			continue
		}
		r.judged[id] = true
		asked := &whole
		if !c.closed {
			asked = &cut
		}
		if *asked++; *asked > 2 {
			continue
		}
		n, damaged, err := r.replayed(ctx, id)
		switch {
		case err != nil:
			return fmt.Errorf("replay %s: %w", id, err)
		case n != c.last:
			return fmt.Errorf("replay of %s ends at record %d of %d", id, n, c.last)
		case damaged == c.closed:
			return fmt.Errorf("replay of %s: closed is %v, shown as damaged is %v", id, c.closed, damaged)
		}
	}
	return nil
}
