package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/test/mototest"
	"github.com/writhq/writ/test/world"
)

const rolesPolicy = `
@id("access") permit (principal in Group::"agents", action in [Action::"access:request", Action::"session:open"], resource);
@id("privileged") @approval("1 of sre") @reason("The role may do much")
forbid (principal, action == Action::"access:request", resource) when { resource has role && resource.role.privileged } unless { context.approved };
@id("read") permit (principal in Group::"agents", action in Action::"aws:read", resource);
@id("no-buckets") @reason("Privileged roles do not look at buckets")
forbid (principal, action in Action::"aws:all", resource in AWSService::"viewer/s3") when { resource.role.privileged };
`

const roleAccount = `
kind: aws
name: %s
labels: {env: demo}
edges: [edge-a]
account: %q
role_arn: %s
endpoint: %s
allow_loopback: true
credential:
  assume_role: {external_id: writ-lab%s}
---
`

// TestAWSRoles is how privileged roles are asked for: what they may do is read from AWS, held and shown, and counts at the edge.
func TestAWSRoles(t *testing.T) {
	c := &cloud{t: t, moto: mototest.Start(t, mototest.ManagedPolicies)}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("roles.cedar", rolesPolicy)
	c.World = world.Start(t, world.Config{Policy: dir, ControlEnv: []string{
		"AWS_ENDPOINT_URL_STS=" + c.moto.URL, "AWS_ENDPOINT_URL_IAM=" + c.moto.URL, "AWS_ACCESS_KEY_ID=" + c.moto.Key, "AWS_SECRET_ACCESS_KEY=" + c.moto.Secret,
	}})
	c.agent, c.sre = c.Token("ada@example.com", "agent", "agents"), c.Token("sam@example.com", "person", "sre")
	reader := ", reader_role_arn: " + c.roleWith("reader", "PutRolePolicy", "PolicyName", "read", "PolicyDocument",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"}}`)
	manifest := ""
	for _, a := range []struct{ name, role, reader string }{
		{"viewer", c.roleWith("viewer", "AttachRolePolicy", "PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"), reader},
		{"admin", c.roleWith("admin", "AttachRolePolicy", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"), reader},
		{"closed", c.roleWith("closed", "AttachRolePolicy", "PolicyArn", "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"), ""},
	} {
		manifest += fmt.Sprintf(roleAccount, a.name, mototest.Account, a.role, c.moto.URL, a.reader)
	}
	if err := c.Apply(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
	c.harmless()
	c.privileged()
	c.unknown()
	// What is privileged is the organisation's to say, and running sessions are decided by it.
	write("privileged.yaml", "add: [\"s3:ListAllMyBuckets\"]\n")
	if out, err := c.Writ(t.Context(), c.Administrator(), "policy", "push", dir, "--message", "buckets"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.becomes("Privileged roles do not look at buckets (policy no-buckets")
	write("privileged.yaml", "add: [\"iam:PassRole\"]\n")
	if out, err := c.Writ(t.Context(), c.Administrator(), "policy", "push", dir, "--message", "nothing new"); err == nil || !strings.Contains(fmt.Sprint(out, err), `"iam:PassRole" is privileged already`) {
		t.Errorf("%v: %s", err, out)
	}
}

// roleWith makes a role with one policy, and returns its ARN.
func (c *cloud) roleWith(name, action string, params ...string) string {
	c.t.Helper()
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	c.moto.IAM(c.t, "CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trust)
	c.moto.IAM(c.t, action, append([]string{"RoleName", name}, params...)...)
	return "arn:aws:iam::" + mototest.Account + ":role/" + name
}

// harmless: a role of AWS's ReadOnlyAccess is had at once, and used.
func (c *cloud) harmless() {
	c.t.Helper()
	if out, err := c.Writ(c.t.Context(), c.agent, "request", "viewer", "--for", "30m", "--reason", "look around"); err != nil || !strings.Contains(out, "grant-") {
		c.t.Fatalf("%v: %s", err, out)
	}
	c.becomes(`"Buckets": []`)
}

// becomes calls AWS until the answer is the one that is waited for.
func (c *cloud) becomes(want string) {
	c.t.Helper()
	var out string
	var err error
	for range 120 {
		out, err = c.Writ(c.t.Context(), c.agent, "aws", "exec", "viewer", "--region", "us-east-1", "--", "aws", "s3api", "list-buckets", "--output", "json")
		if strings.Contains(fmt.Sprint(out, err), want) {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	c.t.Fatalf("never %s: %v: %s", want, err, out)
}

// privileged: a role of AdministratorAccess is held, with the statement that makes it so before the approver's eyes.
func (c *cloud) privileged() {
	c.t.Helper()
	id := c.held("admin", "resize the cache")
	shown, err := c.Writ(c.t.Context(), c.sre, "show", id)
	for _, want := range []string{"role is: ", "privileged: 8", "attached arn:aws:iam::aws:policy/AdministratorAccess v1, statement 0, on all resources", "pass-role", "iam:PassRole", `"Action": "*"`, "boundary: ", "none"} {
		if err != nil || !strings.Contains(shown, want) {
			c.t.Errorf("the approver does not see %q: %v: %s", want, err, shown)
		}
	}
	out, err := c.Writ(c.t.Context(), c.sre, "show", id, "--output", "json")
	var approval struct {
		Request struct {
			Digest string
			Role   struct {
				Known, Privileged bool
				Actions           []string
				Statements        []struct{ Version, Text string }
				Policies          []struct{ Sha256 string }
			}
		}
	}
	if err != nil || json.Unmarshal([]byte(out), &approval) != nil {
		c.t.Fatalf("%v: %s", err, out)
	}
	role := approval.Request.Role
	if !role.Known || !role.Privileged || len(role.Actions) < 800 || len(role.Statements) != 1 || role.Statements[0].Version != "v1" ||
		!strings.Contains(role.Statements[0].Text, `"Effect": "Allow"`) || len(role.Policies) != 1 || len(role.Policies[0].Sha256) != 64 {
		c.t.Errorf("programs see %+v", role)
	}
	if listed, err := c.Writ(c.t.Context(), c.sre, "list", "--output", "json"); err != nil || !strings.Contains(listed, `"privileged": true`) || strings.Contains(listed, `"policy_arn"`) {
		c.t.Errorf("a list has all statements: %v", err)
	}
	if out, err := c.Writ(c.t.Context(), c.sre, "approve", id, "--digest", approval.Request.Digest); err != nil || !strings.Contains(out, "granted") {
		c.t.Errorf("%v: %s", err, out)
	}
	for token, all := range map[string]bool{c.agent: false, c.Administrator(): true} {
		out, err := c.Writ(c.t.Context(), token, "resources", "show", "admin", "--output", "json")
		if err != nil || !strings.Contains(out, `"privileged": true`) || strings.Contains(out, `"policy_arn"`) != all {
			c.t.Errorf("of the resource, %t sees all: %v: %s", all, err, out)
		}
	}
}

// held files a request that waits, and returns its id.
func (c *cloud) held(resource, reason string) string {
	c.t.Helper()
	out, _ := c.Writ(c.t.Context(), c.agent, "request", resource, "--for", "30m", "--reason", reason, "--no-wait", "--output", "json")
	id := regexp.MustCompile(`req-[0-9a-z]+`).FindString(out)
	if id == "" || !strings.Contains(out, "REQUEST_STATE_PENDING") {
		c.t.Fatalf("it does not wait: %s", out)
	}
	return id
}

// unknown: a role that AWS does not show counts as privileged, and says why.
func (c *cloud) unknown() {
	c.t.Helper()
	id := c.held("closed", "look at queues")
	const want = "counts as privileged: AWS does not let Writ read its policies"
	if shown, err := c.Writ(c.t.Context(), c.sre, "show", id); err != nil || !strings.Contains(shown, want) {
		c.t.Errorf("the approver sees: %v: %s", err, shown)
	}
	if shown, err := c.Writ(c.t.Context(), c.Administrator(), "resources", "show", "closed"); err != nil || !strings.Contains(shown, want) {
		c.t.Errorf("the administrator sees: %v: %s", err, shown)
	}
}
