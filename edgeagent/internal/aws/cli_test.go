package aws

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writhq/writ/test/mototest"
)

// ways are the two ways in.
var ways = map[string]bool{"through a proxy": true, "at the endpoint": false}

// TestCommandLine: the aws command line works as before, in both ways, with a key that is worth nothing to AWS.
func TestCommandLine(t *testing.T) {
	b := newBed(t)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			must := func(want string, args ...string) {
				t.Helper()
				if out, err := b.cli(proxy, args...); err != nil || !strings.Contains(out, want) {
					t.Errorf("aws %s: %v: %s", strings.Join(args, " "), err, out)
				}
			}
			unique := strings.ReplaceAll(name, " ", "-")
			must(mototest.Account, "sts", "get-caller-identity")
			must("TableNames", "dynamodb", "list-tables")
			must("orders-"+unique, "iam", "create-user", "--user-name", "orders-"+unique)
			must("SecurityGroups", "ec2", "describe-security-groups")
			must("clusters", "eks", "list-clusters")
			must("", "s3api", "create-bucket", "--bucket", "logs-"+unique, "--create-bucket-configuration", "LocationConstraint=eu-west-1")
			file := filepath.Join(t.TempDir(), "report")
			if err := os.WriteFile(file, []byte(strings.Repeat("line\n", 100_000)), 0o600); err != nil {
				t.Fatal(err)
			}
			must("ETag", "s3api", "put-object", "--bucket", "logs-"+unique, "--key", "report", "--body", file)
			must("500000", "s3api", "get-object", "--bucket", "logs-"+unique, "--key", "report", file+".back")
			if back, err := os.ReadFile(file + ".back"); err != nil || len(back) != 500_000 {
				t.Errorf("%d bytes came back: %v", len(back), err)
			}
		})
	}
	if b.Records.Contain(b.moto.Secret) {
		t.Error("a record shows the secret of the account's key")
	}
}

// TestDenied: what policy forbids never reaches AWS, and the command line says why.
func TestDenied(t *testing.T) {
	b := newBed(t)
	b.Policies.Set(t, permitAll+`@id("no-users") @reason("Users are made elsewhere") forbid (principal, action in Action::"aws:all", resource) when { context.action == "iam:CreateUser" };
@id("one-bucket") forbid (principal, action, resource is AWSResource) when { resource.arn like "arn:aws:s3:::private*" };`)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				args []string
				want string
			}{
				{[]string{"iam", "create-user", "--user-name", "mallory"}, "Users are made elsewhere (policy no-users"},
				{[]string{"s3api", "get-object", "--bucket", "private", "--key", "x", "/dev/null"}, "policy one-bucket"},
				{[]string{"s3api", "delete-bucket", "--bucket", "private-2"}, "policy one-bucket"},
				{[]string{"sts", "assume-role", "--role-arn", "arn:aws:iam::999999999999:role/x", "--role-session-name", "session"}, "another account"},
			} {
				if out, err := b.cli(proxy, c.args...); err == nil || !strings.Contains(out, c.want) {
					t.Errorf("aws %s: %v: %s", strings.Join(c.args, " "), err, out)
				}
			}
		})
	}
	if got := b.reached(); len(got) > 0 {
		t.Errorf("it reached AWS: %s %s", got[0].Method, got[0].RequestURI)
	}
	refused := 0
	for _, rec := range b.Records.All() {
		if rec.Decision == "deny" {
			refused++
		}
	}
	if refused != 2*4 {
		t.Errorf("%d refusals were recorded", refused)
	}
}

// TestSecretsAreMasked in what AWS answers, in JSON and XML.
func TestSecretsAreMasked(t *testing.T) {
	b := newBed(t)
	if out, err := b.cli(true, "secretsmanager", "create-secret", "--name", "db", "--secret-string", "hunter2"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := b.cli(true, "secretsmanager", "get-secret-value", "--secret-id", "db")
	if err != nil || strings.Contains(out, "hunter2") || !strings.Contains(out, `"SecretString": "***"`) {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := b.cli(true, "sts", "get-session-token"); err != nil || strings.Count(out, "***") != 2 {
		t.Errorf("%v: %s", err, out)
	}
	if b.Records.Contain("hunter2") {
		t.Error("a record shows the secret")
	}
	b.Policies.Set(t, permitAll)
	if out, err := b.cli(true, "secretsmanager", "get-secret-value", "--secret-id", "db"); err != nil || !strings.Contains(out, "hunter2") {
		t.Errorf("who may see it does not: %v: %s", err, out)
	}
}

// TestOnlyAWS: nothing else is reached through the edge.
func TestOnlyAWS(t *testing.T) {
	b := newBed(t)
	for _, endpoint := range []string{"https://example.com", "https://amazonaws.com.example.com", "https://127.0.0.1"} {
		if out, err := b.cli(true, "sts", "get-caller-identity", "--endpoint-url", endpoint); err == nil {
			t.Errorf("%s is reached: %s", endpoint, out)
		}
	}
	if got := b.reached(); len(got) > 0 {
		t.Errorf("it reached AWS: %s %s", got[0].Method, got[0].RequestURI)
	}
}
