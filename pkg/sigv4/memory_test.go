package sigv4

import (
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"
)

func hexOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }

func TestKeys(t *testing.T) {
	k := NewKeys(3)
	scope := Scope{"20150830", "us-east-1", "sts"}
	if got, want := k.signing(testCredentials, scope).key, derive(testSecret, scope); got != want {
		t.Error("another key")
	}
	changed := Credentials{KeyID: testKey, Secret: "rotated"}
	for range 2 {
		if got, want := k.signing(changed, scope).key, derive("rotated", scope); got != want {
			t.Error("the key of an old secret is used")
		}
	}
	for i := range 100 {
		scope.Region = fmt.Sprint("r", i%7)
		if got, want := k.signing(testCredentials, scope).key, derive(testSecret, scope); got != want {
			t.Error("another key")
		}
		if len(k.known) > 3 || len(k.order) > 3 {
			t.Fatalf("%d keys are kept", len(k.known))
		}
	}
	first, err := k.asymmetric(testCredentials)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := k.asymmetric(testCredentials); again != first {
		t.Error("the pair is derived twice")
	}
	for _, none := range []*Keys{nil, NewKeys(0), {}} {
		if got, want := none.signing(testCredentials, scope).key, derive(testSecret, scope); got != want {
			t.Error("another key without a cache")
		}
	}
}

func TestKeysTogether(t *testing.T) {
	k := NewKeys(4)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				scope := Scope{"20150830", fmt.Sprint("r", (i+g)%6), "sts"}
				if k.signing(testCredentials, scope).key != derive(testSecret, scope) {
					t.Error("another key")
				}
			}
		})
	}
	wg.Wait()
}

// The candidate is compared with n-2 and then incremented, by FIPS 186-4 appendix B.4.2.
func TestPairArithmetic(t *testing.T) {
	n2 := orderMinusTwo
	over := n2
	increment(&over)
	under := n2
	under[31]--
	var zero, full [32]byte
	for i := range full {
		full[i] = 0xff
	}
	for _, test := range []struct {
		a    [32]byte
		want bool
	}{{n2, true}, {under, true}, {zero, true}, {over, false}, {full, false}} {
		if got := lessOrEqual(&test.a, &n2); got != test.want {
			t.Errorf("%x: %v", test.a, got)
		}
	}
	carry := [32]byte{30: 1, 31: 0xff}
	increment(&carry)
	if carry != [32]byte{30: 2} {
		t.Errorf("%x", carry)
	}
}

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func seen(id byte, until time.Time) *Verified {
	return &Verified{sum: [32]byte{id}, Authorization: &Authorization{Time: until.Add(-MaxSkew)}}
}

func TestReplays(t *testing.T) {
	c := &clock{testTime}
	s, err := NewReplays(ReplaysConfig{Max: 2, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Use(seen(1, testTime.Add(time.Minute))), nil)
	wantKind(t, s.Use(seen(1, testTime.Add(time.Minute))), ErrReplayed)
	wantKind(t, s.Use(seen(2, testTime.Add(time.Hour))), nil)
	wantKind(t, s.Use(seen(3, testTime.Add(time.Hour))), ErrReplaysFull)
	wantKind(t, s.Use(seen(2, testTime.Add(time.Hour))), ErrReplayed)
	c.t = testTime.Add(time.Minute)
	wantKind(t, s.Use(seen(1, testTime.Add(time.Minute))), ErrReplayed) // it is still accepted now
	c.t = testTime.Add(time.Minute + 1)
	if s.Len() != 1 {
		t.Errorf("%d are remembered", s.Len())
	}
	wantKind(t, s.Use(seen(3, testTime.Add(time.Hour))), nil)
	wantKind(t, s.Use(seen(2, testTime.Add(time.Hour))), ErrReplayed)
}

func TestReplaysGrace(t *testing.T) {
	c := &clock{testTime}
	s, err := NewReplays(ReplaysConfig{Max: 2, Now: c.now, Grace: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	v := seen(1, testTime.Add(time.Hour))
	wantKind(t, s.Use(v), nil)
	c.t = testTime.Add(time.Second)
	wantKind(t, s.Use(v), nil)
	c.t = testTime.Add(time.Second + 1) // counted from the first time
	wantKind(t, s.Use(v), ErrReplayed)
}

func TestReplaysTogether(t *testing.T) {
	s, err := NewReplays(ReplaysConfig{Max: 100, Now: at(testTime)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	let := 0
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				if s.Use(seen(byte(i), testTime.Add(time.Hour))) == nil {
					mu.Lock()
					let++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if let != 100 {
		t.Errorf("%d were let through", let)
	}
}

func TestNewReplaysRefuses(t *testing.T) {
	for _, c := range []ReplaysConfig{{}, {Max: 1}, {Now: at(testTime)}, {Max: 1, Now: at(testTime), Grace: -1}} {
		if _, err := NewReplays(c); err == nil {
			t.Errorf("%+v is taken", c.Max)
		}
	}
}
