package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/writhq/writ/controlplane/internal/locks"
	"github.com/writhq/writ/controlplane/internal/login"
)

// The paths of signing in and out.
const (
	startPath    = "/signin/start"
	callbackPath = "/signin/callback"
	adminPath    = "/signin/admin"
	stylePath    = "/signin/page.css"
	signOutPath  = "/signout"
)

// StartPath is where a browser goes to sign in at an issuer. A query value "return" may be added: a path of this site.
func StartPath(issuer string) string {
	return startPath + "?" + url.Values{"issuer": {issuer}}.Encode()
}

const (
	// signInTime bounds one step of a sign-in, with what is asked of the provider.
	signInTime = 30 * time.Second
	maxBody    = 4 << 10
	maxShown   = 300 // bytes of a provider's own words
)

// start sends the browser to the identity provider. Whoever came by another name of this control plane is first sent to
// its public address, which the provider answers to.
func (s *site) start(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Host, s.host) {
		http.Redirect(w, r, s.origin+startPath+"?"+r.URL.RawQuery, http.StatusSeeOther)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), signInTime)
	defer cancel()
	query := r.URL.Query()
	address, f, err := s.cfg.Logins.Begin(ctx, query.Get("issuer"), s.origin+callbackPath)
	if err == nil {
		err = s.setFlow(w, pending{Flow: f, Return: localPath(query.Get("return")), Expires: s.cfg.Now().Add(flowTime)})
	}
	switch {
	case errors.Is(err, login.ErrNoBrowser):
		failure(w, http.StatusNotFound, err.Error())
	case err != nil:
		s.cfg.Logger.Error("sign-in did not begin", "error", err)
		failure(w, http.StatusServiceUnavailable, "the identity provider cannot be reached now; try again")
	default:
		http.Redirect(w, r, address, http.StatusSeeOther)
	}
}

// callback takes the provider's answer. It ends the sign-in under way, however it goes.
func (s *site) callback(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), signInTime)
	defer cancel()
	p, err := s.flow(r)
	dropFlow(w)
	in, err := s.cfg.Guard.SignIn(ctx, "browser", r.RemoteAddr, func(ctx context.Context) (login.SignIn, error) {
		if err != nil {
			return login.SignIn{}, fmt.Errorf("%w: %w", login.ErrProof, err)
		}
		return s.answered(ctx, p, r.URL.Query())
	})
	if err != nil {
		status, text := seen(err)
		failure(w, status, text)
		return
	}
	setSession(w, in, s.cfg.Now())
	http.Redirect(w, r, p.Return, http.StatusSeeOther)
}

// answered judges the provider's answer (RFC 6749, sections 4.1.2 and 4.1.2.1). Its words are shown only when it answers
// this browser's sign-in: anybody can make an address with words in it.
func (s *site) answered(ctx context.Context, p pending, query url.Values) (login.SignIn, error) {
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(query[name]) > 1 {
			return login.SignIn{}, fmt.Errorf("%w: the answer says %s twice", login.ErrProof, name)
		}
	}
	if code := query.Get("error"); code != "" && p.State != "" && query.Get("state") == p.State {
		said := shown(code)
		if more := shown(query.Get("error_description")); more != "" {
			said += ": " + more
		}
		return login.SignIn{}, fmt.Errorf("%w by the identity provider, which says: %s", login.ErrProof, said)
	}
	return s.cfg.Logins.WithCode(ctx, p.Flow, login.Answer{State: query.Get("state"), Code: query.Get("code"), Issuer: query.Get("iss")})
}

// shown keeps the visible start of somebody else's words.
func shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	return strings.TrimSpace(text)
}

// withAdminToken signs the first administrator in. The body is {"token": "..."}.
func (s *site) withAdminToken(w http.ResponseWriter, r *http.Request) {
	if !s.byConsole(r) {
		answer(w, http.StatusForbidden, "this is for the console's own pages")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), signInTime)
	defer cancel()
	in, err := s.cfg.Guard.SignIn(ctx, "browser", r.RemoteAddr, func(ctx context.Context) (login.SignIn, error) {
		raw, err := adminToken(w, r)
		if err != nil {
			return login.SignIn{}, fmt.Errorf("%w: %w", login.ErrProof, err)
		}
		return s.cfg.Logins.WithAdminToken(ctx, raw)
	})
	if err != nil {
		status, text := seen(err)
		answer(w, status, text)
		return
	}
	setSession(w, in, s.cfg.Now())
	w.WriteHeader(http.StatusNoContent)
}

var errBody = errors.New(`send {"token": "..."} as application/json`)

func adminToken(w http.ResponseWriter, r *http.Request) (string, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return "", errBody
	}
	var body struct {
		Token string `json:"token"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil {
		return "", errBody
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", errBody
	}
	return strings.TrimSpace(body.Token), nil
}

// signOut ends the login. The cookie goes even where the control plane cannot end it now.
func (s *site) signOut(w http.ResponseWriter, r *http.Request) {
	if !s.byConsole(r) {
		answer(w, http.StatusForbidden, "this is for the console's own pages")
		return
	}
	secret, ok := session(r)
	dropSession(w)
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), signInTime)
	defer cancel()
	err := s.cfg.Guard.SignOut(ctx, "browser", r.RemoteAddr, secret.Reveal(), s.cfg.Logins.Logout)
	if err != nil && !errors.Is(err, login.ErrUnauthenticated) {
		status, text := seen(err)
		answer(w, status, "signed out of this browser, but the login goes on until it expires: "+text)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// seen is how an error of the guard looks in a browser. The guard's errors carry the sentence for people apart from
// their code.
func seen(err error) (status int, text string) {
	text = "something went wrong inside the control plane; its log says more"
	var sentence interface{ Message() string }
	if errors.As(err, &sentence) {
		text = sentence.Message()
	}
	if errors.Is(err, login.ErrProof) || errors.Is(err, login.ErrUnauthenticated) || errors.Is(err, locks.ErrLocked) {
		return http.StatusForbidden, text
	}
	return http.StatusServiceUnavailable, text
}

// answer is an error for a script.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": text}) // the reader may have gone
}
