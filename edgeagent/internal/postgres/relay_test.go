package postgres

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/writhq/writ/edgeagent/internal/upstream"
)

// relay stands between the edge and the real server, and lets a test play the server's part: what
// the edge sends goes through hook first.
type relay struct {
	t    testing.TB
	to   string
	ln   net.Listener
	hook atomic.Pointer[relayHook]
	wg   sync.WaitGroup
}

// relayHook gets each message of the edge and returns what goes on to the server; nil keeps it back.
type relayHook func(c *relayConn, typ byte, body []byte) []byte

type relayConn struct {
	edge, server net.Conn
	mu           sync.Mutex
	taken        bool // the server's answers are dropped
	marked       bool // for hooks
}

// behindRelay moves a lab's target behind a relay.
func behindRelay(l *lab) *relay {
	l.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	r := &relay{t: l.t, to: l.pg.Address(), ln: ln}
	r.wg.Go(r.accept)
	l.t.Cleanup(func() { ln.Close() })
	res := *l.resource
	res.Endpoint, res.TLS, res.Version = ln.Addr().String(), upstream.TLS{Mode: upstream.Disable}, res.Version+100
	l.resource = &res
	if err := l.server.SetResources([]*Resource{l.resource}, nil); err != nil {
		l.t.Fatal(err)
	}
	return r
}

func (r *relay) accept() {
	for {
		conn, err := r.ln.Accept()
		if err != nil {
			return
		}
		r.wg.Go(func() { r.serve(conn) })
	}
}

func (r *relay) serve(edge net.Conn) {
	defer edge.Close()
	server, err := net.Dial("tcp", r.to)
	if err != nil {
		return
	}
	defer server.Close()
	c := &relayConn{edge: edge, server: server}
	go func() {
		c.back()
		edge.Close()
	}()
	size := make([]byte, 4)
	if _, err := io.ReadFull(edge, size); err != nil {
		return
	}
	start := make([]byte, binary.BigEndian.Uint32(size)-4)
	if _, err := io.ReadFull(edge, start); err != nil {
		return
	}
	server.Write(append(size, start...))
	for {
		typ, body, err := readFrame(edge)
		if err != nil {
			return
		}
		if hook := r.hook.Load(); hook != nil {
			body = (*hook)(c, typ, body)
		}
		if body != nil {
			server.Write(rawFrame(typ, body))
		}
	}
}

// back passes the server's answers on until the conversation was taken over.
func (c *relayConn) back() {
	buf := make([]byte, 64<<10)
	for {
		n, err := c.server.Read(buf)
		c.mu.Lock()
		if !c.taken {
			c.edge.Write(buf[:n])
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// answer says something in the server's place; the server is not heard any more.
func (c *relayConn) answer(frames []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.taken = true
	c.edge.Write(frames)
}

func readFrame(r io.Reader) (typ byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > 64<<20 {
		return 0, nil, errors.New("bad length")
	}
	body = make([]byte, n-4)
	_, err = io.ReadFull(r, body)
	return head[0], body, err
}

func rawFrame(typ byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(body)+4)), body...)
}
