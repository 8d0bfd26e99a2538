package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/writhq/writ/pkg/cli/internal/client"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type awsCmd struct {
	Exec        awsExecCmd        `cmd:"" help:"Start a program that calls AWS through an edge."`
	Login       awsLoginCmd       `cmd:"" help:"Put a profile of an account into your AWS config file."`
	Credentials awsCredentialsCmd `cmd:"" help:"Print keys as AWS's tools ask a program for them."`
	Logout      awsLogoutCmd      `cmd:"" help:"Take profiles out of your AWS config file."`
}

// awsAccessFlags say how to come to an account.
type awsAccessFlags struct {
	Grant    string `placeholder:"GRANT" help:"Use this grant. Default: the active one that lasts longest."`
	Edge     string `placeholder:"HOST:PORT" help:"Connect to the edge here. Default: where an edge that serves the account says it is."`
	Endpoint bool   `help:"Use the edge as the endpoint of all services rather than as a proxy: no CA, and less works, and on the edge's own machine alone."`
}

// endpointHelp says what the fallback costs.
const endpointHelp = "With --endpoint no CA is needed. It is for clients on the edge's own machine, since nothing is encrypted on the way. Operations with a " +
	"host of their own (S3 Control, and some of other services) cannot be called; and the aws command line, version 1, calls sqs, emr and health, and in " +
	"us-east-1 rds, docdb and neptune, past the edge unless it is given --endpoint-url too: AWS refuses the key. "

// awsWay is how a client comes to an account: the edge as a proxy, or as the endpoint.
type awsWay struct {
	edge     string // "host:port"
	endpoint bool
	ca       []byte // certificates of the authorities that sign for AWS's hosts
}

// url is the edge's.
func (w awsWay) url() string { return "http://" + w.edge }

// way chooses the edge, and holds what the control plane says of it to what can be used.
func (f awsAccessFlags) way(ctx context.Context, resource string, tok *accessv1.IssueTokenResponse) (awsWay, error) {
	for _, e := range tok.GetEndpoints() {
		if !isAddress(e) {
			return awsWay{}, fmt.Errorf("the control plane names an edge at %q, which is no address", e)
		}
	}
	w := awsWay{edge: f.Edge, endpoint: f.Endpoint, ca: []byte(tok.GetCaPem())}
	switch {
	case f.Edge != "" && !isAddress(f.Edge):
		return awsWay{}, misused("for example --edge edge-a.vpc.example:7443", "--edge is not an address and a port")
	case f.Edge == "" && len(tok.GetEndpoints()) == 0:
		return awsWay{}, failed("see `writ edges list`; edges serve AWS clients with the setting listen-aws", "no connected edge serves AWS clients of %s", resource)
	case f.Edge == "":
		w.edge = tok.GetEndpoints()[0]
	}
	if !f.Endpoint && len(w.ca) == 0 {
		return awsWay{}, failed("try --endpoint", "the control plane names no CA of the edge for AWS's hosts")
	}
	if !f.Endpoint {
		return w, nil
	}
	var err error
	w.edge, err = numeric(ctx, w.edge)
	if addr, _ := netip.ParseAddr(hostOf(w.edge)); err == nil && !addr.IsLoopback() {
		err = misused("use it as a proxy, without --endpoint", "the edge at %s is on another machine, and takes nothing there that is not encrypted", w.edge)
	}
	return w, err
}

// lookupTime bounds the look-up of an edge's name.
const lookupTime = 5 * time.Second

// numeric puts a number in the place of a name: for an endpoint with a name, SDKs put the bucket before it.
func numeric(ctx context.Context, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("find edge: %w", err)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return address, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
	if err != nil || len(addrs) == 0 {
		return "", failed("give an IP address with --edge", "no address is known for the edge %s", host)
	}
	return net.JoinHostPort(addrs[0].Unmap().String(), port), nil
}

// awsAccount is an account that the caller has a grant for, and how to come there.
type awsAccount struct {
	source *tokens
	way    awsWay
	server string // the control plane
}

// account finds one.
func (f awsAccessFlags) account(ctx context.Context, a *app, resource string) (*awsAccount, error) {
	t, err := a.target()
	if err != nil {
		return nil, err
	}
	clients, err := a.dial(t)
	if err != nil {
		return nil, err
	}
	source, err := a.accountTokens(ctx, clients, resource, f.Grant)
	if err != nil {
		return nil, err
	}
	_, tok := source.about()
	way, err := f.way(ctx, resource, tok)
	if err != nil {
		return nil, err
	}
	return &awsAccount{source, way, t.server}, nil
}

// accountTokens gives out keys for an account under one of the caller's grants, with a first one at hand.
func (a *app) accountTokens(ctx context.Context, clients *client.Clients, resource, grant string) (*tokens, error) {
	name := resource
	if grant != "" {
		name = grant
	}
	source, err := newTokens(ctx, a, clients, name)
	if err != nil {
		return nil, err
	}
	g, tok := source.about()
	switch {
	case g.GetResource() != resource:
		return nil, misused("", "%s is a grant for %s, not for %s", g.GetId(), g.GetResource(), resource)
	case tok.GetAwsKey() != nil:
		return source, nil
	case tok.GetDatabase() != "":
		return nil, misused("connect with: writ psql "+resource, "%s is a database, no AWS account", resource)
	}
	return nil, misused("if it is a cluster: writ kube login "+resource, "%s is no AWS account", resource)
}
