package kubernetes

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/test/kubetest"
)

// echo is a server that answers what it gets, and returns its port.
func echo(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); _, _ = io.Copy(conn, conn) }()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// forwarding is a kubectl port-forward through the edge.
type forwarding struct {
	addr   string
	stderr *strings.Builder
	ended  chan struct{}
}

func (b *bed) forward(k kubetest.Kubectl, spdy bool, ns string, port int) *forwarding {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := k.Command(ctx, b.kubeconfig(), "-n", ns, "port-forward", "pod/shell", fmt.Sprintf(":%d", port))
	if spdy {
		cmd = kubetest.WithoutWebSockets(cmd)
	}
	f := &forwarding{stderr: &strings.Builder{}, ended: make(chan struct{})}
	cmd.Stderr = f.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cancel(); <-f.ended })
	line, _ := bufio.NewReader(out).ReadString('\n')
	go func(cmd *exec.Cmd) { defer close(f.ended); _ = cmd.Wait() }(cmd)
	if m := regexp.MustCompile(`127\.0\.0\.1:[0-9]+`).FindString(line); m != "" {
		f.addr = m
	}
	return f
}

// say sends a text through and returns what comes back.
func (f *forwarding) say(t testing.TB, text string) string {
	t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(15 * time.Second))
	fmt.Fprint(conn, text)
	_ = conn.(*net.TCPConn).CloseWrite()
	back, _ := io.ReadAll(conn)
	return string(back)
}

func TestPortForward(t *testing.T) {
	b := newBed(t)
	ns := b.running()
	open, shut := echo(t), echo(t)
	b.Policies.Set(t, fmt.Sprintf(`
@id("all") permit (principal, action in [Action::"session:open", Action::"k8s:read", Action::"k8s:exec"], resource);
@id("port") permit (principal, action == Action::"k8s:port_forward", resource) when { context.ports_known && context.ports.contains(%d) };
`, open))
	for _, k := range b.lab.Kubectls() {
		if k.Version != "" && k.Version != "1.28" && k.Version != "1.33" {
			continue
		}
		for _, spdy := range []bool{false, true} {
			t.Run(fmt.Sprintf("kubectl %s spdy=%t", k.Version, spdy), func(t *testing.T) {
				mark := b.lab.Mark(t)
				f := b.forward(k, spdy, ns, open)
				if f.addr == "" {
					t.Fatalf("kubectl: %s", f.stderr)
				}
				for _, text := range []string{"hello", strings.Repeat("x", 300_000)} {
					if got := f.say(t, text); got != text {
						t.Errorf("%d bytes of %d came back", len(got), len(text))
					}
				}
				b.lab.AwaitAudit(t, mark, "a port-forward as ada", func(e kubetest.AuditEvent) bool {
					return e.ObjectRef.Subresource == "portforward" && e.Actor() == "writ:ada"
				})
				mark = b.lab.Mark(t)
				g := b.forward(k, spdy, ns, shut)
				if g.addr != "" {
					if got := g.say(t, "hello"); got != "" {
						t.Errorf("a port that is not permitted answered %q", got)
					}
				}
				for _, e := range b.lab.AuditSince(t, mark) {
					if e.ObjectRef.Subresource == "portforward" {
						t.Errorf("the API server saw %s", e)
					}
				}
			})
		}
	}
	r := b.Records.Await(t, audit.KindOutcome, func(r audit.Record) bool { return r.Bytes == 300_000 })
	if r.CommandTag != "closed" || len(r.Attrs) != 2 {
		t.Errorf("outcome: %+v", r)
	}
	if refused := b.Records.Of(audit.KindRefusal); len(refused) == 0 || !strings.Contains(refused[0].Statement, fmt.Sprint(shut)) {
		t.Errorf("refusals: %+v", refused)
	}
	b.Policies.Set(t, `@id("read") permit (principal, action in [Action::"session:open", Action::"k8s:read"], resource);`)
	f := b.forward(b.lab.Kubectls()[0], false, ns, open)
	<-f.ended
	if f.addr != "" || !strings.Contains(f.stderr.String(), "no policy permits") {
		t.Errorf("where no port is permitted, kubectl says %q", f.stderr)
	}
}

func TestCopy(t *testing.T) {
	b := newBed(t)
	ns := b.running()
	b.Policies.Set(t, `@id("copy") permit (principal, action in [Action::"session:open", Action::"k8s:read", Action::"k8s:copy_out", Action::"k8s:copy_in"], resource);`)
	dir := t.TempDir()
	text := strings.Repeat("line of a file\n", 200_000)
	write(t, dir+"/a", text)
	if out, err := b.kubectl("", "-n", ns, "cp", dir+"/a", "shell:"+dir+"/b"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := b.kubectl("", "-n", ns, "cp", "shell:"+dir+"/b", dir+"/c"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if read(t, dir+"/c") != text {
		t.Error("the file is another")
	}
	for _, command := range [][]string{
		{"id"}, {"tar", "cf", "-", "--to-command=id", "x"}, {"tar", "cf", "-", "-Iid"}, {"tar", "-xmf", "-", "--to-command=id"},
		{"tar", "-xmf", "-", "-C", "--checkpoint-action=exec=id"}, {"sh", "-c", "tar cf - /etc"},
	} {
		mark := b.lab.Mark(t)
		if out, err := b.kubectl("", append([]string{"-n", ns, "exec", "-i", "shell", "--"}, command...)...); err == nil {
			t.Errorf("%q: %s", command, out)
		}
		for _, e := range b.lab.AuditSince(t, mark) {
			if e.ObjectRef.Subresource == "exec" {
				t.Errorf("%q: the API server saw %s", command, e)
			}
		}
	}
}
