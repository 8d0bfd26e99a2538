package main

import (
	"context"
	"html/template"
	"net/http"
)

const (
	loginPath  = "/login"
	devicePath = "/device"
)

var form = template.Must(template.New("form").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Example Corp</title>
<h1>Example Corp</h1>
{{if .Error}}<p role="alert">{{.Error}}</p>{{end}}
<form method="post">
<input type="hidden" name="id" value="{{.ID}}">
{{if .Device}}<p><label>Code <input name="user_code" value="{{.UserCode}}" required></label></p>{{end}}
<p><label>User <input name="username" autocomplete="username" required autofocus></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button name="action" value="allow">{{if .Device}}Allow{{else}}Sign in{{end}}</button>
{{if .Device}}<button name="action" value="deny">Deny</button>{{end}}</p>
</form></html>
`))

type view struct {
	ID, UserCode, Error string
	Device              bool
}

func (v view) write(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = form.Execute(w, v)
}

// pages are where people sign in.
type pages struct {
	storage *storage
	back    func(ctx context.Context, id string) string // where a signed-in request goes on
}

func (p *pages) login(w http.ResponseWriter, r *http.Request) {
	view{ID: r.URL.Query().Get("id")}.write(w, http.StatusOK)
}

func (p *pages) loggedIn(w http.ResponseWriter, r *http.Request) {
	id, name := r.PostFormValue("id"), r.PostFormValue("username")
	if !p.storage.check(name, r.PostFormValue("password")) || p.storage.signIn(id, name) != nil {
		view{ID: id, Error: "Wrong user or password."}.write(w, http.StatusForbidden)
		return
	}
	http.Redirect(w, r, p.back(r.Context(), id), http.StatusSeeOther)
}

func (p *pages) device(w http.ResponseWriter, r *http.Request) {
	view{Device: true, UserCode: r.URL.Query().Get("user_code")}.write(w, http.StatusOK)
}

func (p *pages) deviceDecided(w http.ResponseWriter, r *http.Request) {
	code, name := r.PostFormValue("user_code"), r.PostFormValue("username")
	allowed := r.PostFormValue("action") == "allow"
	if !p.storage.check(name, r.PostFormValue("password")) || p.storage.decide(code, name, allowed) != nil {
		view{Device: true, UserCode: code, Error: "Wrong code, user or password."}.write(w, http.StatusForbidden)
		return
	}
	_, _ = w.Write([]byte("Done. You can go back to your terminal.\n"))
}
