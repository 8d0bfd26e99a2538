package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/web"
	"github.com/writhq/writ/pkg/token"
)

const call = "/access.v1.IdentityService/WhoAmI"

// The cookie counts for calls by the console's own scripts and for nothing else.
func TestCookieCountsForTheConsoleOnly(t *testing.T) {
	s := newSeat(t, nil)
	for name, tt := range map[string]struct {
		edit func(r *http.Request)
		ok   bool
	}{
		"the console's script":       {func(*http.Request) {}, true},
		"an older browser":           {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site") }, true},
		"a cross-site form":          {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, false},
		"a sibling host":             {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, false},
		"typed by hand":              {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") }, false},
		"two sites":                  {func(r *http.Request) { r.Header.Add("Sec-Fetch-Site", "cross-site") }, false},
		"no header of the console's": {func(r *http.Request) { r.Header.Del("Writ-Console") }, false},
		"another header":             {func(r *http.Request) { r.Header.Set("Writ-Console", "yes") }, false},
		"another origin":             {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.example") }, false},
		"no origin at all":           {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Del("Origin") }, false},
		"an opaque origin":           {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") }, false},
		"the origin without TLS":     {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "http"+origin[5:]) }, false},
		"another port": {func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://writ.example:9")
		}, false},
		"the origin of another host": {func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Host = "other.example" }, false},
		"GET":                        {func(r *http.Request) { r.Method = http.MethodGet }, false},
		"a cookie tossed beside": {func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: sessionName, Value: token.NewSecret(token.LoginSecret).Reveal()})
		}, false},
		"no cookie":                   {func(r *http.Request) { r.Header.Del("Cookie") }, false},
		"a cookie of another case":    {func(r *http.Request) { r.Header.Set("Cookie", "__host-writ-session="+s.secret.Reveal()) }, false},
		"a cookie without a name":     {func(r *http.Request) { r.Header.Set("Cookie", "=__Host-writ-session="+s.secret.Reveal()) }, false},
		"a cookie with another space": {func(r *http.Request) { r.Header.Set("Cookie", "\u2000__Host-writ-session="+s.secret.Reveal()) }, false},
		"an ID token as the cookie":   {func(r *http.Request) { r.Header.Set("Cookie", sessionName+"=eyJhbGciOiJSUzI1NiJ9.e30.c2ln") }, false},
		"an admin token as the cookie": {func(r *http.Request) {
			r.Header.Set("Cookie", sessionName+"="+token.NewSecret(token.AdminSecret).Reveal())
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := script(call, "{}")
			r.AddCookie(s.session())
			tt.edit(r)
			s.do(r)
			got := s.last(t)
			want := ""
			if tt.ok {
				want = "Bearer " + s.secret.Reveal()
			}
			if got.Header.Get("Authorization") != want {
				t.Errorf("Authorization %q", got.Header.Get("Authorization"))
			}
			if got.Header.Get("Cookie") != "" {
				t.Error("the API was given cookies")
			}
		})
	}
}

// Another identity in the call's own header is left alone, whatever the cookie is.
func TestAuthorizationWins(t *testing.T) {
	s := newSeat(t, nil)
	for _, own := range []string{"Bearer other", "Basic eA==", ""} {
		r := script(call, "{}")
		r.AddCookie(s.session())
		r.Header["Authorization"] = []string{own}
		s.do(r)
		if got := s.last(t).Header.Values("Authorization"); len(got) != 1 || got[0] != own {
			t.Errorf("%q became %q", own, got)
		}
	}
}

// A preflight of another site gets no permission.
func TestNoCORS(t *testing.T) {
	s := newSeat(t, nil)
	r := httptest.NewRequest(http.MethodOptions, origin+call, nil)
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "writ-console,content-type")
	for name := range s.do(r).Header() {
		if len(name) > 14 && name[:14] == "Access-Control" {
			t.Errorf("answers %s", name)
		}
	}
}

func TestSignOut(t *testing.T) {
	s := newSeat(t, nil)
	dropped := func(w *httptest.ResponseRecorder) bool {
		c := cookie(w, sessionName)
		return c != nil && c.Value == "" && c.MaxAge < 0 && c.Secure && c.Path == "/"
	}
	if w := s.do(script("/signout", ""), s.session()); w.Code != http.StatusNoContent || !dropped(w) || len(s.ended) != 1 || s.ended[0] != s.secret.Reveal() {
		t.Errorf("sign-out: %d %v", w.Code, s.ended)
	}
	if w := s.do(script("/signout", "")); w.Code != http.StatusNoContent || len(s.ended) != 1 {
		t.Errorf("sign-out without a login: %d", w.Code)
	}
	forged := script("/signout", "")
	forged.Header.Set("Sec-Fetch-Site", "cross-site")
	if w := s.do(forged, s.session()); w.Code != http.StatusForbidden || dropped(w) || len(s.ended) != 1 {
		t.Errorf("another site signed out: %d", w.Code)
	}
	s.failOut = sentence{fmt.Errorf("%w: the login has ended", login.ErrUnauthenticated)}
	if w := s.do(script("/signout", ""), s.session()); w.Code != http.StatusNoContent || !dropped(w) {
		t.Errorf("sign-out of an ended login: %d", w.Code)
	}
	s.failOut = sentence{errDown}
	if w := s.do(script("/signout", ""), s.session()); w.Code != http.StatusServiceUnavailable || !dropped(w) {
		t.Errorf("sign-out without a store: %d", w.Code)
	}
	if w := s.get("/signout", s.session()); len(s.ended) != 3 || dropped(w) {
		t.Error("a link signs out")
	}
}

// Streams reach the browser as they are written, over HTTP/2.
func TestStreamsAreNotHeldBack(t *testing.T) {
	proceed := make(chan struct{})
	s := newSeat(t, func(cfg *web.Config) {
		cfg.API = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				http.Error(w, "no identity", http.StatusUnauthorized)
				return
			}
			fmt.Fprintln(w, "first")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-proceed:
			case <-r.Context().Done():
			}
			fmt.Fprintln(w, "second")
		})
	})
	srv := httptest.NewUnstartedServer(s)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	client := srv.Client()
	client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: client.Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS13}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, srv.URL+"/access.v1.ApprovalService/WatchApprovals", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Writ-Console", "1")
	r.AddCookie(s.session())
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "first\n" || resp.ProtoMajor != 2 {
		t.Fatalf("%q %v over %s", line, err, resp.Proto)
	}
	close(proceed)
	if line, err := lines.ReadString('\n'); line != "second\n" || err != nil && !errors.Is(err, io.EOF) {
		t.Errorf("%q %v", line, err)
	}
}
