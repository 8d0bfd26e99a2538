package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/test/s3test"
	"github.com/writhq/writ/test/world"
)

// bucketStore is a world before a strict S3, with an agent that has a grant.
type bucketStore struct {
	*world.World
	store *s3test.Server
	agent string
}

func newBucketStore(t *testing.T, buckets ...string) *bucketStore {
	t.Helper()
	b := &bucketStore{store: s3test.Start(t)}
	for _, name := range buckets {
		if err := os.Mkdir(filepath.Join(b.store.Buckets(), name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sts := &s3test.STS{Key: b.store.Key, Secret: b.store.Secret, Token: b.store.Token}
	front := sts.Front(b.store)
	t.Cleanup(front.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "aws.cedar"), []byte(awsPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	b.World = world.Start(t, world.Config{Policy: dir, ControlEnv: []string{"AWS_ENDPOINT_URL=" + front.URL, "AWS_ACCESS_KEY_ID=AKIAHUB", "AWS_SECRET_ACCESS_KEY=hub"}})
	b.agent = b.Token("ada@example.com", "agent", "agents")
	account := fmt.Sprintf(awsAccount, s3test.Account, "arn:aws:iam::"+s3test.Account+":role/agents", front.URL)
	account += `foreign_buckets: ["*"]` + "\n" // whose owners are no accounts there
	if err := b.Apply(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	if out, err := b.Writ(t.Context(), b.agent, "request", "shop", "--for", "1h", "--reason", "ticket 4711", "--no-wait"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return b
}

// awsWays are the flags of writ aws exec for the two ways in.
var awsWays = map[string][]string{"through the proxy": nil, "at the endpoint": {"--endpoint"}}

// exec runs a program under writ aws exec, with variables beside its own.
func (b *bucketStore) exec(ctx context.Context, flags, env []string, program ...string) (string, error) {
	cmd := b.Command(ctx, b.agent, slices.Concat([]string{"aws", "exec", "shop", "--region", s3test.Region}, flags, []string{"--"}, program)...)
	cmd.Env = append(cmd.Env, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

const terraformMain = `
terraform {
  backend "s3" {
    bucket       = "terraform"
    key          = "%s/network.tfstate"
    region       = "eu-west-1"
    use_lockfile = true
  }
}
resource "terraform_data" "x" { input = "hello" }
`

// TestTerraform keeps its state in S3, with a lock beside it, through the real edge and by nothing but the environment.
func TestTerraform(t *testing.T) {
	program, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is missing")
	}
	b := newBucketStore(t, "terraform")
	for name, flags := range awsWays {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			dir, unique := t.TempDir(), strings.ReplaceAll(name, " ", "-")
			if err := os.WriteFile(filepath.Join(dir, "main.tf"), fmt.Appendf(nil, terraformMain, unique), 0o600); err != nil {
				t.Fatal(err)
			}
			run := func(args ...string) string {
				t.Helper()
				out, err := b.exec(ctx, flags, []string{"CHECKPOINT_DISABLE=1"}, slices.Concat([]string{program, "-chdir=" + dir}, args)...)
				if err != nil {
					t.Fatalf("terraform %s: %v: %s", strings.Join(args, " "), err, out)
				}
				return out
			}
			run("init", "-no-color", "-input=false")
			run("apply", "-no-color", "-input=false", "-auto-approve")
			state := filepath.Join(b.store.Buckets(), "terraform", unique, "network.tfstate")
			if text, err := os.ReadFile(state); err != nil || !bytes.Contains(text, []byte(`"hello"`)) {
				t.Errorf("the state in S3: %v: %s", err, text)
			}
			if _, err := os.Stat(state + ".tflock"); err == nil {
				t.Error("the lock was left")
			}
			b.isLocked(ctx, t, state, func() (string, error) {
				return b.exec(ctx, flags, []string{"CHECKPOINT_DISABLE=1"}, program, "-chdir="+dir, "plan", "-no-color", "-input=false")
			})
			run("destroy", "-no-color", "-input=false", "-auto-approve")
		})
	}
}

// isLocked: a run stops where another one holds the lock, which is an object that must not be there yet.
func (b *bucketStore) isLocked(ctx context.Context, t *testing.T, state string, plan func() (string, error)) {
	t.Helper()
	lock := `{"ID":"another","Operation":"OperationTypeApply","Who":"kim","Version":"1.11.4","Created":"2026-01-01T00:00:00Z","Path":""}`
	key := "s3://terraform/" + filepath.Base(filepath.Dir(state)) + "/network.tfstate.tflock"
	file := filepath.Join(t.TempDir(), "lock")
	if err := os.WriteFile(file, []byte(lock), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("aws"); err != nil {
		t.Log("the lock is not tried: the aws command line is missing")
		return
	}
	if out, err := b.exec(ctx, nil, nil, "aws", "s3", "cp", file, key); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := plan(); err == nil || !strings.Contains(out, "another") {
		t.Errorf("a run beside another: %v: %s", err, out)
	}
	if out, err := b.exec(ctx, nil, nil, "aws", "s3", "rm", key); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
