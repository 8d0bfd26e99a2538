package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/writhq/writ/controlplane/internal/store"
)

// ErrNoBrowser is an issuer at which nobody signs in with a browser.
var ErrNoBrowser = errors.New("this identity provider does not sign people in with a browser here")

// Flow is one sign-in with a browser under way: the authorization code flow of OpenID Connect Core 1.0, section 3.1,
// with PKCE (RFC 7636). Its owner keeps it where only that browser brings it back, and nobody reads it.
type Flow struct {
	Issuer   string `json:"issuer"`
	Redirect string `json:"redirect"` // the address that the issuer sends the browser back to
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// Answer is what the issuer sent the browser back with.
type Answer struct {
	State  string
	Code   string
	Issuer string // RFC 9207; may be empty
}

// Begin starts a sign-in at an issuer and returns where to send the browser. It fails with ErrNoBrowser or
// ErrIssuerUnavailable.
func (l *Logins) Begin(ctx context.Context, issuer, redirect string) (address string, f Flow, err error) {
	ver, client, _, err := l.codeClient(ctx, issuer, redirect)
	if err != nil {
		return "", Flow{}, err
	}
	f = Flow{Issuer: ver.issuer.URL, Redirect: redirect, State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return client.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), f, nil
}

// codeClient returns Writ as a client of an issuer.
func (l *Logins) codeClient(ctx context.Context, issuer, redirect string) (*verifier, *oauth2.Config, document, error) {
	ver, ok := l.verifiers[issuer]
	if !ok || ver.issuer.Browser.ID == "" {
		return nil, nil, document{}, ErrNoBrowser
	}
	doc, err := ver.keys.document(ctx)
	if err != nil {
		return nil, nil, document{}, err
	}
	if !secureAddress(doc.Authorization) || !secureAddress(doc.Token) {
		return nil, nil, document{}, fmt.Errorf("%w: its endpoints are not https addresses", ErrIssuerUnavailable)
	}
	secret := l.clientSecrets[issuer]
	style := oauth2.AuthStyleInHeader
	if secret == "" || len(doc.ClientAuth) > 0 && !slices.Contains(doc.ClientAuth, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return ver, &oauth2.Config{
		ClientID: ver.issuer.Browser.ID, ClientSecret: secret, RedirectURL: redirect, Scopes: ver.issuer.Browser.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: doc.Authorization, TokenURL: doc.Token, AuthStyle: style},
	}, doc, nil
}

// WithCode ends a sign-in with a browser: it exchanges the code for an ID token, which must be for this client and of
// this very flow, and that for a login token.
func (l *Logins) WithCode(ctx context.Context, f Flow, a Answer) (SignIn, error) {
	ver, client, doc, err := l.codeClient(ctx, f.Issuer, f.Redirect)
	if err != nil {
		return SignIn{}, err
	}
	switch {
	case f.State == "" || subtle.ConstantTimeCompare([]byte(f.State), []byte(a.State)) != 1:
		return SignIn{}, fmt.Errorf("%w: the answer is of another sign-in", ErrProof)
	case a.Issuer != f.Issuer && (a.Issuer != "" || doc.NamesItself):
		return SignIn{}, fmt.Errorf("%w: the answer is of another identity provider", ErrProof)
	case a.Code == "":
		return SignIn{}, fmt.Errorf("%w: the answer has no code", ErrProof)
	}
	raw, err := l.exchange(oidc.ClientContext(ctx, ver.keys.client), client, f, a.Code)
	if err != nil {
		return SignIn{}, err
	}
	v, err := l.verifyOfFlow(ctx, ver, f, raw)
	if err != nil {
		return SignIn{}, err
	}
	return l.signIn(ctx, v, false, func(*store.Tx) error { return nil })
}

// exchange returns the ID token for a code. What the provider says in a refusal stays in the log.
func (l *Logins) exchange(ctx context.Context, client *oauth2.Config, f Flow, code string) (string, error) {
	tokens, err := client.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response.StatusCode < 500 {
		l.cfg.Logger.Warn("code refused", "issuer", f.Issuer, "status", refused.Response.StatusCode, "error", refused.ErrorCode)
		return "", fmt.Errorf("%w: the identity provider does not take the code; sign in again", ErrProof)
	}
	if err != nil {
		l.cfg.Logger.Warn("code not exchanged", "issuer", f.Issuer)
		return "", ErrIssuerUnavailable
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok || raw == "" {
		return "", fmt.Errorf("%w: the identity provider gave no ID token", ErrProof)
	}
	return raw, nil
}

// verifyOfFlow verifies an ID token that must be of the flow's issuer, client and nonce.
func (l *Logins) verifyOfFlow(ctx context.Context, ver *verifier, f Flow, raw string) (verified, error) {
	if issuer, err := unverifiedIssuer(raw); err != nil || issuer != f.Issuer {
		return verified{}, fmt.Errorf("%w: it is of another issuer", ErrProof)
	}
	v, err := ver.verifyFor(ctx, raw, []string{ver.issuer.Browser.ID})
	if err != nil {
		return verified{}, err
	}
	if v.party != ver.issuer.Browser.ID {
		return verified{}, fmt.Errorf("%w: it was issued to another client", ErrProof)
	}
	if f.Nonce == "" || subtle.ConstantTimeCompare([]byte(f.Nonce), []byte(v.nonce)) != 1 {
		return verified{}, fmt.Errorf("%w: it is of another sign-in", ErrProof)
	}
	return v, checkNames(v.principal, ver.issuer, l.cfg.namespaces(l.issuers))
}
