package stream_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/moby/spdystream"
	"github.com/moby/spdystream/spdy"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
)

// The ways in which kubectl forwards ports.
const (
	forwardSPDY   = "SPDY"
	forwardSocket = "WebSocket"
)

func bothWays(t *testing.T, test func(t *testing.T, way string)) {
	for _, way := range []string{forwardSPDY, forwardSocket} {
		t.Run(way, func(t *testing.T) { test(t, way) })
	}
}

const forwardPath = "/api/v1/namespaces/default/pods/web/portforward"

func offeringForward(way string) http.Header {
	if way == forwardSPDY {
		return http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}, "X-Stream-Protocol-Version": {"portforward.k8s.io"}}
	}
	h := offering(socketV5)
	h["Sec-Websocket-Protocol"] = []string{"SPDY/3.1+portforward.k8s.io"}
	return h
}

// tunnelConn is a connection whose bytes are the messages of a WebSocket.
type tunnelConn struct {
	*websocket.Conn
	rest io.Reader
}

func (c *tunnelConn) Read(p []byte) (int, error) {
	for {
		if c.rest == nil {
			kind, r, err := c.NextReader()
			if err != nil {
				if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
					err = io.EOF
				}
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("no binary message")
			}
			c.rest = r
		}
		n, err := c.rest.Read(p)
		if err == io.EOF {
			c.rest, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *tunnelConn) Write(p []byte) (int, error) {
	return len(p), c.WriteMessage(websocket.BinaryMessage, p)
}

func (c *tunnelConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// pod answers port-forwards as the kubelet does.
type pod struct {
	*cluster
	serve func(port string, data *spdystream.Stream) error

	seen  []string // headers of the streams
	links []net.Conn
}

// breakConns breaks the connections of all clients off.
func (p *pod) breakConns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.links {
		_ = c.Close()
	}
}

func newPod(t testing.TB, serve func(port string, data *spdystream.Stream) error) *pod {
	p := &pod{cluster: &cluster{}, serve: serve}
	p.Server = httptest.NewServer(http.HandlerFunc(p.forward))
	t.Cleanup(func() { p.active.Wait(); p.Close() })
	return p
}

func (p *pod) forward(w http.ResponseWriter, r *http.Request) {
	p.active.Add(1)
	defer p.active.Done()
	var conn net.Conn
	if r.Header.Get("Upgrade") == "websocket" {
		ws, err := (&websocket.Upgrader{Subprotocols: []string{"SPDY/3.1+portforward.k8s.io"}}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		conn = &tunnelConn{Conn: ws}
	} else {
		c, err := hijacked(w, "portforward.k8s.io")
		if err != nil {
			return
		}
		conn = c
	}
	defer conn.Close()
	p.mu.Lock()
	p.links = append(p.links, conn)
	p.mu.Unlock()
	mux, err := spdystream.NewConnection(conn, true)
	if err != nil {
		return
	}
	var mu sync.Mutex
	half := map[string]*spdystream.Stream{}
	mux.Serve(func(s *spdystream.Stream) {
		h := s.Headers()
		id := h.Get("requestid")
		if s.SendReply(http.Header{}, false) != nil {
			return // it would wait forever to write
		}
		mu.Lock()
		p.mu.Lock()
		p.seen = append(p.seen, fmt.Sprint(h))
		p.mu.Unlock()
		other := half[id]
		half[id] = s
		mu.Unlock()
		if other == nil {
			return
		}
		data, errs := s, other
		if h.Get("streamtype") == "error" {
			data, errs = other, s
		}
		p.active.Add(1)
		go func() {
			defer p.active.Done()
			if err := p.serve(h.Get("port"), data); err != nil {
				fmt.Fprint(errs, err)
				_ = data.Reset()
			}
			_ = data.Close()
			_ = errs.Close()
		}()
	})
}

func (p *pod) streams() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := append([]string(nil), p.seen...)
	sort.Strings(out)
	return out
}

// echo answers with what came, and its port.
func echo(port string, data *spdystream.Stream) error {
	fmt.Fprintf(data, "port %s:", port)
	_, err := io.Copy(onlyWriter{data}, data)
	return err
}

// ports decides about ports, and records what it is told.
type ports struct {
	open func(ctx context.Context, port uint16) error

	mu             sync.Mutex
	sent, received map[uint16]int
	closed         map[uint16]int
	errs           map[uint16]error
	onSent         func()
	asked          []uint16
	closes         chan uint16
}

func newPorts(open func(ctx context.Context, port uint16) error) *ports {
	return &ports{open: open, sent: map[uint16]int{}, received: map[uint16]int{}, closed: map[uint16]int{}, errs: map[uint16]error{}, closes: make(chan uint16, 1000)}
}

func (p *ports) Open(ctx context.Context, port uint16) (stream.Port, error) {
	p.mu.Lock()
	p.asked = append(p.asked, port)
	p.mu.Unlock()
	if p.open != nil {
		if err := p.open(ctx, port); err != nil {
			return nil, err
		}
	}
	return &onePort{p, port}, nil
}

type onePort struct {
	all  *ports
	port uint16
}

func (p *onePort) Sent(n int) {
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	p.all.sent[p.port] += n
	if p.all.onSent != nil {
		p.all.onSent()
	}
}

func (p *onePort) Received(n int) {
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	p.all.received[p.port] += n
}

func (p *onePort) Close(err error) {
	p.all.mu.Lock()
	p.all.closed[p.port]++
	p.all.errs[p.port] = err
	p.all.mu.Unlock()
	p.all.closes <- p.port
}

type forwardOutcome struct {
	traffic stream.Traffic
	err     error
}

type forwardGateway struct {
	gateway
	ended chan forwardOutcome
}

func newForwardGateway(t testing.TB, c *cluster, f stream.Forwarder, cfg stream.Config) *forwardGateway {
	ctx, cut := context.WithCancelCause(context.Background())
	g := &forwardGateway{gateway: gateway{cut: cut}, ended: make(chan forwardOutcome, 10)}
	proxy := stream.New(cfg)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		traffic, err := proxy.PortForward(ctx, w, r, c.upstream(r), f)
		g.ended <- forwardOutcome{traffic, err}
	}))
	t.Cleanup(func() { cut(errors.New("the test is over")); g.Close() })
	return g
}

// forwarder is kubectl port-forward.
type forwarder struct {
	conn net.Conn
	mux  *spdystream.Connection
	gone chan struct{}
	next int

	streams []*spdystream.Stream
}

func (g *forwardGateway) forward(t testing.TB, way string) *forwarder {
	t.Helper()
	f := &forwarder{gone: make(chan struct{})}
	if way == forwardSPDY {
		conn, resp := g.upgrade(t, "POST", forwardPath, offeringForward(way))
		if resp.StatusCode != 101 || resp.Header.Get("X-Stream-Protocol-Version") != "portforward.k8s.io" {
			t.Fatalf("upgrade: %v", resp)
		}
		f.conn = conn
	} else {
		ws, resp, err := (&websocket.Dialer{Subprotocols: []string{"SPDY/3.1+portforward.k8s.io"}}).Dial("ws"+strings.TrimPrefix(g.URL, "http")+forwardPath, nil)
		if err != nil || ws.Subprotocol() != "SPDY/3.1+portforward.k8s.io" {
			t.Fatalf("upgrade: %v, %v", err, resp)
		}
		f.conn = &tunnelConn{Conn: ws}
	}
	mux, err := spdystream.NewConnection(f.conn, false)
	if err != nil {
		t.Fatal(err)
	}
	f.mux = mux
	go func() { defer close(f.gone); mux.Serve(spdystream.NoOpStreamHandler) }()
	t.Cleanup(f.hangUp)
	return f
}

// hangUp ends the connection. The library hands each frame to whoever reads its stream before it takes notice of the end.
func (f *forwarder) hangUp() {
	_ = f.conn.Close()
	for _, s := range f.streams {
		go func() { _, _ = io.Copy(io.Discard, s) }()
	}
	<-f.gone
}

// dial connects to a port, as kubectl does for each connection to its own port.
func (f *forwarder) dial(t testing.TB, port int) (data, errs *spdystream.Stream) {
	t.Helper()
	open := func(kind string) *spdystream.Stream {
		s, err := f.mux.CreateStream(http.Header{"streamType": {kind}, "port": {strconv.Itoa(port)}, "requestID": {strconv.Itoa(f.next)}}, nil, false)
		if err == nil {
			err = s.WaitTimeout(patience)
		}
		if err != nil {
			t.Fatalf("open %s stream: %v", kind, err)
		}
		f.streams = append(f.streams, s)
		return s
	}
	errs = open("error")
	_ = errs.Close()
	data = open("data")
	f.next++
	return data, errs
}

// talk sends text, ends the input, and returns what comes back on both streams.
func talk(t testing.TB, data, errs *spdystream.Stream, text string) (string, string) {
	t.Helper()
	if _, err := io.WriteString(data, text); err != nil {
		t.Fatal(err)
	}
	_ = data.Close()
	told := make(chan string, 1)
	go func() { told <- readAll(t, "errors", errs) }()
	return readAll(t, "data", data), within(t, "errors", told)
}

func TestPortForward(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		p := newPod(t, echo)
		f := newPorts(nil)
		g := newForwardGateway(t, p.cluster, f, stream.Config{})
		k := g.forward(t, way)
		if p.dialled() != 0 {
			t.Error("the API server was dialled before a port was asked for")
		}
		if _, err := k.mux.Ping(); err != nil {
			t.Error(err)
		}
		for i, port := range []int{80, 5432, 80} {
			data, errs := k.dial(t, port)
			text := fmt.Sprintf("hello %d", i)
			if got, told := talk(t, data, errs, text); got != fmt.Sprintf("port %d:%s", port, text) || told != "" {
				t.Errorf("got %q, told %q", got, told)
			}
			if within(t, "close", f.closes) != uint16(port) {
				t.Error("another port was closed")
			}
		}
		if _, err := k.mux.Ping(); err != nil {
			t.Error(err)
		}
		_ = k.mux.Close()
		o := within(t, "end", g.ended)
		if o.err != nil || o.traffic.Sent != 21 || o.traffic.Received != 8+10+8+21 {
			t.Errorf("%+v", o)
		}
		if f.sent[80] != 14 || f.received[80] != 30 || f.sent[5432] != 7 || f.received[5432] != 17 || f.errs[80] != nil {
			t.Errorf("%+v", f)
		}
		p.active.Wait()
		want := "[map[Port:[5432] Requestid:[8] Streamtype:[data]] map[Port:[5432] Requestid:[8] Streamtype:[error]] " +
			"map[Port:[80] Requestid:[12] Streamtype:[data]] map[Port:[80] Requestid:[12] Streamtype:[error]] " +
			"map[Port:[80] Requestid:[4] Streamtype:[data]] map[Port:[80] Requestid:[4] Streamtype:[error]]]"
		if got := fmt.Sprint(p.streams()); len(got) != len(want) || p.dialled() != 1 {
			t.Errorf("%d connections with the streams\n%s", p.dialled(), got)
		}
	})
}

// A port that is refused is told on its error stream and never reaches the API server; the others go on.
func TestRefusedPort(t *testing.T) {
	errDenied := errors.New(`writ: port 22 is denied by policy "no-ssh"`)
	bothWays(t, func(t *testing.T, way string) {
		p := newPod(t, echo)
		f := newPorts(func(_ context.Context, port uint16) error {
			if port == 22 {
				return errDenied
			}
			return nil
		})
		g := newForwardGateway(t, p.cluster, f, stream.Config{})
		k := g.forward(t, way)
		for range 2 {
			data, errs := k.dial(t, 22)
			_, _ = io.WriteString(data, "SSH-2.0-evil")
			if told := readAll(t, "errors", errs); told != errDenied.Error() {
				t.Errorf("told %q", told)
			}
			if got := readAll(t, "data", data); got != "" {
				t.Errorf("got %q", got)
			}
		}
		if p.dialled() != 0 {
			t.Error("the API server was dialled")
		}
		data, errs := k.dial(t, 80)
		if got, told := talk(t, data, errs, "hello"); got != "port 80:hello" || told != "" {
			t.Errorf("got %q, told %q", got, told)
		}
		_ = k.mux.Close()
		if o := within(t, "end", g.ended); o.err != nil || o.traffic.Sent != 5 {
			t.Errorf("%+v", o)
		}
		if f.closed[22] != 0 || f.closed[80] != 1 {
			t.Errorf("closed %v", f.closed)
		}
		if got := fmt.Sprint(p.streams()); strings.Contains(got, "22") {
			t.Errorf("the API server got %s", got)
		}
	})
}

// What the API server refuses is told on the error stream, and asked again for the next connection.
func TestForwardRefusedByAPIServer(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		refusals := 0
		c := refusing(t, func(w http.ResponseWriter, r *http.Request) {
			refusals++
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"kind":"Status","status":"Failure","message":"pods \"web\" is forbidden"}`)
		})
		f := newPorts(nil)
		g := newForwardGateway(t, c, f, stream.Config{})
		k := g.forward(t, way)
		for range 2 {
			_, errs := k.dial(t, 80)
			contains(t, "errors", readAll(t, "errors", errs), `pods "web" is forbidden`)
			within(t, "close", f.closes)
		}
		var refused *stream.Refused
		if refusals != 2 || !errors.As(f.errs[80], &refused) || refused.Code != 403 {
			t.Errorf("%d refusals, %v", refusals, f.errs)
		}
	})
}

// What the target tells as an error passes unchanged.
func TestForwardErrorOfTarget(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		p := newPod(t, func(string, *spdystream.Stream) error { return errors.New("connection refused") })
		f := newPorts(nil)
		g := newForwardGateway(t, p.cluster, f, stream.Config{})
		data, errs := g.forward(t, way).dial(t, 80)
		if got, told := talk(t, data, errs, "hello"); got != "" || told != "connection refused" {
			t.Errorf("got %q, told %q", got, told)
		}
		within(t, "close", f.closes)
		if err := f.errs[80]; err == nil || err.Error() != "connection refused" {
			t.Errorf("closed with %v", err)
		}
	})
}

// What the client sends before the decision waits for it, in bounds, and arrives whole.
func TestForwardWaits(t *testing.T) {
	const size = 1 << 20
	big := make([]byte, size)
	if _, err := rand.Read(big); err != nil {
		t.Fatal(err)
	}
	bothWays(t, func(t *testing.T, way string) {
		p := newPod(t, func(_ string, data *spdystream.Stream) error {
			got, err := io.ReadAll(data)
			fmt.Fprint(data, bytes.Equal(got, big))
			return err
		})
		release := make(chan struct{})
		f := newPorts(func(context.Context, uint16) error { <-release; return nil })
		g := newForwardGateway(t, p.cluster, f, stream.Config{})
		data, errs := g.forward(t, way).dial(t, 80)
		go func() {
			_, _ = io.Copy(onlyWriter{data}, bytes.NewReader(big))
			_ = data.Close()
		}()
		time.Sleep(20 * time.Millisecond)
		if p.dialled() != 0 {
			t.Error("the API server was dialled before the decision")
		}
		close(release)
		if got := readAll(t, "data", data); got != "true" {
			t.Errorf("arrived: %q", got)
		}
		if told := readAll(t, "errors", errs); told != "" {
			t.Errorf("told %q", told)
		}
	})
}

func TestForwardCut(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		reading := make(chan struct{}, 2)
		p := newPod(t, func(_ string, data *spdystream.Stream) error {
			fmt.Fprint(data, "ready")
			_, _ = io.Copy(io.Discard, data)
			reading <- struct{}{}
			return nil
		})
		f := newPorts(func(ctx context.Context, port uint16) error {
			if port == 81 {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		})
		g := newForwardGateway(t, p.cluster, f, stream.Config{})
		k := g.forward(t, way)
		data, errs := k.dial(t, 80)
		_, held := k.dial(t, 81)
		if _, err := io.ReadFull(data, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		g.cut(errExpired)
		for _, s := range []*spdystream.Stream{errs, held} {
			if told := readAll(t, "errors", s); told != errExpired.Error() {
				t.Errorf("told %q", told)
			}
		}
		within(t, "end of the process", reading)
		within(t, "end of the connection", k.gone)
		if o := within(t, "end", g.ended); !errors.Is(o.err, errExpired) {
			t.Errorf("%+v", o)
		}
		if f.closed[80] != 1 || !errors.Is(f.errs[80], errExpired) || f.closed[81] != 0 {
			t.Errorf("closed %v, %v", f.closed, f.errs)
		}
	})
}

// Connections that end early: by a reset of either side, by the client's leaving, while a decision is waited for.
func TestForwardEndsEarly(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		t.Run("reset by the client", func(t *testing.T) {
			ended := make(chan struct{}, 1)
			p := newPod(t, func(_ string, data *spdystream.Stream) error {
				fmt.Fprint(data, "ready")
				_, _ = io.Copy(io.Discard, data)
				ended <- struct{}{}
				return nil
			})
			f := newPorts(nil)
			g := newForwardGateway(t, p.cluster, f, stream.Config{})
			k := g.forward(t, way)
			data, errs := k.dial(t, 80)
			if _, err := io.ReadFull(data, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			_ = data.Reset()
			within(t, "end at the target", ended)
			readAll(t, "errors", errs)
			within(t, "close", f.closes)
			_ = errs.Reset()
			if f.errs[80] != nil {
				t.Errorf("closed with %v", f.errs[80])
			}
		})
		t.Run("reset by the target", func(t *testing.T) {
			p := newPod(t, func(_ string, data *spdystream.Stream) error { return data.Reset() })
			f := newPorts(nil)
			g := newForwardGateway(t, p.cluster, f, stream.Config{})
			data, errs := g.forward(t, way).dial(t, 80)
			readAll(t, "data", data)
			readAll(t, "errors", errs)
			within(t, "close", f.closes)
		})
		t.Run("reset while it waits", func(t *testing.T) {
			p := newPod(t, echo)
			waits, left := make(chan struct{}, 1), make(chan struct{}, 1)
			f := newPorts(func(ctx context.Context, port uint16) error {
				if port == 81 {
					waits <- struct{}{}
					<-ctx.Done()
					left <- struct{}{}
				}
				return nil // too late
			})
			g := newForwardGateway(t, p.cluster, f, stream.Config{})
			k := g.forward(t, way)
			data, _ := k.dial(t, 81)
			within(t, "wait", waits)
			_ = data.Reset()
			within(t, "end of the wait", left)
			if within(t, "close", f.closes) != 81 || p.dialled() != 0 {
				t.Error("opened all the same")
			}
			data, errs := k.dial(t, 80)
			if got, told := talk(t, data, errs, "x"); got != "port 80:x" || told != "" {
				t.Errorf("got %q, told %q", got, told)
			}
		})
		t.Run("the client leaves", func(t *testing.T) {
			p := newPod(t, echo)
			f := newPorts(nil)
			g := newForwardGateway(t, p.cluster, f, stream.Config{})
			k := g.forward(t, way)
			data, _ := k.dial(t, 80)
			if _, err := io.ReadFull(data, make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
			_ = k.conn.Close()
			if o := within(t, "end", g.ended); o.err != nil {
				t.Errorf("%+v", o)
			}
			if f.closed[80] != 1 || f.errs[80] != nil {
				t.Errorf("closed %v, %v", f.closed, f.errs)
			}
		})
		t.Run("the API server leaves", func(t *testing.T) {
			p := newPod(t, echo)
			f := newPorts(nil)
			g := newForwardGateway(t, p.cluster, f, stream.Config{})
			k := g.forward(t, way)
			data, errs := k.dial(t, 80)
			if _, err := io.ReadFull(data, make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
			p.breakConns()
			if told := readAll(t, "errors", errs); told == "" {
				t.Error("nothing was told")
			}
			if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrTarget) {
				t.Errorf("%+v", o)
			}
		})
	})
}

// A forwarder that panics ends the connection and tells nothing raw.
func TestForwarderPanics(t *testing.T) {
	bothWays(t, func(t *testing.T, way string) {
		for name, f := range map[string]*ports{
			"open": newPorts(func(context.Context, uint16) error { panic("SECRET") }),
			"sent": {sent: map[uint16]int{}, received: map[uint16]int{}, closed: map[uint16]int{}, errs: map[uint16]error{}, closes: make(chan uint16, 9), onSent: func() { panic("SECRET") }},
		} {
			t.Run(name, func(t *testing.T) {
				p := newPod(t, echo)
				g := newForwardGateway(t, p.cluster, f, stream.Config{})
				data, errs := g.forward(t, way).dial(t, 80)
				_, _ = io.WriteString(data, "hello")
				if told := readAll(t, "errors", errs); told != stream.ErrInternal.Error() {
					t.Errorf("told %q", told)
				}
				if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrInternal) {
					t.Errorf("%+v", o)
				}
			})
		}
	})
}

func TestHostileForward(t *testing.T) {
	header := func(kind, port, request string) http.Header {
		return http.Header{"streamType": {kind}, "port": {port}, "requestID": {request}}
	}
	syn := func(id uint32, h http.Header) spdy.Frame {
		return &spdy.SynStreamFrame{StreamId: spdy.StreamId(id), Headers: h}
	}
	with := func(name string, values ...string) http.Header {
		h := header("error", "80", "0")
		h[name] = values
		return h
	}
	pair := []spdy.Frame{syn(1, header("error", "80", "0")), syn(3, header("data", "80", "0"))}
	tests := []struct {
		name   string
		frames []spdy.Frame
	}{
		{"unknown type", []spdy.Frame{syn(1, with("streamType", "evil"))}},
		{"no port", []spdy.Frame{syn(1, http.Header{"streamType": {"error"}, "requestID": {"0"}})}},
		{"no request", []spdy.Frame{syn(1, http.Header{"streamType": {"error"}, "port": {"80"}})}},
		{"port zero", []spdy.Frame{syn(1, with("port", "0"))}},
		{"port too high", []spdy.Frame{syn(1, with("port", "65536"))}},
		{"port with a sign", []spdy.Frame{syn(1, with("port", "+80"))}},
		{"port that is a name", []spdy.Frame{syn(1, with("port", "http"))}},
		{"two ports", []spdy.Frame{syn(1, with("port", "80", "22"))}},
		{"another header", []spdy.Frame{syn(1, with("Impersonate-User", "root"))}},
		{"the same stream twice", []spdy.Frame{syn(1, header("error", "80", "0")), syn(3, header("error", "80", "0"))}},
		{"another port for the data", []spdy.Frame{syn(1, header("error", "80", "0")), syn(3, header("data", "22", "0"))}},
		{"a third stream", append(append([]spdy.Frame(nil), pair...), syn(5, header("data", "80", "0")))},
		{"even number", []spdy.Frame{syn(2, header("error", "80", "0"))}},
		{"number downward", []spdy.Frame{syn(3, header("error", "80", "0")), syn(1, header("data", "80", "0"))}},
		{"data on no stream", []spdy.Frame{&spdy.DataFrame{StreamId: 9, Data: []byte("evil")}}},
		{"data on errors", []spdy.Frame{pair[0], &spdy.DataFrame{StreamId: 1, Data: []byte("evil")}}},
		{"reply of a client", []spdy.Frame{pair[0], &spdy.SynReplyFrame{StreamId: 1}}},
		{"headers in mid-stream", []spdy.Frame{pair[0], &spdy.HeadersFrame{StreamId: 1, Headers: http.Header{"A": {"b"}}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPod(t, echo)
			f := newPorts(func(ctx context.Context, _ uint16) error { <-ctx.Done(); return ctx.Err() })
			g := newForwardGateway(t, p.cluster, f, stream.Config{})
			conn, _ := g.upgrade(t, "POST", forwardPath, offeringForward(forwardSPDY))
			if _, err := conn.Write(spdyFrames(t, tt.frames...)); err != nil {
				t.Fatal(err)
			}
			closesWith(t, conn, "")
			if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrClient) {
				t.Errorf("%+v", o)
			}
			if p.dialled() != 0 {
				t.Error("the API server was dialled")
			}
		})
	}
}

// More connections at a time than there may be are refused, one by one.
func TestManyConnections(t *testing.T) {
	p := newPod(t, echo)
	f := newPorts(func(ctx context.Context, _ uint16) error { <-ctx.Done(); return ctx.Err() })
	g := newForwardGateway(t, p.cluster, f, stream.Config{})
	k := g.forward(t, forwardSPDY)
	for range 256 {
		k.dial(t, 80)
	}
	s, err := k.mux.CreateStream(http.Header{"streamType": {"error"}, "port": {"80"}, "requestID": {"more"}}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WaitTimeout(patience); !errors.Is(err, spdystream.ErrReset) {
		t.Errorf("one more: %v", err)
	}
}

func TestForwardOffersRefused(t *testing.T) {
	for name, h := range map[string]http.Header{
		"old WebSocket protocol": offering(socketV4),
		"base64":                 {"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Protocol": {"v4.base64.channel.k8s.io"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Version": {"13"}},
		"exec":                   offering(spdyV4),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPod(t, echo)
			g := newForwardGateway(t, p.cluster, newPorts(nil), stream.Config{})
			_, resp := g.upgrade(t, "GET", forwardPath+"?ports=80", h)
			body, _ := io.ReadAll(resp.Body)
			contains(t, "answer", string(body), "portforward.k8s.io")
			if resp.StatusCode != 400 || p.dialled() != 0 {
				t.Errorf("%v", resp)
			}
		})
	}
}
