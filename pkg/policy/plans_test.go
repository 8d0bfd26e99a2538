package policy

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestSessionsShareAndLetGo: sessions of one principal share their plans, and the plans go
// with the last of them.
func TestSessionsShareAndLetGo(t *testing.T) {
	s, err := Compile(Starter())
	if err != nil {
		t.Fatal(err)
	}
	open := func(id string) *Evaluator {
		e, err := s.For(Principal{Kind: KindAgent, ID: id, Groups: []string{"agents"}}, Resource{Name: shop}, Origin{})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	a, b, c := open("a"), open("a"), open("b")
	if a.plans != b.plans || a.plans == c.plans {
		t.Error("plans are not shared by exactly those of one principal")
	}
	runtime.KeepAlive([]*Evaluator{a, b, c})
	a, b, c = nil, nil, nil
	size := func() int {
		s.sharing.mu.Lock()
		defer s.sharing.mu.Unlock()
		return len(s.sharing.inUse)
	}
	for deadline := time.Now().Add(10 * time.Second); size() > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d plans are kept without a session", size())
		}
		runtime.GC()
	}
}

// TestConcurrentDecisions is for the race detector.
func TestConcurrentDecisions(t *testing.T) {
	e := evaluator(t, design)
	f := Statement{}.Facts()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for a := range groups {
					e.Decide(Moment{Now: noon}, f, Question{Action: a, Entity: orders})
				}
			}
		})
	}
	wg.Wait()
}
