package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/writhq/writ/controlplane/internal/web"
)

var built = fstest.MapFS{
	"index.html":                   {Data: []byte("<!doctype html>console")},
	"index.html.br":                {Data: []byte("br of page")},
	"theme.js":                     {Data: []byte("theme")},
	"icon.svg":                     {Data: []byte("<svg/>")},
	"assets/index-Ab3_x-9Z.js":     {Data: []byte("script")},
	"assets/index-Ab3_x-9Z.js.br":  {Data: []byte("br of script")},
	"assets/index-Ab3_x-9Z.js.gz":  {Data: []byte("gz of script")},
	"assets/index-Ab3_x-9Z.js.map": {Data: []byte("source map")},
	"assets/plain.js":              {Data: []byte("plain")},
	".keep":                        {},
}

// Every answer has every header, of pages and calls, found or not.
func TestHeaders(t *testing.T) {
	want := map[string]string{
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cross-Origin-Embedder-Policy": "require-corp",
		"Referrer-Policy":              "no-referrer",
		"Strict-Transport-Security":    "max-age=31536000",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
	}
	policy := []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "font-src 'self'",
		"manifest-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
	}
	s := newSeat(t, withConsole(built))
	for _, path := range []string{"/", "/sessions/x", "/assets/index-Ab3_x-9Z.js", "/assets/gone-12345678.js", "/signin/start", "/signin/callback", "/signin/page.css", call, "/healthz"} {
		h := s.get(path).Header()
		for name, value := range want {
			if got := h.Values(name); len(got) != 1 || got[0] != value {
				t.Errorf("%s: %s: %q", path, name, got)
			}
		}
		if got := h.Get("Content-Security-Policy"); got != strings.Join(policy, "; ") {
			t.Errorf("%s: Content-Security-Policy: %s", path, got)
		}
		for _, power := range []string{"camera=()", "microphone=()", "geolocation=()", "payment=()", "usb=()"} {
			if !strings.Contains(h.Get("Permissions-Policy"), power) {
				t.Errorf("%s: Permissions-Policy lacks %s", path, power)
			}
		}
	}
}

func TestFiles(t *testing.T) {
	s := newSeat(t, withConsole(built))
	const keep, ask, never = "public, max-age=31536000, immutable", "no-cache", "no-store"
	for _, tt := range []struct {
		path, accept, body, kind, encoding, cache string
		status                                    int
	}{
		{"/", "", "<!doctype html>console", "text/html; charset=utf-8", "", never, 200},
		{"/index.html", "", "<!doctype html>console", "text/html; charset=utf-8", "", never, 200},
		{"/", "gzip, br", "br of page", "text/html; charset=utf-8", "br", never, 200},
		{"/sessions/ses-1", "", "<!doctype html>console", "text/html; charset=utf-8", "", never, 200},
		{"/resources/web.js", "", "<!doctype html>console", "text/html; charset=utf-8", "", never, 200},
		{"/principals/ada@example.com", "", "<!doctype html>console", "text/html; charset=utf-8", "", never, 200},
		{"/assets/index-Ab3_x-9Z.js", "", "script", "text/javascript; charset=utf-8", "", keep, 200},
		{"/assets/index-Ab3_x-9Z.js", "gzip", "gz of script", "text/javascript; charset=utf-8", "gzip", keep, 200},
		{"/assets/index-Ab3_x-9Z.js", "br;q=0, gzip;q=0.5", "gz of script", "text/javascript; charset=utf-8", "gzip", keep, 200},
		{"/assets/index-Ab3_x-9Z.js", "BR", "br of script", "text/javascript; charset=utf-8", "br", keep, 200},
		{"/assets/index-Ab3_x-9Z.js", "brotli, x-gzip", "script", "text/javascript; charset=utf-8", "", keep, 200},
		{"/assets/plain.js", "br", "plain", "text/javascript; charset=utf-8", "", ask, 200},
		{"/theme.js", "", "theme", "text/javascript; charset=utf-8", "", ask, 200},
		{"/icon.svg", "", "<svg/>", "image/svg+xml", "", ask, 200},
		{"/assets/gone-12345678.js", "", "404 page not found\n", "text/plain; charset=utf-8", "", never, 404},
		{"/assets/index-Ab3_x-9Z.js.map", "", "404 page not found\n", "text/plain; charset=utf-8", "", never, 404},
		{"/assets/index-Ab3_x-9Z.js.br", "", "404 page not found\n", "text/plain; charset=utf-8", "", never, 404},
		{"/favicon.ico", "", "404 page not found\n", "text/plain; charset=utf-8", "", never, 404},
	} {
		r := httptest.NewRequest(http.MethodGet, origin+tt.path, nil)
		r.Header.Set("Accept-Encoding", tt.accept)
		w := s.do(r)
		h := w.Header()
		if w.Code != tt.status || w.Body.String() != tt.body || h.Get("Content-Type") != tt.kind || h.Get("Content-Encoding") != tt.encoding || h.Get("Cache-Control") != tt.cache {
			t.Errorf("%s (%s): %d %q %v", tt.path, tt.accept, w.Code, w.Body, h)
		}
		if w.Code == 200 && h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: Vary %q", tt.path, h.Get("Vary"))
		}
	}
}

func TestFilesAreCached(t *testing.T) {
	s := newSeat(t, withConsole(built))
	tag := s.get("/theme.js").Header().Get("ETag")
	r := httptest.NewRequest(http.MethodGet, origin+"/theme.js", nil)
	r.Header.Set("If-None-Match", tag)
	if w := s.do(r); tag == "" || w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("%q: %d", tag, w.Code)
	}
	head := httptest.NewRequest(http.MethodHead, origin+"/theme.js", nil)
	if w := s.do(head); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "5" {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
}

// Calls go to the API, pages never do, and a service that is not there is not found rather than a page.
func TestRouting(t *testing.T) {
	s := newSeat(t, withConsole(built))
	for path, api := range map[string]bool{
		call: true, "/healthz": true, "/access.v1.": true, "/access.v2.X/Y": false, "/access": false, "/Access.v1.X/Y": false, "/x/access.v1.Y/Z": false,
	} {
		before := len(s.calls)
		s.get(path)
		if reached := len(s.calls) > before; reached != api {
			t.Errorf("%s: reached the API: %v", path, reached)
		}
	}
	for _, path := range []string{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/", "/signin/start", "/signin/callback"} {
		if w := s.do(httptest.NewRequest(http.MethodPost, origin+path, nil)); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
}

func TestConsoleNotBuilt(t *testing.T) {
	s := newSeat(t, nil)
	w := s.get("/")
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "make console") || !strings.Contains(w.Body.String(), "/signin/page.css") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if css := s.get("/signin/page.css"); css.Code != 200 || css.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("style: %d", css.Code)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := web.New(web.Config{}); err == nil {
		t.Error("made of nothing")
	}
	for _, bad := range []string{"", "http://x", "https://", "https://u@x", "https://x/y", "https://x?", "https://x?y", "https://x#y", "x:443"} {
		if _, err := web.ParsePublicURL(bad); err == nil {
			t.Errorf("public URL %q", bad)
		}
	}
	if u, err := web.ParsePublicURL("https://WRIT.example:8443/"); err != nil || u.String() != "https://writ.example:8443" {
		t.Errorf("%v %v", u, err)
	}
}
