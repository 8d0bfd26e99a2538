package login_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/oidctest"
)

const redirect = "https://writ.example/signin/callback"

// provider is an issuer with the endpoints of the authorization code flow, whose every part can be made wrong.
type provider struct {
	*httptest.Server
	keys *oidctest.Issuer

	discovery map[string]any
	claims    oidctest.Claims // over those of a right token
	asked     url.Values      // of the newest code: the authorization request
	got       url.Values      // of the newest exchange
	basic     [2]string       // of the newest exchange
	status    int             // of an exchange that fails
	noToken   bool
}

func newProvider(t *testing.T, keys *oidctest.Issuer) *provider {
	t.Helper()
	p := &provider{keys: keys, discovery: map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.document)
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) document(w http.ResponseWriter, _ *http.Request) {
	doc := map[string]any{
		"issuer": p.URL, "jwks_uri": p.keys.URL() + "/keys",
		"authorization_endpoint": p.URL + "/authorize?tenant=x", "token_endpoint": p.URL + "/token",
	}
	for name, value := range p.discovery {
		doc[name] = value
	}
	_ = json.NewEncoder(w).Encode(doc)
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	p.got = r.PostForm
	p.basic[0], p.basic[1], _ = r.BasicAuth()
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	w.Header().Set("Content-Type", "application/json")
	if p.status != 0 || r.PostForm.Get("code") != "code-1" || r.PostForm.Get("redirect_uri") != p.asked.Get("redirect_uri") ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != p.asked.Get("code_challenge") {
		status := p.status
		if status == 0 {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error": "invalid_grant", "error_description": "secret words"}`))
		return
	}
	c := oidctest.Claims{"iss": p.URL, "sub": "1", "aud": "console", "nonce": p.asked.Get("nonce"), "email": "dana@example.com", "kind": "person"}
	for name, value := range p.claims {
		c[name] = value
	}
	raw, err := p.keys.Token(c)
	if err != nil {
		panic(err)
	}
	body := map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": raw}
	if p.noToken {
		delete(body, "id_token")
	}
	_ = json.NewEncoder(w).Encode(body)
}

// browsing is a fixture whose issuer signs people in with a browser.
func browsing(t *testing.T, edit func(*login.Issuer)) (*fixture, *provider) {
	t.Helper()
	keys, err := oidctest.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	p := newProvider(t, keys)
	f := setUp(t, func(is *login.Issuer) {
		is.URL, is.Browser = p.URL, login.BrowserClient{ID: "console", Scopes: []string{"openid", "email", "groups"}}
		if edit != nil {
			edit(is)
		}
	})
	return f, p
}

// begin starts a sign-in, up to the answer of the provider.
func (p *provider) begin(t *testing.T, f *fixture) (login.Flow, login.Answer) {
	t.Helper()
	address, flow, err := f.Begin(t.Context(), p.URL, redirect)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, p.URL+"/authorize?") {
		t.Fatalf("%s: %v", address, err)
	}
	p.asked = u.Query()
	return flow, login.Answer{State: p.asked.Get("state"), Code: "code-1"}
}

func TestCodeFlow(t *testing.T) {
	f, p := browsing(t, nil)
	flow, answer := p.begin(t, f)
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "console", "redirect_uri": redirect, "scope": "openid email groups",
		"code_challenge_method": "S256", "state": flow.State, "nonce": flow.Nonce, "tenant": "x",
	} {
		if got := p.asked.Get(name); got != want || got == "" {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if p.asked.Get("code_challenge") == flow.Verifier || strings.Contains(p.asked.Encode(), flow.Verifier) {
		t.Error("the verifier is in the address")
	}
	in, err := f.WithCode(t.Context(), flow, answer)
	if err != nil || in.Caller.Principal.ID != "dana@example.com" {
		t.Fatalf("%+v, %v", in.Caller, err)
	}
	if _, err := f.Identify(t.Context(), in.Token.Reveal()); err != nil {
		t.Error(err)
	}
	again, _ := p.begin(t, f)
	if again.State == flow.State || again.Nonce == flow.Nonce || again.Verifier == flow.Verifier {
		t.Error("two sign-ins share what must be random")
	}
}

func TestCodeFlowRefuses(t *testing.T) {
	f, p := browsing(t, nil)
	for name, tt := range map[string]struct {
		provider func(*provider)
		change   func(*login.Flow, *login.Answer)
		want     error
	}{
		"another's state":           {nil, func(_ *login.Flow, a *login.Answer) { a.State = "guess" }, login.ErrProof},
		"no state":                  {nil, func(f *login.Flow, a *login.Answer) { f.State, a.State = "", "" }, login.ErrProof},
		"no code":                   {nil, func(_ *login.Flow, a *login.Answer) { a.Code = "" }, login.ErrProof},
		"another code":              {nil, func(_ *login.Flow, a *login.Answer) { a.Code = "stolen" }, login.ErrProof},
		"another verifier":          {nil, func(f *login.Flow, _ *login.Answer) { f.Verifier = strings.Repeat("a", 43) }, login.ErrProof},
		"another redirect":          {nil, func(f *login.Flow, _ *login.Answer) { f.Redirect = "https://evil.example/" }, login.ErrProof},
		"another nonce":             {nil, func(f *login.Flow, _ *login.Answer) { f.Nonce = "guess" }, login.ErrProof},
		"no nonce asked":            {nil, func(f *login.Flow, _ *login.Answer) { f.Nonce = "" }, login.ErrProof},
		"no nonce at all":           {func(p *provider) { p.claims = oidctest.Claims{"nonce": nil} }, func(f *login.Flow, _ *login.Answer) { f.Nonce = "" }, login.ErrProof},
		"no nonce in the token":     {func(p *provider) { p.claims = oidctest.Claims{"nonce": nil} }, nil, login.ErrProof},
		"unknown issuer":            {nil, func(f *login.Flow, _ *login.Answer) { f.Issuer = "https://evil.example" }, login.ErrNoBrowser},
		"mixed-up issuer":           {nil, func(_ *login.Flow, a *login.Answer) { a.Issuer = "https://evil.example" }, login.ErrProof},
		"a token for the API":       {func(p *provider) { p.claims = oidctest.Claims{"aud": audience} }, nil, login.ErrProof},
		"a token of another issuer": {func(p *provider) { p.claims = oidctest.Claims{"iss": p.keys.URL()} }, nil, login.ErrProof},
		"issued to another client":  {func(p *provider) { p.claims = oidctest.Claims{"azp": "other"} }, nil, login.ErrProof},
		"two audiences, no party":   {func(p *provider) { p.claims = oidctest.Claims{"aud": []string{"console", "x"}} }, nil, login.ErrProof},
		"an expired token":          {func(p *provider) { p.claims = oidctest.Claims{"exp": time.Now().Add(-time.Minute).Unix()} }, nil, login.ErrProof},
		"a name of Writ's own":      {func(p *provider) { p.claims = oidctest.Claims{"email": nil, "sub": "writ:admin"} }, nil, login.ErrProof},
		"no ID token":               {func(p *provider) { p.noToken = true }, nil, login.ErrProof},
		"a provider that is broken": {func(p *provider) { p.status = http.StatusBadGateway }, nil, login.ErrIssuerUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p.claims, p.status, p.noToken = nil, 0, false
			if tt.provider != nil {
				tt.provider(p)
			}
			flow, answer := p.begin(t, f)
			if tt.change != nil {
				tt.change(&flow, &answer)
			}
			in, err := f.WithCode(t.Context(), flow, answer)
			if !errors.Is(err, tt.want) || in.Token.Reveal() != "" {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if strings.Contains(err.Error(), "secret words") || strings.Contains(err.Error(), flow.Verifier) {
				t.Errorf("tells too much: %v", err)
			}
		})
	}
}

// Neither people nor codes go to addresses in clear.
func TestEndpointsInClear(t *testing.T) {
	for endpoint, addresses := range map[string][]string{
		"authorization_endpoint": {"http://login.example/x", "https://u:p@login.example/x"},
		"token_endpoint":         {"http://login.example/x", "//login.example/x", ""},
	} {
		for _, address := range addresses {
			f, p := browsing(t, nil)
			p.discovery[endpoint] = address
			if _, _, err := f.Begin(t.Context(), p.URL, redirect); !errors.Is(err, login.ErrIssuerUnavailable) {
				t.Errorf("%s %q: %v", endpoint, address, err)
			}
		}
	}
}

// An issuer that names itself in its answer is believed when it names the right one.
func TestIssuerInTheAnswer(t *testing.T) {
	f, p := browsing(t, nil)
	p.discovery["authorization_response_iss_parameter_supported"] = true
	flow, answer := p.begin(t, f)
	if _, err := f.WithCode(t.Context(), flow, answer); !errors.Is(err, login.ErrProof) {
		t.Errorf("an issuer that is silent: %v", err)
	}
	answer.Issuer = p.URL
	if _, err := f.WithCode(t.Context(), flow, answer); err != nil {
		t.Error(err)
	}
}

func TestClientSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("p:w/1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	withSecret := func(is *login.Issuer) { is.Browser.SecretFile = file }
	for name, tt := range map[string]struct {
		edit    func(*login.Issuer)
		methods []string
		basic   [2]string
		form    string
	}{
		"public":            {nil, nil, [2]string{}, ""},
		"by default":        {withSecret, nil, [2]string{"console", "p%3Aw%2F1"}, ""},
		"as it asks":        {withSecret, []string{"client_secret_post"}, [2]string{}, "p:w/1"},
		"basic when it can": {withSecret, []string{"client_secret_post", "client_secret_basic"}, [2]string{"console", "p%3Aw%2F1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := browsing(t, tt.edit)
			if tt.methods != nil {
				p.discovery["token_endpoint_auth_methods_supported"] = tt.methods
			}
			flow, answer := p.begin(t, f)
			if _, err := f.WithCode(t.Context(), flow, answer); err != nil {
				t.Fatal(err)
			}
			if p.basic != tt.basic || p.got.Get("client_secret") != tt.form {
				t.Errorf("basic %q, form %q", p.basic, p.got.Get("client_secret"))
			}
		})
	}
}

func TestProviders(t *testing.T) {
	f, p := browsing(t, func(is *login.Issuer) {
		is.Name, is.Device = "Example Corp", login.DeviceClient{ID: "writ-cli", Scopes: []string{"openid", "groups"}}
	})
	all := f.Providers()
	if len(all) != 1 || all[0].Name != "Example Corp" || all[0].Issuer != p.URL || !all[0].Browser || all[0].DeviceClient != "writ-cli" ||
		strings.Join(all[0].DeviceScopes, " ") != "openid groups" {
		t.Errorf("%+v", all)
	}
	if _, err := f.WithIDToken(t.Context(), p.idToken(t, "writ-cli")); err != nil {
		t.Errorf("a token of the device client: %v", err)
	}
	if _, err := f.WithIDToken(t.Context(), p.idToken(t, "console")); !errors.Is(err, login.ErrProof) {
		t.Errorf("a token of the browser client outside its flow: %v", err)
	}
	silent := setUp(t, nil)
	if got := silent.Providers(); len(got) != 0 {
		t.Errorf("an issuer of workloads is offered to people: %+v", got)
	}
	if _, _, err := silent.Begin(t.Context(), silent.issuer.URL(), redirect); !errors.Is(err, login.ErrNoBrowser) {
		t.Errorf("begins at an issuer without a client: %v", err)
	}
}

func (p *provider) idToken(t *testing.T, audience string) string {
	t.Helper()
	raw, err := p.keys.Token(oidctest.Claims{"iss": p.URL, "sub": "1", "aud": audience, "email": "dana@example.com", "kind": "person"})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestClientsAreChecked(t *testing.T) {
	f := setUp(t, nil)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*login.Issuer){
		"no openid":            func(is *login.Issuer) { is.Browser = login.BrowserClient{ID: "x", Scopes: []string{"email"}} },
		"scopes in one":        func(is *login.Issuer) { is.Device = login.DeviceClient{ID: "x", Scopes: []string{"openid", "a b"}} },
		"scopes for nobody":    func(is *login.Issuer) { is.Device = login.DeviceClient{Scopes: []string{"openid"}} },
		"a secret for nobody":  func(is *login.Issuer) { is.Browser = login.BrowserClient{SecretFile: empty} },
		"no secret there":      func(is *login.Issuer) { is.Browser = login.BrowserClient{ID: "x", SecretFile: empty + "x"} },
		"an empty secret":      func(is *login.Issuer) { is.Browser = login.BrowserClient{ID: "x", SecretFile: empty} },
		"a name with controls": func(is *login.Issuer) { is.Name = "x\n" },
	} {
		is := login.Issuer{URL: "https://login.example", Audiences: []string{"writ"}, Kind: "person"}
		edit(&is)
		if _, err := login.New(login.Config{Store: f.store, Locks: f.locks, Issuers: []login.Issuer{is}, Now: time.Now}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
