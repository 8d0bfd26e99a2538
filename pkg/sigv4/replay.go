package sigv4

import (
	"container/heap"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// Replays remembers the signed requests that were accepted, each until its signature ceases to be accepted. What counts
// is the caller's: a presigned URL is made to be used again, and a read does no harm twice. It may be used by several
// goroutines at a time. It holds nothing on disk, so that it knows nothing of what was before a restart.
type Replays struct {
	now   func() time.Time
	max   int
	grace time.Duration

	mu   sync.Mutex
	seen map[[sha256.Size]byte]time.Time // when first
	due  expiries
}

// ReplaysConfig says how much is remembered.
//
// Grace is there because dates on the wire have no fractions: a client that says the same twice within a second signs it in
// the same way, unless it signs an invocation id, as aws-sdk-go-v2 does and botocore does not. Both sign a retry anew.
type ReplaysConfig struct {
	Max   int              // requests remembered at a time, about 200 bytes each. Required; one set per session keeps sessions apart
	Now   func() time.Time // required
	Grace time.Duration    // how long after the first time the same request is let through. Default 0
}

// NewReplays returns an empty set.
func NewReplays(c ReplaysConfig) (*Replays, error) {
	if c.Max <= 0 || c.Now == nil || c.Grace < 0 {
		return nil, errors.New("sigv4: replays need a maximum and a clock")
	}
	return &Replays{now: c.Now, max: c.Max, grace: c.Grace, seen: make(map[[sha256.Size]byte]time.Time)}, nil
}

// Use takes a verified request, or returns [ErrReplayed], or [ErrReplaysFull] if there is no place to remember it.
func (s *Replays) Use(v *Verified) error {
	id := v.ID()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.forget(now)
	if first, ok := s.seen[id]; ok {
		if now.Sub(first) <= s.grace && s.grace > 0 {
			return nil
		}
		return refuse(ErrReplayed, "request", "the same signed request was sent before", "sign it again")
	}
	if len(s.seen) >= s.max {
		return refuse(ErrReplaysFull, "request", "too many signed requests in a quarter of an hour", "send fewer, or wait")
	}
	s.seen[id] = now
	heap.Push(&s.due, expiry{v.Until(), id})
	return nil
}

// Len is how many requests are remembered.
func (s *Replays) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(s.now())
	return len(s.seen)
}

func (s *Replays) forget(now time.Time) {
	for len(s.due) > 0 && now.After(s.due[0].at) {
		e := heap.Pop(&s.due).(expiry)
		delete(s.seen, e.id)
	}
}

type expiry struct {
	at time.Time
	id [sha256.Size]byte
}

// expiries is a heap, the earliest first.
type expiries []expiry

func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e expiries) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *expiries) Push(x any)        { *e = append(*e, x.(expiry)) }
func (e *expiries) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
