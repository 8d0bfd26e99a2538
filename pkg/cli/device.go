package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/deviceauth"
	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// personFlags are how people sign in from a terminal.
type personFlags struct {
	Issuer string `placeholder:"NAME" xor:"proof" help:"Sign in with a code at this identity provider: its name or URL. Default: the only one there is."`
}

const noProofHint = "give --oidc-token-file FILE, or --oidc-token - or --admin-token - with the token on standard input"

// byCode signs a person in at an identity provider, with a browser anywhere.
func (c *loginCmd) byCode(ctx context.Context, a *app, clients *client.Clients) (*accessv1.LoginRequest, error) {
	provider, err := c.provider(ctx, clients)
	if err != nil {
		return nil, err
	}
	device, err := deviceauth.New(deviceauth.Config{
		Issuer: provider.GetIssuer(), ClientID: provider.GetDeviceClientId(), Scopes: provider.GetScopes(),
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: a.env.Dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, DisableKeepAlives: true,
		},
		Sleep: a.env.Sleep, Now: a.env.Now,
	})
	if err != nil {
		return nil, err
	}
	prompt, err := device.Start(ctx)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	a.askToSignIn(provider.GetName(), prompt)
	token, err := device.Wait(ctx, prompt)
	switch {
	case errors.Is(err, deviceauth.ErrDenied):
		return nil, denied("", "%w", err)
	case errors.Is(err, deviceauth.ErrExpired):
		return nil, failed("run `writ login` again for a new code", "%w", err)
	case err != nil:
		return nil, interrupted(ctx, err)
	}
	return oidcProof(token), nil
}

// interrupted says so of an error that came with the end of ctx.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return failed("", "interrupted; nobody is signed in")
	}
	return err
}

// askToSignIn tells the person where to go. It goes to standard error, so that standard output is the result alone.
func (a *app) askToSignIn(provider string, p deviceauth.Prompt) {
	if p.Complete != "" {
		a.note("To sign in at %s, open", provider)
		a.note("  %s", p.Complete)
		a.note("and check that it shows the code %s. Elsewhere: %s", p.Code, p.Address)
	} else {
		a.note("To sign in at %s, open", provider)
		a.note("  %s", p.Address)
		a.note("and enter the code %s.", p.Code)
	}
	a.note("Waiting until %s. Ctrl-C ends it.", output.Moment(a.env.Now(), timestamppb.New(p.Expires)))
}

// provider finds the identity provider to sign in at.
func (c *loginCmd) provider(ctx context.Context, clients *client.Clients) (*accessv1.OpenIDProvider, error) {
	resp, err := clients.Identity.ListSignInMethods(ctx, &accessv1.ListSignInMethodsRequest{})
	if err != nil && connect.CodeOf(err) != connect.CodeUnimplemented {
		return nil, err
	}
	var all []*accessv1.OpenIDProvider
	var names []string
	for _, m := range resp.GetMethods() {
		p := m.GetOpenid()
		if p.GetDeviceClientId() == "" {
			continue
		}
		if c.Issuer != "" && (c.Issuer == p.GetIssuer() || strings.EqualFold(c.Issuer, p.GetName())) {
			return p, nil
		}
		all, names = append(all, p), append(names, p.GetName())
	}
	switch {
	case c.Issuer != "" && len(all) > 0:
		return nil, misused("there is "+strings.Join(names, ", "), "--issuer %s: nobody signs in there with a code", c.Issuer)
	case len(all) == 0:
		return nil, misused(noProofHint, "no token to sign in with, and no identity provider to sign in at with a code")
	case len(all) > 1:
		return nil, misused("give --issuer with one of "+strings.Join(names, ", "), "there are several identity providers")
	}
	return all[0], nil
}
