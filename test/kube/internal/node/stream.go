package node

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	remote "k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/kubelet/pkg/cri/streaming/portforward"
	streaming "k8s.io/kubelet/pkg/cri/streaming/remotecommand"
	"k8s.io/utils/exec"
)

// Limits of a streaming connection: without traffic, and until its streams are made.
const (
	idleLimit   = 4 * time.Hour
	createLimit = 30 * time.Second
)

// firstSize is how long a terminal's start waits to be told its size, so that the first program sees it.
const firstSize = 200 * time.Millisecond

// lastWords is how long one who is attached and has no more to say still hears what is answered.
const lastWords = 200 * time.Millisecond

func (n *Node) serveExec(w http.ResponseWriter, r *http.Request) {
	c := n.find(w, r)
	if c == nil {
		return
	}
	options, err := streaming.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	streaming.ServeExec(w, r, executor{c}, "", "", "", r.Form["command"], options, idleLimit, createLimit, remote.SupportedStreamingProtocols)
}

type executor struct{ container *container }

// ExecInContainer implements the Executor of the streaming library.
func (e executor) ExecInContainer(_ context.Context, _ string, _ types.UID, _ string, argv []string, in io.Reader, out, errs io.WriteCloser,
	tty bool, sizes <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	if len(argv) == 0 {
		return fmt.Errorf("no command")
	}
	s := settings{argv: argv, tty: tty, stdin: in != nil, out: writer(out), err: writer(errs)}
	if tty {
		s.size = first(sizes)
	}
	p, err := e.container.exec(s)
	if err != nil {
		return err
	}
	if tty {
		go p.resize(sizes)
	}
	if in != nil {
		go func() {
			_, _ = io.Copy(p.stdin, in)
			_ = p.stdin.Close()
		}()
	}
	if err := p.wait(func() {}); err != nil {
		return exec.CodeExitError{Err: err, Code: exitCode(err)}
	}
	return nil
}

// writer is w, or what forgets where there is none.
func writer(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// first is the size that a terminal is told of at once, or nil.
func first(sizes <-chan remotecommand.TerminalSize) *remotecommand.TerminalSize {
	select {
	case s, ok := <-sizes:
		if ok {
			return &s
		}
	case <-time.After(firstSize):
	}
	return nil
}

func (n *Node) serveAttach(w http.ResponseWriter, r *http.Request) {
	c := n.find(w, r)
	if c == nil {
		return
	}
	options, err := streaming.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	streaming.ServeAttach(w, r, attacher{c}, "", "", "", options, idleLimit, createLimit, remote.SupportedStreamingProtocols)
}

type attacher struct{ container *container }

// AttachContainer implements the Attacher of the streaming library. It ends with the container, or with the client's input where
// the container keeps its own open for the next client.
func (a attacher) AttachContainer(ctx context.Context, _ string, _ types.UID, _ string, in io.Reader, out, errs io.WriteCloser,
	_ bool, sizes <-chan remotecommand.TerminalSize,
) error {
	c := a.container
	main := c.running()
	if main == nil {
		return fmt.Errorf("container %s does not run", c.spec.Name)
	}
	defer c.output.attach(&viewer{out: writer(out), err: writer(errs)})()
	go main.resize(sizes)
	silent := make(chan struct{})
	if in != nil && main.stdin != nil {
		go func() {
			_, _ = io.Copy(main.stdin, in)
			if c.spec.StdinOnce {
				_ = main.stdin.Close()
				return
			}
			time.Sleep(lastWords)
			close(silent)
		}()
	}
	select {
	case <-main.gone:
	case <-silent:
	case <-ctx.Done():
	}
	return nil
}

func (n *Node) servePortForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, forwarder{}, "", "", options, idleLimit, createLimit, portforward.SupportedProtocols)
}

// forwarder connects to the loopback interface, which all pods here share.
type forwarder struct{}

// PortForward implements the PortForwarder of the streaming library. It ends when the pod has no more to say.
func (forwarder) PortForward(ctx context.Context, _ string, _ types.UID, port int32, client io.ReadWriteCloser) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, client)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(client, conn)
	return err
}
