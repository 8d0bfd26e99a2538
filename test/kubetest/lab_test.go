package kubetest

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const talker = `
apiVersion: v1
kind: Secret
metadata: {name: access}
stringData: {password: correct-horse}
---
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  containers:
  - name: main
    image: none
    command: [sh, -c, 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done']
    env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: access, key: password}}}]
  - name: echo
    image: none
    stdin: true
    command: [sh, -c, 'while read x; do echo got $x; done']
`

// start makes the pod in a namespace of its own.
func start(t *testing.T) (*Lab, string) {
	t.Helper()
	l := cluster.Lab(t)
	ns := l.Namespace(t, "story")
	l.kubectl(t, talker, "-n", ns, "apply", "-f", "-")
	l.Kubectl(t, "-n", ns, "wait", "--for=condition=Ready", "pod/talker", "--timeout=30s")
	return l, ns
}

// each runs a test with every kubectl of the machine, and with SPDY instead of WebSockets with the newest.
func each(t *testing.T, l *Lab, test func(t *testing.T, command func(args ...string) *exec.Cmd)) {
	for _, k := range l.Kubectls() {
		name := k.Version
		if name == "" {
			name = "newest"
			t.Run("newest without WebSockets", func(t *testing.T) {
				test(t, func(args ...string) *exec.Cmd {
					return WithoutWebSockets(k.Command(t.Context(), l.Kubeconfig, args...))
				})
			})
		}
		t.Run(name, func(t *testing.T) {
			test(t, func(args ...string) *exec.Cmd { return k.Command(t.Context(), l.Kubeconfig, args...) })
		})
	}
}

func TestExec(t *testing.T) {
	l, ns := start(t)
	each(t, l, func(t *testing.T, command func(args ...string) *exec.Cmd) {
		cmd := command("-n", ns, "exec", "-i", "talker", "-c", "main", "--", "sh", "-c", `cat; echo "$PASSWORD"; echo wrong >&2; exit 7`)
		var stdout, stderr bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("typed\n"), &stdout, &stderr
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != 7 || stdout.String() != "typed\ncorrect-horse\n" || !strings.HasPrefix(stderr.String(), "wrong\n") {
			t.Fatalf("%v, %q, %q", err, stdout.String(), stderr.String())
		}
	})
}

func TestExecInTerminal(t *testing.T) {
	l, ns := start(t)
	each(t, l, func(t *testing.T, command func(args ...string) *exec.Cmd) {
		const program = `stty size; while [ "$(stty size)" = "33 99" ]; do sleep 0.05; done; stty size; read x; echo heard $x`
		tty := StartTerminal(t, command("-n", ns, "exec", "-it", "talker", "-c", "main", "--", "sh", "-c", program), 33, 99)
		tty.Await(t, "33 99\r\n")
		tty.Resize(t, 44, 111)
		tty.Await(t, "44 111\r\n")
		tty.Type(t, "hello\r")
		tty.Await(t, "heard hello\r\n")
		if err := tty.Wait(t); err != nil {
			t.Fatalf("%v: %q", err, tty.Shown())
		}
	})
}

func TestAttach(t *testing.T) {
	l, ns := start(t)
	each(t, l, func(t *testing.T, command func(args ...string) *exec.Cmd) {
		cmd := command("-n", ns, "attach", "-i", "talker", "-c", "echo")
		cmd.Stdin = strings.NewReader("one\n")
		if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "got one\n") {
			t.Fatalf("%v, %q", err, out)
		}
	})
}

func TestLogs(t *testing.T) {
	l, ns := start(t)
	each(t, l, func(t *testing.T, command func(args ...string) *exec.Cmd) {
		lines := follow(t, command("-n", ns, "logs", "-f", "--tail=1", "talker", "-c", "main"))
		for range 3 {
			if line := <-lines; !strings.HasPrefix(line, "line ") {
				t.Fatalf("%q", line)
			}
		}
	})
	if got := l.Kubectl(t, "-n", ns, "logs", "talker", "-c", "main", "--limit-bytes=6"); got != "line 1" {
		t.Fatalf("%q", got)
	}
}

func TestWatch(t *testing.T) {
	l, ns := start(t)
	k, err := l.FindKubectl("")
	if err != nil {
		t.Fatal(err)
	}
	events := follow(t, k.Command(t.Context(), l.Kubeconfig, "-n", ns, "get", "configmaps", "-w", "--output-watch-events", "--field-selector=metadata.name=seen"))
	l.Kubectl(t, "-n", ns, "create", "configmap", "seen")
	l.Kubectl(t, "-n", ns, "delete", "configmap", "seen")
	for _, want := range []string{"EVENT", "ADDED", "DELETED"} {
		if got := <-events; !strings.HasPrefix(got, want) {
			t.Fatalf("%q, want %s", got, want)
		}
	}
}

func TestCopy(t *testing.T) {
	l, ns := start(t)
	dir := t.TempDir()
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if err := os.WriteFile(dir+"/there", want, 0o600); err != nil {
		t.Fatal(err)
	}
	each(t, l, func(t *testing.T, command func(args ...string) *exec.Cmd) {
		for _, args := range [][]string{{"cp", dir + "/there", ns + "/talker:file"}, {"cp", ns + "/talker:file", dir + "/back"}} {
			if out, err := command(args...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		if got, err := os.ReadFile(dir + "/back"); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v, %d bytes of %d", err, len(got), len(want))
		}
	})
}

func TestPortForward(t *testing.T) {
	l, ns := start(t)
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "from the pod") })}
	go server.Serve(target)
	defer server.Close()
	_, port, _ := net.SplitHostPort(target.Addr().String())
	each(t, l, func(t *testing.T, command func(args ...string) *exec.Cmd) {
		said := <-follow(t, command("-n", ns, "port-forward", "pod/talker", ":"+port))
		var local int
		if _, err := fmt.Sscanf(said, "Forwarding from 127.0.0.1:%d", &local); err != nil {
			t.Fatalf("%q: %v", said, err)
		}
		for range 2 {
			resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", local))
			if err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			_, err = body.ReadFrom(resp.Body)
			resp.Body.Close()
			if err != nil || body.String() != "from the pod" {
				t.Fatalf("%v, %q", err, body.String())
			}
		}
	})
}

// Controllers and the scheduler do their work, and namespaces go away.
func TestControllers(t *testing.T) {
	l := cluster.Lab(t)
	ns := l.Namespace(t, "controllers")
	l.Kubectl(t, "-n", ns, "create", "deployment", "web", "--image=none", "--replicas=2")
	l.Kubectl(t, "-n", ns, "rollout", "status", "deployment/web", "--timeout=60s")
	l.Kubectl(t, "-n", ns, "scale", "deployment/web", "--replicas=3")
	l.Kubectl(t, "-n", ns, "rollout", "status", "deployment/web", "--timeout=60s")
	l.Kubectl(t, "-n", ns, "create", "job", "once", "--image=none", "--", "sh", "-c", "echo done")
	l.Kubectl(t, "-n", ns, "wait", "--for=condition=Complete", "job/once", "--timeout=60s")
	if got := l.Kubectl(t, "-n", ns, "logs", "job/once"); got != "done\n" {
		t.Fatalf("%q", got)
	}
	l.Kubectl(t, "delete", "namespace", ns, "--timeout=60s")
}

// A container that ends runs again as its pod says, and its log has what it wrote, however long the lines.
func TestRestarts(t *testing.T) {
	l := cluster.Lab(t)
	ns := l.Namespace(t, "restarts")
	l.kubectl(t, `
apiVersion: v1
kind: Pod
metadata: {name: again}
spec:
  containers:
  - {name: main, image: none, command: [sh, -c, 'printf "%020000d\nrest" 0; exit 3']}
---
apiVersion: v1
kind: Pod
metadata: {name: never}
spec:
  restartPolicy: Never
  containers:
  - {name: main, image: none, command: [sh, -c, 'kill -9 $$']}
---
apiVersion: v1
kind: Pod
metadata: {name: missing}
spec:
  restartPolicy: Never
  containers:
  - {name: main, image: none, command: [no-such-program]}
`, "-n", ns, "apply", "-f", "-")
	l.Kubectl(t, "-n", ns, "wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/again", "--timeout=60s")
	want := strings.Repeat("0", 20000) + "\nrest"
	if got := l.Kubectl(t, "-n", ns, "logs", "again"); !strings.HasPrefix(got, want) {
		t.Errorf("%d bytes of a log", len(got))
	}
	for pod, code := range map[string]string{"never": "137", "missing": "128"} {
		l.Kubectl(t, "-n", ns, "wait", "--for=jsonpath={.status.phase}=Failed", "pod/"+pod, "--timeout=60s")
		if got := l.Kubectl(t, "-n", ns, "get", "pod", pod, "-o", "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}"); got != code {
			t.Errorf("%s: %s", pod, got)
		}
	}
}

// A pod's terminal is that of the client who is attached, and an ephemeral container runs beside the others.
func TestRunAndDebug(t *testing.T) {
	l, ns := start(t)
	k, err := l.FindKubectl("")
	if err != nil {
		t.Fatal(err)
	}
	tty := StartTerminal(t, k.Command(t.Context(), l.Kubeconfig, "-n", ns, "run", "-it", "--rm", "--restart=Never", "one", "--image=none", "--command",
		"--", "sh", "-c", "read x; echo heard $x"), 24, 80)
	tty.Await(t, "try pressing enter")
	tty.Type(t, "hello\r")
	tty.Await(t, "heard hello\r\n")
	if err := tty.Wait(t); err != nil {
		t.Errorf("%v: %q", err, tty.Shown())
	}
	debug := k.Command(t.Context(), l.Kubeconfig, "-n", ns, "debug", "talker", "--image=none", "-c", "look", "--profile=general", "--", "sh", "-c", "echo from beside; sleep infinity")
	if out, err := debug.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l.Kubectl(t, "-n", ns, "wait", "--for=jsonpath={.status.ephemeralContainerStatuses[0].state.running}", "pod/talker", "--timeout=60s")
	if got := l.Kubectl(t, "-n", ns, "logs", "talker", "-c", "look"); got != "from beside\n" {
		t.Errorf("%q", got)
	}
}

// follow gives the lines of a command's output until the test ends.
func follow(t *testing.T, cmd *exec.Cmd) <-chan string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			select {
			case lines <- scan.Text():
			case <-t.Context().Done():
				return
			}
		}
	}()
	return lines
}
