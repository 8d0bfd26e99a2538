package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/jackc/pgx/v5"

	"github.com/writhq/writ/test/mototest"
	"github.com/writhq/writ/test/world"
)

// session connects to the shop through the edge under a new grant.
func session(ctx context.Context, t *testing.T, w *world.World, token string) *pgx.Conn {
	t.Helper()
	access, err := w.Grant(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.DSN("writ", access))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// email reads the address of customer 7 as the session sees it.
func email(ctx context.Context, t *testing.T, conn *pgx.Conn) string {
	t.Helper()
	var got string
	if err := conn.QueryRow(ctx, "SELECT email FROM customers WHERE id = 7").Scan(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

const inClear, masked = "customer7@example.com", "***.com"

// awaitEmail waits until the session's next commands show the address so. A change of groups has to reach the edge.
func awaitEmail(ctx context.Context, t *testing.T, conn *pgx.Conn, want string) {
	t.Helper()
	for {
		got := email(ctx, t, conn)
		if got == want {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the address is still shown as %q", got)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestLostGroupBindsInALiveSession(t *testing.T) {
	w := world.Start(t, world.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn := session(ctx, t, w, w.Token("ada@example.com", "agent", "agents", "pii-readers"))
	if got := email(ctx, t, conn); got != inClear {
		t.Fatalf("got %q at first", got)
	}
	if _, err := w.Writ(ctx, w.Token("ada@example.com", "agent", "agents"), "whoami"); err != nil {
		t.Fatal(err)
	}
	awaitEmail(ctx, t, conn, masked)
	if _, err := w.Writ(ctx, w.Token("ada@example.com", "agent"), "whoami"); err != nil {
		t.Fatal(err)
	}
	for {
		var n int
		err := conn.QueryRow(ctx, "SELECT count(*) FROM products").Scan(&n)
		if err != nil && strings.Contains(err.Error(), "42501") {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("a session of a principal without groups goes on: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// loginFor signs the bot in for whom the token is of, in a folder of its own, and runs a command as it.
func loginFor(ctx context.Context, t *testing.T, w *world.World, bot, onBehalfOf string) (run func(args ...string) (string, error)) {
	t.Helper()
	dir := t.TempDir()
	botFile, hers := filepath.Join(dir, "bot"), filepath.Join(dir, "alice")
	for file, token := range map[string]string{botFile: bot, hers: onBehalfOf} {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run = func(args ...string) (string, error) {
		cmd := w.Command(ctx, "", args...)
		cmd.Env = append(cmd.Env, "WRIT_HOME="+filepath.Join(dir, "home"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("login", "--oidc-token-file", botFile, "--on-behalf-of-file", hers); err != nil {
		t.Fatalf("login: %v\n%s", err, out)
	}
	return run
}

func TestAgentOfAPersonMayWhatBothMay(t *testing.T) {
	w := world.Start(t, world.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	bot := w.Token("bot@example.com", "agent", "agents", "pii-readers")
	run := loginFor(ctx, t, w, bot, w.Token("alice@example.com", "person", "agents", "pii-readers"))
	if out, err := run("whoami"); err != nil || !strings.Contains(out, "alice@example.com") {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := run("request", world.Resource, "--for", "30m", "--reason", "test", "--no-wait"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	access, err := run("token", world.Resource)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, w.DSN("writ", strings.TrimSpace(access)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if got := email(ctx, t, conn); got != inClear {
		t.Fatalf("both may read it, and it is shown as %q", got)
	}
	if _, err := w.Writ(ctx, w.Token("alice@example.com", "person", "agents"), "whoami"); err != nil {
		t.Fatal(err)
	}
	awaitEmail(ctx, t, conn, masked)

	outsider := loginFor(ctx, t, w, bot, w.Token("carol@example.com", "person"))
	if out, err := outsider("request", world.Resource, "--for", "30m", "--reason", "test", "--no-wait"); err == nil || !strings.Contains(out, "carol@example.com") {
		t.Fatalf("it asks for somebody who may not: %v\n%s", err, out)
	}
}

func TestAWSRoleSignsInWithTheCommandLine(t *testing.T) {
	moto := mototest.Start(t)
	w := world.Start(t, world.Config{ControlSettings: fmt.Sprintf(
		"aws_iam:\n  server_id: 127.0.0.1\n  regions: [eu-west-1]\n  endpoint: %s\n  roles:\n  - {account: \"%s\", role: deploy-*, kind: job, groups: [agents]}\n",
		moto.URL, mototest.Account)})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := sts.New(sts.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(moto.URL), Credentials: credentials.NewStaticCredentialsProvider(moto.Key, moto.Secret, ""),
	})
	login := func(role string) (string, error) {
		made, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::" + mototest.Account + ":role/" + role), RoleSessionName: aws.String("run-7"),
		})
		if err != nil {
			t.Fatal(err)
		}
		cmd := w.Command(ctx, "", "login", "--aws", "--region", "eu-west-1")
		cmd.Env = append(cmd.Env, "WRIT_HOME="+filepath.Join(t.TempDir(), "home"), "AWS_ACCESS_KEY_ID="+*made.Credentials.AccessKeyId,
			"AWS_SECRET_ACCESS_KEY="+*made.Credentials.SecretAccessKey, "AWS_SESSION_TOKEN="+*made.Credentials.SessionToken)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := login("deploy-shop"); err != nil || !strings.Contains(out, "aws:"+mototest.Account+"/deploy-shop") {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := login("admin"); err == nil {
		t.Fatalf("a role that is not on the list signed in:\n%s", out)
	}
}
