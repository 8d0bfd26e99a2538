package stream_test

import (
	"bufio"
	"context"
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
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// process is what runs at the target: the far ends of its streams.
type process struct {
	request        *http.Request
	stdin, resize  io.Reader
	stdout, stderr io.Writer
	status         io.Writer
	closed         <-chan struct{} // the connection is gone
	pong           <-chan struct{}
	ping           func() error
}

const success = `{"metadata":{},"status":"Success"}`

func exitCode(code string) string {
	return `{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: ` + code +
		`","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"` + code + `"}]}}`
}

// cluster stands for an API server with its kubelets. It speaks through the libraries that those use.
type cluster struct {
	*httptest.Server
	main func(*process)

	mu     sync.Mutex
	begun  int // upgrades
	conns  int
	active sync.WaitGroup
}

func newCluster(t testing.TB, main func(*process)) *cluster {
	c := &cluster{main: main}
	c.Server = httptest.NewServer(c)
	t.Cleanup(func() { c.active.Wait(); c.Close() })
	return c
}

// refusing returns a cluster that answers with h.
func refusing(t testing.TB, h http.HandlerFunc) *cluster {
	c := &cluster{Server: httptest.NewServer(h)}
	t.Cleanup(c.Close)
	return c
}

func (c *cluster) upstream(r *http.Request) stream.Upstream {
	return stream.Upstream{
		Dial: func(ctx context.Context) (net.Conn, error) {
			c.mu.Lock()
			c.conns++
			c.mu.Unlock()
			var d net.Dialer
			return d.DialContext(ctx, "tcp", c.Listener.Addr().String())
		},
		Host: "cluster.test", URI: r.URL.RequestURI(), Method: r.Method,
		Header: http.Header{"Authorization": {"Bearer gateway"}, "Impersonate-User": {"writ:alice"}},
	}
}

func (c *cluster) dialled() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conns
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.begun++
	c.mu.Unlock()
	c.active.Add(1)
	defer c.active.Done()
	switch r.Header.Get("Upgrade") {
	case "SPDY/3.1":
		c.serveSPDY(w, r)
	case "websocket":
		c.serveWebSocket(w, r)
	default:
		http.Error(w, "no upgrade", http.StatusBadRequest)
	}
}

// wanted has the streams of a request besides that of errors.
func wanted(q url.Values) []string {
	names := []string{}
	for _, name := range []string{"stdin", "stdout", "stderr"} {
		if q.Get(name) == "true" && (name != "stderr" || q.Get("tty") != "true") {
			names = append(names, name)
		}
	}
	if q.Get("tty") == "true" {
		names = append(names, "resize")
	}
	return names
}

// hijacked upgrades to SPDY.
func hijacked(w http.ResponseWriter, protocol string) (net.Conn, error) {
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "SPDY/3.1")
	w.Header().Set("X-Stream-Protocol-Version", protocol)
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	return &buffered{Conn: conn, r: rw.Reader}, nil
}

type buffered struct {
	net.Conn
	r *bufio.Reader
}

func (b *buffered) Read(p []byte) (int, error) { return b.r.Read(p) }

func (c *cluster) serveSPDY(w http.ResponseWriter, r *http.Request) {
	if r.Header.Values("X-Stream-Protocol-Version") == nil {
		http.Error(w, "no protocol", http.StatusForbidden)
		return
	}
	conn, err := hijacked(w, "v4.channel.k8s.io")
	if err != nil {
		return
	}
	defer conn.Close()
	spdy, err := spdystream.NewConnection(conn, true)
	if err != nil {
		return
	}
	arrived := make(chan *spdystream.Stream)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		spdy.Serve(func(s *spdystream.Stream) {
			_ = s.SendReply(http.Header{}, false)
			arrived <- s
		})
	}()
	streams := map[string]*spdystream.Stream{}
	for range len(wanted(r.URL.Query())) + 1 {
		select {
		case s := <-arrived:
			streams[s.Headers().Get("streamtype")] = s
		case <-gone:
			return
		}
	}
	p := &process{request: r, closed: gone, ping: func() error { _, err := spdy.Ping(); return err }}
	p.status = streams["error"]
	for name, s := range streams {
		switch name {
		case "stdin":
			p.stdin = s
		case "stdout":
			p.stdout = s
		case "stderr":
			p.stderr = s
		case "resize":
			p.resize = s
		}
	}
	c.main(p)
	for _, s := range streams {
		_ = s.Reset()
	}
	_ = spdy.Close()
	<-gone
}

var upgrader = websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io", "v4.channel.k8s.io"}}

// socket multiplexes channels over a WebSocket, as kubectl and the kubelet do.
type socket struct {
	ws   *websocket.Conn
	mu   sync.Mutex
	in   map[byte]*io.PipeWriter
	gone chan struct{}
	pong chan struct{}
	err  error
}

func newSocket(ws *websocket.Conn) *socket {
	s := &socket{ws: ws, in: map[byte]*io.PipeWriter{}, gone: make(chan struct{}), pong: make(chan struct{}, 1)}
	ws.SetPongHandler(func(string) error { s.pong <- struct{}{}; return nil })
	return s
}

func (s *socket) reader(channel byte) io.Reader {
	r, w := io.Pipe()
	s.in[channel] = w
	return r
}

type channelWriter struct {
	s       *socket
	channel byte
}

func (w channelWriter) Write(p []byte) (int, error) {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if err := w.s.ws.WriteMessage(websocket.BinaryMessage, append([]byte{w.channel}, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close half-closes a channel, in v5.
func (w channelWriter) Close() error {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.ws.WriteMessage(websocket.BinaryMessage, []byte{255, w.channel})
}

func (s *socket) run() {
	defer close(s.gone)
	for {
		kind, p, err := s.ws.ReadMessage()
		if err == nil && (kind != websocket.BinaryMessage || len(p) == 0) {
			err = errors.New("a message that is none")
		}
		if err != nil {
			s.err = err
			if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				err = io.EOF
			}
			for _, w := range s.in {
				_ = w.CloseWithError(err)
			}
			return
		}
		if p[0] == 255 && len(p) == 2 && s.in[p[1]] != nil {
			_ = s.in[p[1]].Close()
		} else if w := s.in[p[0]]; w != nil {
			_, _ = w.Write(p[1:])
		}
	}
}

func (c *cluster) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	s := newSocket(ws)
	p := &process{request: r, closed: s.gone, status: channelWriter{s, 3}, pong: s.pong}
	p.ping = func() error { return ws.WriteControl(websocket.PingMessage, []byte("p"), time.Now().Add(patience)) }
	for _, name := range wanted(r.URL.Query()) {
		switch name {
		case "stdin":
			p.stdin = s.reader(0)
		case "stdout":
			p.stdout = channelWriter{s, 1}
		case "stderr":
			p.stderr = channelWriter{s, 2}
		case "resize":
			p.resize = s.reader(4)
		}
	}
	go s.run()
	c.main(p)
	_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(patience))
	select {
	case <-s.gone:
	case <-time.After(100 * time.Millisecond):
	}
	_ = ws.Close()
	for _, w := range s.in {
		_ = w.Close()
	}
	<-s.gone
}

// within fails the test if ch is not ready soon.
func within[T any](t testing.TB, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("%s: nothing after %v", what, patience)
		panic("unreachable")
	}
}

func readAll(t testing.TB, what string, r io.Reader) string {
	t.Helper()
	type result struct {
		b   []byte
		err error
	}
	ch := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(r)
		ch <- result{b, err}
	}()
	got := within(t, what, ch)
	if got.err != nil && !strings.Contains(got.err.Error(), "1006") {
		t.Errorf("%s: %v after %q", what, got.err, got.b)
	}
	return string(got.b)
}
