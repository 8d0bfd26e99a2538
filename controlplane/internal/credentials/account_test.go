package credentials_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
)

const (
	prodRole = "arn:aws:iam::111122223333:role/writ-prod"
	hubRole  = "arn:aws:iam::999988887777:role/writ-hub"
)

func account(source resources.AssumeRole) resources.Resource {
	return resources.Resource{Name: "prod", AWS: &resources.AWS{
		Account: "111122223333", RoleARN: prodRole, Partition: "aws", Credential: resources.AccountCredential{AssumeRole: &source},
	}}
}

func TestMintAssumesTheRole(t *testing.T) {
	b, _, aws, _ := newBroker(t)
	order := ask(now.Add(40 * time.Minute))
	order.Principal = "repo:acme/shop"
	r := account(resources.AssumeRole{HubRoleARN: hubRole, ExternalID: "writ-prod", Region: "eu-west-1"})
	lease, cred, err := b.Mint(t.Context(), r, order)
	if err != nil {
		t.Fatal(err)
	}
	if len(aws.assumed) != 1 {
		t.Fatalf("assumed %+v", aws.assumed)
	}
	got := aws.assumed[0]
	if !strings.HasPrefix(got.SourceIdentity, "repo_acme_shop-") || got.Tags["writ:principal"] != "repo:acme/shop" {
		t.Errorf("acts as %q, tagged %v", got.SourceIdentity, got.Tags)
	}
	want := credentials.Assumption{
		Region: "eu-west-1", Hub: hubRole, RoleARN: prodRole, ExternalID: "writ-prod", SessionName: "ses-1", SourceIdentity: got.SourceIdentity,
		Tags: map[string]string{
			"writ:session": "ses-1", "writ:grant": "grant-1", "writ:principal": "repo:acme/shop", "writ:resource": "prod",
		},
		Transitive: true, Policy: got.Policy, Duration: 40 * time.Minute,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || got.Policy == "" {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if lease.Kind != credentials.KindAssumeRole || lease.Role != "" || cred.User != prodRole || len(cred.Password) > 0 ||
		cred.AWS == nil || cred.AWS.KeyID != "ASIAEXAMPLE" || string(cred.AWS.Secret) != "topsecret" || string(cred.AWS.SessionToken) != "session-token" {
		t.Fatalf("%+v %+v", lease, cred)
	}
	if text := fmt.Sprintf("%v %+v %#v %v %#v %+v", cred, cred, cred, cred.AWS, *cred.AWS, lease); strings.Contains(text, "topsecret") ||
		strings.Contains(text, "session-token") || strings.Contains(text, "116 111 112") {
		t.Fatalf("a secret is printed: %s", text)
	}
	keys := *cred.AWS
	cred.Wipe()
	if strings.Trim(string(keys.Secret)+string(keys.SessionToken), "\x00") != "" {
		t.Fatal("the keys were not wiped")
	}
}

// AWS takes a session policy of 2048 characters.
func TestSessionPolicy(t *testing.T) {
	b, _, aws, _ := newBroker(t)
	for _, whole := range []bool{false, true} {
		if _, _, err := b.Mint(t.Context(), account(resources.AssumeRole{WholeRole: whole}), ask(now.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	if aws.assumed[1].Policy != "" {
		t.Fatalf("the whole role has %s", aws.assumed[1].Policy)
	}
	var p struct {
		Version   string
		Statement []struct {
			Effect, Resource string
			Action           any
		}
	}
	text := aws.assumed[0].Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil || len(text) > 2048 || p.Version != "2012-10-17" || len(p.Statement) != 2 {
		t.Fatalf("%d characters, %+v, %v", len(text), p, err)
	}
	if p.Statement[0].Effect != "Allow" || p.Statement[1].Effect != "Deny" || p.Statement[1].Resource != "*" {
		t.Fatalf("got %+v", p)
	}
	for _, action := range []string{"sts:AssumeRole*", "sts:AssumeRoot", "sts:GetFederationToken", "sts:GetSessionToken", "iam:CreateAccessKey", "iam:CreateLoginProfile"} {
		if !strings.Contains(fmt.Sprint(p.Statement[1].Action), action) {
			t.Errorf("%s is not denied", action)
		}
	}
}

func TestKeysLast(t *testing.T) {
	for _, tt := range []struct {
		name          string
		source        resources.AssumeRole
		left, assumed time.Duration
	}{
		{"an hour unless said otherwise", resources.AssumeRole{}, 12 * time.Hour, time.Hour},
		{"as said", resources.AssumeRole{SessionDuration: 6 * time.Hour}, 12 * time.Hour, 6 * time.Hour},
		{"what is left", resources.AssumeRole{SessionDuration: 6 * time.Hour}, 2*time.Hour + time.Millisecond, 2 * time.Hour},
		{"never less than aws gives", resources.AssumeRole{}, 5 * time.Minute, 15 * time.Minute},
		{"never more than aws gives", resources.AssumeRole{SessionDuration: 24 * time.Hour}, 24 * time.Hour, 12 * time.Hour},
		{"an hour through a hub", resources.AssumeRole{HubRoleARN: hubRole, SessionDuration: 6 * time.Hour}, 12 * time.Hour, time.Hour},
		{"nothing left", resources.AssumeRole{}, 0, 15 * time.Minute},
	} {
		b, _, aws, _ := newBroker(t)
		_, cred, err := b.Mint(t.Context(), account(tt.source), ask(now.Add(tt.left)))
		if err != nil {
			t.Fatal(err)
		}
		if got := cred.ExpiresAt.Sub(now); aws.assumed[0].Duration != tt.assumed || got != tt.assumed {
			t.Errorf("%s: assumed for %s, good for %s", tt.name, aws.assumed[0].Duration, got)
		}
	}
}

// What AWS says of the end of keys counts, where it is sooner.
func TestKeysEndWhenAWSSaysSo(t *testing.T) {
	b, _, aws, _ := newBroker(t)
	aws.expires = now.Add(20 * time.Minute)
	_, cred, err := b.Mint(t.Context(), account(resources.AssumeRole{}), ask(now.Add(time.Hour)))
	if err != nil || !cred.ExpiresAt.Equal(now.Add(20*time.Minute)) {
		t.Fatalf("good until %s, %v", cred.ExpiresAt, err)
	}
}

func TestRefreshAssumesAgain(t *testing.T) {
	b, _, aws, clock := newBroker(t)
	r := account(resources.AssumeRole{})
	lease, _, err := b.Mint(t.Context(), r, ask(now.Add(3*time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	*clock = now.Add(50 * time.Minute)
	cred, err := b.Refresh(t.Context(), r, lease, ask(now.Add(3*time.Hour)))
	if err != nil || cred.Lease != lease.ID || cred.AWS == nil || !cred.ExpiresAt.Equal(now.Add(110*time.Minute)) || len(aws.assumed) != 2 {
		t.Fatalf("%+v, %v, assumed %+v", cred, err, aws.assumed)
	}
	if _, err := b.Refresh(t.Context(), eksCluster(), lease, ask(now.Add(time.Hour))); !errors.Is(err, credentials.ErrFixed) {
		t.Fatalf("the keys became a token: %v", err)
	}
}

func TestAccountThatGivesNoKeys(t *testing.T) {
	b, _, _, _ := newBroker(t)
	broken, none := account(resources.AssumeRole{}), account(resources.AssumeRole{})
	broken.AWS.RoleARN, none.AWS.Credential.AssumeRole = "broken", nil
	for name, r := range map[string]resources.Resource{"refused by aws": broken, "no source": none} {
		_, cred, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour)))
		if !errors.Is(err, credentials.ErrSource) || cred.AWS != nil {
			t.Errorf("%s: %+v, %v", name, cred, err)
		}
	}
	if cred, err := b.Service(t.Context(), account(resources.AssumeRole{})); !errors.Is(err, credentials.ErrSource) || cred.AWS != nil {
		t.Errorf("an edge got keys of its own: %v", err)
	}
}

func TestSTSRegions(t *testing.T) {
	for _, tt := range []struct{ partition, region, want string }{
		{"aws", "", "us-east-1"}, {"aws", "eu-west-1", "eu-west-1"}, {"aws-cn", "", "cn-north-1"}, {"aws-us-gov", "", "us-gov-west-1"},
	} {
		b, _, aws, _ := newBroker(t)
		r := account(resources.AssumeRole{Region: tt.region})
		r.AWS.Partition = tt.partition
		if _, _, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour))); err != nil || aws.assumed[0].Region != tt.want {
			t.Errorf("%s %s: asked %+v, %v", tt.partition, tt.region, aws.assumed, err)
		}
	}
}

// The trust policy of the template takes the tags that are sent, and no others.
func TestTemplateTakesTheTags(t *testing.T) {
	text, err := os.ReadFile("../../../deployments/aws/account-role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b, _, aws, _ := newBroker(t)
	if _, _, err := b.Mint(t.Context(), account(resources.AssumeRole{}), ask(now.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	for key := range aws.assumed[0].Tags {
		if !strings.Contains(string(text), `"`+key+`"`) {
			t.Errorf("the role does not take the tag %s", key)
		}
	}
	if n := strings.Count(string(text), `"writ:`); n != len(aws.assumed[0].Tags) {
		t.Errorf("the role takes %d tags, %d are sent", n, len(aws.assumed[0].Tags))
	}
}
