package signin

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/enforce/enforcetest"
	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/policy"
)

const permitAll = `@id("all") permit (principal, action, resource);`

type bed struct {
	*enforcetest.Bed
	pool     *Pool[string]
	detached atomic.Int32
}

func newBed(t *testing.T, change func(*Config[string])) *bed {
	t.Helper()
	who := policy.Principal{Kind: policy.KindAgent, ID: "ada", Name: "ada"}
	b := &bed{Bed: enforcetest.New(t, who, policy.Resource{Name: "lab", Kind: "kubernetes"}, func() enforce.Credential { return enforce.Credential{} })}
	b.Policies.Set(t, permitAll)
	cfg := Config[string]{
		Pipeline: b.Pipeline, Keys: func() identity.Keys { return b.Keys }, Max: 10, Idle: time.Minute, Clock: time.Now,
		Attach: func(s *enforce.Session) (string, error) { return s.ID(), nil }, Detach: func(string) { b.detached.Add(1) },
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if b.pool, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.pool.CloseAll)
	return b
}

func from(address, application string) enforce.Admission {
	return enforce.Admission{Protocol: "kubernetes", ClientAddr: netip.MustParseAddrPort(address), Application: application}
}

func (b *bed) signIn(t *testing.T, access string, ask enforce.Admission) (*Client[string], func()) {
	t.Helper()
	ask.Token = access
	c, release, err := b.pool.SignIn(t.Context(), access, ask)
	if err != nil {
		t.Fatal(err)
	}
	return c, release
}

func TestConfig(t *testing.T) {
	if _, err := New(Config[string]{}); err == nil {
		t.Error("nothing is missing")
	}
}

// Requests of one program under one grant share a session, whichever of the grant's tokens they bring; all others have their own.
func TestSessionsAreShared(t *testing.T) {
	b := newBed(t, nil)
	access := b.Token(t, "grant-1")
	first, release := b.signIn(t, access, from("10.0.0.1:1000", "kubectl"))
	release()
	if first.With != first.Session.ID() || first.With == "" {
		t.Errorf("attached %q", first.With)
	}
	for _, again := range []string{access, b.Token(t, "grant-1")} {
		c, release := b.signIn(t, again, from("10.0.0.1:2000", "kubectl"))
		release()
		if c != first {
			t.Error("another session for the same program under the same grant")
		}
	}
	for _, other := range []struct{ grant, address, application string }{
		{"grant-2", "10.0.0.1:1000", "kubectl"}, {"grant-1", "10.0.0.2:1000", "kubectl"}, {"grant-1", "10.0.0.1:1000", "helm"},
	} {
		c, release := b.signIn(t, b.Token(t, other.grant), from(other.address, other.application))
		release()
		if c == first {
			t.Errorf("the same session for %+v", other)
		}
	}
	if n := b.Control.Opened(); n != 4 {
		t.Errorf("%d sessions were opened", n)
	}
}

// Where clients sign with what goes with their token, each token has a session of its own.
func TestSessionsPerToken(t *testing.T) {
	b := newBed(t, func(c *Config[string]) { c.PerToken = true })
	access := b.Token(t, "grant-1")
	first, release := b.signIn(t, access, from("10.0.0.1:1000", "aws-cli"))
	release()
	again, release := b.signIn(t, access, from("10.0.0.1:2000", "aws-cli"))
	release()
	time.Sleep(1100 * time.Millisecond) // tokens count seconds
	other, release := b.signIn(t, b.Token(t, "grant-1"), from("10.0.0.1:1000", "aws-cli"))
	release()
	if again != first || other == first {
		t.Errorf("%p, %p and %p", first, again, other)
	}
}

// A token that nobody has signed finds no session, whatever it claims.
func TestForgedTokens(t *testing.T) {
	b := newBed(t, nil)
	access := b.Token(t, "grant-1")
	_, release := b.signIn(t, access, from("10.0.0.1:1000", "kubectl"))
	defer release()
	broken := access[:len(access)-1] + string(access[len(access)-1]^1)
	for _, forged := range []string{broken, "", "x", strings.ToUpper(access)} {
		ask := from("10.0.0.1:1000", "kubectl")
		ask.Token = forged
		if _, _, err := b.pool.SignIn(t.Context(), forged, ask); err == nil {
			t.Errorf("%q is let in", forged)
		}
	}
}

// Requests that come together open one session.
func TestTogether(t *testing.T) {
	b := newBed(t, nil)
	var all sync.WaitGroup
	for range 20 {
		access := b.Token(t, "grant-1")
		all.Go(func() {
			ask := from("10.0.0.1:1000", "kubectl")
			ask.Token = access
			_, release, err := b.pool.SignIn(t.Context(), access, ask)
			if err != nil {
				t.Error(err)
				return
			}
			release()
		})
	}
	all.Wait()
	if n := b.Control.Opened(); n != 1 {
		t.Errorf("%d sessions were opened", n)
	}
}

// An idle client is forgotten and its session ended; a busy one is not.
func TestIdle(t *testing.T) {
	b := newBed(t, func(c *Config[string]) { c.Idle = 20 * time.Millisecond })
	c, release := b.signIn(t, b.Token(t, "grant-1"), from("10.0.0.1:1000", "kubectl"))
	select {
	case <-c.Session.Done():
		t.Fatal("a busy session ended")
	case <-time.After(100 * time.Millisecond):
	}
	release()
	select {
	case <-c.Session.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("an idle session goes on")
	}
	next, release := b.signIn(t, b.Token(t, "grant-1"), from("10.0.0.1:1000", "kubectl"))
	defer release()
	if next == c {
		t.Error("the ended session is used again")
	}
	for range 1000 {
		if b.detached.Load() == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("what was attached is kept")
}

func TestFull(t *testing.T) {
	b := newBed(t, func(c *Config[string]) { c.Max = 1 })
	_, release := b.signIn(t, b.Token(t, "grant-1"), from("10.0.0.1:1000", "kubectl"))
	defer release()
	access := b.Token(t, "grant-2")
	ask := from("10.0.0.1:1000", "kubectl")
	ask.Token = access
	if _, _, err := b.pool.SignIn(t.Context(), access, ask); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

// What cannot be attached ends the session, and leaves the next request to try again.
func TestAttachFails(t *testing.T) {
	refusal := &enforce.Denied{Cause: enforce.CauseControl, Reason: "not served here"}
	fails := true
	b := newBed(t, func(c *Config[string]) {
		c.Attach = func(s *enforce.Session) (string, error) {
			if fails {
				return "", refusal
			}
			return "x", nil
		}
	})
	access := b.Token(t, "grant-1")
	ask := from("10.0.0.1:1000", "kubectl")
	ask.Token = access
	if _, _, err := b.pool.SignIn(context.Background(), access, ask); !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}
	fails = false
	_, release := b.signIn(t, access, ask)
	release()
}

// TestTokenIsRememberedOnce: however often it comes, so that there is room for others of the same grant.
func TestTokenIsRememberedOnce(t *testing.T) {
	b := newBed(t, nil)
	access := b.Token(t, "grant-1")
	var c *Client[string]
	for range 3 {
		var release func()
		c, release = b.signIn(t, access, from("10.0.0.1:1", "kubectl"))
		release()
	}
	if n := len(c.tokens); n != 1 {
		t.Errorf("it is remembered %d times", n)
	}
}
