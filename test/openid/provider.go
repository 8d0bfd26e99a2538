package main

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// newProvider joins the protocol with the pages on which people sign in.
func newProvider(issuer string, settings Settings) (http.Handler, error) {
	s, err := newStorage(settings)
	if err != nil {
		return nil, err
	}
	config := &op.Config{
		CodeMethodS256: true,
		AuthMethodPost: true,
		DeviceAuthorization: op.DeviceAuthorizationConfig{
			Lifetime: 2 * time.Minute, PollInterval: time.Second, UserFormPath: devicePath, UserCode: op.UserCodeBase20,
		},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	provider, err := op.NewProvider(config, s, op.StaticIssuer(issuer), op.WithAllowInsecure())
	if err != nil {
		return nil, err
	}
	p := &pages{storage: s, back: op.AuthCallbackURL(provider)}
	mux := http.NewServeMux()
	mux.Handle("GET "+loginPath, http.HandlerFunc(p.login))
	mux.Handle("POST "+loginPath, op.NewIssuerInterceptor(provider.IssuerFromRequest).HandlerFunc(p.loggedIn))
	mux.HandleFunc("GET "+devicePath, p.device)
	mux.HandleFunc("POST "+devicePath, p.deviceDecided)
	mux.Handle("/", provider)
	return mux, nil
}
