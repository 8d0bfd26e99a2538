package stream_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/moby/spdystream"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
	"github.com/writhq/writ/pkg/kubeapi"
)

// The ways in which kubectl connects.
const (
	spdyV4   = "SPDY v4"
	socketV4 = "WebSocket v4"
	socketV5 = "WebSocket v5"
)

var protocols = []string{spdyV4, socketV4, socketV5}

// everyProtocol runs a test in every protocol.
func everyProtocol(t *testing.T, test func(t *testing.T, protocol string)) {
	for _, p := range protocols {
		t.Run(p, func(t *testing.T) { test(t, p) })
	}
}

// tap records what it sees, and shows all of it.
type tap struct {
	mu            sync.Mutex
	input, output bytes.Buffer
	sizes         [][2]uint16
	onInput       func([]byte) error
	onOutput      func(string, []byte) ([]byte, error)
	onFlush       func(string) []byte
	onResize      func()
}

func (t *tap) Input(p []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.input.Write(p)
	if t.onInput != nil {
		return t.onInput(p)
	}
	return nil
}

func (t *tap) Output(name string, p []byte) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.output.Write(p)
	if t.onOutput != nil {
		return t.onOutput(name, p)
	}
	return p, nil
}

func (t *tap) Flush(name string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.onFlush != nil {
		return t.onFlush(name)
	}
	return nil
}

func (t *tap) Resize(cols, rows uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sizes = append(t.sizes, [2]uint16{cols, rows})
	if t.onResize != nil {
		t.onResize()
	}
}

func (t *tap) seen() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.input.String()
}

// outcome is what Exec returned.
type outcome struct {
	result stream.Result
	err    error
}

// gateway serves Exec in front of a cluster.
type gateway struct {
	*httptest.Server
	ended chan outcome
	cut   context.CancelCauseFunc
}

func newGateway(t testing.TB, c *cluster, tap stream.Tap, cfg stream.Config) *gateway {
	return startGateway(t, c, tap, cfg, false)
}

func startGateway(t testing.TB, c *cluster, tap stream.Tap, cfg stream.Config, secure bool) *gateway {
	ctx, cut := context.WithCancelCause(context.Background())
	g := &gateway{ended: make(chan outcome, 10), cut: cut}
	proxy := stream.New(cfg)
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		result, err := proxy.Exec(ctx, w, r, c.upstream(r), want(r.URL.Query()), tap)
		g.ended <- outcome{result, err}
	}))
	if secure {
		g.StartTLS()
	} else {
		g.Start()
	}
	t.Cleanup(func() { cut(errors.New("the test is over")); g.Close() })
	return g
}

func want(q url.Values) kubeapi.Exec {
	return kubeapi.Exec{
		Command: q["command"], Stdin: q.Get("stdin") == "true", Stdout: q.Get("stdout") == "true",
		Stderr: q.Get("stderr") == "true", TTY: q.Get("tty") == "true",
	}
}

const execPath = "/api/v1/namespaces/default/pods/web/exec?command=sh"

// client is one exec as kubectl sees it.
type client struct {
	stdin, resize  io.WriteCloser
	stdout, stderr io.Reader
	status         io.Reader
	close          func()
	ping           func() error
	pong           <-chan struct{}
	closed         <-chan struct{}
	conn           net.Conn
	ws             *websocket.Conn
}

// connect opens an exec with the streams that are named.
func (g *gateway) connect(t testing.TB, protocol string, names ...string) *client {
	t.Helper()
	uri := execPath
	for _, name := range names {
		uri += "&" + name + "=true"
	}
	if protocol == spdyV4 {
		return g.connectSPDY(t, uri)
	}
	version := "v4.channel.k8s.io"
	if protocol == socketV5 {
		version = "v5.channel.k8s.io"
	}
	return g.connectWebSocket(t, uri, version)
}

func (g *gateway) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if g.TLS != nil {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// upgrade sends a request and reads the answer.
func (g *gateway) upgrade(t testing.TB, method, uri string, header http.Header) (net.Conn, *http.Response) {
	t.Helper()
	conn := g.dial(t)
	req, err := http.NewRequest(method, "http://gateway"+uri, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		t.Fatal(err)
	}
	return &buffered{conn, r}, resp
}

func (g *gateway) connectSPDY(t testing.TB, uri string) *client {
	t.Helper()
	conn, resp := g.upgrade(t, "POST", uri, http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"},
		"X-Stream-Protocol-Version": {"v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io", "channel.k8s.io"},
	})
	if resp.StatusCode != 101 || resp.Header.Get("X-Stream-Protocol-Version") != "v4.channel.k8s.io" {
		t.Fatalf("upgrade: %v", resp)
	}
	spdy, err := spdystream.NewConnection(conn, false)
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { defer close(gone); spdy.Serve(spdystream.NoOpStreamHandler) }()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{conn: conn, closed: gone, ping: func() error { _, err := spdy.Ping(); return err }}
	var all []*spdystream.Stream
	for _, name := range append([]string{"error"}, wanted(u.Query())...) {
		s, err := spdy.CreateStream(http.Header{"streamType": {name}}, nil, false)
		if err == nil {
			err = s.WaitTimeout(patience)
		}
		if err != nil {
			t.Fatalf("stream %s: %v", name, err)
		}
		all = append(all, s)
		switch name {
		case "error":
			c.status = s
		case "stdin":
			c.stdin = s
		case "stdout":
			c.stdout = s
		case "stderr":
			c.stderr = s
		case "resize":
			c.resize = s
		}
	}
	c.close = func() {
		for _, s := range all {
			_ = s.Reset()
		}
		_ = spdy.Close()
	}
	t.Cleanup(func() { c.close(); _ = conn.Close(); <-gone })
	return c
}

func (g *gateway) connectWebSocket(t testing.TB, uri, version string) *client {
	t.Helper()
	ws, resp, err := (&websocket.Dialer{
		Subprotocols:   []string{version},
		ReadBufferSize: 33 << 10, WriteBufferSize: 33 << 10, // as kubectl
		NetDialContext: func(context.Context, string, string) (net.Conn, error) { return g.dial(t), nil },
	}).Dial("ws://gateway"+uri, nil)
	if err != nil {
		t.Fatalf("upgrade: %v, %v", err, resp)
	}
	if ws.Subprotocol() != version {
		t.Fatalf("protocol %q", ws.Subprotocol())
	}
	s := newSocket(ws)
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{conn: ws.NetConn(), ws: ws, closed: s.gone, pong: s.pong, status: s.reader(3), close: func() {
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		_ = ws.Close()
	}}
	c.ping = func() error { return ws.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(patience)) }
	for _, name := range wanted(u.Query()) {
		switch name {
		case "stdin":
			c.stdin = channelWriter{s, 0}
		case "stdout":
			c.stdout = s.reader(1)
		case "stderr":
			c.stderr = s.reader(2)
		case "resize":
			c.resize = channelWriter{s, 4}
		}
	}
	go s.run()
	t.Cleanup(func() {
		c.close()
		for _, w := range s.in {
			_ = w.CloseWithError(io.ErrClosedPipe)
		}
		<-s.gone
	})
	return c
}

func contains(t *testing.T, what, got, part string) {
	t.Helper()
	if !strings.Contains(got, part) {
		t.Errorf("%s: %q does not contain %q", what, got, part)
	}
}
