package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/test/kubetest"
	"github.com/writhq/writ/test/world"
)

// kubePolicy lets agents work in one cluster. Its %s is for more.
const kubePolicy = `
@id("access") permit (principal in Group::"agents", action in [Action::"access:request", Action::"session:open"], resource);
@id("work") permit (principal in Group::"agents", action in [Action::"k8s:read", Action::"k8s:write", Action::"k8s:connect"], resource);
@id("mask-secret") @mask("redact") forbid (principal, action == Action::"k8s:reveal", resource in DataClass::"secret");
@id("no-delete") @reason("Nothing is deleted here") forbid (principal, action in [Action::"k8s:delete", Action::"k8s:deletecollection"], resource);
@id("scale") @approval("1 of sre") @reason("Scaling is agreed")
forbid (principal, action in [Action::"k8s:patch", Action::"k8s:update"], resource is Object)
when { resource.resource == "deployments" && resource.subresource == "scale" } unless { context.approved };
%s`

// kubeStory is a world before a real cluster, with an agent that has a grant and a kubeconfig.
type kubeStory struct {
	*world.World
	t          *testing.T
	lab        *kubetest.Lab
	policyDir  string
	agent, sre string // tokens of people and agents at the control plane
	kubeconfig string
	namespace  string
}

func newKubeStory(t *testing.T) *kubeStory {
	s := &kubeStory{t: t, lab: kubetest.Start(t, kubetest.Config{}), policyDir: t.TempDir()}
	s.World = world.Start(t, world.Config{Policy: s.writePolicy("")})
	s.agent, s.sre = s.Token("ada@example.com", "agent", "agents"), s.Token("sam@example.com", "person", "sre")
	if err := s.Apply(t.Context(), s.lab.Join(t)); err != nil {
		t.Fatal(err)
	}
	s.namespace = s.lab.Namespace(t, "shop")
	s.writ(s.agent, "request", "lab", "--for", "30m", "--reason", "ticket 4711", "--no-wait")
	s.kubeconfig = filepath.Join(t.TempDir(), "config")
	s.writ(s.agent, "kube", "login", "lab", "--kubeconfig", s.kubeconfig)
	return s
}

func (s *kubeStory) writePolicy(more string) string {
	text := fmt.Sprintf(kubePolicy, more)
	if err := os.WriteFile(filepath.Join(s.policyDir, "kube.cedar"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return s.policyDir
}

// writ runs a command that must succeed.
func (s *kubeStory) writ(token string, args ...string) string {
	s.t.Helper()
	out, err := s.Writ(s.t.Context(), token, args...)
	if err != nil {
		s.t.Fatalf("writ %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// kubectl prepares a kubectl of the agent.
func (s *kubeStory) kubectl(version string, args ...string) *exec.Cmd {
	s.t.Helper()
	k, err := s.lab.FindKubectl(version)
	if err != nil {
		s.t.Skip(err)
	}
	cmd := k.Command(s.t.Context(), s.kubeconfig, append([]string{"-n", s.namespace}, args...)...)
	plugin := s.Command(s.t.Context(), s.agent)
	cmd.Env = append(cmd.Env, plugin.Env...)
	cmd.Env = append(cmd.Env, "PATH="+s.Bin+":"+os.Getenv("PATH"))
	return cmd
}

// run runs a kubectl of the agent.
func (s *kubeStory) run(stdin string, args ...string) (string, error) {
	s.t.Helper()
	cmd := s.kubectl("", args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *kubeStory) must(stdin string, args ...string) string {
	s.t.Helper()
	out, err := s.run(stdin, args...)
	if err != nil {
		s.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

const storyApp = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        command: [sh, -c, "i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.2; done"]
`

// TestKubernetesStory is a day of an agent in a cluster, as it and the others see it.
func TestKubernetesStory(t *testing.T) {
	s := newKubeStory(t)
	s.lab.Kubectl(t, "-n", s.namespace, "create", "secret", "generic", "db", "--from-literal=password=hunter2")
	mark := s.lab.Mark(t)

	if out := s.must("", "get", "secret", "db", "-o", "jsonpath={.data.password}"); out != "Kioq" {
		t.Errorf("the Secret shows %q", out)
	}
	s.must(storyApp, "apply", "-f", "-")
	s.must("", "rollout", "status", "deployment/web", "--timeout=60s")
	pod := strings.TrimSpace(s.must("", "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}"))

	s.follows("logs -f", s.kubectl("", "logs", "-f", pod), "tick 3")
	if out, err := s.run("", "delete", "deployment", "web"); err == nil || !strings.Contains(out, "Nothing is deleted here (policy no-delete") {
		t.Errorf("delete: %v: %s", err, out)
	}
	s.shells(pod)
	s.copies(pod)
	s.forwards(pod)
	s.scales()
	s.watchIsCut()
	s.auditShowsAda(mark)
}

// follows waits until a command shows a text, and ends it.
func (s *kubeStory) follows(what string, cmd *exec.Cmd, text string) {
	s.t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var seen []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(seen, []byte(text)) {
		n, err := out.Read(buf)
		if seen = append(seen, buf[:n]...); err != nil {
			s.t.Fatalf("%s: %v: %s%s", what, err, seen, stderr.String())
		}
	}
}

// shells works in a terminal by either protocol, and replays what was seen.
func (s *kubeStory) shells(pod string) {
	s.t.Helper()
	for _, spdy := range []bool{false, true} {
		cmd := s.kubectl("", "exec", "-it", pod, "--", "sh")
		if spdy {
			cmd = kubetest.WithoutWebSockets(cmd)
		}
		term := kubetest.StartTerminal(s.t, cmd, 33, 99)
		term.Type(s.t, "stty size; echo mail ann@example.com\r")
		term.Await(s.t, "33 99")
		term.Resize(s.t, 44, 120)
		term.Type(s.t, "sleep 0.3; stty size; exit 7\r")
		term.Await(s.t, "44 120")
		var exit *exec.ExitError
		if err := term.Wait(s.t); !errors.As(err, &exit) || exit.ExitCode() != 7 {
			s.t.Errorf("exec ended with %v", err)
		}
		if strings.Contains(strings.ReplaceAll(term.Shown(), "echo mail ann@example.com", ""), "ann@example.com") {
			s.t.Errorf("the terminal shows an address: %q", term.Shown())
		}
	}
	session := s.session()
	var cast string
	s.eventually(func() error {
		out, err := s.Writ(s.t.Context(), s.Administrator(), "sessions", "replay", session, "--format", "asciicast")
		if err == nil && !strings.Contains(out, "44 120") {
			err = fmt.Errorf("replay: %s", out)
		}
		cast = out
		return err
	})
	var header struct{ Version, Width, Height int }
	line, _, _ := strings.Cut(cast, "\n")
	if err := json.Unmarshal([]byte(line), &header); err != nil || header.Version != 2 || header.Width != 99 || header.Height != 33 {
		s.t.Errorf("header %s: %v", line, err)
	}
	if !strings.Contains(cast, `"r", "120x44"`) && !strings.Contains(cast, `"r","120x44"`) {
		s.t.Errorf("no resize in %s", cast)
	}
}

// session is the id of the agent's session at the edge.
func (s *kubeStory) session() string {
	s.t.Helper()
	id := regexp.MustCompile(`ses-[0-9a-z]{26}`).FindString(s.writ(s.Administrator(), "sessions", "list", "--output", "json"))
	if id == "" {
		s.t.Fatal("no session")
	}
	return id
}

func (s *kubeStory) eventually(check func() error) {
	s.t.Helper()
	var err error
	for range 100 {
		if err = check(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatal(err)
}

func (s *kubeStory) copies(pod string) {
	s.t.Helper()
	dir := s.t.TempDir()
	text := strings.Repeat("a line of a file\n", 100_000)
	if err := os.WriteFile(dir+"/a", []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.must("", "cp", dir+"/a", pod+":"+dir+"/b")
	s.must("", "cp", pod+":"+dir+"/b", dir+"/c")
	if back, err := os.ReadFile(dir + "/c"); err != nil || string(back) != text {
		s.t.Errorf("%d bytes came back: %v", len(back), err)
	}
}

func (s *kubeStory) forwards(pod string) {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(conn, "hello from the pod")
			conn.Close()
		}
	}()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	local := free.Addr().(*net.TCPAddr).Port
	free.Close()
	ctx, cancel := context.WithCancel(s.t.Context())
	cmd := s.kubectl("", "port-forward", "pod/"+pod, fmt.Sprintf("%d:%d", local, l.Addr().(*net.TCPAddr).Port))
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	s.eventually(func() error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", local))
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		buf := make([]byte, 64)
		n, err := conn.Read(buf)
		if got := string(buf[:n]); got != "hello from the pod" {
			return fmt.Errorf("got %q: %v", got, err)
		}
		return nil
	})
}

// scales is held, shown with its diff, approved, and done.
func (s *kubeStory) scales() {
	s.t.Helper()
	done := make(chan string, 1)
	go func() {
		out, err := s.run("", "scale", "deployment/web", "--replicas=3")
		done <- fmt.Sprint(out, err)
	}()
	var hold string
	s.eventually(func() error {
		hold = regexp.MustCompile(`hold-[0-9a-z]+`).FindString(s.writ(s.sre, "list", "--output", "json"))
		if hold == "" {
			return fmt.Errorf("nothing is held")
		}
		return nil
	})
	if shown := s.writ(s.sre, "show", hold); !strings.Contains(shown, "+  replicas: 3") || !strings.Contains(shown, "-  replicas: 1") {
		s.t.Errorf("the approver sees:\n%s", shown)
	}
	s.writ(s.sre, "approve", hold, "--yes")
	if out := <-done; !strings.Contains(out, "scaled") || !strings.Contains(out, hold+" was approved") {
		s.t.Errorf("kubectl scale: %s", out)
	}
	if n := s.lab.Kubectl(s.t, "-n", s.namespace, "get", "deployment", "web", "-o", "jsonpath={.spec.replicas}"); n != "3" {
		s.t.Errorf("%s replicas", n)
	}
}

// watchIsCut by a new policy, which says so.
func (s *kubeStory) watchIsCut() {
	s.t.Helper()
	cmd := s.kubectl("", "get", "pods", "-w")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	time.Sleep(2 * time.Second) // it lists, then watches
	s.writ(s.Administrator(), "policy", "push", s.writePolicy(`
@id("no-watch") @reason("No watching after hours") forbid (principal, action == Action::"k8s:watch", resource);
`), "-m", "no watching")
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		s.t.Fatal("the watch goes on")
	}
	if !strings.Contains(out.String(), "No watching after hours") {
		s.t.Errorf("kubectl get -w: %s", out.String())
	}
}

// auditShowsAda finds the agent's name, and nobody else's, on what the edge asked.
func (s *kubeStory) auditShowsAda(mark kubetest.Mark) {
	s.t.Helper()
	seen := map[string]bool{}
	for _, e := range s.lab.AuditSince(s.t, mark) {
		if e.User.Username != "system:serviceaccount:writ:writ-edge" {
			continue
		}
		if e.Actor() != "writ:ada@example.com" || len(e.ImpersonatedUser.Extra["writ.dev/session"]) != 1 {
			s.t.Errorf("%s", e)
		}
		seen[e.Verb+" "+e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource] = true
		if strings.HasPrefix(e.Verb, "delete") {
			s.t.Errorf("a refused delete arrived: %s", e)
		}
	}
	for _, want := range []string{"get secrets/", "patch deployments/scale", "get pods/log", "watch pods/", "get pods/exec", "create pods/exec"} {
		if !seen[want] {
			s.t.Errorf("the cluster's audit log shows no %s: %v", want, seen)
		}
	}
}
