package resources_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/store"
)

func account(name string) resources.Resource {
	return resources.Resource{
		Name: name, Labels: map[string]string{"env": "prod"}, Edges: []string{"edge-1"},
		AWS: &resources.AWS{
			Account: "111122223333", RoleARN: "arn:aws:iam::111122223333:role/teams/writ-prod", Regions: []string{"eu-west-1", "us-gov-east-1"},
			Credential: resources.AccountCredential{AssumeRole: &resources.AssumeRole{ExternalID: "writ:prod"}},
			Classes:    map[string][]string{"pii": {"dynamodb:GetItem:Item.Email", "dynamodb:*:Items[*].Email", "secretsmanager:GetSecretValue:SecretString", "ec2:DescribeInstances:Reservations[*].Instances[*].Tags"}},
		},
	}
}

func edited(edit func(*resources.AWS)) resources.Resource {
	r := account("prod")
	edit(r.AWS)
	return r
}

func TestAccounts(t *testing.T) {
	inv, _ := setUp(t)
	ca := pair(t, asIs).CertificatePEM
	for name, edit := range map[string]func(*resources.AWS){
		"as it is":        func(*resources.AWS) {},
		"a hub":           func(a *resources.AWS) { a.Credential.AssumeRole.HubRoleARN = "arn:aws:iam::999988887777:role/hub" },
		"its own hub":     func(a *resources.AWS) { a.Credential.AssumeRole.HubRoleARN = "arn:aws:iam::111122223333:role/hub" },
		"twelve hours":    func(a *resources.AWS) { a.Credential.AssumeRole.SessionDuration = 12 * time.Hour },
		"fifteen minutes": func(a *resources.AWS) { a.Credential.AssumeRole.SessionDuration = 15 * time.Minute },
		"an endpoint":     func(a *resources.AWS) { a.Endpoint = "https://vpce-1.example:443" },
		"its own ca": func(a *resources.AWS) {
			a.Endpoint, a.TLS = "https://vpce-1.example:443", resources.TLS{Mode: resources.VerifyCA, CAPEM: ca, ServerName: "x"}
		},
		"a proxy's ca":  func(a *resources.AWS) { a.TLS.CAPEM = ca },
		"moto":          func(a *resources.AWS) { a.Endpoint, a.AllowLoopback = "http://127.0.0.1:5000", true },
		"moto over six": func(a *resources.AWS) { a.Endpoint, a.AllowLoopback = "http://[::1]:5000", true },
		"its partition": func(a *resources.AWS) { a.Partition = "aws" },
		"china":         func(a *resources.AWS) { a.RoleARN = "arn:aws-cn:iam::111122223333:role/x" },
		"european cloud": func(a *resources.AWS) {
			a.RoleARN, a.Regions = "arn:aws-eusc:iam::111122223333:role/x", []string{"eusc-de-east-1"}
		},
		"another cloud": func(a *resources.AWS) {
			a.RoleARN, a.Credential.AssumeRole.Region = "arn:aws-iso-z:iam::111122223333:role/x", "us-isoz-east-1"
		},
	} {
		if _, err := inv.Apply(t.Context(), []resources.Resource{edited(edit)}, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What may be left out is worked out once, so that a resource says the same however it was written.
func TestAccountSaysItsPartition(t *testing.T) {
	inv, _ := setUp(t)
	for i, partition := range []string{"", "aws"} {
		changes, err := inv.Apply(t.Context(), []resources.Resource{edited(func(a *resources.AWS) { a.Partition = partition })}, false)
		if want := []string{resources.Created, resources.Unchanged}[i]; err != nil || changes[0].What != want {
			t.Fatalf("with %q: %+v, %v", partition, changes, err)
		}
		r, err := inv.Get(t.Context(), "prod")
		if err != nil || r.Kind() != resources.KindAWS || r.AWS.Partition != "aws" || r.AWS.STSRegion() != "us-east-1" {
			t.Fatalf("got %+v, %v", r.AWS, err)
		}
	}
	if _, err := inv.Apply(t.Context(), []resources.Resource{cluster("prod")}, false); err == nil {
		t.Fatal("an account became a cluster")
	}
}

func TestEveryProblemOfAnAccountAtOnce(t *testing.T) {
	inv, _ := setUp(t)
	other := "arn:aws:iam::444455556666:role/x"
	for _, tt := range []struct {
		name, field string
		edit        func(*resources.AWS)
	}{
		{"no account", "account", func(a *resources.AWS) { a.Account = "" }},
		{"an account that lost its zero", "account", func(a *resources.AWS) { a.Account = "11122223333" }},
		{"no role", "role_arn", func(a *resources.AWS) { a.RoleARN = "" }},
		{"a user", "role_arn", func(a *resources.AWS) { a.RoleARN = "arn:aws:iam::111122223333:user/x" }},
		{"another account's role", "role_arn", func(a *resources.AWS) { a.RoleARN = other }},
		{"another partition", "partition", func(a *resources.AWS) { a.Partition = "aws-cn" }},
		{"a bucket's URL", "foreign_buckets", func(a *resources.AWS) { a.ForeignBuckets = []string{"s3://logs"} }},
		{"a pattern of buckets", "foreign_buckets", func(a *resources.AWS) { a.ForeignBuckets = []string{"logs-*"} }},
		{"a star beside a bucket", "foreign_buckets", func(a *resources.AWS) { a.ForeignBuckets = []string{"logs", "*"} }},
		{"a searched URL", "searched_buckets", func(a *resources.AWS) { a.SearchedBuckets = []string{"s3://logs"} }},
		{"a bucket twice", "foreign_buckets", func(a *resources.AWS) { a.ForeignBuckets = []string{"logs", "logs"} }},
		{"many buckets", "foreign_buckets", func(a *resources.AWS) { a.ForeignBuckets = strings.Split(strings.Repeat("logs,", 257), ",") }},
		{"a zone", "regions", func(a *resources.AWS) { a.Regions = []string{"eu-west-1a"} }},
		{"a pattern", "regions", func(a *resources.AWS) { a.Regions = []string{"eu-*"} }},
		{"a region twice", "regions", func(a *resources.AWS) { a.Regions = []string{"eu-west-1", "eu-west-1"} }},
		{"many regions", "regions", func(a *resources.AWS) { a.Regions = strings.Split(strings.Repeat("eu-west-1,", 65), ",") }},
		{"no scheme", "endpoint", func(a *resources.AWS) { a.Endpoint = "vpce.example:443" }},
		{"another scheme", "endpoint", func(a *resources.AWS) { a.Endpoint = "ftp://vpce.example:443" }},
		{"in clear", "endpoint", func(a *resources.AWS) { a.Endpoint, a.AllowLoopback = "http://vpce.example:80", true }},
		{"in clear by name", "endpoint", func(a *resources.AWS) { a.Endpoint, a.AllowLoopback = "http://localhost:80", true }},
		{"not allowed loopback", "endpoint", func(a *resources.AWS) { a.Endpoint = "http://127.0.0.1:5000" }},
		{"not allowed loopback with tls", "endpoint", func(a *resources.AWS) { a.Endpoint = "https://127.0.0.1:5000" }},
		{"instance metadata", "endpoint", func(a *resources.AWS) { a.Endpoint = "https://169.254.169.254:443" }},
		{"a path", "endpoint", func(a *resources.AWS) { a.Endpoint = "https://vpce.example:443/x" }},
		{"a user in front", "endpoint", func(a *resources.AWS) { a.Endpoint = "https://u@vpce.example:443" }},
		{"no port", "endpoint", func(a *resources.AWS) { a.Endpoint = "https://vpce.example" }},
		{"no tls", "tls.mode", func(a *resources.AWS) { a.TLS.Mode = resources.Disable }},
		{"any name at aws", "tls.mode", func(a *resources.AWS) {
			a.TLS = resources.TLS{Mode: resources.VerifyCA, CAPEM: pair(t, asIs).CertificatePEM}
		}},
		{"any public certificate", "tls.mode", func(a *resources.AWS) { a.Endpoint, a.TLS.Mode = "https://vpce.example:443", resources.VerifyCA }},
		{"one name for all", "tls.server_name", func(a *resources.AWS) { a.TLS.ServerName = "sts.amazonaws.com" }},
		{"tls without tls", "tls", func(a *resources.AWS) {
			a.Endpoint, a.AllowLoopback, a.TLS.CAPEM = "http://127.0.0.1:5000", true, pair(t, asIs).CertificatePEM
		}},
		{"no credential", "credential", func(a *resources.AWS) { a.Credential.AssumeRole = nil }},
		{"a hub that is none", "credential.assume_role.hub_role_arn", func(a *resources.AWS) { a.Credential.AssumeRole.HubRoleARN = "hub" }},
		{"a hub that is the role", "credential.assume_role.hub_role_arn", func(a *resources.AWS) { a.Credential.AssumeRole.HubRoleARN = a.RoleARN }},
		{"a hub of another cloud", "credential.assume_role.hub_role_arn", func(a *resources.AWS) {
			a.Credential.AssumeRole.HubRoleARN = "arn:aws-cn:iam::999988887777:role/hub"
		}},
		{"an external id", "credential.assume_role.external_id", func(a *resources.AWS) { a.Credential.AssumeRole.ExternalID = "x" }},
		{"sts where", "credential.assume_role.region", func(a *resources.AWS) { a.Credential.AssumeRole.Region = "here" }},
		{"sts of a cloud that is not known", "credential.assume_role.region", func(a *resources.AWS) { a.RoleARN = "arn:aws-iso-z:iam::111122223333:role/x" }},
		{"too short", "credential.assume_role.session_duration", func(a *resources.AWS) { a.Credential.AssumeRole.SessionDuration = time.Minute }},
		{"negative", "credential.assume_role.session_duration", func(a *resources.AWS) { a.Credential.AssumeRole.SessionDuration = -time.Hour }},
		{"too long", "credential.assume_role.session_duration", func(a *resources.AWS) { a.Credential.AssumeRole.SessionDuration = 13 * time.Hour }},
		{"too long through a hub", "credential.assume_role.session_duration", func(a *resources.AWS) {
			a.Credential.AssumeRole.HubRoleARN, a.Credential.AssumeRole.SessionDuration = other, 2*time.Hour
		}},
		{"a class", "classes", func(a *resources.AWS) { a.Classes = map[string][]string{"P I I": {"s3:GetObject:Body"}} }},
		{"a member without operation", "classes.pii", func(a *resources.AWS) { a.Classes["pii"] = []string{"dynamodb:Item.Email"} }},
		{"a member without path", "classes.pii", func(a *resources.AWS) { a.Classes["pii"] = []string{"dynamodb:GetItem"} }},
		{"an operation as the CLI writes it", "classes.pii", func(a *resources.AWS) { a.Classes["pii"] = []string{"dynamodb:get-item:Item"} }},
		{"a member that no answer has", "classes.pii", func(a *resources.AWS) { a.Classes["pii"] = []string{"ec2:DescribeInstances:Reservations[*].Tags"} }},
		{"a member that no answer of the service has", "classes.pii", func(a *resources.AWS) { a.Classes["pii"] = []string{"dynamodb:*:Itms.x"} }},
		{"an unknown operation", "classes.pii", func(a *resources.AWS) { a.Classes["pii"] = []string{"dynamodb:GetItms:Item.x"} }},
		{"an unknown service", "classes.pii", func(a *resources.AWS) { a.Classes["pii"] = []string{"dynamo:*:Item.x"} }},
		{"no path", "classes.pii", func(a *resources.AWS) { a.Classes["pii"] = []string{"dynamodb:GetItem:Item..x"} }},
		{"none and another", "detectors", func(a *resources.AWS) { a.Detectors = []string{"none", "email"} }},
	} {
		_, err := inv.Apply(t.Context(), []resources.Resource{edited(tt.edit)}, true)
		var invalid *resources.Invalid
		if !errors.As(err, &invalid) || len(invalid.Problems) != 1 || invalid.Problems[0].Field != "aws."+tt.field || invalid.Problems[0].Fix == "" {
			t.Errorf("%s: want one problem with %s, got %v", tt.name, tt.field, err)
		}
	}
	both := account("prod")
	both.Kubernetes = cluster("x").Kubernetes
	if _, err := inv.Apply(t.Context(), []resources.Resource{both}, true); err == nil || !strings.Contains(err.Error(), "a second target") {
		t.Errorf("two targets: %v", err)
	}
}

func FuzzApplyAccount(f *testing.F) {
	f.Add("111122223333", "arn:aws:iam::111122223333:role/x", "https://vpce.example:443", "dynamodb:GetItem:Item.Email", "eu-west-1", int64(time.Hour))
	f.Add("", "arn:", "http://[::1]:0", "::", "-", int64(-1))
	inv, err := resources.New(resources.Config{Store: new(store.Store), Sealer: seal.None(), Now: time.Now, Rand: rand.Reader})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, number, role, endpoint, member, region string, lasts int64) {
		r := account("prod")
		r.AWS.Account, r.AWS.RoleARN, r.AWS.Endpoint, r.AWS.Regions = number, role, endpoint, []string{region}
		r.AWS.Classes = map[string][]string{"pii": {member}}
		r.AWS.Credential.AssumeRole = &resources.AssumeRole{HubRoleARN: role, Region: region, SessionDuration: time.Duration(lasts)}
		_, err := inv.Apply(t.Context(), []resources.Resource{r}, true) // the hub is the role: always refused, before the store
		var invalid *resources.Invalid
		if !errors.As(err, &invalid) {
			t.Fatalf("got %v", err)
		}
	})
}
