package credentials_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/pkg/iampolicy"
)

// action is one of IAM with its access level.
type action struct{ service, name, level string }

// actionsOfServices are all actions of some services.
func actionsOfServices(t *testing.T) (all []action) {
	t.Helper()
	f, err := os.Open("testdata/actions.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		head, names, ok := strings.Cut(lines.Text(), ": ")
		service, level, _ := strings.Cut(head, " ")
		if !ok || strings.HasPrefix(head, "#") {
			continue
		}
		for name := range strings.FieldsSeq(names) {
			all = append(all, action{service, service + ":" + name, level})
		}
	}
	if len(all) < 2400 || lines.Err() != nil {
		t.Fatalf("%d actions, %v", len(all), lines.Err())
	}
	return all
}

// asked asks a session policy about an action on any resource.
func asked(t *testing.T, text, action string, c iampolicy.Context) iampolicy.Outcome {
	t.Helper()
	p, err := iampolicy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d, err := iampolicy.Evaluate(iampolicy.Role{ARN: prodRole, Inline: []iampolicy.Document{{Name: "session", Policy: p}}}, action, "*", c)
	if err != nil {
		t.Fatal(err)
	}
	return d.Outcome
}

// inside is a call by the session itself in a region of the account.
var inside = iampolicy.Context{"aws:RequestedRegion": {"eu-west-1"}, "aws:ViaAWSService": {"false"}}

var minted = []string{
	"sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoot", "sts:GetFederationToken", "sts:GetSessionToken", "sts:GetWebIdentityToken",
	"sts:GetDelegatedAccessToken", "sts:GetServiceBearerToken", "iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile",
	"iam:CreateServiceSpecificCredential", "iam:ResetServiceSpecificCredential", "iam:UpdateServiceSpecificCredential", "iam:UploadSSHPublicKey", "iam:UpdateSSHPublicKey",
	"iam:UploadSigningCertificate", "iam:UpdateSigningCertificate",
}

// needed are no reads, but AWS asks for them when something is read, or whoever reads has no use for them.
var needed = []string{
	"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext",
	"kms:GenerateMac", "kms:GenerateRandom", "kms:CreateGrant", "kms:RetireGrant", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:Sign", "kms:Verify", "kms:VerifyMac",
	"kms:DeriveSharedSecret", "lambda:InvokeFunction", "lambda:InvokeAsync", "lambda:InvokeFunctionUrl",
}

// What a grant has no use for is denied, and nothing that the edge lets through for it.
func TestSessionPolicyOfAGrant(t *testing.T) {
	all := actionsOfServices(t)
	enough := []string{"iam", "s3", "lambda", "rds", "ec2", "kms", "secretsmanager", "ssm", "eks"}
	for _, c := range []struct {
		name     string
		regions  []string
		actions  []string
		policies int
		denied   func(action) bool // besides what mints credentials
	}{
		{"everything", nil, nil, 1, func(action) bool { return false }},
		{"named as such", nil, []string{"aws:all"}, 1, func(action) bool { return false }},
		{"with permissions", nil, []string{"aws:read", "aws:permissions"}, 1, func(action) bool { return false }},
		{"unidentified", nil, []string{"aws:read", "aws:unidentified"}, 1, func(action) bool { return false }},
		{"unknown", nil, []string{"aws:read", "aws:tomorrow"}, 1, func(action) bool { return false }},
		{"everything in two regions", []string{"eu-west-1", "us-east-1"}, nil, 2, func(action) bool { return false }},
		{"reading", nil, []string{"aws:read"}, 3, func(a action) bool { return a.level != "read" && slices.Contains(enough, a.service) }},
		{"listing and revealing in two regions", []string{"eu-west-1", "us-east-1"}, []string{"aws:list", "aws:reveal"}, 4, func(a action) bool { return a.level != "read" && slices.Contains(enough, a.service) }},
		{"changing", nil, []string{"aws:read", "aws:write"}, 2, func(a action) bool {
			return a.service == "iam" && a.level == "permissions" || a.name == "iam:PassRole"
		}},
		{"tagging in a region", []string{"eu-west-1"}, []string{"aws:tag"}, 3, func(a action) bool {
			return a.service == "iam" && a.level == "permissions" || a.name == "iam:PassRole"
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			policies := credentials.SessionPolicies(resources.AWS{Regions: c.regions}, c.actions)
			if len(policies) != c.policies {
				t.Fatalf("%d policies", len(policies))
			}
			for i, p := range policies {
				if len(p) > iampolicy.MaxSessionPolicy {
					t.Errorf("policy %d has %d characters", i, len(p))
				}
			}
			t.Logf("%d characters", len(policies[0]))
			for _, a := range all {
				got := asked(t, policies[0], a.name, inside)
				if slices.Contains(minted, a.name) {
					for i, p := range policies {
						if asked(t, p, a.name, inside) != iampolicy.ExplicitDeny {
							t.Errorf("policy %d: %s may be called", i, a.name)
						}
					}
					continue
				}
				must := c.denied(a) && !slices.Contains(needed, a.name)
				switch {
				case must && got != iampolicy.ExplicitDeny:
					t.Errorf("%s (%s) may be called", a.name, a.level)
				case !must && got != iampolicy.Permit && (a.level == "read" || c.actions == nil || slices.Contains(needed, a.name) || c.name == "changing"):
					t.Errorf("%s (%s) may not be called: %s", a.name, a.level, got)
				}
				for i := 1; i < len(policies) && got == iampolicy.Permit; i++ { // each is wider than the one before
					if asked(t, policies[i], a.name, inside) != iampolicy.Permit {
						t.Errorf("%s is denied by a wider policy", a.name)
					}
				}
			}
		})
	}
}

func TestSessionPolicyOfRegions(t *testing.T) {
	p := credentials.SessionPolicies(resources.AWS{Regions: []string{"eu-west-1", "eu-central-1"}}, nil)[0]
	from := func(region, via string) iampolicy.Context {
		return iampolicy.Context{"aws:RequestedRegion": {region}, "aws:ViaAWSService": {via}}
	}
	for _, c := range []struct {
		action string
		from   iampolicy.Context
		want   iampolicy.Outcome
	}{
		{"s3:GetObject", from("eu-west-1", "false"), iampolicy.Permit},
		{"ec2:RunInstances", from("eu-central-1", "false"), iampolicy.Permit},
		{"ec2:RunInstances", from("us-east-1", "false"), iampolicy.ExplicitDeny},
		{"s3:GetObject", iampolicy.Context{"aws:RequestedRegion": {"us-east-1"}, "aws:ViaAWSService": nil}, iampolicy.ExplicitDeny},
		{"kms:Decrypt", from("us-east-1", "true"), iampolicy.Permit},
		{"iam:GetRole", from("us-east-1", "false"), iampolicy.Permit},
		{"route53:ListHostedZones", from("us-east-1", "false"), iampolicy.Permit},
		{"iam:CreateAccessKey", from("eu-west-1", "false"), iampolicy.ExplicitDeny},
	} {
		if got := asked(t, p, c.action, c.from); got != c.want {
			t.Errorf("%s from %v: %s, want %s", c.action, c.from, got, c.want)
		}
	}
	var many []string
	for i := range 64 {
		many = append(many, fmt.Sprintf("ap-southeast-%02d", i))
	}
	for _, actions := range [][]string{nil, {"aws:read"}} {
		for _, p := range credentials.SessionPolicies(resources.AWS{Regions: many}, actions) {
			if len(p) > iampolicy.MaxSessionPolicy {
				t.Errorf("%d characters for many regions", len(p))
			}
		}
	}
}

// What AWS cannot pack is tried wider, down to what always fits; nothing else is tried again.
func TestSessionPolicyThatAWSCannotPack(t *testing.T) {
	for _, c := range []struct {
		fits, want int // which of the policies
	}{{0, 0}, {1, 1}, {2, 2}, {3, 3}, {4, -1}} {
		b, _, aws, _ := newBroker(t)
		r, order := account(resources.AssumeRole{}), ask(now.Add(time.Hour))
		r.AWS.Regions, order.Actions = []string{"eu-west-1"}, []string{"aws:get"}
		policies := credentials.SessionPolicies(*r.AWS, order.Actions)
		aws.refuse = func(a credentials.Assumption) error {
			if slices.Index(policies, a.Policy) < c.fits {
				return fmt.Errorf("sts: %w", &types.PackedPolicyTooLargeException{})
			}
			return nil
		}
		_, _, err := b.Mint(t.Context(), r, order)
		switch {
		case c.want < 0 && (err == nil || len(aws.assumed) > 0):
			t.Errorf("fits from %d: %v", c.fits, err)
		case c.want >= 0 && (err != nil || len(aws.assumed) != 1 || aws.assumed[0].Policy != policies[c.want]):
			t.Errorf("fits from %d: %v, assumed %+v", c.fits, err, aws.assumed)
		}
	}
	b, _, aws, _ := newBroker(t)
	tries := 0
	aws.refuse = func(credentials.Assumption) error { tries++; return os.ErrPermission }
	order := ask(now.Add(time.Hour))
	order.Actions = []string{"aws:get"}
	if _, _, err := b.Mint(t.Context(), account(resources.AssumeRole{}), order); err == nil || tries != 1 {
		t.Errorf("%d tries, %v", tries, err)
	}
}
