package web

import (
	"net/http"
	"time"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/pkg/token"
)

const (
	// sessionCookie carries a login token. The prefix makes browsers refuse it from other hosts and without TLS.
	// SameSite=Strict costs nothing here: a page needs no login, and the calls that its scripts make are same-site
	// wherever the page was linked from.
	sessionCookie = "__Host-writ-session"
	// consoleHeader marks calls by the console's scripts. Another site's page cannot set it without being asked
	// (CORS), and nobody here answers that question.
	consoleHeader = "Writ-Console"
)

// session is the login token that a request's cookies carry. Of two of that name neither counts: one is not ours.
func session(r *http.Request) (token.Secret, bool) {
	cookies := r.CookiesNamed(sessionCookie)
	if len(cookies) != 1 {
		return token.Secret{}, false
	}
	secret, err := token.ParseSecret(token.LoginSecret, cookies[0].Value)
	return secret, err == nil
}

func setSession(w http.ResponseWriter, in login.SignIn, now time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: in.Token.Reveal(), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		MaxAge: max(1, int(in.Caller.Expires.Sub(now)/time.Second)),
	})
}

func dropSession(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1,
	})
}

// byConsole reports whether a script of this site made the request: each of three independent signs must say so.
func (s *site) byConsole(r *http.Request) bool {
	if r.Method != http.MethodPost || r.Header.Get(consoleHeader) != "1" || s.cross.Check(r) != nil {
		return false
	}
	if sites := r.Header.Values("Sec-Fetch-Site"); len(sites) > 0 {
		return len(sites) == 1 && sites[0] == "same-origin"
	}
	origins := r.Header.Values("Origin")
	return len(origins) == 1 && origins[0] == s.origin
}

// withLogin puts the login of a call by the console where the guard looks for it. Any other call goes on as it is: with
// the identity in its own header, or with none. Cookies stop here.
func (s *site) withLogin(r *http.Request) *http.Request {
	if len(r.Header.Values("Cookie")) == 0 {
		return r
	}
	secret, ok := session(r)
	ok = ok && len(r.Header.Values("Authorization")) == 0 && s.byConsole(r)
	r = r.Clone(r.Context())
	r.Header.Del("Cookie")
	if ok {
		r.Header.Set("Authorization", "Bearer "+secret.Reveal())
	}
	return r
}
