package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/writhq/writ/controlplane/internal/login"
)

const (
	// flowCookie carries a sign-in under way, sealed. It is Lax, because the identity provider sends the browser back.
	flowCookie = "__Host-writ-signin"
	// flowTime is how long a person has to sign in at the provider.
	flowTime = 10 * time.Minute
	// maxFlow bounds the cookie's value; browsers keep 4096 bytes with its name and attributes.
	maxFlow = 3800
	// maxReturn bounds the path to return to, in bytes.
	maxReturn = 1000
)

// flowPlace binds what is sealed to its use.
var flowPlace = []byte("web/sign-in")

// errFlow is an answer without the sign-in that it answers.
var errFlow = errors.New("no sign-in is under way in this browser, or it took longer than 10 minutes; begin again")

// pending is a sign-in under way.
type pending struct {
	login.Flow
	Return  string    `json:"return"`
	Expires time.Time `json:"expires"`
}

// setFlow gives a sign-in to the browser.
func (s *site) setFlow(w http.ResponseWriter, p pending) error {
	plain, err := json.Marshal(p)
	if err != nil {
		return err
	}
	sealed, err := s.cfg.Sealer.Seal(plain, flowPlace)
	if err != nil {
		return err
	}
	value := base64.RawURLEncoding.EncodeToString(sealed)
	if len(value) > maxFlow {
		return errors.New("the sign-in does not fit into a cookie")
	}
	http.SetCookie(w, &http.Cookie{
		Name: flowCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(flowTime / time.Second),
	})
	return nil
}

func dropFlow(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{
		Name: flowCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1,
	})
}

// flow opens the sign-in that the browser brings back, or fails with errFlow.
func (s *site) flow(r *http.Request) (pending, error) {
	cookies := r.CookiesNamed(flowCookie)
	if len(cookies) != 1 || len(cookies[0].Value) > maxFlow {
		return pending{}, errFlow
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cookies[0].Value)
	if err != nil {
		return pending{}, errFlow
	}
	plain, err := s.cfg.Sealer.Open(sealed, flowPlace)
	if err != nil {
		return pending{}, errFlow
	}
	var p pending
	if err := json.Unmarshal(plain, &p); err != nil || !s.cfg.Now().Before(p.Expires) {
		return pending{}, errFlow
	}
	return p, nil
}

// localPath returns a path of this site to go to after a sign-in, or "/" for whatever else was asked for. A browser
// takes "//", "/\" and "/<tab>/" for the start of another site's address.
func localPath(text string) string {
	bad := func(r rune) bool { return r <= ' ' || r == '\\' || r >= 0x7f }
	u, err := url.Parse(text)
	switch {
	case err != nil, len(text) > maxReturn, !strings.HasPrefix(text, "/"), strings.HasPrefix(text, "//"), strings.ContainsFunc(text, bad),
		u.Scheme != "", u.Host != "", u.User != nil, u.Opaque != "", strings.HasPrefix(u.Path, "//"), strings.Contains(u.Path, `\`),
		strings.HasPrefix(u.Path, "/signin/"):
		return "/"
	}
	return text
}
