package tunnel

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func ended(l *Lease) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

func TestLeaseCountsFromTheHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(time.Now)
		if l.Valid() || !ended(l) {
			t.Fatal("a fresh lease holds")
		}
		sent := time.Now()
		time.Sleep(4 * time.Second) // the acknowledgement was slow
		l.extend(sent, 15*time.Second)
		lost := l.Lost()
		time.Sleep(11*time.Second - 1)
		if !l.Valid() || ended(l) {
			t.Fatal("ended early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if l.Valid() {
			t.Fatal("holds 15 s after the heartbeat was sent")
		}
		<-lost
	})
}

func TestLeaseIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLease(time.Now)
		l.extend(time.Now(), 15*time.Second)
		lost := l.Lost()
		for range 10 {
			time.Sleep(5 * time.Second)
			l.extend(time.Now(), 15*time.Second)
		}
		if !l.Valid() || l.Lost() != lost {
			t.Fatal("a renewed lease was lost")
		}
		old := time.Now().Add(-10 * time.Second) // an acknowledgement that overtook
		l.extend(old, 15*time.Second)
		time.Sleep(14 * time.Second)
		if !l.Valid() {
			t.Fatal("an older heartbeat made the lease shorter")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		<-lost
		l.extend(time.Now().Add(-time.Minute), 15*time.Second)
		if l.Valid() {
			t.Fatal("an acknowledgement that came too late made a lease")
		}
		l.extend(time.Now(), 15*time.Second)
		if !l.Valid() || ended(l) {
			t.Fatal("no new lease after a lost one")
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if !ended(l) {
			t.Fatal("the second lease does not end")
		}
	})
}

// jumping is a clock that stands still until it jumps, as it looks to a
// process that was stopped.
type jumping struct {
	mu sync.Mutex
	at time.Time
}

func (j *jumping) now() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.at
}

func (j *jumping) jump(d time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.at = j.at.Add(d)
}

func TestLeaseIsOverAfterAPause(t *testing.T) {
	clock := &jumping{at: time.Now()}
	l := newLease(clock.now)
	l.extend(clock.now(), 15*time.Second)
	if !l.Valid() {
		t.Fatal("no lease")
	}
	clock.jump(time.Minute) // no timer has fired yet
	if l.Valid() {
		t.Fatal("the lease outlived a pause")
	}
	l.extend(clock.now().Add(-20*time.Second), 15*time.Second) // what lay in the socket meanwhile
	if l.Valid() {
		t.Fatal("an old acknowledgement revived the lease")
	}
}

func TestLeaseIsOverAfterASuspendedMachine(t *testing.T) {
	now := time.Now()
	s := spanOf(now, 15*time.Second)
	if !s.covers(now.Add(14*time.Second)) || s.covers(now.Add(15*time.Second)) {
		t.Fatal("a running machine's lease is not 15 s")
	}
	s.wall = now.Round(0).Add(-45 * time.Second) // the wall clock went on by a minute, the monotonic one did not
	if s.covers(now) {
		t.Fatal("the lease holds although the wall clock went on")
	}
}
