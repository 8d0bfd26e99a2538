package deviceauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// provider answers polls by a script.
type provider struct {
	*httptest.Server
	metadata map[string]any // over those of a right one
	start    map[string]any // over those of a right answer
	polls    []string       // answers in turn: an error code, a status, or "ok"
	asked    []string       // forms, in turn
	clock    time.Time
	slept    []time.Duration
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{metadata: map[string]any{}, start: map[string]any{}, clock: time.Unix(1_800_000_000, 0)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		write(w, 200, over(map[string]any{
			"issuer": p.URL, "device_authorization_endpoint": p.URL + "/device", "token_endpoint": p.URL + "/token",
		}, p.metadata))
	})
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, r *http.Request) {
		p.note(r)
		write(w, 200, over(map[string]any{
			"device_code": "device-1", "user_code": "ABCD-EFGH", "verification_uri": "https://login.example/device", "expires_in": 600, "interval": 3,
		}, p.start))
	})
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func over(base, changes map[string]any) map[string]any {
	for name, value := range changes {
		base[name] = value
	}
	return base
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (p *provider) note(r *http.Request) {
	_ = r.ParseForm()
	p.asked = append(p.asked, r.PostForm.Encode())
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.note(r)
	next := "authorization_pending"
	if len(p.polls) > 0 {
		next, p.polls = p.polls[0], p.polls[1:]
	}
	switch next {
	case "ok":
		write(w, 200, map[string]any{"id_token": "id-token", "access_token": "x"})
	case "none":
		write(w, 200, map[string]any{"access_token": "x"})
	case "502":
		w.WriteHeader(502)
	case "away":
		http.Redirect(w, r, "https://evil.example/", http.StatusTemporaryRedirect)
	default:
		write(w, 400, map[string]any{"error": next, "error_description": "words"})
	}
}

func (p *provider) client(t *testing.T) *Client {
	t.Helper()
	c, err := New(Config{
		Issuer: p.URL, ClientID: "writ-cli", Scopes: []string{"openid", "groups"}, Transport: http.DefaultTransport,
		Now: func() time.Time { return p.clock },
		Sleep: func(ctx context.Context, d time.Duration) error {
			p.slept = append(p.slept, d)
			p.clock = p.clock.Add(d)
			return ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSignInWithACode(t *testing.T) {
	p := newProvider(t)
	p.polls = []string{"authorization_pending", "slow_down", "502", "authorization_pending", "ok"}
	c := p.client(t)
	prompt, err := c.Start(t.Context())
	if err != nil || prompt.Code != "ABCD-EFGH" || prompt.Address != "https://login.example/device" || prompt.Complete != "" || !prompt.Expires.Equal(p.clock.Add(10*time.Minute)) {
		t.Fatalf("%+v, %v", prompt, err)
	}
	if token, err := c.Wait(t.Context(), prompt); token != "id-token" || err != nil {
		t.Fatalf("%q, %v", token, err)
	}
	if got := fmt.Sprint(p.slept); got != "[3s 3s 8s 16s 16s]" {
		t.Errorf("waited %s", got)
	}
	want := "client_id=writ-cli&scope=openid+groups"
	if p.asked[0] != want {
		t.Errorf("asked %s", p.asked[0])
	}
	want = "client_id=writ-cli&device_code=device-1&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code"
	if p.asked[1] != want {
		t.Errorf("polled %s", p.asked[1])
	}
}

func TestWaitEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		polls []string
		want  error
		text  string
	}{
		"denied":               {[]string{"authorization_pending", "access_denied"}, ErrDenied, ""},
		"expired there":        {[]string{"expired_token"}, ErrExpired, ""},
		"expired here":         {nil, ErrExpired, ""},
		"provider stays away":  {strings.Fields(strings.Repeat("502 ", 100)), ErrExpired, ""},
		"no ID token":          {[]string{"none"}, nil, "no ID token"},
		"another error":        {[]string{"invalid_client"}, nil, "invalid_client: words"},
		"a redirect elsewhere": {[]string{"away"}, nil, "answers 307"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			p.polls = tt.polls
			c := p.client(t)
			prompt, err := c.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			token, err := c.Wait(t.Context(), prompt)
			if err == nil || token != "" || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%q, %v", token, err)
			}
			if strings.Contains(err.Error(), "device-1") {
				t.Errorf("tells the device code: %v", err)
			}
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	p := newProvider(t)
	c := p.client(t)
	prompt, err := c.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Wait(ctx, prompt); !errors.Is(err, context.Canceled) || len(p.asked) != 1 {
		t.Errorf("%v after %d calls", err, len(p.asked))
	}
}

func TestStartRefuses(t *testing.T) {
	for name, edit := range map[string]func(*provider){
		"another issuer":            func(p *provider) { p.metadata["issuer"] = "https://evil.example" },
		"a slash more":              func(p *provider) { p.metadata["issuer"] = p.URL + "/" },
		"no device endpoint":        func(p *provider) { p.metadata["device_authorization_endpoint"] = "" },
		"device endpoint in clear":  func(p *provider) { p.metadata["device_authorization_endpoint"] = "http://login.example/device" },
		"token endpoint in clear":   func(p *provider) { p.metadata["token_endpoint"] = "http://login.example/token" },
		"no device code":            func(p *provider) { p.start["device_code"] = "" },
		"no user code":              func(p *provider) { p.start["user_code"] = "" },
		"no expiry":                 func(p *provider) { p.start["expires_in"] = 0 },
		"a past expiry":             func(p *provider) { p.start["expires_in"] = -5 },
		"an interval before":        func(p *provider) { p.start["interval"] = -1 },
		"people sent to clear text": func(p *provider) { p.start["verification_uri"] = "http://login.example" },
		"people sent to a script":   func(p *provider) { p.start["verification_uri"] = "javascript:alert(1)" },
		"words for numbers":         func(p *provider) { p.start["interval"] = "soon" },
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			edit(p)
			if prompt, err := p.client(t).Start(t.Context()); err == nil {
				t.Errorf("accepted %+v", prompt)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	now := time.Unix(0, 0)
	a := authorization{DeviceCode: "d", UserCode: "u", Address: "https://x", Complete: "javascript:x", ExpiresIn: 1e300, Interval: 1e300}
	p, err := a.prompt(now)
	if err != nil || !p.Expires.Equal(now.Add(maxLifetime)) || p.interval != maxInterval || p.Complete != "" {
		t.Errorf("%+v, %v", p, err)
	}
	a.Interval, a.ExpiresIn, a.Complete = 0, 60, "https://x?user_code=u"
	if p, err = a.prompt(now); err != nil || p.interval != defaultInterval || p.Complete == "" {
		t.Errorf("%+v, %v", p, err)
	}
	a.Interval = 0.001
	if p, err = a.prompt(now); err != nil || p.interval != time.Second {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := New(Config{Issuer: "http://login.example", ClientID: "x", Transport: http.DefaultTransport, Sleep: func(context.Context, time.Duration) error { return nil }, Now: time.Now}); err == nil {
		t.Error("an issuer in clear")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("made of nothing")
	}
}

func FuzzAuthorization(f *testing.F) {
	f.Add([]byte(`{"device_code":"d","user_code":"u","verification_uri":"https://x","expires_in":600,"interval":5}`))
	f.Add([]byte(`{"expires_in":1e999}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var a authorization
		if decode(body, &a) != nil {
			return
		}
		now := time.Unix(1_800_000_000, 0)
		p, err := a.prompt(now)
		if err != nil {
			return
		}
		if p.interval < time.Second || p.interval > maxInterval || p.Expires.Before(now) || p.Expires.After(now.Add(maxLifetime)) ||
			!secure(p.Address) || p.Complete != "" && !secure(p.Complete) || p.Code == "" || p.device == "" {
			t.Fatalf("%+v", p)
		}
	})
}
