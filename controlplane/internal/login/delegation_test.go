package login_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/oidctest"
	"github.com/writhq/writ/pkg/policy"
)

func (f *fixture) bot(t *testing.T, more oidctest.Claims) string {
	t.Helper()
	c := oidctest.Claims{"sub": "bot", "aud": audience, "kind": "agent", "groups": []string{"agents"}}
	for k, v := range more {
		c[k] = v
	}
	return f.token(t, c)
}

// delegate signs the bot in on behalf of whom the token is of.
func (f *fixture) delegate(t *testing.T, onBehalfOf string) login.SignIn {
	t.Helper()
	in, err := f.WithProof(t.Context(), login.Proof{IDToken: f.bot(t, nil), OnBehalfOf: onBehalfOf})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func (f *fixture) login(t *testing.T, raw string) login.SignIn {
	t.Helper()
	in, err := f.WithIDToken(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func wantDelegated(t *testing.T, p policy.Principal, own, hers []string) {
	t.Helper()
	if p.Kind != policy.KindAgent || p.ID != "bot" || !slices.Equal(p.Groups, own) ||
		!slices.Equal(p.OnBehalfOf, []string{"alice@example.com", "Alice@example.com"}) || len(p.Delegators) != 1 {
		t.Fatalf("got %+v", p)
	}
	d := p.Delegators[0]
	if d.Kind != policy.KindPerson || d.ID != "alice@example.com" || !slices.Equal(d.Groups, hers) || d.OnBehalfOf != nil {
		t.Fatalf("acts for %+v", d)
	}
}

func TestDelegatedLoginIsOfBoth(t *testing.T) {
	f := setUp(t, nil)
	hers := f.login(t, f.token(t, alice(oidctest.Claims{"groups": []string{"dba", "platform"}})))
	for name, token := range map[string]string{"login token": hers.Token.Reveal(), "ID token": f.token(t, alice(oidctest.Claims{"groups": []string{"dba", "platform"}}))} {
		in := f.delegate(t, token)
		wantDelegated(t, in.Caller.Principal, []string{"agents"}, []string{"dba", "platform"})
		c, err := f.Identify(t.Context(), in.Token.Reveal())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantDelegated(t, c.Principal, []string{"agents"}, []string{"dba", "platform"})
		if c.Is(login.Admin) {
			t.Fatalf("%s: who acts for an administrator administers", name)
		}
	}
	if own := f.login(t, f.bot(t, nil)).Caller.Principal; len(own.OnBehalfOf)+len(own.Delegators) != 0 || !slices.Equal(own.Groups, []string{"agents"}) {
		t.Fatalf("a delegated sign-in changed what the bot itself is: %+v", own)
	}
}

func TestDelegatedLoginLosesWhatEitherLoses(t *testing.T) {
	f := setUp(t, nil)
	earlier := time.Now().Add(-time.Minute).Unix()
	hers := f.token(t, alice(oidctest.Claims{"groups": []string{"dba", "pii"}, "iat": earlier}))
	in, err := f.WithProof(t.Context(), login.Proof{IDToken: f.bot(t, oidctest.Claims{"groups": []string{"agents", "ci"}, "iat": earlier}), OnBehalfOf: hers})
	if err != nil {
		t.Fatal(err)
	}
	f.login(t, f.token(t, alice(oidctest.Claims{"groups": []string{"dba", "more"}})))
	f.login(t, f.bot(t, oidctest.Claims{"groups": []string{"agents", "more"}}))
	c, err := f.Identify(t.Context(), in.Token.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	wantDelegated(t, c.Principal, []string{"agents"}, []string{"dba"})
}

func TestDelegatedLoginEndsWithEither(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, f *fixture, hers login.SignIn){
		"her logout": func(t *testing.T, f *fixture, hers login.SignIn) {
			if err := f.Logout(t.Context(), hers.Caller); err != nil {
				t.Fatal(err)
			}
		},
		"her sign-out everywhere": func(t *testing.T, f *fixture, _ login.SignIn) {
			if _, err := f.EndLogins(t.Context(), "alice@example.com"); err != nil {
				t.Fatal(err)
			}
		},
		"its sign-out everywhere": func(t *testing.T, f *fixture, _ login.SignIn) {
			if _, err := f.EndLogins(t.Context(), "bot"); err != nil {
				t.Fatal(err)
			}
		},
		"her lock": func(t *testing.T, f *fixture, _ login.SignIn) {
			if _, _, err := f.locks.Create(t.Context(), locks.Order{Target: locks.Principal, Name: "alice@example.com", Reason: "stolen"}); err != nil {
				t.Fatal(err)
			}
		},
		"her expiry": func(_ *testing.T, f *fixture, _ login.SignIn) { f.clock.advance(login.Lifetime - time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			f := setUp(t, nil)
			hers := f.login(t, f.token(t, alice(nil)))
			f.clock.advance(2 * time.Minute)
			in := f.delegate(t, hers.Token.Reveal())
			if !in.Caller.Expires.Equal(hers.Caller.Expires) {
				t.Fatalf("it lasts until %s, hers until %s", in.Caller.Expires, hers.Caller.Expires)
			}
			end(t, f, hers)
			if _, err := f.Identify(t.Context(), in.Token.Reveal()); !errors.Is(err, login.ErrUnauthenticated) && !errors.Is(err, locks.ErrLocked) {
				t.Fatalf("it goes on: %v", err)
			}
		})
	}
}

func TestDelegatedByAnIDTokenEndsWithIt(t *testing.T) {
	f := setUp(t, nil)
	in := f.delegate(t, f.token(t, alice(nil)))
	f.clock.advance(time.Hour)
	if _, err := f.Identify(t.Context(), in.Token.Reveal()); !errors.Is(err, login.ErrUnauthenticated) {
		t.Fatalf("it outlives the ID token of whom it acts for: %v", err)
	}
}

func TestDelegationsThatAreRefused(t *testing.T) {
	f := setUp(t, nil)
	hers := f.login(t, f.token(t, alice(nil))).Token.Reveal()
	secret, _, err := f.OfferAdminToken(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := f.WithAdminToken(t.Context(), secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	own := f.login(t, f.bot(t, nil)).Token.Reveal()
	viaBot := f.delegate(t, hers).Token.Reveal()
	for name, p := range map[string]login.Proof{
		"a person for a person":    {IDToken: f.token(t, oidctest.Claims{"sub": "carol", "aud": audience}), OnBehalfOf: hers},
		"for itself":               {IDToken: f.bot(t, nil), OnBehalfOf: own},
		"for one that acts for it": {IDToken: f.bot(t, nil), OnBehalfOf: viaBot},
		"for the local admin":      {IDToken: f.bot(t, nil), OnBehalfOf: admin.Token.Reveal()},
		"already for somebody":     {IDToken: f.bot(t, oidctest.Claims{"on_behalf_of": "bob"}), OnBehalfOf: hers},
		"by nobody's token":        {IDToken: f.bot(t, nil), OnBehalfOf: "writ_login_" + hers[11:len(hers)-4] + "AAAA"},
		"by a forged token":        {IDToken: f.bot(t, nil), OnBehalfOf: must(f.issuer.Foreign(alice(nil)))},
		"by garbage":               {IDToken: f.bot(t, nil), OnBehalfOf: "a.b.c"},
		"without a proof":          {OnBehalfOf: hers},
		"two proofs":               {IDToken: f.bot(t, nil), SVID: "x", OnBehalfOf: hers},
		"her token as its own":     {IDToken: hers, OnBehalfOf: hers},
	} {
		if in, err := f.WithProof(t.Context(), p); !errors.Is(err, login.ErrProof) {
			t.Errorf("%s: %+v, %v", name, in.Caller.Principal, err)
		}
	}
}

func must(s string, _ error) string { return s }

func TestChainsOfDelegation(t *testing.T) {
	f := setUp(t, nil)
	on := f.login(t, f.token(t, alice(nil))).Token.Reveal()
	for i, name := range []string{"planner", "worker", "tool", "last"} {
		in, err := f.WithProof(t.Context(), login.Proof{
			IDToken: f.token(t, oidctest.Claims{"sub": name, "aud": audience, "kind": "agent", "groups": []string{name}}), OnBehalfOf: on,
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := in.Caller.Principal
		if len(p.Delegators) != i+1 || p.Delegators[i].ID != "alice@example.com" || p.OnBehalfOf[len(p.OnBehalfOf)-1] != "Alice@example.com" {
			t.Fatalf("%s acts for %+v", name, p)
		}
		on = in.Token.Reveal()
	}
	_, err := f.WithProof(t.Context(), login.Proof{IDToken: f.bot(t, nil), OnBehalfOf: on})
	if !errors.Is(err, login.ErrProof) {
		t.Fatalf("a chain of five: %v", err)
	}
}

func TestActorsHaveTheirOwnGroups(t *testing.T) {
	f := setUp(t, nil)
	acting := func() string {
		return f.token(t, alice(oidctest.Claims{"groups": []string{"dba", "platform"}, "act": map[string]any{"sub": "bot"}}))
	}
	wantDelegated(t, f.login(t, acting()).Caller.Principal, nil, []string{"dba", "platform"})
	f.login(t, f.bot(t, nil))
	wantDelegated(t, f.login(t, acting()).Caller.Principal, []string{"agents"}, []string{"dba", "platform"})
	own := f.login(t, f.bot(t, nil)).Caller.Principal
	if !slices.Equal(own.Groups, []string{"agents"}) || len(own.Delegators) != 0 {
		t.Fatalf("the bot itself became %+v", own)
	}
	f.login(t, f.token(t, alice(oidctest.Claims{"groups": []string{"dba"}, "iat": time.Now().Add(30 * time.Second).Unix()})))
	c, err := f.Identify(t.Context(), acting())
	if err != nil {
		t.Fatal(err)
	}
	wantDelegated(t, c.Principal, []string{"agents"}, []string{"dba"})
}

func TestActorsThatAreRefused(t *testing.T) {
	f := setUp(t, nil)
	deep := map[string]any{"sub": "x"}
	for range 20 {
		deep = map[string]any{"sub": "x", "act": deep}
	}
	for name, act := range map[string]any{
		"of another issuer": map[string]any{"sub": "bot", "iss": "https://evil.example"},
		"the subject":       map[string]any{"sub": "alice@example.com"},
		"nobody":            map[string]any{"sub": ""},
		"a list":            []string{"bot"},
		"too deep":          deep,
		"null":              map[string]any{"sub": nil},
		"Writ's own":        map[string]any{"sub": "writ:admin"},
	} {
		if in, err := f.WithIDToken(t.Context(), f.token(t, alice(oidctest.Claims{"act": act}))); !errors.Is(err, login.ErrProof) {
			t.Errorf("%s: %+v, %v", name, in.Caller.Principal, err)
		}
	}
}
