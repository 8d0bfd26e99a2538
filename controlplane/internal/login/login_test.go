package login_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/oidctest"
	"github.com/writhq/writ/pkg/policy"
)

const audience = "writ"

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type noSessions struct{}

func (noSessions) EndSessions(context.Context, locks.Target, string, string, string) (int, error) {
	return 0, nil
}

type fixture struct {
	*login.Logins
	store  *store.Store
	locks  *locks.Locks
	issuer *oidctest.Issuer
	clock  *clock
}

func setUp(t *testing.T, edit func(*login.Issuer)) *fixture {
	t.Helper()
	issuer, err := oidctest.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = issuer.Close() })
	st, err := store.Open(t.Context(), store.Config{DataDir: filepath.Join(t.TempDir(), "etcd")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	c := &clock{t: time.Now()}
	lk, err := locks.New(locks.Config{Store: st, Sessions: noSessions{}, Now: c.now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	is := login.Issuer{URL: issuer.URL(), Audiences: []string{audience}, Kind: policy.KindPerson, KindClaim: "kind"}
	if edit != nil {
		edit(&is)
	}
	l, err := login.New(login.Config{
		Store: st, Locks: lk, Issuers: []login.Issuer{is}, Now: c.now,
		Roles: login.RoleGroups{Admin: []string{"platform"}, Auditor: []string{"audit"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{Logins: l, store: st, locks: lk, issuer: issuer, clock: c}
}

func alice(more oidctest.Claims) oidctest.Claims {
	c := oidctest.Claims{"sub": "1", "aud": audience, "email": "Alice@example.com", "groups": []string{"dba"}}
	for k, v := range more {
		c[k] = v
	}
	return c
}

func (f *fixture) token(t *testing.T, c oidctest.Claims) string {
	t.Helper()
	raw, err := f.issuer.Token(c)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestIDTokens(t *testing.T) {
	f := setUp(t, func(is *login.Issuer) { is.Require = map[string]string{"tenant": "acme"} })
	now := time.Now()
	good := func(c oidctest.Claims) func() (string, error) {
		return func() (string, error) {
			base := alice(oidctest.Claims{"tenant": "acme"})
			for k, v := range c {
				base[k] = v
			}
			return f.issuer.Token(base)
		}
	}
	base := alice(oidctest.Claims{"tenant": "acme"})
	for name, tt := range map[string]struct {
		token func() (string, error)
		ok    bool
	}{
		"good":                   {good(nil), true},
		"one of two audiences":   {good(oidctest.Claims{"aud": []string{"other", audience}}), true},
		"wrong audience":         {good(oidctest.Claims{"aud": "other"}), false},
		"audience in other case": {good(oidctest.Claims{"aud": "Writ"}), false},
		"no audience":            {good(oidctest.Claims{"aud": nil}), false},
		"issuer with a slash":    {good(oidctest.Claims{"iss": f.issuer.URL() + "/"}), false},
		"issuer in other case":   {good(oidctest.Claims{"iss": "HTTP" + f.issuer.URL()[4:]}), false},
		"no issuer":              {good(oidctest.Claims{"iss": nil}), false},
		"expired":                {good(oidctest.Claims{"exp": now.Add(-time.Second).Unix()}), false},
		"no expiry":              {good(oidctest.Claims{"exp": nil}), false},
		"expiry as text":         {good(oidctest.Claims{"exp": "never"}), false},
		"issued in the future":   {good(oidctest.Claims{"iat": now.Add(3 * time.Minute).Unix()}), false},
		"no issue time":          {good(oidctest.Claims{"iat": nil}), false},
		"not before the future":  {good(oidctest.Claims{"nbf": now.Add(3 * time.Minute).Unix()}), false},
		"a required claim off":   {good(oidctest.Claims{"tenant": "acme2"}), false},
		"a required claim gone":  {good(oidctest.Claims{"tenant": nil}), false},
		"required claim a list":  {good(oidctest.Claims{"tenant": []string{"acme"}}), false},
		"unverified address":     {good(oidctest.Claims{"email_verified": false, "sub": nil}), false},
		"unknown kind":           {good(oidctest.Claims{"kind": "root"}), false},
		"groups of no list":      {good(oidctest.Claims{"groups": map[string]string{"dba": "yes"}}), false},
		"name of Writ's own":     {good(oidctest.Claims{"email": nil, "sub": "writ:admin"}), false},
		"control characters":     {good(oidctest.Claims{"email": nil, "sub": "alice\x00"}), false},
		"alg none":               {func() (string, error) { return f.issuer.Unsigned(base) }, false},
		"hmac with public key":   {func() (string, error) { return f.issuer.HMAC(base) }, false},
		"kid is a path":          {func() (string, error) { return f.issuer.KeyID(base, "../../../../dev/null") }, false},
		"kid of nobody":          {func() (string, error) { return f.issuer.KeyID(base, "key-99") }, false},
		"key of somebody else":   {func() (string, error) { return f.issuer.Foreign(base) }, false},
		"garbage":                {func() (string, error) { return "a.b.c", nil }, false},
		"empty":                  {func() (string, error) { return "", nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := tt.token()
			if err != nil {
				t.Fatal(err)
			}
			in, err := f.WithIDToken(t.Context(), raw)
			if tt.ok != (err == nil) {
				t.Fatalf("got %+v, %v", in.Caller, err)
			}
			if err != nil && !errors.Is(err, login.ErrProof) {
				t.Fatalf("got %v, want ErrProof", err)
			}
			if _, err := f.Identify(t.Context(), raw); tt.ok != (err == nil) {
				t.Fatalf("as bearer: %v", err)
			}
		})
	}
}

func TestPrincipal(t *testing.T) {
	f := setUp(t, func(is *login.Issuer) {
		is.AttributeClaims = []string{"team", "missing"}
		is.Groups = []string{"everybody"}
	})
	in, err := f.WithIDToken(t.Context(), f.token(t, alice(oidctest.Claims{"team": "shop"})))
	if err != nil {
		t.Fatal(err)
	}
	p := in.Caller.Principal
	if p.ID != "alice@example.com" || p.Email != "Alice@example.com" || p.Kind != policy.KindPerson ||
		!slices.Equal(p.Groups, []string{"dba", "everybody"}) || p.Attrs["team"] != "shop" || len(p.Attrs) != 1 {
		t.Fatalf("got %+v", p)
	}
	in, err = f.WithIDToken(t.Context(), f.token(t, oidctest.Claims{"sub": "s3", "aud": audience, "email": "x@y.z", "email_verified": nil}))
	if err != nil || in.Caller.Principal.ID != "s3" || in.Caller.Principal.Email != "" {
		t.Fatalf("an unverified address became a name: %+v, %v", in.Caller.Principal, err)
	}
}

func TestUnverifiedAddressIsNobodysName(t *testing.T) {
	f := setUp(t, func(is *login.Issuer) { is.PrincipalClaim = "email" })
	for name, more := range map[string]oidctest.Claims{
		"said to be unverified": {"email_verified": false},
		"as text":               {"email_verified": "false"},
		"no address":            {"email": nil},
	} {
		if in, err := f.WithIDToken(t.Context(), f.token(t, alice(more))); !errors.Is(err, login.ErrProof) {
			t.Errorf("%s: %+v, %v", name, in.Caller.Principal, err)
		}
	}
}

func TestActorsActForTheSubject(t *testing.T) {
	f := setUp(t, nil)
	in, err := f.WithIDToken(t.Context(), f.token(t, alice(oidctest.Claims{
		"groups": []string{"platform"}, "act": map[string]any{"sub": "bot", "act": map[string]any{"sub": "planner"}},
	})))
	if err != nil {
		t.Fatal(err)
	}
	p := in.Caller.Principal
	if p.Kind != policy.KindAgent || p.ID != "bot" || !slices.Equal(p.OnBehalfOf, []string{"planner", "alice@example.com", "Alice@example.com"}) {
		t.Fatalf("got %+v", p)
	}
	if in.Caller.Is(login.Admin) {
		t.Fatal("an agent that acts for an administrator administers")
	}
	_, err = f.WithIDToken(t.Context(), f.token(t, alice(oidctest.Claims{"act": "bot"})))
	if !errors.Is(err, login.ErrProof) {
		t.Fatalf("an unreadable actor passed: %v", err)
	}
}

func TestLoginToken(t *testing.T) {
	f := setUp(t, nil)
	in, err := f.WithIDToken(t.Context(), f.token(t, alice(nil)))
	if err != nil {
		t.Fatal(err)
	}
	bearer := in.Token.Reveal()
	c, err := f.Identify(t.Context(), bearer)
	if err != nil || c.Principal.ID != "alice@example.com" || !slices.Equal(c.Roles, []login.Role{login.Member}) {
		t.Fatalf("got %+v, %v", c, err)
	}
	if err := f.Logout(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Identify(t.Context(), bearer); !errors.Is(err, login.ErrUnauthenticated) {
		t.Fatalf("after logout: %v", err)
	}
	in, err = f.WithIDToken(t.Context(), f.token(t, alice(nil)))
	if err != nil {
		t.Fatal(err)
	}
	f.clock.advance(login.Lifetime)
	if _, err := f.Identify(t.Context(), in.Token.Reveal()); !errors.Is(err, login.ErrUnauthenticated) {
		t.Fatalf("after its lifetime: %v", err)
	}
}

func TestLostGroupsAreLostByOldTokens(t *testing.T) {
	f := setUp(t, nil)
	old := f.token(t, alice(oidctest.Claims{"groups": []string{"dba", "platform"}, "iat": time.Now().Add(-time.Minute).Unix()}))
	in, err := f.WithIDToken(t.Context(), old)
	if err != nil || !in.Caller.Is(login.Admin) {
		t.Fatalf("got %+v, %v", in.Caller, err)
	}
	if _, err := f.WithIDToken(t.Context(), f.token(t, alice(oidctest.Claims{"groups": []string{"dba"}}))); err != nil {
		t.Fatal(err)
	}
	for name, bearer := range map[string]string{"login token": in.Token.Reveal(), "ID token": old} {
		c, err := f.Identify(t.Context(), bearer)
		if err != nil || c.Is(login.Admin) || !slices.Equal(c.Principal.Groups, []string{"dba"}) {
			t.Errorf("%s: still has %v, roles %v, %v", name, c.Principal.Groups, c.Roles, err)
		}
	}
}

func TestLockedPrincipalsAreRefused(t *testing.T) {
	f := setUp(t, nil)
	in, err := f.WithIDToken(t.Context(), f.token(t, alice(nil)))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.locks.Create(t.Context(), locks.Order{Target: locks.Principal, Name: "ALICE@example.com", Reason: "laptop stolen"}); err != nil {
		t.Fatal(err)
	}
	_, byToken := f.WithIDToken(t.Context(), f.token(t, alice(nil)))
	_, byLogin := f.Identify(t.Context(), in.Token.Reveal())
	_, byBearer := f.Identify(t.Context(), f.token(t, alice(nil)))
	_, asAgent := f.Identify(t.Context(), f.token(t, oidctest.Claims{
		"sub": "bot", "aud": audience, "kind": "agent", "on_behalf_of": "alice@example.com",
	}))
	for name, err := range map[string]error{"sign in": byToken, "login": byLogin, "bearer": byBearer, "her agent": asAgent} {
		if !errors.Is(err, locks.ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIssuerDownThenUp(t *testing.T) {
	f := setUp(t, nil)
	f.issuer.SetDown(true)
	raw := f.token(t, alice(nil))
	if _, err := f.WithIDToken(t.Context(), raw); !errors.Is(err, login.ErrIssuerUnavailable) {
		t.Fatalf("got %v", err)
	}
	f.issuer.SetDown(false)
	f.clock.advance(10 * time.Second)
	if _, err := f.WithIDToken(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	if err := f.issuer.Rotate(jose.RS256); err != nil {
		t.Fatal(err)
	}
	f.clock.advance(10 * time.Second)
	if _, err := f.WithIDToken(t.Context(), f.token(t, alice(nil))); err != nil {
		t.Fatalf("after the issuer rotated its key: %v", err)
	}
}

func TestMadeUpKeyIDsDoNotFloodTheIssuer(t *testing.T) {
	f := setUp(t, nil)
	for range 50 {
		raw, err := f.issuer.KeyID(alice(nil), "made-up")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WithIDToken(t.Context(), raw); err == nil {
			t.Fatal("accepted")
		}
	}
	if n := f.issuer.Fetches(); n > 1 {
		t.Fatalf("the keys were fetched %d times", n)
	}
}

func TestAdminToken(t *testing.T) {
	f := setUp(t, nil)
	ctx := t.Context()
	first, ok, err := f.OfferAdminToken(ctx, false)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, ok, _ := f.OfferAdminToken(ctx, false); ok {
		t.Fatal("offered twice")
	}
	second, ok, err := f.OfferAdminToken(ctx, true)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := f.WithAdminToken(ctx, first.Reveal()); !errors.Is(err, login.ErrProof) {
		t.Fatalf("the former token still works: %v", err)
	}
	var good int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			in, err := f.WithAdminToken(ctx, second.Reveal())
			mu.Lock()
			defer mu.Unlock()
			if err == nil && in.Caller.Is(login.Admin) {
				good++
			}
		})
	}
	wg.Wait()
	if good != 1 {
		t.Fatalf("the admin token signed in %d times", good)
	}
	if _, ok, _ := f.OfferAdminToken(ctx, false); ok {
		t.Fatal("offered again after it was used")
	}
}

func TestAdminTokenExpires(t *testing.T) {
	f := setUp(t, nil)
	secret, _, err := f.OfferAdminToken(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.advance(login.AdminTokenLifetime)
	if _, err := f.WithAdminToken(t.Context(), secret.Reveal()); !errors.Is(err, login.ErrProof) {
		t.Fatalf("got %v", err)
	}
	if _, ok, err := f.OfferAdminToken(t.Context(), false); !ok || err != nil {
		t.Fatalf("no new one after the old one expired: %v", err)
	}
}

func TestAdminTokenIsVoidOnceAnAdministratorCame(t *testing.T) {
	f := setUp(t, nil)
	secret, _, err := f.OfferAdminToken(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WithIDToken(t.Context(), f.token(t, alice(oidctest.Claims{"groups": []string{"platform"}}))); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WithAdminToken(t.Context(), secret.Reveal()); !errors.Is(err, login.ErrProof) {
		t.Fatalf("got %v", err)
	}
	f.clock.advance(2 * login.AdminTokenLifetime)
	if _, ok, _ := f.OfferAdminToken(t.Context(), false); ok {
		t.Fatal("offered though there is an administrator")
	}
}

func TestIssuersThatAreRefused(t *testing.T) {
	f := setUp(t, nil)
	good := login.Issuer{URL: "https://a.example", Audiences: []string{"writ"}, Kind: "person"}
	with := func(edit func(*login.Issuer)) login.Issuer {
		is := good
		edit(&is)
		return is
	}
	for name, issuers := range map[string][]login.Issuer{
		"plain http":        {with(func(is *login.Issuer) { is.URL = "http://a.example" })},
		"no audience":       {with(func(is *login.Issuer) { is.Audiences = nil })},
		"no kind":           {with(func(is *login.Issuer) { is.Kind = "" })},
		"reserved prefix":   {with(func(is *login.Issuer) { is.NamePrefix = "writ:x" })},
		"twice":             {good, good},
		"no prefix twice":   {good, with(func(is *login.Issuer) { is.URL = "https://b.example" })},
		"prefix in prefix":  {with(func(is *login.Issuer) { is.NamePrefix = "ci" }), with(func(is *login.Issuer) { is.URL, is.NamePrefix = "https://b.example", "ci:" })},
		"missing ca file":   {with(func(is *login.Issuer) { is.CAFile = "/nonexistent" })},
		"address with user": {with(func(is *login.Issuer) { is.URL = "https://u:p@a.example" })},
	} {
		_, err := login.New(login.Config{Store: f.store, Locks: f.locks, Issuers: issuers, Now: time.Now})
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("writ_login_AAAA")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	l, err := login.New(login.Config{Store: new(store.Store), Locks: new(locks.Locks), Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := l.WithIDToken(context.Background(), raw); err == nil {
			t.Fatal("accepted without any issuer")
		}
	})
}
