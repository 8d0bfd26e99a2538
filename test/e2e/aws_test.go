package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/test/mototest"
	"github.com/writhq/writ/test/world"
)

const awsPolicy = `
@id("access") permit (principal in Group::"agents", action in [Action::"access:request", Action::"session:open"], resource);
@id("work") permit (principal in Group::"agents", action in [Action::"aws:read", Action::"aws:write"], resource);
@id("reveal") permit (principal, action == Action::"aws:reveal", resource);
@id("mask-secret") @mask("redact") forbid (principal, action == Action::"aws:reveal", resource in DataClass::"secret");
@id("no-users") @reason("Users are made elsewhere") forbid (principal, action in Action::"aws:all", resource) when { context.action == "iam:CreateUser" };
@id("volumes") @approval("1 of sre") forbid (principal, action == Action::"aws:change", resource) when { context.action == "ec2:CreateVolume" } unless { context.approved };
@id("purge") @approval("1 of sre") @reason("Emptying a queue is agreed")
forbid (principal, action == Action::"aws:change", resource) when { context.action == "sqs:PurgeQueue" } unless { context.approved };
`

const awsAccount = `
kind: aws
name: shop
labels: {env: demo}
edges: [edge-a]
account: %q
role_arn: %s
endpoint: %s
allow_loopback: true
credential:
  assume_role: {external_id: writ-shop}
`

// cloud is a world before moto, with an agent that has a grant.
type cloud struct {
	*world.World
	t          *testing.T
	moto       *mototest.Server
	agent, sre string // tokens of people and agents at the control plane
}

func newCloud(t *testing.T) *cloud {
	moto := mototest.Start(t)
	return cloudAt(t, moto, moto.URL)
}

// cloudAt reaches the moto by an address.
func cloudAt(t *testing.T, moto *mototest.Server, address string) *cloud {
	c := &cloud{t: t, moto: moto}
	role := c.moto.Role(t, "writ-shop")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "aws.cedar"), []byte(awsPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	c.World = world.Start(t, world.Config{Policy: dir, ControlEnv: []string{
		"AWS_ENDPOINT_URL_STS=" + address, "AWS_ENDPOINT_URL_IAM=" + address, "AWS_ACCESS_KEY_ID=" + c.moto.Key, "AWS_SECRET_ACCESS_KEY=" + c.moto.Secret,
	}})
	c.agent, c.sre = c.Token("ada@example.com", "agent", "agents"), c.Token("sam@example.com", "person", "sre")
	if err := c.Apply(t.Context(), fmt.Sprintf(awsAccount, mototest.Account, role, address)); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Writ(t.Context(), c.agent, "request", "shop", "--for", "30m", "--reason", "ticket 4711", "--no-wait"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return c
}

// aws runs the command line as the agent, by one of the two ways.
func (c *cloud) aws(endpoint bool, args ...string) (string, error) {
	c.t.Helper()
	if _, err := exec.LookPath("aws"); err != nil {
		c.t.Skip("the aws command line is missing")
	}
	line := []string{"aws", "exec", "shop", "--region", "eu-west-1"}
	if endpoint {
		line = append(line, "--endpoint")
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	return c.Writ(ctx, c.agent, append(append(line, "--", "aws"), args...)...)
}

// TestAWSStory is a day of an agent in an account: the aws command line with a key that is worth nothing to AWS.
func TestAWSStory(t *testing.T) {
	c := newCloud(t)
	for name, endpoint := range map[string]bool{"through the proxy": false, "at the endpoint": true} {
		t.Run(name, func(t *testing.T) {
			unique := strings.ReplaceAll(name, " ", "-")
			for _, call := range []struct {
				args []string
				want string
			}{
				{[]string{"sts", "get-caller-identity"}, "assumed-role/writ-shop/"},
				{[]string{"dynamodb", "list-tables"}, "TableNames"},
				{[]string{"s3api", "create-bucket", "--bucket", unique, "--create-bucket-configuration", "LocationConstraint=eu-west-1"}, ""},
				{[]string{"secretsmanager", "create-secret", "--name", unique, "--secret-string", "hunter2"}, "ARN"},
				{[]string{"secretsmanager", "get-secret-value", "--secret-id", unique}, `"SecretString": "***"`},
			} {
				if out, err := c.aws(endpoint, call.args...); err != nil || !strings.Contains(out, call.want) || strings.Contains(out, "hunter2") {
					t.Errorf("aws %s: %v: %s", strings.Join(call.args, " "), err, out)
				}
			}
			if out, err := c.aws(endpoint, "iam", "create-user", "--user-name", "mallory"); err == nil || !strings.Contains(fmt.Sprint(out, err), "Users are made elsewhere (policy no-users") {
				t.Errorf("a denied call: %v: %s", err, out)
			}
		})
	}
	c.purges()
	c.rehearses()
	c.isRecorded()
}

// purges is held, approved and done.
func (c *cloud) purges() {
	c.t.Helper()
	out, err := c.aws(false, "sqs", "create-queue", "--queue-name", "orders")
	queue := regexp.MustCompile(`https?://[^"]+`).FindString(out)
	if err != nil || queue == "" {
		c.t.Fatalf("%v: %s", err, out)
	}
	done := make(chan string, 1)
	go func() {
		out, err := c.aws(false, "sqs", "purge-queue", "--queue-url", queue)
		done <- fmt.Sprint(out, err)
	}()
	hold := c.waiting()
	if shown, err := c.Writ(c.t.Context(), c.sre, "show", hold); err != nil || !strings.Contains(shown, "sqs:PurgeQueue") || !strings.Contains(shown, queue) {
		c.t.Errorf("the approver sees: %v: %s", err, shown)
	}
	if out, err := c.Writ(c.t.Context(), c.sre, "approve", hold, "--yes"); err != nil {
		c.t.Errorf("%v: %s", err, out)
	}
	if out := <-done; out != "<nil>" {
		c.t.Errorf("purge: %s", out)
	}
}

// waiting returns the id of the command that waits.
func (c *cloud) waiting() string {
	c.t.Helper()
	for range 600 {
		out, err := c.Writ(c.t.Context(), c.sre, "list", "--output", "json")
		if err != nil {
			c.t.Fatalf("%v: %s", err, out)
		}
		if hold := regexp.MustCompile(`hold-[0-9a-z]+`).FindString(out); hold != "" {
			return hold
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatal("nothing waits")
	return ""
}

// rehearses: who approves a call of EC2 sees what AWS says to a dry run of it, and each of its values as a line.
func (c *cloud) rehearses() {
	c.t.Helper()
	if out, err := c.aws(false, "ec2", "describe-volumes"); err != nil { // the emulator takes its time for the first call of a service
		c.t.Fatalf("%v: %s", err, out)
	}
	done := make(chan string, 1)
	go func() {
		out, err := c.aws(false, "ec2", "create-volume", "--availability-zone", "eu-west-1a", "--size", "1")
		done <- fmt.Sprint(out, err)
	}()
	hold := c.waiting()
	shown, err := c.Writ(c.t.Context(), c.sre, "show", hold)
	if err != nil {
		c.t.Errorf("%v: %s", err, shown)
	}
	for _, want := range []string{"AWS's dry run: DryRunOperation: ", "\n  AvailabilityZone=eu-west-1a\n", "\n  Size=1\n"} {
		if !strings.Contains(shown, want) {
			c.t.Errorf("the approver does not see %q: %s", want, shown)
		}
	}
	if out, err := c.Writ(c.t.Context(), c.sre, "approve", hold, "--yes"); err != nil {
		c.t.Errorf("%v: %s", err, out)
	}
	if out := <-done; !strings.Contains(out, "VolumeId") {
		c.t.Errorf("create volume: %s", out)
	}
}

// isRecorded: what was called can be read afterwards, and no secret with it.
func (c *cloud) isRecorded() {
	c.t.Helper()
	var out string
	for range 100 {
		var err error
		if out, err = c.Writ(c.t.Context(), c.Administrator(), "audit", "search", "--limit", "500", "--output", "json"); err != nil {
			c.t.Fatalf("%v: %s", err, out)
		}
		if strings.Contains(out, "sqs:PurgeQueue") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, want := range []string{"sts:GetCallerIdentity", "secretsmanager:GetSecretValue", "iam:CreateUser", "no-users", "sqs:PurgeQueue"} {
		if !strings.Contains(out, want) {
			c.t.Errorf("no record of %s", want)
		}
	}
	if strings.Contains(out, "hunter2") || strings.Contains(out, c.moto.Secret) {
		c.t.Error("a record shows a secret")
	}
}
