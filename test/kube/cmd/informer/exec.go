package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
)

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
