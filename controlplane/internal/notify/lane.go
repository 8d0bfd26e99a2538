package notify

import (
	"context"
	"sync"
	"time"

	"github.com/writhq/writ/pkg/webhook"
)

// perReceiver is how many deliveries to one receiver are under way at most.
const perReceiver = 4

// lane is the queue of one receiver at the replica that sends. Lanes do not wait for each other.
type lane struct {
	deliveries *Deliveries
	to         *recipient
	wake       chan struct{}

	mu       sync.Mutex
	rows     map[string]queueRow      // what waits, by the delivery's id
	busy     map[string]bool          // ids that are under way
	subjects map[webhook.Subject]bool // theirs: one delivery of a subject at a time
	resume   time.Time                // the receiver asked not to be called before
}

func newLane(d *Deliveries, to *recipient) *lane {
	return &lane{
		deliveries: d, to: to, wake: make(chan struct{}, 1),
		rows: map[string]queueRow{}, busy: map[string]bool{}, subjects: map[webhook.Subject]bool{},
	}
}

func (l *lane) put(id string, row queueRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows[id] = row
	l.poke()
}

func (l *lane) drop(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rows, id)
}

func (l *lane) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.rows)
}

func (l *lane) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// job is a delivery that is due.
type job struct {
	id  string
	row queueRow
}

// take picks what is due, the oldest first, and marks it as under way. Without such it returns how long to wait.
func (l *lane) take(now time.Time) (j job, wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait = time.Hour
	if now.Before(l.resume) {
		return job{}, l.resume.Sub(now), false
	}
	for id, row := range l.rows {
		if l.busy[id] || l.subjects[row.Subject] {
			continue
		}
		if due := row.Next.Sub(now); due > 0 {
			wait = min(wait, due)
		} else if !ok || id < j.id {
			j, ok = job{id, row}, true
		}
	}
	if ok {
		l.busy[j.id], l.subjects[j.row.Subject] = true, true
	}
	return j, wait, ok
}

// finish takes a job off. After a fault of the store it is tried again a little later; otherwise the row that was
// attempted counts no more, and the store tells of the next one.
func (l *lane) finish(j job, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, j.id)
	delete(l.subjects, j.row.Subject)
	if row, ok := l.rows[j.id]; ok && row.Next.Equal(j.row.Next) {
		if err == nil {
			delete(l.rows, j.id)
		} else {
			row.Next = l.deliveries.cfg.Now().Add(faultPause)
			l.rows[j.id] = row
		}
	}
	l.poke()
}

// hush keeps the lane quiet for a while, because the receiver asked for that.
func (l *lane) hush(wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.deliveries.cfg.Now().Add(wait); at.After(l.resume) {
		l.resume = at
	}
}

// run delivers until ctx ends, and then waits for what is under way.
func (l *lane) run(ctx context.Context) error {
	var under sync.WaitGroup
	defer under.Wait()
	slots := make(chan struct{}, perReceiver)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case slots <- struct{}{}:
		}
		j, ok := l.await(ctx)
		if !ok {
			return context.Cause(ctx)
		}
		under.Go(func() {
			defer func() { <-slots }()
			l.finish(j, l.deliver(ctx, j))
		})
	}
}

// await returns the next job, or false when ctx ends.
func (l *lane) await(ctx context.Context) (job, bool) {
	for {
		j, wait, ok := l.take(l.deliveries.cfg.Now())
		if ok {
			return j, true
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-l.wake:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return job{}, false
		}
	}
}
