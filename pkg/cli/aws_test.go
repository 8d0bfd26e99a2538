package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/cli"
	"github.com/writhq/writ/pkg/cli/clitest"
)

// awsBench has an account, a grant for it, and an edge that verifies what clients sign.
type awsBench struct {
	*bench
	edge *clitest.AWSEdge
	home string
}

func newAWSBench(t *testing.T) *awsBench {
	t.Helper()
	b := &awsBench{bench: newBench(t), home: t.TempDir()}
	b.edge = clitest.StartAWSEdge(t, b.cp)
	b.cp.AddAccount("prod")
	b.env.Environ = append(b.env.Environ, "PATH="+os.Getenv("PATH"), "HOME="+b.home, "PYENV_ROOT="+os.Getenv("PYENV_ROOT"), "AWS_MAX_ATTEMPTS=1", "AWS_REGION=eu-west-1")
	b.run(t, "", 0, "request", "prod", "--for", "30m", "--reason", "x")
	return b
}

// needs skips the test where a real client is missing.
func needs(t *testing.T, program string, args ...string) {
	t.Helper()
	if err := exec.Command(program, args...).Run(); err != nil {
		t.Skipf("%s is missing: %v", program, err)
	}
}

// ways are the two ways to an edge.
var ways = map[string][]string{"proxy": nil, "endpoint": {"--endpoint"}}

// both runs a test for both ways and both kinds of keys.
func both(t *testing.T, test func(t *testing.T, flags []string)) {
	for way, flags := range ways {
		t.Run(way, func(t *testing.T) { test(t, flags) })
		t.Run(way+"/static", func(t *testing.T) { test(t, append(slices.Clone(flags), "--static")) })
	}
}

// TestAWSExecCommandLine: the aws command line finds keys and edge, whatever the user's own settings say.
func TestAWSExecCommandLine(t *testing.T) {
	needs(t, "aws", "--version")
	both(t, func(t *testing.T, flags []string) {
		b := newAWSBench(t)
		b.misconfigure(t)
		out, _ := b.run(t, "", 0, append(append([]string{"aws", "exec", "prod"}, flags...), "--", "aws", "sts", "get-caller-identity")...)
		if !strings.Contains(out, "123456789012") {
			t.Errorf("got %s", out)
		}
		out, _ = b.run(t, "", 0, append(append([]string{"aws", "exec", "prod"}, flags...), "--", "aws", "s3", "ls")...)
		if !strings.Contains(out, "reports") {
			t.Errorf("got %s", out)
		}
		calls := b.edge.Calls()
		if len(calls) != 2 || calls[0].Tunnel != (len(flags) == 0 || flags[0] != "--endpoint") || calls[0].Region != "eu-west-1" {
			t.Errorf("the edge saw %+v", calls)
		}
	})
}

// misconfigure sets whatever could lead a client past the edge.
func (b *awsBench) misconfigure(t *testing.T) {
	t.Helper()
	dir := filepath.Join(b.home, ".aws")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config":      "[default]\nregion = us-east-2\nendpoint_url = http://127.0.0.1:1\nservices = x\n[services x]\nsts =\n  endpoint_url = http://127.0.0.1:1\n",
		"credentials": "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = theirs\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.env.Environ = append(b.env.Environ,
		"AWS_PROFILE=other", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=theirs", "AWS_SESSION_TOKEN=theirs",
		"AWS_ENDPOINT_URL=http://127.0.0.1:1", "AWS_ENDPOINT_URL_STS=http://127.0.0.1:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
		"AWS_CA_BUNDLE=/nowhere", "HTTP_PROXY=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1", "NO_PROXY=intern.example,.amazonaws.com,*,com,::1,10.0.0.0/8", "no_proxy=s3.eu-west-1.amazonaws.com:443,*.aws,intern.example")
}

const boto = `
import boto3
print(boto3.client("sts").get_caller_identity()["Account"])
print([b["Name"] for b in boto3.client("s3").list_buckets()["Buckets"]])
url = boto3.client("s3").generate_presigned_url("get_object", Params={"Bucket": "reports", "Key": "k"})
assert "X-Amz-Signature" in url, url
`

// TestAWSExecBoto3: the same for boto3; its presigned URLs are of Version 4.
func TestAWSExecBoto3(t *testing.T) {
	needs(t, "python3", "-c", "import boto3")
	both(t, func(t *testing.T, flags []string) {
		b := newAWSBench(t)
		b.misconfigure(t)
		out, diag := b.run(t, "", 0, append(append([]string{"aws", "exec", "prod"}, flags...), "--", "python3", "-c", boto)...)
		if !strings.Contains(out, "123456789012\n['reports']") {
			t.Errorf("got %s%s", out, diag)
		}
	})
}

// fakeAWS prints its arguments and environment and a line when it is ready, then waits for a signal.
const fakeAWS = `#!/bin/sh
trap 'exit 7' TERM
echo "args=$*"
env
echo ready
while :; do sleep 0.05; done
`

// running is a program that writ aws exec has started.
type running struct {
	vars map[string]string
	code chan int
}

func (b *awsBench) start(t *testing.T, flags ...string) *running {
	t.Helper()
	program := filepath.Join(t.TempDir(), "fake")
	if err := os.WriteFile(program, []byte(fakeAWS), 0o700); err != nil {
		t.Fatal(err)
	}
	env := b.env
	r, w := io.Pipe()
	env.Stdout = w
	run := &running{vars: map[string]string{}, code: make(chan int, 1)}
	go func() {
		run.code <- cli.Run(context.Background(), env, append(append([]string{"aws", "exec", "prod"}, flags...), "--", program, "s3", "ls"))
		w.Close()
	}()
	for lines := bufio.NewScanner(r); lines.Scan() && lines.Text() != "ready"; {
		name, value, _ := strings.Cut(lines.Text(), "=")
		run.vars[name] = value
	}
	go io.Copy(io.Discard, r)
	t.Cleanup(func() {
		if run.code != nil {
			run.stop(t)
		}
	})
	return run
}

// stop ends the program as a signal to writ does.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-r.code; got != 7 {
		t.Errorf("exit code %d, want the program's 7", got)
	}
	r.code = nil
}

func TestAWSExecEnvironment(t *testing.T) {
	b := newAWSBench(t)
	b.misconfigure(t)
	r := b.start(t)
	for name, want := range map[string]string{
		"args": "s3 ls", "HTTPS_PROXY": "http://" + b.edge.Addr, "https_proxy": "http://" + b.edge.Addr, "NO_PROXY": "127.0.0.1,localhost,intern.example,::1,10.0.0.0/8",
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true", "SSL_CERT_FILE": "",
		"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_STS": "",
		"WRIT_TOKEN": "", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "",
	} {
		if r.vars[name] != want {
			t.Errorf("%s is %q, want %q", name, r.vars[name], want)
		}
	}
	ca := r.vars["AWS_CA_BUNDLE"]
	if text, err := os.ReadFile(ca); err != nil || !bytes.Equal(text, b.cp.CAPEM) || r.vars["NODE_EXTRA_CA_CERTS"] != ca {
		t.Errorf("CA bundle %q: %v", ca, err)
	}
	if info, err := os.Stat(filepath.Dir(ca)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder of the CA: %v, %v", info, err)
	}
	r.stop(t)
	if _, err := os.Stat(filepath.Dir(ca)); err == nil {
		t.Error("the folder was left behind")
	}
}

// ask asks for keys as an SDK does.
func ask(t *testing.T, r *running, change func(*http.Request)) (int, map[string]string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.vars["AWS_CONTAINER_CREDENTIALS_FULL_URI"], nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", r.vars["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
	change(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := map[string]string{}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, got
}

// TestAWSExecRenewsKeys: a key is kept while it is good, and renewed when the grant was extended.
func TestAWSExecRenewsKeys(t *testing.T) {
	b := newAWSBench(t)
	r := b.start(t)
	same := func(*http.Request) {}
	_, first := ask(t, r, same)
	if _, again := ask(t, r, same); again["Token"] != first["Token"] || first["Token"] == "" {
		t.Errorf("a good key was not kept: %v, %v", first, again)
	}
	if end, err := time.Parse(time.RFC3339, first["Expiration"]); err != nil || time.Until(end) > 31*time.Minute {
		t.Errorf("it ends at %q", first["Expiration"])
	}
	b.run(t, "", 0, "request", "prod", "--for", "2h", "--reason", "x", "--extend", "grant-2")
	b.clock.Add(45 * time.Minute)
	if _, next := ask(t, r, same); next["Token"] == first["Token"] || next["Token"] == "" {
		t.Errorf("an old key was not renewed: %v", next)
	}
	b.run(t, "", 0, "revoke", "grant-2", "--reason", "x")
	b.clock.Add(3 * time.Hour)
	if status, got := ask(t, r, same); status != http.StatusForbidden || !strings.Contains(got["message"], "no active grant for prod; ask for one: writ request prod") {
		t.Errorf("%d: %v", status, got)
	}
}

// TestAWSExecKeysAreForTheProgram: nobody else gets them, not a page in a browser either.
func TestAWSExecKeysAreForTheProgram(t *testing.T) {
	b := newAWSBench(t)
	r := b.start(t)
	for name, change := range map[string]func(*http.Request){
		"no password":    func(req *http.Request) { req.Header.Del("Authorization") },
		"wrong password": func(req *http.Request) { req.Header.Set("Authorization", "x") },
		"part of it": func(req *http.Request) {
			req.Header.Set("Authorization", r.vars["AWS_CONTAINER_AUTHORIZATION_TOKEN"][:25])
		},
		"two passwords":    func(req *http.Request) { req.Header.Add("Authorization", "x") },
		"another host":     func(req *http.Request) { req.Host = "evil.example" },
		"localhost":        func(req *http.Request) { req.Host = strings.Replace(req.Host, "127.0.0.1", "localhost", 1) },
		"another path":     func(req *http.Request) { req.URL.Path = "/" },
		"a form of a page": func(req *http.Request) { req.Method = http.MethodPost },
	} {
		if status, got := ask(t, r, change); status < 400 || got["SecretAccessKey"] != "" {
			t.Errorf("%s: %d: %v", name, status, got)
		}
	}
}

// TestAWSProfile: a profile of writ aws login, with the real command line.
func TestAWSProfile(t *testing.T) {
	needs(t, "aws", "--version")
	bin := t.TempDir()
	writ, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(writ, filepath.Join(bin, "writ")); err != nil {
		t.Fatal(err)
	}
	for way, flags := range ways {
		t.Run(way, func(t *testing.T) {
			b := newAWSBench(t)
			out, _ := b.run(t, "", 0, append([]string{"aws", "login", "prod", "--region", "eu-west-1", "-o", "json"}, flags...)...)
			var done struct {
				Profile     string
				Environment map[string]string
			}
			if err := json.Unmarshal([]byte(out), &done); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("aws", "--profile", done.Profile, "sts", "get-caller-identity")
			cmd.Env = append(b.env.Environ, "PATH="+bin+":"+os.Getenv("PATH"), "WRIT_SERVER=")
			for name, value := range done.Environment {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
			if got, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(got, []byte("123456789012")) {
				t.Errorf("%v: %s", err, got)
			}
			if calls := b.edge.Calls(); len(calls) != 1 || calls[0].Tunnel != (way == "proxy") {
				t.Errorf("the edge saw %+v", calls)
			}
		})
	}
}

// TestAWSKeysAreInNoArgument looks at what writ starts.
func TestAWSKeysAreInNoArgument(t *testing.T) {
	b := newAWSBench(t)
	out, _ := b.run(t, "", 0, "aws", "exec", "prod", "--static", "--", "/bin/sh", "-c", `cat /proc/$PPID/cmdline /proc/$$/cmdline | tr '\0' ' '; echo; env`)
	secret := regexp.MustCompile(`(?m)^AWS_SECRET_ACCESS_KEY=(.{40})$`).FindStringSubmatch(out)
	if secret == nil || strings.Count(out, secret[1]) != 1 {
		t.Errorf("got %s", out)
	}
}
