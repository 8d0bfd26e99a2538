package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"

	"github.com/writhq/writ/pkg/cli/internal/client"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// workloadFlags are how agents, jobs and services sign in, and for whom.
type workloadFlags struct {
	AWS            bool   `name:"aws" xor:"proof" help:"Sign in as the AWS role whose credentials are at hand."`
	Region         string `placeholder:"REGION" help:"Region whose STS answers for --aws. Default: AWS_REGION, or the control plane's first."`
	AWSServerID    string `name:"aws-server-id" placeholder:"ID" help:"Sign for this server with --aws. Default: the host of the control plane's address."`
	SPIFFESVIDFile string `name:"spiffe-svid-file" placeholder:"FILE" xor:"proof" help:"Read a SPIFFE JWT-SVID from a file."`
	OnBehalfOfFile string `name:"on-behalf-of-file" placeholder:"FILE" help:"Act for whom the ID token or login token in this file is of."`
}

// prove makes the proof that the flags ask for, any of those of people included.
func (c *loginCmd) prove(ctx context.Context, a *app, server string, clients *client.Clients) (*accessv1.LoginRequest, error) {
	req, err := c.proveSelf(ctx, a, server, clients)
	if err != nil || c.OnBehalfOfFile == "" {
		return req, err
	}
	req.OnBehalfOfToken, err = a.secret(c.OnBehalfOfFile)
	return req, err
}

func (c *loginCmd) proveSelf(ctx context.Context, a *app, server string, clients *client.Clients) (*accessv1.LoginRequest, error) {
	switch {
	case c.AWS:
		proof, err := c.awsProof(ctx, a, server, clients)
		return &accessv1.LoginRequest{Proof: &accessv1.LoginRequest_AwsIam{AwsIam: proof}}, err
	case c.SPIFFESVIDFile != "":
		svid, err := a.secret(c.SPIFFESVIDFile)
		return &accessv1.LoginRequest{Proof: &accessv1.LoginRequest_SpiffeSvid{SpiffeSvid: svid}}, err
	}
	return c.proof(ctx, a, clients)
}

// awsProof signs the one request that says who one is at AWS, for this server and this sign-in, and does not send it.
func (c *loginCmd) awsProof(ctx context.Context, a *app, server string, clients *client.Clients) (*accessv1.AwsIamProof, error) {
	method, err := c.awsMethod(ctx, server, clients)
	if err != nil {
		return nil, err
	}
	region, err := c.awsRegion(a, method.GetRegions())
	if err != nil {
		return nil, err
	}
	nonce, err := clients.Identity.CreateNonce(ctx, &accessv1.CreateNonceRequest{})
	if err != nil {
		return nil, err
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(region))
	if err != nil {
		return nil, fmt.Errorf("read AWS settings: %w", err)
	}
	creds, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, failed("put the credentials of a role where the AWS tools find them", "no AWS credentials: %w", err)
	}
	return signCallerIdentity(ctx, creds, region, method.GetServerId(), nonce.GetNonce(), a.env.Now())
}

// awsMethod asks how AWS roles sign in. It refuses to sign for a server other than the one that is called: what is
// signed for one is as good as a sign-in there.
func (c *loginCmd) awsMethod(ctx context.Context, server string, clients *client.Clients) (*accessv1.AwsIam, error) {
	resp, err := clients.Identity.ListSignInMethods(ctx, &accessv1.ListSignInMethodsRequest{})
	if err != nil {
		return nil, err
	}
	wanted := c.AWSServerID
	if u, err := url.Parse(server); wanted == "" && err == nil {
		wanted = u.Hostname()
	}
	for _, m := range resp.GetMethods() {
		method := m.GetAwsIam()
		if method == nil {
			continue
		}
		if method.GetServerId() != wanted || wanted == "" {
			return nil, failed("if that is its name, give --aws-server-id "+method.GetServerId(),
				"the control plane wants a signature for %q, and it was called as %q", method.GetServerId(), wanted)
		}
		return method, nil
	}
	return nil, failed("", "AWS roles do not sign in at %s", server)
}

func (c *loginCmd) awsRegion(a *app, offered []string) (string, error) {
	if len(offered) == 0 {
		return "", failed("", "the control plane names no AWS region")
	}
	if c.Region != "" {
		if !slices.Contains(offered, c.Region) {
			return "", misused("", "--region %s: the control plane takes %s", c.Region, strings.Join(offered, ", "))
		}
		return c.Region, nil
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region := a.env.get(name); slices.Contains(offered, region) {
			return region, nil
		}
	}
	return offered[0], nil
}

const callerIdentity = "Action=GetCallerIdentity&Version=2011-06-15"

// signCallerIdentity signs an sts:GetCallerIdentity request with AWS Signature Version 4.
func signCallerIdentity(ctx context.Context, creds aws.Credentials, region, server, nonce string, now time.Time) (*accessv1.AwsIamProof, error) {
	host := "sts." + region + ".amazonaws.com"
	if strings.HasPrefix(region, "cn-") {
		host += ".cn"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host+"/", strings.NewReader(callerIdentity))
	if err != nil {
		return nil, fmt.Errorf("make AWS request: %w", err)
	}
	req.ContentLength = 0 // so that no length is signed: it is what the body says
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	req.Header.Set("X-Writ-Server-Id", server)
	req.Header.Set("X-Writ-Nonce", nonce)
	sum := sha256.Sum256([]byte(callerIdentity))
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "sts", region, now.UTC()); err != nil {
		return nil, fmt.Errorf("sign AWS request: %w", err)
	}
	headers := map[string]string{"host": host}
	for name := range req.Header {
		headers[strings.ToLower(name)] = req.Header.Get(name)
	}
	return &accessv1.AwsIamProof{Region: region, Headers: headers, Body: callerIdentity}, nil
}
