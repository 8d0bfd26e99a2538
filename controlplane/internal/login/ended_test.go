package login_test

import (
	"errors"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/oidctest"
)

func (f *fixture) signIn(t *testing.T, c oidctest.Claims) string {
	t.Helper()
	in, err := f.WithIDToken(t.Context(), f.token(t, c))
	if err != nil {
		t.Fatal(err)
	}
	return in.Token.Reveal()
}

func (f *fixture) identify(t *testing.T, bearer string) error {
	t.Helper()
	_, err := f.Identify(t.Context(), bearer)
	return err
}

// Whoever is signed out everywhere is so at the next call, with its logins, its older ID tokens and its agents; nobody
// else is.
func TestEndLogins(t *testing.T) {
	f := setUp(t, nil)
	past := time.Now().Add(-time.Minute).Unix()
	bob := oidctest.Claims{"sub": "2", "aud": audience, "email": "bob@example.com"}
	first, second, other := f.signIn(t, alice(nil)), f.signIn(t, alice(nil)), f.signIn(t, bob)
	agent := f.signIn(t, oidctest.Claims{"sub": "bot", "aud": audience, "kind": "agent", "on_behalf_of": []string{"alice@example.com"}})
	older := f.token(t, alice(oidctest.Claims{"iat": past}))
	olderAgent := f.token(t, oidctest.Claims{"sub": "bot", "aud": audience, "kind": "agent", "on_behalf_of": []string{"alice@example.com"}, "iat": past})

	ended, err := f.EndLogins(t.Context(), "alice@example.com")
	if err != nil || ended != 3 {
		t.Fatalf("ended %d, %v", ended, err)
	}
	for name, bearer := range map[string]string{"first": first, "second": second, "agent": agent, "ID token": older, "agent's ID token": olderAgent} {
		if err := f.identify(t, bearer); !errors.Is(err, login.ErrUnauthenticated) && !errors.Is(err, login.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.WithIDToken(t.Context(), older); !errors.Is(err, login.ErrProof) {
		t.Errorf("an older ID token signs in again: %v", err)
	}
	if err := f.identify(t, other); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	f.clock.advance(2 * time.Second)
	if err := f.identify(t, f.signIn(t, alice(oidctest.Claims{"iat": f.clock.now().Unix()}))); err != nil {
		t.Errorf("a new sign-in: %v", err)
	}
	if _, err := f.WithIDToken(t.Context(), older); !errors.Is(err, login.ErrProof) {
		t.Errorf("an older ID token signs in after a newer one: %v", err)
	}
	if ended, err := f.EndLogins(t.Context(), "alice@example.com"); err != nil || ended != 1 {
		t.Errorf("again: %d, %v", ended, err)
	}
	if _, err := f.EndLogins(t.Context(), "nobody@example.com"); !errors.Is(err, login.ErrUnknown) {
		t.Errorf("nobody: %v", err)
	}
}

func TestLogoutEndsOneLogin(t *testing.T) {
	f := setUp(t, nil)
	first, second := f.signIn(t, alice(nil)), f.signIn(t, alice(nil))
	caller, err := f.Identify(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds nothing to end
		if err := f.Logout(t.Context(), caller); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.identify(t, first); !errors.Is(err, login.ErrUnauthenticated) {
		t.Errorf("after the logout: %v", err)
	}
	if err := f.identify(t, second); err != nil {
		t.Errorf("the other login: %v", err)
	}
	if ended, err := f.EndLogins(t.Context(), "alice@example.com"); err != nil || ended != 1 {
		t.Errorf("ended %d, %v: the logout left something", ended, err)
	}
}

// The local administrator is nobody's proof, and can be signed out as well.
func TestEndLoginsOfTheLocalAdministrator(t *testing.T) {
	f := setUp(t, nil)
	secret, ok, err := f.OfferAdminToken(t.Context(), false)
	if err != nil || !ok {
		t.Fatal(err)
	}
	in, err := f.WithAdminToken(t.Context(), secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if ended, err := f.EndLogins(t.Context(), "writ:admin"); err != nil || ended != 1 {
		t.Errorf("ended %d, %v", ended, err)
	}
	if err := f.identify(t, in.Token.Reveal()); !errors.Is(err, login.ErrUnauthenticated) {
		t.Errorf("after that: %v", err)
	}
}

func TestPrincipals(t *testing.T) {
	f := setUp(t, nil)
	f.signIn(t, alice(nil))
	f.signIn(t, oidctest.Claims{"sub": "2", "aud": audience, "email": "bob@example.com", "groups": []string{"Ops"}})
	f.signIn(t, oidctest.Claims{"sub": "bot", "aud": audience, "kind": "agent"})
	names := func(q login.PrincipalQuery) (all []string, more bool) {
		page, more, err := f.Principals(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page {
			all = append(all, k.Principal.ID)
			if k.Since.IsZero() {
				t.Errorf("%s: no time", k.Principal.ID)
			}
		}
		return all, more
	}
	for _, tt := range []struct {
		q    login.PrincipalQuery
		want []string
		more bool
	}{
		{login.PrincipalQuery{Limit: 10}, []string{"alice@example.com", "bob@example.com", "bot"}, false},
		{login.PrincipalQuery{Limit: 2}, []string{"alice@example.com", "bob@example.com"}, true},
		{login.PrincipalQuery{Limit: 2, After: "bob@example.com"}, []string{"bot"}, false},
		{login.PrincipalQuery{Limit: 9, Text: "oPs"}, []string{"bob@example.com"}, false},
		{login.PrincipalQuery{Limit: 9, Text: "EXAMPLE"}, []string{"alice@example.com", "bob@example.com"}, false},
		{login.PrincipalQuery{Limit: 9, Text: "nothing"}, nil, false},
	} {
		got, more := names(tt.q)
		if more != tt.more || len(got) != len(tt.want) {
			t.Errorf("%+v: %v %v", tt.q, got, more)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%+v: %v", tt.q, got)
			}
		}
	}
}
