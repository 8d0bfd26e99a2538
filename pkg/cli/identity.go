package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/cli/internal/output"
	"github.com/writhq/writ/pkg/cli/internal/profile"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type loginCmd struct {
	Server         string `placeholder:"URL" help:"The control plane, https://host:port. Default: WRIT_SERVER, or the last login's."`
	CAFile         string `name:"ca-file" placeholder:"FILE" xor:"trust" help:"CA certificates to trust. Default: WRIT_CA_FILE, or the system's."`
	Pin            string `placeholder:"PIN" xor:"trust" help:"Key to trust instead: sha256:... as the control plane printed it."`
	OIDCToken      string `name:"oidc-token" placeholder:"-" xor:"proof" help:"Read an OIDC ID token from standard input."`
	OIDCTokenFile  string `name:"oidc-token-file" placeholder:"FILE" xor:"proof" help:"Read an OIDC ID token from a file."`
	AdminToken     string `name:"admin-token" placeholder:"-" xor:"proof" help:"Read the first start's admin token from standard input."`
	AdminTokenFile string `name:"admin-token-file" placeholder:"FILE" xor:"proof" help:"Read the first start's admin token from a file."`

	personFlags   `embed:""`
	workloadFlags `embed:""`
}

// Help is shown below the usage.
func (loginCmd) Help() string {
	return "Without a token, a person signs in with a code: at the address that is shown, with a browser on any device. Tokens come from standard input, a file, or the variables WRIT_OIDC_TOKEN and WRIT_ADMIN_TOKEN; never from an " +
		"argument, which others could see. The login is kept in $WRIT_HOME or $XDG_CONFIG_HOME/writ.\n\n" +
		examples("writ login --server https://writ.example:8443",
			"writ login --server https://writ.example:8443 --oidc-token-file /run/oidc/token",
			"writ login --server https://10.0.0.7:8443 --pin sha256:6f0a... --admin-token - < admin-token",
			"writ login --server https://writ.example:8443 --aws --region eu-west-1",
			"writ login --server https://writ.example:8443 --spiffe-svid-file /run/svid.jwt --on-behalf-of-file /run/alice.token")
}

// Run signs in and keeps the login.
func (c *loginCmd) Run(ctx context.Context, a *app) error {
	store, err := a.store()
	if err != nil {
		return err
	}
	t, err := c.target(a, store)
	if err != nil {
		return err
	}
	clients, err := a.dial(t)
	if err != nil {
		return err
	}
	proof, err := c.prove(ctx, a, t.server, clients)
	if err != nil {
		return err
	}
	resp, err := clients.Identity.Login(ctx, proof)
	if err != nil {
		return err
	}
	err = store.Save(profile.Login{
		Server: t.server, CAPEM: string(t.ca), Pin: t.pin, Token: resp.GetToken(),
		ExpiresAt: resp.GetExpiresAt().AsTime(), Principal: resp.GetPrincipal().GetName(),
	})
	if err != nil {
		return err
	}
	shown := &accessv1.WhoAmIResponse{Principal: resp.GetPrincipal(), ExpiresAt: resp.GetExpiresAt()}
	return a.say(shown, "signed in to %s as %s until %s", t.server, resp.GetPrincipal().GetName(), output.Time(resp.GetExpiresAt()))
}

// target is where to sign in; it carries no token.
func (c *loginCmd) target(a *app, store *profile.Store) (target, error) {
	t := target{server: c.Server, pin: c.Pin}
	if t.server == "" {
		t.server = a.env.get("WRIT_SERVER")
	}
	last, err := store.Load()
	if t.server == "" && err == nil {
		t.server = last.Server
	}
	if t.server == "" {
		return target{}, misused("", "which control plane? give --server https://host:port")
	}
	file := c.CAFile
	if file == "" && c.Pin == "" {
		file = a.env.get("WRIT_CA_FILE")
	}
	switch {
	case file != "":
		if t.ca, err = os.ReadFile(file); err != nil {
			return target{}, fmt.Errorf("read CA file: %w", err)
		}
	case c.Pin == "" && err == nil && sameServer(last.Server, t.server):
		t.ca, t.pin = []byte(last.CAPEM), last.Pin
	}
	return t, nil
}

// proof reads the one token there is, or else lets a person sign in with a code.
func (c *loginCmd) proof(ctx context.Context, a *app, clients *client.Clients) (*accessv1.LoginRequest, error) {
	for _, given := range []string{c.OIDCToken, c.AdminToken} {
		if given != "" && given != "-" {
			return nil, misused("give - and the token on standard input, or name a file; and take the token you just showed as known to others",
				"a token does not belong in an argument")
		}
	}
	if c.Issuer != "" {
		return c.byCode(ctx, a, clients)
	}
	oidc, admin := c.OIDCToken+c.OIDCTokenFile, c.AdminToken+c.AdminTokenFile
	switch {
	case oidc != "":
		token, err := a.secret(oidc)
		return oidcProof(token), err
	case admin != "":
		token, err := a.secret(admin)
		return adminProof(token), err
	}
	if token := strings.TrimSpace(a.env.get("WRIT_OIDC_TOKEN")); token != "" {
		return oidcProof(token), nil
	}
	if token := strings.TrimSpace(a.env.get("WRIT_ADMIN_TOKEN")); token != "" {
		return adminProof(token), nil
	}
	return c.byCode(ctx, a, clients)
}

func oidcProof(token string) *accessv1.LoginRequest {
	return &accessv1.LoginRequest{Proof: &accessv1.LoginRequest_OidcToken{OidcToken: token}}
}

func adminProof(token string) *accessv1.LoginRequest {
	return &accessv1.LoginRequest{Proof: &accessv1.LoginRequest_AdminToken{AdminToken: token}}
}

type logoutCmd struct{}

// Help is shown below the usage.
func (logoutCmd) Help() string { return examples("writ logout") }

// Run ends the login at the control plane and forgets it here, the latter even where the former fails.
func (logoutCmd) Run(ctx context.Context, a *app) error {
	store, err := a.store()
	if err != nil {
		return err
	}
	login, err := store.Load()
	if err != nil {
		return err
	}
	clients, err := a.dial(target{server: login.Server, ca: []byte(login.CAPEM), pin: login.Pin, token: login.Token})
	if err != nil {
		return err
	}
	resp, callErr := clients.Identity.Logout(ctx, &accessv1.LogoutRequest{})
	if err := store.Remove(); err != nil {
		return err
	}
	if callErr != nil {
		return failed("the token stays good at the control plane until it expires", "forgotten here, but not ended there: %w", explain(callErr).err)
	}
	return a.say(resp, "signed out of %s", login.Server)
}

type whoamiCmd struct{}

// Help is shown below the usage.
func (whoamiCmd) Help() string {
	return examples("writ whoami", "writ whoami -o json | jq -r .principal.name")
}

// Run shows the caller.
func (whoamiCmd) Run(ctx context.Context, a *app) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	clients, err := a.dial(t)
	if err != nil {
		return err
	}
	resp, err := clients.Identity.WhoAmI(ctx, &accessv1.WhoAmIRequest{})
	if err != nil {
		return err
	}
	return a.show(resp, func() error {
		fields := append(principalFields(resp.GetPrincipal()),
			output.Field{Name: "roles", Value: strings.Join(resp.GetRoles(), ", ")},
			output.Field{Name: "until", Value: output.Moment(a.env.Now(), resp.GetExpiresAt())},
			output.Field{Name: "server", Value: t.server})
		return a.out.Fields(fields...)
	})
}
