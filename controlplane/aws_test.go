package controlplane_test

import (
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/pkg/awskey"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	"github.com/writhq/writ/proto/access/v1/accessv1connect"
)

func account(name, role string) *accessv1.Resource {
	return &accessv1.Resource{
		Name: name, Labels: map[string]string{"env": "dev"}, Edges: []string{"edge-1"},
		Target: &accessv1.Resource_Aws{Aws: &accessv1.AwsTarget{
			Account: "111122223333", RoleArn: role, Endpoint: "https://vpce.example:443",
			Credential: &accessv1.AwsCredential{Source: &accessv1.AwsCredential_AssumeRole{
				AssumeRole: &accessv1.AssumeRoleCredential{ExternalId: "writ-lab"},
			}},
		}},
	}
}

// roles lets everybody ask for what is no administrator's.
const roles = `
@id("ask") permit (principal, action == Action::"access:request", resource);
@id("admin") @reason("Not for programs") forbid (principal, action == Action::"access:request", resource)
when { resource has role && resource.role.arn like "*/admin" };
`

func TestAnAccountsTokenComesWithWhatClientsSignWith(t *testing.T) {
	for name, value := range map[string]string{ // AWS is out of reach
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "none", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	r := start(t)
	ctx, admin := t.Context(), as(r.admin(t))
	inventory := accessv1connect.NewResourceServiceClient(r.client, r.url(), admin)
	if _, err := inventory.ApplyResources(ctx, &accessv1.ApplyResourcesRequest{Resources: []*accessv1.Resource{
		resource("dev"), account("lab", "arn:aws:iam::111122223333:role/lab"), account("root", "arn:aws:iam::111122223333:role/admin"),
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := accessv1connect.NewPolicyServiceClient(r.client, r.url(), admin).PushPolicy(ctx,
		&accessv1.PushPolicyRequest{Bundle: &accessv1.Bundle{Files: map[string][]byte{"a.cedar": []byte(roles)}}}); err != nil {
		t.Fatal(err)
	}
	bot := as(r.idToken(t, "bot", "agent", "agents"))
	ask := func(resource string) (*accessv1.CreateRequestResponse, error) {
		return accessv1connect.NewRequestServiceClient(r.client, r.url(), bot).CreateRequest(ctx, &accessv1.CreateRequestRequest{
			Resource: resource, Duration: durationpb.New(time.Hour), Reason: "look",
		})
	}
	issue := func(resource string) *accessv1.IssueTokenResponse {
		asked, err := ask(resource)
		if err != nil {
			t.Fatal(err)
		}
		issued, err := accessv1connect.NewGrantServiceClient(r.client, r.url(), bot).IssueToken(ctx, &accessv1.IssueTokenRequest{Grant: asked.GetGrant().GetId()})
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	issued := issue("lab")
	key := issued.GetAwsKey()
	if key.GetAccessKeyId() != awskey.KeyID(issued.GetToken()) || len(key.GetSecretAccessKey()) != 40 || key.GetSessionToken() != issued.GetToken() ||
		!key.GetExpiresAt().AsTime().Equal(issued.GetExpiresAt().AsTime()) {
		t.Errorf("clients get the key %s until %s", key.GetAccessKeyId(), key.GetExpiresAt().AsTime())
	}
	if issue("dev").GetAwsKey() != nil {
		t.Error("a database's token came with a key")
	}
	if refused, err := ask("root"); err == nil && refused.GetRequest().GetState() != accessv1.RequestState_REQUEST_STATE_DENIED {
		t.Errorf("policies do not see the role: %v", refused)
	}
	seen, err := accessv1connect.NewResourceServiceClient(r.client, r.url(), bot).GetResource(ctx, &accessv1.GetResourceRequest{Name: "lab"})
	target := seen.GetResource().GetAws()
	if err != nil || target.GetAccount() != "111122223333" || target.GetPartition() != "aws" || target.GetRoleArn() == "" ||
		target.GetCredential() != nil || target.GetEndpoint() != "" || target.GetTls() != nil {
		t.Errorf("others see %v, %v", target, err)
	}
	if role := target.GetRole(); role.GetKnown() || !role.GetPrivileged() || role.GetProblem() != "AWS could not be asked for its policies" {
		t.Errorf("of a role that cannot be read they see %v", role)
	}
	if _, err := inventory.ApplyResources(ctx, &accessv1.ApplyResourcesRequest{Resources: []*accessv1.Resource{account("lab", "role")}}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("got %v", err)
	}
}
