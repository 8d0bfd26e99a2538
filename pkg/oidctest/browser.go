package oidctest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// codeLife is how long a code can be redeemed.
const codeLife = time.Minute

// Visit lets the people sign in with a browser at a public client, by choosing who they are: authorization code with
// PKCE (RFC 7636, S256). The claim "name" of each is what its button says.
func (is *Issuer) Visit(client, redirect string, people []Claims) error {
	if client == "" || redirect == "" || len(people) == 0 {
		return errors.New("visit: a client, its redirect address and people are required")
	}
	is.mu.Lock()
	defer is.mu.Unlock()
	is.visits = &visits{client: client, redirect: redirect, people: slices.Clone(people), codes: map[string]visit{}}
	return nil
}

// visits are sign-ins with a browser; the issuer's lock guards them.
type visits struct {
	client, redirect string
	people           []Claims
	codes            map[string]visit
}

// visit is one that waits for its code to be redeemed.
type visit struct {
	claims    Claims
	challenge string
	until     time.Time
}

var chooser = template.Must(template.New("chooser").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Who are you?</title>
<style>body{font:16px system-ui;max-width:24rem;margin:4rem auto;padding:0 1rem}button{font:inherit;width:100%;padding:.6rem;margin:.3rem 0}</style>
<h1>Who are you?</h1><p>This stand-in for an identity provider believes everybody.</p>
<form method="post">{{range $i, $p := .}}<button name="who" value="{{$i}}">{{$p.name}}</button>{{end}}</form></html>
`))

// authorize shows who there is, and sends the browser back with a code once somebody was chosen.
func (is *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	defer is.mu.Unlock()
	v, q := is.visits, r.URL.Query()
	switch {
	case v == nil || q.Get("client_id") != v.client || q.Get("redirect_uri") != v.redirect || q.Get("response_type") != "code":
		http.Error(w, "no such client, redirect address or response type", http.StatusBadRequest)
		return
	case q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "":
		http.Error(w, "a code challenge with S256 is required", http.StatusBadRequest)
		return
	case r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = chooser.Execute(w, v.people) // the browser is gone
		return
	}
	var who int
	if _, err := fmt.Sscanf(r.PostFormValue("who"), "%d", &who); err != nil || who < 0 || who >= len(v.people) {
		http.Error(w, "nobody was chosen", http.StatusBadRequest)
		return
	}
	claims := is.complete(v.people[who])
	claims["aud"], claims["nonce"] = v.client, q.Get("nonce")
	code := rand.Text()
	v.codes[code] = visit{claims: claims, challenge: q.Get("code_challenge"), until: is.now().Add(codeLife)}
	http.Redirect(w, r, v.redirect+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
}

// redeem answers a code with an ID token, once.
func (is *Issuer) redeem(w http.ResponseWriter, r *http.Request) {
	found, ok := is.take(r.PostFormValue("code"), r.PostFormValue("redirect_uri"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != found.challenge {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error": "invalid_grant"}`))
		return
	}
	token, err := is.Token(found.claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	is.answer(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "id_token": token, "expires_in": 60})
}

func (is *Issuer) take(code, redirect string) (visit, bool) {
	is.mu.Lock()
	defer is.mu.Unlock()
	if is.visits == nil || redirect != is.visits.redirect {
		return visit{}, false
	}
	found, ok := is.visits.codes[code]
	delete(is.visits.codes, code)
	return found, ok && is.now().Before(found.until)
}
