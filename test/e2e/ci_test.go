package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/writhq/writ/pkg/oidctest"
	"github.com/writhq/writ/test/mototest"
	"github.com/writhq/writ/test/world"
)

const ciAccount = `
kind: aws
name: %s
labels: {team: shop, env: %s}
edges: [edge-a]
account: %q
role_arn: %s
endpoint: %s
allow_loopback: true
credential:
  assume_role: {external_id: writ-shop}
`

// factory is a world with a CI system before it: issuers of GitHub's and GitLab's kind, and GitHub's token service.
type factory struct {
	*world.World
	t              *testing.T
	moto           *mototest.Server
	gitHub, gitLab *oidctest.Issuer
	sre            string

	tokens   *httptest.Server                // of GitHub
	claims   atomic.Pointer[oidctest.Claims] // of the next token
	runners  atomic.Int64
	tools    string // folder with the programs of a runner
	argv     string // file with the arguments of every call of them
	template gitLabTemplate
	action   compositeAction
}

const requestToken = "the-runners-own-secret-token"

func newFactory(t *testing.T) *factory {
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("the aws command line is missing")
	}
	f := &factory{t: t, moto: mototest.Start(t)}
	f.gitHub, f.gitLab = issuer(t), issuer(t)
	role := f.moto.Role(t, "writ-shop")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ci.cedar"), documented(t, "cedar")+extraPolicy)
	issuers := strings.NewReplacer("https://token.actions.githubusercontent.com", f.gitHub.URL()+"\n    preset: github",
		"https://gitlab.example.com", f.gitLab.URL()).Replace(documented(t, "yaml controlplane"))
	f.World = world.Start(t, world.Config{Policy: dir, Issuers: strings.TrimPrefix(strings.ReplaceAll(issuers, "\n  ", "\n"), "oidc:\n"), ControlEnv: []string{
		"AWS_ENDPOINT_URL_STS=" + f.moto.URL, "AWS_ENDPOINT_URL_IAM=" + f.moto.URL, "AWS_ACCESS_KEY_ID=" + f.moto.Key, "AWS_SECRET_ACCESS_KEY=" + f.moto.Secret,
	}})
	for name, env := range map[string]string{"shop": "dev", "shop-prod": "prod"} {
		if err := f.Apply(t.Context(), fmt.Sprintf(ciAccount, name, env, mototest.Account, role, f.moto.URL)); err != nil {
			t.Fatal(err)
		}
	}
	f.sre = f.Token("sam@example.com", "person", "sre")
	f.tokens = httptest.NewTLSServer(http.HandlerFunc(f.idToken))
	t.Cleanup(f.tokens.Close)
	f.equip()
	unmarshal(t, "../../deployments/ci/github/action.yml", &f.action)
	unmarshal(t, "../../deployments/ci/gitlab/writ.gitlab-ci.yml", &f.template)
	return f
}

const extraPolicy = `
@id("ci-rows") permit (principal in Group::"deployers", action in Action::"sql:read", resource);
@id("ci-database") permit (principal in Group::"deployers", action in [Action::"access:request", Action::"session:open"], resource in Label::"env=demo");
@id("ci-reveal") permit (principal, action in [Action::"aws:reveal", Action::"sql:reveal"], resource);
`

func issuer(t *testing.T) *oidctest.Issuer {
	t.Helper()
	is, err := oidctest.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = is.Close() })
	return is
}

// documented is the one block of docs/ci.md with this info string.
func documented(t *testing.T, info string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?ms)^```"+info+"\n(.*?)^```$").FindAllSubmatch(page, -1)
	if len(found) != 1 {
		t.Fatalf("docs/ci.md has %d blocks %q", len(found), info)
	}
	return string(found[0][1])
}

func unmarshal(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.UnmarshalWithOptions(text, into, yaml.Strict())
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// idToken is GitHub's token service: it knows a runner by its own token, and the audience that it asks for.
func (f *factory) idToken(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+requestToken || r.URL.Query().Get("api-version") != "2.0" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	claims := oidctest.Claims{"aud": r.URL.Query().Get("audience"), "exp": time.Now().Add(5 * time.Minute).Unix()}
	for name, value := range *f.claims.Load() {
		claims[name] = value
	}
	token, err := f.gitHub.Token(claims)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"count": len(token), "value": token})
}

// equip makes the programs of a runner, each of which notes its arguments.
func (f *factory) equip() {
	f.tools, f.argv = f.t.TempDir(), filepath.Join(f.t.TempDir(), "argv")
	for _, name := range []string{"writ", "curl", "aws", "psql"} {
		program := filepath.Join(f.Bin, name)
		if name != "writ" {
			var err error
			if program, err = exec.LookPath(name); err != nil {
				f.t.Skipf("%s is missing", name)
			}
		}
		text := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' \"$0 $*\" >>'%s'\nexec '%s' \"$@\"\n", f.argv, program)
		if err := os.WriteFile(filepath.Join(f.tools, name), []byte(text), 0o700); err != nil {
			f.t.Fatal(err)
		}
	}
	script, err := os.ReadFile("../../deployments/ci/writ-run.sh")
	if err == nil {
		err = os.WriteFile(filepath.Join(f.tools, "writ-run.sh"), script, 0o700)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// compositeAction is what a runner reads of an action.
type compositeAction struct {
	Name, Description string
	Inputs            map[string]struct {
		Description, Default string
		Required             bool
	}
	Runs struct {
		Using string
		Steps []struct {
			Shell, Run string
			Env        map[string]string
		}
	}
}

// workflow is what a runner reads of the documented workflow.
type workflow struct {
	Permissions map[string]string
	Jobs        map[string]struct {
		Steps []struct {
			Uses string
			With map[string]string
		}
	}
}

type gitLabTemplate struct {
	Writ gitLabJob `yaml:".writ"`
}

type gitLabJob struct {
	Extends, Image string
	Tags, Script   []string
	Rules          []map[string]string
	IDTokens       map[string]struct{ Aud string } `yaml:"id_tokens"`
	Variables      map[string]string
}

// run is one job and what came of it.
type run struct {
	*exec.Cmd
	out     bytes.Buffer
	summary string
}

// environ of every job.
func (f *factory) environ(system ...string) []string {
	return append([]string{"PATH=" + f.tools + ":" + os.Getenv("PATH"), "HOME=" + f.t.TempDir(), "TMPDIR=" + f.t.TempDir(), "LC_ALL=C.UTF-8", "PYENV_ROOT=" + os.Getenv("PYENV_ROOT")}, system...)
}

// onGitHub is the documented workflow, with other inputs of the action and claims of the token, as a runner would start it.
func (f *factory) onGitHub(with map[string]string, claims oidctest.Claims) *run {
	f.t.Helper()
	var w workflow
	if err := yaml.Unmarshal([]byte(documented(f.t, "yaml github")), &w); err != nil {
		f.t.Fatal(err)
	}
	step := w.Jobs["release"].Steps[1]
	if w.Permissions["id-token"] != "write" || !strings.HasPrefix(step.Uses, "writhq/writ/deployments/ci/github@") || len(f.action.Runs.Steps) != 1 {
		f.t.Fatalf("the workflow does not use the action: %+v", w)
	}
	inputs := map[string]string{}
	for name, in := range f.action.Inputs {
		inputs[name] = in.Default
	}
	for _, given := range []map[string]string{step.With, {"server": "https://" + f.Access, "ca-file": f.CAFile}, with} {
		for name, value := range given {
			if _, known := inputs[name]; !known {
				f.t.Fatalf("the action has no input %s", name)
			}
			inputs[name] = value
		}
	}
	all := oidctest.Claims{
		"sub": "repo:example/shop:ref:refs/heads/main", "repository": "example/shop", "repository_id": "74", "repository_owner": "example",
		"repository_owner_id": "65", "repository_visibility": "private", "actor": "kim", "actor_id": "12", "event_name": "push", "workflow": "release",
		"ref": "refs/heads/main", "ref_type": "branch", "head_ref": "", "base_ref": "", "run_id": "4711", "run_number": "10", "run_attempt": "1",
		"runner_environment": "self-hosted", "job_workflow_ref": "example/shop/.github/workflows/release.yml@refs/heads/main", "jti": "example-id",
	}
	for name, value := range claims {
		all[name] = value
	}
	f.claims.Store(&all)
	return f.step(inputs)
}

func (f *factory) step(inputs map[string]string) *run {
	dir := f.t.TempDir()
	step, file := f.action.Runs.Steps[0], filepath.Join(dir, "step.sh")
	write(f.t, file, step.Run)
	ca := filepath.Join(dir, "tokens.pem")
	write(f.t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.tokens.Certificate().Raw})))
	home, err := filepath.Abs("../../deployments/ci/github")
	if err != nil {
		f.t.Fatal(err)
	}
	r := &run{Cmd: exec.Command("sh", "-e", file), summary: filepath.Join(dir, "summary.md")}
	r.Env = f.environ("GITHUB_ACTIONS=true", "GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=example/shop", "GITHUB_RUN_ID=4711",
		"GITHUB_RUN_ATTEMPT=1", "GITHUB_JOB=release", fmt.Sprint("RUNNER_NAME=vpc-a-", f.runners.Add(1)), "GITHUB_REF=refs/heads/main", "GITHUB_STEP_SUMMARY="+r.summary, "GITHUB_ACTION_PATH="+home, "CURL_CA_BUNDLE="+ca,
		"ACTIONS_ID_TOKEN_REQUEST_URL="+f.tokens.URL+"/idtoken?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN="+requestToken)
	input := regexp.MustCompile(`^\$\{\{ inputs\.([a-z-]+) \}\}$`)
	for name, text := range step.Env {
		m := input.FindStringSubmatch(text)
		if m == nil {
			f.t.Fatalf("the action's %s is %q", name, text)
		}
		r.Env = append(r.Env, name+"="+inputs[m[1]])
	}
	r.Stdout, r.Stderr = &r.out, &r.out
	return r
}

// onGitLab is the documented job.
func (f *factory) onGitLab(claims oidctest.Claims) *run {
	f.t.Helper()
	var jobs struct {
		Include []map[string]string
		Release gitLabJob
	}
	if err := yaml.Unmarshal([]byte(documented(f.t, "yaml gitlab")), &jobs); err != nil {
		f.t.Fatal(err)
	}
	job := jobs.Release
	if job.Extends != ".writ" || jobs.Include[0]["file"] != "deployments/ci/gitlab/writ.gitlab-ci.yml" {
		f.t.Fatalf("the job does not use the template: %+v", jobs)
	}
	all := oidctest.Claims{
		"sub": "project_path:platform/shop:ref_type:branch:ref:main", "namespace_id": "72", "namespace_path": "platform", "project_id": "20",
		"project_path": "platform/shop", "user_id": "1", "user_login": "kim", "pipeline_id": "574", "pipeline_source": "push", "job_id": "302",
		"ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true", "runner_environment": "self-hosted",
		"aud": f.template.Writ.IDTokens["WRIT_ID_TOKEN"].Aud, "exp": time.Now().Add(5 * time.Minute).Unix(),
	}
	for name, value := range claims {
		all[name] = value
	}
	token, err := f.gitLab.Token(all)
	if err != nil {
		f.t.Fatal(err)
	}
	r := &run{Cmd: exec.Command("sh", "-e", "-c", strings.Join(job.Script, "\n"))}
	r.Env = f.environ("GITLAB_CI=true", "CI_JOB_URL=https://gitlab.example.com/platform/shop/-/jobs/302", "CI_PROJECT_PATH=platform/shop",
		"CI_JOB_ID=302", "CI_COMMIT_REF_NAME=main", "WRIT_ID_TOKEN="+token)
	for _, given := range []map[string]string{f.template.Writ.Variables, job.Variables, {"WRIT_SERVER": "https://" + f.Access, "WRIT_CA_FILE": f.CAFile}} {
		for name, value := range given {
			r.Env = append(r.Env, name+"="+value)
		}
	}
	r.Stdout, r.Stderr = &r.out, &r.out
	return r
}

// code runs the job to its end.
func (r *run) code(t *testing.T) int {
	t.Helper()
	if r.Process == nil {
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
	}
	limit := time.AfterFunc(2*time.Minute, func() { _ = r.Process.Kill() })
	defer limit.Stop()
	err := r.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return r.ProcessState.ExitCode()
}

// queues are those that there are at AWS.
func (f *factory) queues() string {
	f.t.Helper()
	cmd := exec.Command("aws", "--region", "eu-west-1", "--endpoint-url", f.moto.URL, "sqs", "list-queues")
	cmd.Env = f.environ("AWS_ACCESS_KEY_ID="+f.moto.Key, "AWS_SECRET_ACCESS_KEY="+f.moto.Secret)
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// isOver: nothing is left of any run, at the control plane or on the disk, and no secret was shown.
func (f *factory) isOver(runs ...*run) {
	f.t.Helper()
	for _, list := range [][]string{{"grants", "list", "--all"}, {"requests", "--all", "--state", "pending"}} {
		out, err := f.Writ(f.t.Context(), f.Administrator(), list...)
		if err != nil || !strings.Contains(out, "no ") {
			f.t.Errorf("left after a run: %v: %s", err, out)
		}
	}
	argv, err := os.ReadFile(f.argv)
	if err != nil {
		f.t.Fatal(err)
	}
	texts := map[string]string{"the arguments": string(argv)}
	for i, r := range runs {
		texts[fmt.Sprintf("the log of run %d", i)] = r.out.String()
		for _, pair := range r.Env {
			if dir, ok := strings.CutPrefix(pair, "TMPDIR="); ok {
				left, err := os.ReadDir(dir)
				if err != nil || len(left) > 0 {
					f.t.Errorf("run %d leaves %v in its folder, %v", i, left, err)
				}
			}
		}
	}
	for where, text := range texts {
		if strings.Contains(text, requestToken) || strings.Contains(text, "eyJ") || regexp.MustCompile(`v4\.(public|local)\.`).MatchString(text) {
			f.t.Errorf("%s show a token:\n%s", where, text)
		}
	}
}

func TestCI(t *testing.T) {
	f := newFactory(t)
	for _, story := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"GitHub", f.gitHubRelease}, {"GitLab", f.gitLabRelease}, {"refused", f.refused}, {"approved", f.approved},
		{"not approved", f.notApproved}, {"cancelled", f.cancelled}, {"database", f.database}, {"cluster", f.cluster},
	} {
		t.Run(story.name, func(t *testing.T) {
			f.t = t
			story.run(t)
		})
		f.t = t
	}
}

func (f *factory) gitHubRelease(t *testing.T) {
	r := f.onGitHub(nil, nil)
	if code := r.code(t); code != 0 || !strings.Contains(r.out.String(), "release-4711") || !strings.Contains(f.queues(), "release-4711") {
		t.Fatalf("exit %d: %s", code, r.out.String())
	}
	grants, err := f.Writ(t.Context(), f.Administrator(), "grants", "list", "--all", "--ended", "-o", "json")
	for _, want := range []string{"github:repo:example/shop:ref:refs/heads/main", "example/shop run 4711.1 job release at refs/heads/main on vpc-a-1", "https://github.com/example/shop/actions/runs/4711", "the job is over"} {
		if err != nil || !strings.Contains(grants, want) {
			t.Errorf("no %q in %v: %s", want, err, grants)
		}
	}
	failing := f.onGitHub(map[string]string{"run": "aws sts get-caller-identity >/dev/null\nexit 7\n"}, nil)
	if code := failing.code(t); code != 7 {
		t.Errorf("exit %d of a command that exits with 7: %s", code, failing.out.String())
	}
	curious := f.onGitHub(map[string]string{"run": "env"}, nil)
	if code := curious.code(t); code != 0 || strings.Contains(curious.out.String(), "ACTIONS_ID_TOKEN_REQUEST") || !strings.Contains(curious.out.String(), "HTTPS_PROXY=") {
		t.Errorf("exit %d, and the command can get another token: %s", code, curious.out.String())
	}
	f.isOver(r, failing)
}

func (f *factory) gitLabRelease(t *testing.T) {
	r := f.onGitLab(nil)
	if code := r.code(t); code != 0 || !strings.Contains(f.queues(), "release-302") {
		t.Fatalf("exit %d: %s", code, r.out.String())
	}
	f.isOver(r)
	for name, claims := range map[string]oidctest.Claims{
		"a fork":           {"sub": "project_path:mallory/shop:ref_type:branch:ref:main", "namespace_path": "mallory", "project_path": "mallory/shop"},
		"a merge request":  {"pipeline_source": "merge_request_event"},
		"another audience": {"aud": "https://gitlab.example.com"},
		"a tag":            {"ref_type": "tag"},
		"an open branch":   {"ref_protected": "false"},
	} {
		r := f.onGitLab(claims)
		if code := r.code(t); code == 0 {
			t.Errorf("%s: exit %d: %s", name, code, r.out.String())
		}
		f.isOver(r)
	}
}

// refused runs get nowhere: AWS sees nothing of them.
func (f *factory) refused(t *testing.T) {
	for name, c := range map[string]struct {
		with   map[string]string
		claims oidctest.Claims
		code   int
		says   string
	}{
		"a fork": {nil, oidctest.Claims{
			"sub": "repo:mallory/shop:ref:refs/heads/main", "repository": "mallory/shop", "repository_owner": "mallory", "repository_owner_id": "666",
		}, 1, ""},
		"another repository": {nil, oidctest.Claims{"sub": "repo:example/toys:ref:refs/heads/main", "repository": "example/toys"}, 1, ""},
		"a pull request":     {nil, oidctest.Claims{"sub": "repo:example/shop:pull_request", "event_name": "pull_request", "ref": "refs/pull/7/merge"}, 1, "pull request"},
		"another branch":     {nil, oidctest.Claims{"sub": "repo:example/shop:ref:refs/heads/try", "ref": "refs/heads/try"}, 3, "denied"},
		"another audience":   {map[string]string{"audience": "sts.amazonaws.com"}, nil, 1, "another audience"},
		"an odd audience":    {map[string]string{"audience": "x&y=\"z"}, nil, 2, "WRIT_AUDIENCE"},
		"an old token":       {nil, oidctest.Claims{"exp": time.Now().Add(-time.Minute).Unix()}, 1, "expired"},
		"no resource":        {map[string]string{"resource": "nowhere"}, nil, 1, "no such resource"},
	} {
		with := map[string]string{"run": "aws sqs create-queue --queue-name refused"}
		for k, v := range c.with {
			with[k] = v
		}
		r := f.onGitHub(with, c.claims)
		if code := r.code(t); code != c.code || !strings.Contains(r.out.String(), c.says) {
			t.Errorf("%s: exit %d: %s", name, code, r.out.String())
		}
		f.isOver(r)
	}
	if strings.Contains(f.queues(), "refused") {
		t.Error("a refused run reached AWS")
	}
}

// asked starts a job for production and returns what it waits for.
func (f *factory) asked(t *testing.T, with map[string]string) (r *run, request string) {
	t.Helper()
	all := map[string]string{"resource": "shop-prod", "run": "aws sqs create-queue --queue-name production"}
	for k, v := range with {
		all[k] = v
	}
	r = f.onGitHub(all, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`https://` + regexp.QuoteMeta(f.Access) + `/approvals/(req-[0-9A-Za-z]+)`)
	for ctx.Err() == nil {
		summary, _ := os.ReadFile(r.summary)
		if m := link.FindSubmatch(summary); m != nil {
			return r, string(m[1])
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = r.Process.Kill()
	t.Fatal("the job shows no link to an approval")
	return nil, ""
}

func (f *factory) approved(t *testing.T) {
	r, request := f.asked(t, nil)
	if strings.Contains(f.queues(), "production") {
		t.Error("the command ran before the approval")
	}
	if out, err := f.Writ(t.Context(), f.sre, "approve", request, "--yes"); err != nil {
		r.code(t)
		t.Fatalf("%v: %s\n%s", err, out, r.out.String())
	}
	if code := r.code(t); code != 0 || !strings.Contains(f.queues(), "production") || !strings.Contains(r.out.String(), "/approvals/"+request) {
		t.Errorf("exit %d: %s", code, r.out.String())
	}
	f.isOver(r)

	one, request := f.asked(t, map[string]string{"reason": "a release", "run": "true"})
	other, second := f.asked(t, map[string]string{"reason": "a release"})
	if request == second {
		t.Error("two legs of a matrix have one request")
	}
	for i, leg := range []*run{one, other} {
		if out, err := f.Writ(t.Context(), f.sre, "approve", []string{request, second}[i], "--yes"); err != nil {
			leg.code(t)
			t.Fatalf("%v: %s\n%s", err, out, leg.out.String())
		}
		if code := leg.code(t); code != 0 {
			t.Errorf("a leg of a matrix: exit %d: %s", code, leg.out.String())
		}
	}
	f.isOver(one, other)
}

func (f *factory) notApproved(t *testing.T) {
	late, _ := f.asked(t, map[string]string{"wait": "200ms"})
	if code := late.code(t); code != 4 {
		t.Errorf("nobody approved: exit %d: %s", code, late.out.String())
	}
	no, request := f.asked(t, nil)
	if out, err := f.Writ(t.Context(), f.sre, "deny", request, "--comment", "not today"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if code := no.code(t); code != 3 || !strings.Contains(no.out.String(), "not today") {
		t.Errorf("denied: exit %d: %s", code, no.out.String())
	}
	f.isOver(late, no)
}

// cancelled jobs hold nothing, whatever they were at.
func (f *factory) cancelled(t *testing.T) {
	waiting, _ := f.asked(t, map[string]string{"ticket": "OPS-7"})
	if err := waiting.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := waiting.code(t); code != 130 {
		t.Errorf("cancelled while it waited: exit %d: %s", code, waiting.out.String())
	}
	ready := filepath.Join(t.TempDir(), "ready")
	busy := f.onGitHub(map[string]string{"run": "trap 'echo told to stop; exit 9' TERM; : >'" + ready + "'; while :; do sleep 0.05; done"}, nil)
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	f.awaitFile(ready)
	own := f.actsUnderItsOwnGrant(t)
	if err := busy.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := busy.code(t); code != 130 || !strings.Contains(busy.out.String(), "told to stop") {
		t.Errorf("cancelled while it ran: exit %d: %s", code, busy.out.String())
	}
	f.isOver(waiting, busy, own)
	f.endsAtOnce(t)
}

// endsAtOnce: at the second signal the access ends, whether the command has or not.
func (f *factory) endsAtOnce(t *testing.T) {
	dir := t.TempDir()
	ready, done := filepath.Join(dir, "ready"), filepath.Join(dir, "done")
	deaf := f.onGitHub(map[string]string{"run": "trap '' TERM; : >'" + ready + "'; while [ ! -e '" + done + "' ]; do sleep 0.05; done"}, nil)
	if err := deaf.Start(); err != nil {
		t.Fatal(err)
	}
	f.awaitFile(ready)
	f.await("the grant is ended", func() bool {
		if err := deaf.Process.Signal(os.Interrupt); err != nil {
			return true
		}
		out, err := f.Writ(t.Context(), f.Administrator(), "grants", "list", "--all")
		return err == nil && strings.Contains(out, "no grants")
	})
	write(t, done, "")
	if code := deaf.code(t); code != 130 {
		t.Errorf("exit %d: %s", code, deaf.out.String())
	}
	f.isOver(deaf)
}

// await waits until something is so, for a minute at most.
func (f *factory) await(what string, there func() bool) {
	f.t.Helper()
	for range 1200 {
		if there() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.t.Errorf("in vain: %s", what)
}

func (f *factory) awaitFile(name string) {
	f.t.Helper()
	f.await(name+" is there", func() bool {
		_, err := os.Stat(name)
		return err == nil
	})
}

// actsUnderItsOwnGrant: another run of the same principal has a grant that lasts longer, and is not used.
func (f *factory) actsUnderItsOwnGrant(t *testing.T) *run {
	own := f.onGitHub(map[string]string{"for": "5m", "run": "aws sts get-caller-identity"}, nil)
	code := own.code(t)
	grant := regexp.MustCompile(`grant-[0-9a-z]+`).FindString(own.out.String())
	session := regexp.MustCompile(`ses-[0-9a-z]+`).FindString(own.out.String())
	shown, err := f.Writ(t.Context(), f.Administrator(), "sessions", "show", session, "-o", "json")
	if code != 0 || grant == "" || session == "" || err != nil || !strings.Contains(shown, `"`+grant+`"`) {
		t.Errorf("exit %d: %s acts under another grant than its own: %v: %s", code, own.out.String(), err, shown)
	}
	return own
}

func (f *factory) database(t *testing.T) {
	r := f.onGitHub(map[string]string{"kind": "postgres", "resource": world.Resource, "region": "", "run": "psql --no-psqlrc -At -c 'SELECT count(*) FROM products'"}, nil)
	if code := r.code(t); code != 0 || !strings.Contains(r.out.String(), "200\n") {
		t.Errorf("exit %d: %s", code, r.out.String())
	}
	f.isOver(r)
}

const ciCluster = `
kind: kubernetes
name: shop-k8s
labels: {env: demo}
edges: [edge-a]
endpoint: "127.0.0.1:1"
allow_loopback: true
tls: {ca_file: "%{ca}"}
credential:
  service_account: {namespace: writ, name: edge, token_file: "%{password}"}
`

// cluster: kubectl would find a kubeconfig of this run, and the plugin in it a token.
func (f *factory) cluster(t *testing.T) {
	if err := f.Apply(t.Context(), ciCluster); err != nil {
		t.Fatal(err)
	}
	r := f.onGitHub(map[string]string{
		"kind": "kubernetes", "resource": "shop-k8s", "region": "", "run": "grep -c 'command: writ' \"$KUBECONFIG\"\nwrit kube token shop-k8s >/dev/null && echo a token",
	}, nil)
	if code := r.code(t); code != 0 || !strings.Contains(r.out.String(), "a token\n") {
		t.Errorf("exit %d: %s", code, r.out.String())
	}
	f.isOver(r)
}
