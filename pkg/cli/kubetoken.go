package cli

import (
	"context"
	"encoding/json"
	"time"

	"github.com/writhq/writ/pkg/cli/internal/client"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type kubeTokenCmd struct {
	Cluster string `arg:"" help:"The cluster, a resource's name."`
	Grant   string `placeholder:"GRANT" help:"Use this grant. Default: the active one that lasts longest."`
}

// Help is shown below the usage.
func (kubeTokenCmd) Help() string {
	return "For kubeconfigs, where `writ kube login` puts it. Prints an ExecCredential in JSON. The token is good as long as the " +
		"grant, and nothing is kept.\n\n" + examples("writ kube token shop-k8s")
}

// execCredential is what a client reads from its plugin (the Kubernetes reference, "Client Authentication (v1)").
type execCredential struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Status     struct {
		ExpirationTimestamp string `json:"expirationTimestamp"`
		Token               string `json:"token"`
	} `json:"status"`
}

const execVersion = "client.authentication.k8s.io/v1"

// Run prints a token.
func (c *kubeTokenCmd) Run(ctx context.Context, a *app) error {
	if err := a.execVersion(); err != nil {
		return err
	}
	clients, err := a.control()
	if err != nil {
		return err
	}
	_, tok, err := clusterToken(ctx, clients, c.Cluster, c.Grant)
	if err != nil {
		return err
	}
	cred := execCredential{APIVersion: execVersion, Kind: "ExecCredential"}
	cred.Status.ExpirationTimestamp, cred.Status.Token = tok.GetExpiresAt().AsTime().Format(time.RFC3339), tok.GetToken()
	return a.out.JSON(cred)
}

// execVersion refuses a client that would not understand the answer.
func (a *app) execVersion() error {
	text := a.env.get("KUBERNETES_EXEC_INFO")
	if text == "" {
		return nil
	}
	var info struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil || info.APIVersion != execVersion {
		return misused("run `writ kube login` again", "the kubeconfig asks for a plugin of another version than %s", execVersion)
	}
	return nil
}

// clusterToken returns a grant of the caller's for a cluster, and a token of it.
func clusterToken(ctx context.Context, clients *client.Clients, cluster, grant string) (*accessv1.Grant, *accessv1.IssueTokenResponse, error) {
	name := cluster
	if grant != "" {
		name = grant
	}
	g, err := activeGrant(ctx, clients, name)
	if err != nil {
		return nil, nil, err
	}
	if g.GetResource() != cluster {
		return nil, nil, misused("", "%s is a grant for %s, not for %s", g.GetId(), g.GetResource(), cluster)
	}
	tok, err := clients.Grants.IssueToken(ctx, &accessv1.IssueTokenRequest{Grant: g.GetId()})
	if err == nil && tok.GetDatabase() != "" {
		err = misused("connect with: writ psql "+cluster, "%s is a database, no cluster", cluster)
	}
	if err == nil && tok.GetAwsKey() != nil {
		err = misused("go on with: writ aws exec "+cluster+" -- aws sts get-caller-identity", "%s is an AWS account, no cluster", cluster)
	}
	return g, tok, err
}
