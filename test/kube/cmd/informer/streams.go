package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/util/exec"
)

// worker is the pod that the streams are of.
const worker = "worker"

// logs starts the worker and reads what it prints, once it has and while it does.
func logs(ctx context.Context, c *clients) (any, error) {
	pods := c.typed.CoreV1().Pods(c.namespace)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: worker}, Spec: podSpec("echo hello; i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.2; done")}
	if _, err := pods.Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	if err := await(ctx, "the worker", func() (bool, error) {
		is, err := pods.Get(ctx, worker, metav1.GetOptions{})
		return err == nil && is.Status.Phase == corev1.PodRunning, err
	}); err != nil {
		return nil, err
	}
	follow, err := pods.GetLogs(worker, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer follow.Close()
	var seen []string
	for lines := bufio.NewScanner(follow); len(seen) < 4 && lines.Scan(); {
		seen = append(seen, lines.Text())
	}
	few := int64(12)
	start, err := pods.GetLogs(worker, &corev1.PodLogOptions{LimitBytes: &few}).DoRaw(ctx)
	return append(seen, string(start)), err
}

// fallsBack is when client-go's own programs try the second protocol.
func fallsBack(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}

func (c *clients) subresource(name string, options *corev1.PodExecOptions) *url.URL {
	r := c.typed.CoreV1().RESTClient().Post().Resource("pods").Name(worker).Namespace(c.namespace).SubResource(name)
	if options != nil {
		r = r.VersionedParams(options, scheme.ParameterCodec)
	}
	return r.URL()
}

// executors gives client-go's three ways to run a command.
func (c *clients) executors(u *url.URL) (map[string]remotecommand.Executor, error) {
	ws, err := remotecommand.NewWebSocketExecutor(c.config, http.MethodGet, u.String())
	if err != nil {
		return nil, err
	}
	old, err := remotecommand.NewSPDYExecutor(c.config, http.MethodPost, u)
	if err != nil {
		return nil, err
	}
	either, err := remotecommand.NewFallbackExecutor(ws, old, fallsBack)
	return map[string]remotecommand.Executor{"websocket": ws, "spdy": old, "either": either}, err
}

// execute runs commands with input, both outputs, an exit code, and a terminal.
func execute(ctx context.Context, c *clients) (any, error) {
	saw := map[string]string{}
	piped := c.subresource("exec", &corev1.PodExecOptions{
		Command: []string{"sh", "-c", "cat; echo problem >&2; exit 3"}, Stdin: true, Stdout: true, Stderr: true,
	})
	executors, err := c.executors(piped)
	if err != nil {
		return nil, err
	}
	for name, e := range executors {
		var out, problems bytes.Buffer
		err := e.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: strings.NewReader("what goes in\n"), Stdout: &out, Stderr: &problems})
		var code exec.CodeExitError
		if !errors.As(err, &code) {
			return nil, fmt.Errorf("%s: no exit code: %w", name, errorOr(err))
		}
		saw[name] = fmt.Sprintf("%d %q %q", code.Code, out.String(), problems.String())
	}
	terminal := c.subresource("exec", &corev1.PodExecOptions{Command: []string{"sh", "-c", "read x; stty size; exit 0"}, Stdin: true, Stdout: true, TTY: true})
	if executors, err = c.executors(terminal); err != nil {
		return nil, err
	}
	for name, e := range executors {
		var out bytes.Buffer
		in, typed := io.Pipe()
		sizes := &size{typed: typed, at: remotecommand.TerminalSize{Width: 99, Height: 33}}
		if err := e.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: in, Stdout: &out, Tty: true, TerminalSizeQueue: sizes}); err != nil {
			return nil, fmt.Errorf("terminal by %s: %w", name, err)
		}
		if !strings.Contains(out.String(), "33 99") {
			return nil, fmt.Errorf("terminal by %s shows %q", name, out.String())
		}
	}
	return saw, nil
}

// size is a terminal that has one size, after which its person types.
type size struct {
	at    remotecommand.TerminalSize
	typed *io.PipeWriter
	calls int
}

func (s *size) Next() *remotecommand.TerminalSize {
	if s.calls++; s.calls == 1 {
		return &s.at
	}
	go func() { _, _ = io.WriteString(s.typed, "\n") }()
	return nil
}

// forward speaks with a port of the worker, which shares this machine's, twice by each protocol.
func forward(ctx context.Context, c *clients) (any, error) {
	port, stop, err := greet()
	if err != nil {
		return nil, err
	}
	defer stop()
	u := c.subresource("portforward", nil)
	ws, err := portforward.NewSPDYOverWebsocketDialer(u, c.config)
	if err != nil {
		return nil, err
	}
	round, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, err
	}
	old := spdy.NewDialer(upgrader, &http.Client{Transport: round}, http.MethodPost, u)
	saw := map[string]string{}
	for name, d := range map[string]httpstream.Dialer{"websocket": ws, "spdy": old, "either": portforward.NewFallbackDialer(ws, old, fallsBack)} {
		if saw[name], err = through(ctx, d, port); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return saw, nil
}

// greet serves on a port of this machine: it reads a line and answers.
func greet() (port int, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				line, _ := bufio.NewReader(conn).ReadString('\n')
				fmt.Fprintf(conn, "heard %s", line)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, l.Close, nil
}

func through(ctx context.Context, d httpstream.Dialer, port int) (string, error) {
	stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var problems bytes.Buffer
	f, err := portforward.New(d, []string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, &problems)
	if err != nil {
		return "", err
	}
	go func() { ended <- f.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		return "", fmt.Errorf("it ended: %w", errorOr(err))
	case <-ctx.Done():
		return "", ctx.Err()
	}
	ports, err := f.GetPorts()
	var heard string
	for i := 0; i < 2 && err == nil; i++ {
		var more string
		more, err = say(ctx, ports[0].Local, fmt.Sprintf("call %d\n", i))
		heard += more
	}
	close(stop)
	return heard, errors.Join(err, <-ended)
}

func say(ctx context.Context, port uint16, line string) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, line); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// events tells of the worker twice, which is one event that is counted.
func events(ctx context.Context, c *clients) (any, error) {
	pod, err := c.typed.CoreV1().Pods(c.namespace).Get(ctx, worker, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	b := record.NewBroadcaster(record.WithContext(ctx))
	defer b.Shutdown()
	b.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: c.typed.CoreV1().Events(c.namespace)})
	r := b.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "informer"})
	for range 2 {
		r.Event(pod, corev1.EventTypeNormal, "Seen", "the worker was seen")
	}
	var saw string
	err = await(ctx, "the event, twice", func() (bool, error) {
		list, err := c.typed.CoreV1().Events(c.namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=Seen,involvedObject.name=" + worker})
		if err != nil || len(list.Items) != 1 || list.Items[0].Count != 2 {
			return false, err
		}
		saw = list.Items[0].Message
		return true, nil
	})
	return saw, err
}

// evict takes the worker away by its eviction.
func evict(ctx context.Context, c *clients) (any, error) {
	pods := c.typed.CoreV1().Pods(c.namespace)
	if err := pods.EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: worker, Namespace: c.namespace}}); err != nil {
		return nil, err
	}
	return "evicted", await(ctx, "the end of the worker", func() (bool, error) {
		_, err := pods.Get(ctx, worker, metav1.GetOptions{})
		if err == nil {
			return false, nil
		}
		_, err = fails(err, metav1.StatusReasonNotFound)
		return err == nil, err
	})
}
