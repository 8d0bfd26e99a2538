package cli

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/writhq/writ/pkg/cli/internal/kubeconfig"
	"github.com/writhq/writ/pkg/cli/internal/output"
)

type kubeLoginCmd struct {
	Cluster    string `arg:"" help:"The cluster, a resource's name."`
	Context    string `placeholder:"NAME" help:"The context's name. Default: writ- and the cluster."`
	Namespace  string `short:"n" placeholder:"NS" help:"The context's namespace. Default: as it was."`
	Switch     bool   `negatable:"" default:"true" help:"Make it the current context."`
	Grant      string `placeholder:"GRANT" help:"Use this grant, now and in every token. Default: the active one that lasts longest."`
	Edge       string `placeholder:"HOST:PORT" help:"Connect to the edge here. Default: where an edge that serves the cluster says it is."`
	ServerName string `name:"tls-server-name" placeholder:"NAME" help:"Name in the edge's certificate. Default: the edge's own address, also with --edge."`

	kubeconfigFlag `embed:""`
}

// Help is shown below the usage.
func (kubeLoginCmd) Help() string {
	return "The kubeconfig gets a cluster, a user and a context; it holds no secret. kubectl, Helm and client-go run " +
		"`writ kube token` for a token whenever they need one, as long as you hold a grant for the cluster.\n\n" +
		examples("writ kube login shop-k8s", "kubectl --context writ-shop-k8s get pods",
			"writ kube login shop-k8s --context shop --namespace orders --no-switch", "writ kube login shop-k8s --edge localhost:16444",
			"writ kube login shop-k8s --kubeconfig ./kubeconfig -o json")
}

// kubeLogin is the JSON form of the command's output.
type kubeLogin struct {
	Kubeconfig string `json:"kubeconfig"`
	Context    string `json:"context"`
	Server     string `json:"server"`
	ServerName string `json:"tls_server_name,omitempty"`
	Grant      string `json:"grant"`
	ExpiresAt  string `json:"expires_at"`
}

// Run writes the kubeconfig.
func (c *kubeLoginCmd) Run(ctx context.Context, a *app) error {
	t, err := a.target()
	if err != nil {
		return err
	}
	clients, err := a.dial(t)
	if err != nil {
		return err
	}
	grant, tok, err := clusterToken(ctx, clients, c.Cluster, c.Grant)
	if err != nil {
		return err
	}
	address, serverName, err := c.where(tok.GetEndpoints())
	if err != nil {
		return err
	}
	file, err := c.file(a)
	if err != nil {
		return err
	}
	login := kubeconfig.Login{
		Cluster: c.Cluster, Context: c.Context, Server: "https://" + address, ServerName: serverName, CAPEM: []byte(tok.GetCaPem()),
		Namespace: c.Namespace, Switch: c.Switch, Plugin: c.plugin(t.server),
	}
	if err := kubeconfig.Edit(ctx, file, func(f *kubeconfig.File) error { return f.Put(login) }); err != nil {
		return kubeconfigError(err)
	}
	done := kubeLogin{
		Kubeconfig: file, Context: c.Context, Server: login.Server, ServerName: serverName,
		Grant: grant.GetId(), ExpiresAt: output.Time(tok.GetExpiresAt()),
	}
	if done.Context == "" {
		done.Context = kubeconfig.Name(c.Cluster)
	}
	if a.json {
		return a.out.JSON(done)
	}
	a.note("%s until %s; try: kubectl --context %s auth whoami", grant.GetId(), output.Moment(a.env.Now(), grant.GetExpiresAt()), quote(done.Context))
	return a.out.Printf("context %s in %s", done.Context, file)
}

// plugin asks the control plane that gave the grant, and no other.
func (c *kubeLoginCmd) plugin(server string) kubeconfig.Plugin {
	p := kubeconfig.Plugin{
		Command: "writ", Args: kubeconfig.TokenArgs(c.Cluster), Env: map[string]string{"WRIT_SERVER": server},
		Hint: "writ gives kubectl its token and is not on the PATH; install it, or take the cluster out of this kubeconfig",
	}
	if c.Grant != "" {
		p.Args = append(p.Args, "--grant", c.Grant)
	}
	return p
}

// where is the edge's address, and the name in its certificate where that is not the address's own.
func (c *kubeLoginCmd) where(endpoints []string) (address, serverName string, err error) {
	for _, e := range endpoints {
		if !isAddress(e) {
			return "", "", fmt.Errorf("the control plane names an edge at %q, which is no address", e)
		}
	}
	switch {
	case c.Edge != "" && !isAddress(c.Edge):
		return "", "", misused("for example --edge edge-a.vpc.example:6444", "--edge is not an address and a port")
	case c.Edge == "" && len(endpoints) == 0:
		return "", "", failed("see `writ edges list`", "no connected edge serves Kubernetes clients of %s", c.Cluster)
	case c.Edge == "":
		return endpoints[0], c.ServerName, nil
	case c.ServerName != "":
		return c.Edge, c.ServerName, nil
	}
	own := map[string]bool{}
	for _, e := range endpoints {
		own[hostOf(e)] = true
	}
	switch {
	case own[hostOf(c.Edge)] || len(own) == 0:
		return c.Edge, "", nil
	case len(own) > 1:
		return "", "", misused("give --tls-server-name too; edges are at "+strings.Join(endpoints, ", "), "several edges serve %s; which is at %s?", c.Cluster, c.Edge)
	}
	return c.Edge, hostOf(endpoints[0]), nil
}

// isAddress says whether s is a host and a port, and can stand in a URL as it is.
func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || len(host) > 253 {
		return false
	}
	odd := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(".-_:", r)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && strings.IndexFunc(host, odd) < 0
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}
