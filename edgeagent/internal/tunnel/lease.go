package tunnel

import (
	"sync"
	"sync/atomic"
	"time"
)

// Lease is the edge's permission to act. It counts from the moment the edge
// sent the heartbeat that was acknowledged, on this machine's clocks, so that
// a slow or stopped edge or control plane can only make it shorter. It is safe
// for concurrent use.
type Lease struct {
	now   func() time.Time
	until atomic.Pointer[span]

	mu    sync.Mutex
	lost  chan struct{}
	timer *time.Timer
}

// span is until when a lease holds, by two clocks: the monotonic one, which
// nobody can set, and the wall clock, which goes on while a virtual machine is
// suspended.
type span struct{ until, wall time.Time }

func spanOf(sent time.Time, d time.Duration) *span {
	until := sent.Add(d)
	return &span{until: until, wall: until.Round(0)}
}

func (s *span) covers(now time.Time) bool {
	return s != nil && now.Before(s.until) && now.Round(0).Before(s.wall)
}

func newLease(now func() time.Time) *Lease {
	l := &Lease{now: now, lost: make(chan struct{})}
	close(l.lost)
	return l
}

// Valid reports whether the lease holds at this moment.
func (l *Lease) Valid() bool { return l.until.Load().covers(l.now()) }

// Lost is closed when the lease that is held now ends; it is closed already
// when none is.
func (l *Lease) Lost() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// extend makes the lease hold for d from sent on. It never shortens it, and an
// acknowledgement that came too late changes nothing.
func (l *Lease) extend(sent time.Time, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := spanOf(sent, d)
	old := l.until.Load()
	now := l.now()
	if !fresh.covers(now) || old.covers(now) && fresh.until.Before(old.until) {
		return
	}
	if !old.covers(now) {
		l.endLocked()
		l.lost = make(chan struct{})
	}
	l.until.Store(fresh)
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer = time.AfterFunc(fresh.until.Sub(now), l.check)
}

// check closes lost if the lease is over.
func (l *Lease) check() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if held := l.until.Load(); held.covers(now) {
		l.timer = time.AfterFunc(held.until.Sub(now), l.check)
		return
	}
	l.endLocked()
}

func (l *Lease) endLocked() {
	select {
	case <-l.lost:
	default:
		close(l.lost)
	}
}
