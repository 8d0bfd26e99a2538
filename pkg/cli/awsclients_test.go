package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/writhq/writ/pkg/cli"
)

// awsGo is a program with AWS's SDK for Go that has no settings of its own.
func awsGo() {
	if err := callAWS(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func callAWS(ctx context.Context) error {
	cfg, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return err
	}
	store, bucket, key := s3.NewFromConfig(cfg), "reports", "a b/ü"
	if _, err := store.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader([]byte("hello"))}); err != nil {
		return err
	}
	got, err := store.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	defer got.Body.Close()
	content := new(bytes.Buffer)
	if _, err := content.ReadFrom(got.Body); err != nil {
		return err
	}
	fmt.Println(*who.Account, content)
	return nil
}

// TestAWSExecGo: the same for AWS's SDK for Go.
func TestAWSExecGo(t *testing.T) {
	program, err := exec.LookPath("aws-go") // which testscript made
	if err != nil {
		t.Fatal(err)
	}
	both(t, func(t *testing.T, flags []string) {
		b := newAWSBench(t)
		b.misconfigure(t)
		out, _ := b.run(t, "", 0, append(append([]string{"aws", "exec", "prod"}, flags...), "--", program)...)
		if !strings.Contains(out, "123456789012 hello") {
			t.Errorf("got %s", out)
		}
	})
}

const backend = `
terraform {
  backend "s3" {
    bucket       = "shop-terraform"
    key          = "network.tfstate"
    region       = "eu-west-1"
    use_lockfile = true
  }
}
resource "terraform_data" "x" { input = "hello" }
`

// TestAWSExecTerraform: Terraform keeps its state in S3 through the edge.
func TestAWSExecTerraform(t *testing.T) {
	needs(t, "terraform", "version")
	for way, flags := range ways {
		t.Run(way, func(t *testing.T) {
			b := newAWSBench(t)
			b.misconfigure(t)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(backend), 0o600); err != nil {
				t.Fatal(err)
			}
			b.env.Environ = append(b.env.Environ, "CHECKPOINT_DISABLE=1")
			terraform := func(args ...string) string {
				out, _ := b.run(t, "", 0, slices.Concat([]string{"aws", "exec", "prod"}, flags, []string{"--", "terraform", "-chdir=" + dir}, args)...)
				return out
			}
			terraform("init", "-no-color", "-input=false")
			terraform("apply", "-no-color", "-input=false", "-auto-approve")
			if out := terraform("state", "pull"); !strings.Contains(out, `"hello"`) {
				t.Errorf("the state is %s", out)
			}
			if _, err := os.Stat(filepath.Join(dir, "terraform.tfstate")); err == nil {
				t.Error("the state is on the disk")
			}
		})
	}
}

const botoTwice = `
import boto3, sys
client = boto3.client("sts")
client.get_caller_identity()
print("one", flush=True)
sys.stdin.readline()
client.get_caller_identity()
`

// TestAWSExecBoto3RenewsKeys: a program that runs on when its grant was extended signs with a new key.
func TestAWSExecBoto3RenewsKeys(t *testing.T) {
	needs(t, "python3", "-c", "import boto3")
	b := newAWSBench(t)
	b.run(t, "", 0, "request", "prod", "--for", "5m", "--reason", "x") // so short that boto3 asks before each call
	env := b.env
	in, goOn := io.Pipe()
	said, out := io.Pipe()
	env.Stdin, env.Stdout = in, out
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(context.Background(), env, []string{"aws", "exec", "prod", "--grant", "grant-4", "--", "python3", "-c", botoTwice})
		out.Close()
	}()
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || line != "one\n" {
		t.Errorf("%v: %q", err, line)
	}
	b.run(t, "", 0, "request", "prod", "--for", "2h", "--reason", "x", "--extend", "grant-4")
	b.clock.Add(10 * time.Minute)
	_, _ = io.WriteString(goOn, "\n")
	goOn.Close()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
	if calls := b.edge.Calls(); len(calls) != 2 || calls[0].Token == calls[1].Token {
		t.Errorf("the edge saw %+v", calls)
	}
}
