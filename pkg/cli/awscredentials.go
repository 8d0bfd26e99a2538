package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/writhq/writ/pkg/cli/internal/keyserver"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type awsCredentialsCmd struct {
	Resource string `arg:"" help:"The account, a resource's name."`
	Grant    string `placeholder:"GRANT" help:"Use this grant. Default: the active one that lasts longest."`
	Server   string `placeholder:"URL" help:"Ask this control plane. Default: WRIT_SERVER, or the login's."`
	Edge     string `placeholder:"HOST:PORT" help:"The edge that HTTPS_PROXY names for AWS: the control plane is not asked through it."`
}

// Help is shown below the usage.
func (awsCredentialsCmd) Help() string {
	return "For credential_process in AWS config files, where `writ aws login` puts it. Prints an access key id, a secret and a session token " +
		"in JSON; an edge takes them, AWS does not. They are good as long as the grant, and nothing is kept.\n\n" + examples("writ aws credentials prod")
}

// processCredentials is what AWS's tools read from a program (the AWS SDKs and Tools Reference Guide, "Process credential
// provider").
type processCredentials struct {
	Version         int
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

// Run prints a key.
func (c *awsCredentialsCmd) Run(ctx context.Context, a *app) error {
	t, err := c.target(a)
	if err != nil {
		return err
	}
	clients, err := a.dial(t)
	if err != nil {
		return err
	}
	source, err := a.accountTokens(ctx, clients, c.Resource, c.Grant)
	if err != nil {
		return err
	}
	_, tok := source.about()
	key, err := clientKey(tok)
	if err != nil {
		return err
	}
	return a.out.JSON(processCredentials{
		Version: 1, AccessKeyID: key.ID, SecretAccessKey: key.Secret, SessionToken: key.SessionToken,
		Expiration: key.ExpiresAt.UTC().Format(time.RFC3339),
	})
}

// target is the control plane that the profile is of. The token of another one does not go there.
func (c *awsCredentialsCmd) target(a *app) (target, error) {
	b := *a
	if c.Server != "" {
		if other := a.env.get("WRIT_SERVER"); other != "" && !sameServer(other, c.Server) {
			return target{}, misused("unset WRIT_SERVER and WRIT_TOKEN, or run `writ aws login` again", "WRIT_SERVER is %s, and this profile is of %s", other, c.Server)
		}
		b.env.Environ = append(slices.Clone(a.env.Environ), "WRIT_SERVER="+c.Server)
	}
	t, err := b.target()
	t.notThrough = c.Edge
	return t, err
}

// clientKey returns the key of a token, whole.
func clientKey(tok *accessv1.IssueTokenResponse) (keyserver.Key, error) {
	k := tok.GetAwsKey()
	if k.GetAccessKeyId() == "" || k.GetSecretAccessKey() == "" || k.GetSessionToken() == "" || k.GetExpiresAt() == nil {
		return keyserver.Key{}, errors.New("the control plane gave no whole key for AWS clients")
	}
	return keyserver.Key{
		ID: k.GetAccessKeyId(), Secret: k.GetSecretAccessKey(), SessionToken: k.GetSessionToken(), ExpiresAt: k.GetExpiresAt().AsTime(),
	}, nil
}

// key returns a key that is good for a while. Its error is for people.
func (t *tokens) key(ctx context.Context) (keyserver.Key, error) {
	tok, err := t.fresh(ctx, "")
	if err != nil {
		f := explain(err)
		if f.hint == "" {
			return keyserver.Key{}, f
		}
		return keyserver.Key{}, errors.New(f.Error() + "; " + f.hint)
	}
	return clientKey(tok)
}
