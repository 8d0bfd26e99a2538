package web_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// begin starts a sign-in and returns what the browser then carries.
func (s *seat) begin(t *testing.T, returnTo string) (flow *http.Cookie, state string) {
	t.Helper()
	w := s.get("/signin/start?" + url.Values{"issuer": {issuer}, "return": {returnTo}}.Encode())
	to, err := w.Result().Location()
	if w.Code != http.StatusSeeOther || err != nil || !strings.HasPrefix(to.String(), issuer+"/authorize?") {
		t.Fatalf("not sent to the provider: %d %v", w.Code, to)
	}
	flow = cookie(w, flowName)
	if flow == nil || flow.Value == "" {
		t.Fatal("no sign-in in the browser")
	}
	return flow, to.Query().Get("state")
}

func answer(values ...string) string {
	q := url.Values{}
	for i := 0; i < len(values); i += 2 {
		q.Add(values[i], values[i+1])
	}
	return "/signin/callback?" + q.Encode()
}

func TestSignInWithABrowser(t *testing.T) {
	s := newSeat(t, nil)
	flow, state := s.begin(t, "/approvals/req-1?tab=effect")
	if !flow.HttpOnly || !flow.Secure || flow.SameSite != http.SameSiteLaxMode || flow.Path != "/" || flow.Domain != "" || flow.MaxAge != 600 {
		t.Errorf("flow cookie: %+v", flow)
	}
	opened, err := base64.RawURLEncoding.DecodeString(flow.Value)
	if err != nil || strings.Contains(string(opened), "verifier") || strings.Contains(string(opened), "nonce") {
		t.Errorf("the browser can read its sign-in: %v", err)
	}
	if s.redirect != origin+"/signin/callback" {
		t.Errorf("redirect address %q", s.redirect)
	}
	w := s.get(answer("state", state, "code", "good"), flow)
	c := cookie(w, sessionName)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/approvals/req-1?tab=effect" || c == nil {
		t.Fatalf("%d to %q with %v", w.Code, w.Header().Get("Location"), c)
	}
	if c.Value != s.secret.Reveal() || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("session cookie: %+v", c)
	}
	if c.MaxAge != 3600 {
		t.Errorf("the cookie lives %d s, the login 3600", c.MaxAge)
	}
	if done := cookie(w, flowName); done == nil || done.MaxAge >= 0 {
		t.Error("the flow stays in the browser")
	}
	if strings.Contains(w.Body.String(), "writ_login_") {
		t.Error("the page has the token")
	}
}

func TestRefusedAnswers(t *testing.T) {
	s := newSeat(t, nil)
	other := newSeat(t, nil) // with another seal key
	foreign, foreignState := other.begin(t, "/")
	for name, run := range map[string]func(flow *http.Cookie, state string) *httptest.ResponseRecorder{
		"no sign-in under way": func(_ *http.Cookie, state string) *httptest.ResponseRecorder {
			return s.get(answer("state", state, "code", "good"))
		},
		"another's state": func(flow *http.Cookie, _ string) *httptest.ResponseRecorder {
			_, another := s.begin(t, "/")
			return s.get(answer("state", another, "code", "good"), flow)
		},
		"no state": func(flow *http.Cookie, _ string) *httptest.ResponseRecorder {
			return s.get(answer("code", "good"), flow)
		},
		"two states": func(flow *http.Cookie, state string) *httptest.ResponseRecorder {
			return s.get(answer("state", state, "state", "x", "code", "good"), flow)
		},
		"two codes": func(flow *http.Cookie, state string) *httptest.ResponseRecorder {
			return s.get(answer("state", state, "code", "good", "code", "x"), flow)
		},
		"a flow of another control plane": func(*http.Cookie, string) *httptest.ResponseRecorder {
			return s.get(answer("state", foreignState, "code", "good"), foreign)
		},
		"a changed flow": func(flow *http.Cookie, state string) *httptest.ResponseRecorder {
			changed := *flow
			changed.Value = flow.Value[:len(flow.Value)-6] + "AAAAAA"
			return s.get(answer("state", state, "code", "good"), &changed)
		},
		"two flows": func(flow *http.Cookie, state string) *httptest.ResponseRecorder {
			return s.get(answer("state", state, "code", "good"), flow, flow)
		},
		"a flow that expired": func(flow *http.Cookie, state string) *httptest.ResponseRecorder {
			s.mu.Lock()
			s.now = s.now.Add(10*time.Minute + time.Second)
			s.mu.Unlock()
			return s.get(answer("state", state, "code", "good"), flow)
		},
		"a code that does not count": func(flow *http.Cookie, state string) *httptest.ResponseRecorder {
			return s.get(answer("state", state, "code", "stolen"), flow)
		},
	} {
		t.Run(name, func(t *testing.T) {
			flow, state := s.begin(t, "/")
			before := len(s.refused)
			w := run(flow, state)
			if w.Code != http.StatusForbidden || cookie(w, sessionName) != nil {
				t.Errorf("%d with %v", w.Code, cookie(w, sessionName))
			}
			if len(s.refused) != before+1 {
				t.Error("the refusal is not recorded")
			}
			if done := cookie(w, flowName); done == nil || done.MaxAge >= 0 {
				t.Error("the flow stays in the browser")
			}
		})
	}
}

// What a provider says is text, and is shown to the browser that asked it only.
func TestRefusalOfTheProvider(t *testing.T) {
	s := newSeat(t, nil)
	flow, state := s.begin(t, "/")
	said := answer("state", state, "error", "access_denied", "error_description", "<script>alert(1)</script>\x1b[2K\u202e")
	w := s.get(said, flow)
	body := w.Body.String()
	if w.Code != http.StatusForbidden || !strings.Contains(body, "access_denied") || !strings.Contains(body, "&lt;script&gt;") {
		t.Errorf("%d %s", w.Code, body)
	}
	if strings.Contains(body, "<script") || strings.ContainsAny(body, "\x1b\u202e") {
		t.Errorf("not escaped: %s", body)
	}
	for _, foreign := range []string{
		answer("error", "access_denied", "error_description", "call 555-1234"),
		answer("state", "guess", "error", "x", "error_description", "call 555-1234"),
	} {
		flow, _ := s.begin(t, "/")
		for _, w := range []*httptest.ResponseRecorder{s.get(foreign), s.get(foreign, flow)} {
			if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "555") {
				t.Errorf("shows words of a stranger: %s", w.Body)
			}
		}
	}
}

// After a sign-in the browser stays here, wherever a link wanted it to go.
func TestReturn(t *testing.T) {
	s := newSeat(t, nil)
	for asked, want := range map[string]string{
		"":                              "/",
		"/":                             "/",
		"/sessions/ses-1#t=10":          "/sessions/ses-1#t=10",
		"/audit?q=a%2Fb&x=//y":          "/audit?q=a%2Fb&x=//y",
		"//evil.example":                "/",
		"///evil.example":               "/",
		`/\evil.example`:                "/",
		`\\evil.example`:                "/",
		`\/evil.example`:                "/",
		"/\t/evil.example":              "/",
		"/\n/evil.example":              "/",
		"/%5cevil.example":              "/",
		"/%2fevil.example":              "/",
		"https://evil.example":          "/",
		"https:evil.example":            "/",
		"javascript:alert(1)":           "/",
		"evil":                          "/",
		".evil.example":                 "/",
		"@evil.example":                 "/",
		" //evil.example":               "/",
		"/a b":                          "/",
		"/\u2028x":                      "/",
		"/signin/start?issuer=x":        "/",
		"/signin/callback?code=x":       "/",
		"/" + strings.Repeat("a", 1000): "/",
	} {
		flow, state := s.begin(t, asked)
		if to := s.get(answer("state", state, "code", "good"), flow).Header().Get("Location"); to != want {
			t.Errorf("%q leads to %q, not %q", asked, to, want)
		}
	}
}

func TestStart(t *testing.T) {
	s := newSeat(t, nil)
	if w := s.get("/signin/start?issuer=https%3A%2F%2Fevil.example"); w.Code != http.StatusNotFound || cookie(w, flowName) != nil {
		t.Errorf("unknown issuer: %d", w.Code)
	}
	if w := s.get("/signin/start?issuer=https%3A%2F%2Fdown.example"); w.Code != http.StatusServiceUnavailable || cookie(w, flowName) != nil {
		t.Errorf("issuer that is down: %d", w.Code)
	}
	w := s.do(httptest.NewRequest(http.MethodGet, "https://10.0.0.7:8443/signin/start?issuer=x&return=%2Fy", nil))
	if to := w.Header().Get("Location"); to != origin+"/signin/start?issuer=x&return=%2Fy" || cookie(w, flowName) != nil {
		t.Errorf("by another name: %q", to)
	}
}

func TestAdminToken(t *testing.T) {
	s := newSeat(t, nil)
	w := s.do(script("/signin/admin", `{"token": " admin-token\n"}`))
	if c := cookie(w, sessionName); w.Code != http.StatusNoContent || c == nil || c.Value != s.secret.Reveal() || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("%d %v", w.Code, c)
	}
	for name, r := range map[string]*http.Request{
		"wrong token":   script("/signin/admin", `{"token": "guess"}`),
		"no token":      script("/signin/admin", `{}`),
		"two values":    script("/signin/admin", `{"token": "admin-token"}{}`),
		"other fields":  script("/signin/admin", `{"token": "admin-token", "x": 1}`),
		"too large":     script("/signin/admin", `{"token": "`+strings.Repeat("a", 8<<10)+`"}`),
		"no JSON":       script("/signin/admin", `token=admin-token`),
		"a form's type": changed(script("/signin/admin", `{"token": "admin-token"}`), "Content-Type", "text/plain"),
		"another site":  changed(script("/signin/admin", `{"token": "admin-token"}`), "Sec-Fetch-Site", "cross-site"),
		"no header":     changed(script("/signin/admin", `{"token": "admin-token"}`), "Writ-Console", ""),
	} {
		w := s.do(r)
		if w.Code != http.StatusForbidden || cookie(w, sessionName) != nil || !strings.Contains(w.Body.String(), `"message"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "guess") {
			t.Errorf("%s: repeats the token", name)
		}
	}
}

func changed(r *http.Request, header, value string) *http.Request {
	r.Header.Set(header, value)
	return r
}

func FuzzReturn(f *testing.F) {
	f.Add("/x")
	f.Add(`/\x`)
	f.Add("/%2f/x")
	s := newSeat(f, nil)
	base, err := url.Parse(origin + "/signin/callback")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		w := s.get("/signin/start?" + url.Values{"issuer": {issuer}, "return": {asked}}.Encode())
		to, err := w.Result().Location()
		if err != nil {
			t.Fatal(err)
		}
		back := s.get(answer("state", to.Query().Get("state"), "code", "good"), cookie(w, flowName)).Header().Get("Location")
		u, err := base.Parse(back)
		if err != nil || u.Host != base.Host || u.Scheme != "https" || !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") ||
			strings.ContainsAny(back, "\\\t\r\n") {
			t.Fatalf("%q leads to %q", asked, back)
		}
	})
}
