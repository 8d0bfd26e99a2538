package stream_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/test/kubetest"
)

// lab is a real API server behind a gateway: streams go through this package, everything else through a reverse proxy.
type lab struct {
	*kubetest.Lab
	t          testing.TB
	front      *httptest.Server
	kubeconfig string
	namespace  string
	proxy      *stream.Proxy
	forwarder  stream.Forwarder

	mu      sync.Mutex
	cut     context.CancelCauseFunc
	ctx     context.Context
	results []outcome
}

const pods = `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: NAMESPACE}
spec: {containers: [{name: main, image: any, command: [sleep, "3600"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cat, namespace: NAMESPACE}
spec: {containers: [{name: main, image: any, command: [cat], stdin: true}]}
`

func newLab(t *testing.T) *lab {
	l := &lab{Lab: kubetest.Start(t, kubetest.Config{Users: map[string][]string{"gateway": {"system:masters"}}}), t: t, proxy: stream.New(stream.Config{})}
	l.ctx, l.cut = context.WithCancelCause(context.Background())
	l.namespace = l.Namespace(t, "streams")
	l.Apply(t, strings.ReplaceAll(pods, "NAMESPACE", l.namespace))
	l.Kubectl(t, "-n", l.namespace, "wait", "--for=condition=Ready", "pod/web", "pod/cat", "--timeout=60s")
	target, err := url.Parse(l.Server)
	if err != nil {
		t.Fatal(err)
	}
	secure := &http.Transport{TLSClientConfig: l.secure()}
	rest := &httputil.ReverseProxy{Transport: secure, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Set("Authorization", "Bearer "+l.Tokens["gateway"])
	}}
	l.front = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := kubeapi.Parse(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header)
		if err != nil || !req.Streams() {
			rest.ServeHTTP(w, r)
			return
		}
		l.stream(w, r, req)
	}))
	t.Cleanup(func() { l.cut(errors.New("the test is over")); l.front.Close(); secure.CloseIdleConnections() })
	l.kubeconfig = l.write(t)
	return l
}

func (l *lab) secure() *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(l.CAPEM)
	return &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}}
}

// write makes a kubeconfig that goes through the gateway.
func (l *lab) write(t testing.TB) string {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.front.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: g\nclusters: [{name: g, cluster: {server: %q, certificate-authority: %q}}]\n"+
		"users: [{name: g, user: {token: alice}}]\ncontexts: [{name: g, context: {cluster: g, user: g, namespace: %s}}]\n", l.front.URL, ca, l.namespace)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (l *lab) upstream(r *http.Request, req kubeapi.Request) stream.Upstream {
	address := strings.TrimPrefix(l.Server, "https://")
	return stream.Upstream{
		Dial: func(ctx context.Context) (net.Conn, error) {
			return (&tls.Dialer{Config: l.secure()}).DialContext(ctx, "tcp", address)
		},
		Host: address, URI: req.URI(), Method: r.Method, Header: http.Header{"Authorization": {"Bearer " + l.Tokens["gateway"]}},
	}
}

func (l *lab) stream(w http.ResponseWriter, r *http.Request, req kubeapi.Request) {
	l.mu.Lock()
	ctx := l.ctx
	l.mu.Unlock()
	if req.Subresource == "portforward" {
		_, err := l.proxy.PortForward(ctx, w, r, l.upstream(r, req), l.forwarder)
		l.add(outcome{err: err})
		return
	}
	tap := &tap{onOutput: func(_ string, p []byte) ([]byte, error) {
		return bytes.ReplaceAll(p, []byte("SECRET"), []byte("******")), nil
	}}
	result, err := l.proxy.Exec(ctx, w, r, l.upstream(r, req), *req.Exec, tap)
	l.add(outcome{result, err})
}

func (l *lab) add(o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.results = append(l.results, o)
}

// expire cuts what is running, and lets new streams begin.
func (l *lab) expire(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut(err)
	l.ctx, l.cut = context.WithCancelCause(context.Background())
}

// kubectl is a kubectl of one version and one way of connecting.
type kubectl struct {
	*lab
	kubetest.Kubectl
	spdy bool
}

func (k kubectl) command(stdin io.Reader, args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	cmd := k.Command(k.t.Context(), k.kubeconfig, args...)
	if k.spdy {
		cmd = kubetest.WithoutWebSockets(cmd)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	return cmd, &stdout, &stderr
}

func (k kubectl) run(t *testing.T, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd, out, errs := k.command(stdin, args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// The streams of every kubectl of this machine, in both ways, against a real API server.
func TestLab(t *testing.T) {
	l := newLab(t)
	l.forwarder = newPorts(func(_ context.Context, port uint16) error {
		if port == 22 {
			return errors.New("port 22 is denied by policy no-ssh")
		}
		return nil
	})
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "served ", r.URL.Path) }))
	defer served.Close()
	for _, program := range l.Kubectls() {
		for _, spdy := range []bool{true, false} {
			if spdy && program.Version < "1.30" && program.Version != "" {
				continue // it has no other way
			}
			k := kubectl{l, program, spdy}
			t.Run(fmt.Sprintf("kubectl %s SPDY %v", program.Version, spdy), func(t *testing.T) {
				t.Run("exec", k.testExec)
				t.Run("input", k.testInput)
				t.Run("cut", k.testCut)
				t.Run("port-forward", func(t *testing.T) { k.testForward(t, served.Listener.Addr().(*net.TCPAddr).Port) })
			})
		}
	}
	k := kubectl{l, l.Kubectls()[0], false}
	t.Run("copy", k.testCopy)
	t.Run("attach", k.testAttach)
	t.Run("refused", k.testRefused)
}

func (k kubectl) testExec(t *testing.T) {
	stdout, stderr, code := k.run(t, nil, "exec", "web", "--", "sh", "-c", "echo a SECRET; echo warning >&2; exit 3")
	if stdout != "a ******\n" || !strings.HasPrefix(stderr, "warning\n") || code != 3 {
		t.Errorf("stdout %q, stderr %q, code %d", stdout, stderr, code)
	}
	if stdout, stderr, code := k.run(t, nil, "exec", "web", "--", "true"); stdout != "" || stderr != "" || code != 0 {
		t.Errorf("stdout %q, stderr %q, code %d", stdout, stderr, code)
	}
}

func (k kubectl) testInput(t *testing.T) {
	big := make([]byte, 10<<20)
	_, _ = rand.Read(big)
	stdout, stderr, code := k.run(t, bytes.NewReader(big), "exec", "-i", "web", "--", "sha256sum")
	if want := fmt.Sprintf("%x  -\n", sha256.Sum256(big)); stdout != want || code != 0 {
		t.Errorf("stdout %q, stderr %q, code %d", stdout, stderr, code)
	}
}

// testCut ends a process that reads what the client types: its input ends with the stream. (A container runtime lets one that
// reads nothing go on, whoever closed the stream.)
func (k kubectl) testCut(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	typed, typist, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer typed.Close()
	defer typist.Close()
	cmd, _, stderr := k.command(typed, "exec", "-i", "web", "--", "sh", "-c", "echo $$ > "+file+"; echo ready; exec cat")
	cmd.Stdout = nil
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(pipe).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v, %s", line, err, stderr)
	}
	k.expire(errExpired)
	if err := cmd.Wait(); err == nil || strings.TrimSpace(stderr.String()) != "error: "+errExpired.Error() {
		t.Errorf("%v, stderr %q", err, stderr)
	}
	pid, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	process := "/proc/" + strings.TrimSpace(string(pid))
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(process); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the process goes on")
		}
	}
}

func (k kubectl) testForward(t *testing.T, port int) {
	cmd, _, stderr := k.command(nil, "port-forward", "pod/web", fmt.Sprintf(":%d", port), ":22")
	cmd.Stdout = nil
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	local := map[string]string{}
	for len(local) < 2 && lines.Scan() {
		if m := regexp.MustCompile(`(127\.0\.0\.1:\d+) -> (\d+)`).FindStringSubmatch(lines.Text()); m != nil {
			local[m[2]] = m[1]
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	for i := range 3 {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(fmt.Sprintf("http://%s/%d", local[fmt.Sprint(port)], i))
		if err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != fmt.Sprint("served /", i) {
			t.Errorf("%q, %v", body, err)
		}
		_ = resp.Body.Close()
	}
	if conn, err := net.Dial("tcp", local["22"]); err != nil {
		t.Error(err)
	} else {
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	// Newer ones give up when a port fails; the older go on.
	k.expire(errExpired)
	_ = cmd.Wait()
	contains(t, "stderr", stderr.String(), "port 22 is denied by policy no-ssh")
}

func (k kubectl) testCopy(t *testing.T) {
	big := make([]byte, 3<<20)
	_, _ = rand.Read(big)
	dir := t.TempDir()
	from, there, back := filepath.Join(dir, "from"), filepath.Join(dir, "there"), filepath.Join(dir, "back")
	if err := os.WriteFile(from, big, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"cp", from, "web:" + there}, {"cp", "web:" + there, back}} {
		if _, stderr, code := k.run(t, nil, args...); code != 0 {
			t.Fatal(stderr)
		}
	}
	if got, err := os.ReadFile(back); err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

func (k kubectl) testAttach(t *testing.T) {
	stdout, stderr, _ := k.run(t, strings.NewReader("hello SECRET\n"), "attach", "-i", "cat")
	if stdout != "hello ******\n" {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
}

// What the API server says of a pod that is not there is what kubectl says.
func (k kubectl) testRefused(t *testing.T) {
	cmd, _, stderr := k.command(nil, "exec", "none", "--", "true")
	if err := cmd.Run(); err == nil {
		t.Error("no error")
	}
	contains(t, "stderr", stderr.String(), `pods "none" not found`)
	tap := &tap{}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/api/v1/namespaces/"+k.namespace+"/pods/none/exec?command=true&stdout=true", nil)
	r.Header = offering(socketV5)
	req, err := kubeapi.Parse(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header)
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.proxy.Exec(t.Context(), w, r, k.upstream(r, req), *req.Exec, tap)
	var refused *stream.Refused
	if !errors.As(err, &refused) || refused.Code != 404 || w.Code != 404 || !strings.Contains(w.Body.String(), `pods \"none\" not found`) {
		t.Errorf("%v, %d %s", err, w.Code, w.Body)
	}
}
