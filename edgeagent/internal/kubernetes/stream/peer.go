package stream

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/wsframe"
)

// peer is one end of a port-forward. What writes is safe for concurrent use.
type peer struct {
	link   *link
	tunnel *tunnel // nil without WebSocket
	in     *spdyframe.Reader

	mu  sync.Mutex
	out *spdyframe.Writer
}

func newPeer(l *link, o offer, serving bool) (*peer, error) {
	p := &peer{link: l, out: spdyframe.NewWriter(l)}
	r := l.r
	if o.socket {
		p.tunnel = newTunnel(l, serving)
		p.out, r = spdyframe.NewWriter(p.tunnel), bufio.NewReader(p.tunnel)
	}
	if !serving {
		p.in = spdyframe.NewClientReader(r)
		return p, nil
	}
	in, err := spdyframe.NewServerReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInternal, err)
	}
	p.in = in
	return p, nil
}

func (p *peer) write(f func(*spdyframe.Writer) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f(p.out)
}

func (p *peer) data(stream uint32, b []byte, fin bool) error {
	held := borrow()
	defer giveBack(held)
	return p.write(func(w *spdyframe.Writer) error { return w.Data(held[:], stream, b, fin) })
}

func (p *peer) reply(stream uint32) error {
	return p.write(func(w *spdyframe.Writer) error { return w.Reply(stream) })
}

func (p *peer) reset(stream, code uint32) error {
	return p.write(func(w *spdyframe.Writer) error { return w.Reset(stream, code) })
}

func (p *peer) ping(number uint32) error {
	return p.write(func(w *spdyframe.Writer) error { return w.Ping(number) })
}

// goodbye says that the connection ends.
func (p *peer) goodbye(last, code uint32) {
	_ = p.write(func(w *spdyframe.Writer) error { return w.GoAway(last, code) })
	if p.tunnel != nil {
		p.tunnel.close()
	}
}

// tunnel carries bytes as the binary messages of a WebSocket.
type tunnel struct {
	in *wsframe.Reader

	mu  sync.Mutex
	out *wsframe.Writer
}

func newTunnel(l *link, serving bool) *tunnel {
	if serving {
		return &tunnel{in: wsframe.NewServerReader(l.r), out: wsframe.NewServerWriter(l)}
	}
	return &tunnel{in: wsframe.NewClientReader(l.r), out: wsframe.NewClientWriter(l, rand.Reader)}
}

// Read implements io.Reader. A Close is io.EOF; pings are answered.
func (t *tunnel) Read(p []byte) (int, error) {
	for {
		n, err := t.in.Read(p)
		if err != io.EOF {
			return n, err
		}
		f, err := t.in.Next()
		if err != nil {
			return 0, err
		}
		switch f.Op {
		case wsframe.Close:
			return 0, io.EOF
		case wsframe.Ping:
			if err := t.send(nil, wsframe.Pong, f.Payload); err != nil {
				return 0, err
			}
		}
	}
}

// Write implements io.Writer.
func (t *tunnel) Write(p []byte) (int, error) {
	held := borrow()
	defer giveBack(held)
	if err := t.send(held[:], wsframe.Binary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (t *tunnel) send(buf []byte, op wsframe.Op, p []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Write(buf, op, nil, p)
}

func (t *tunnel) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.out.WriteClose(wsframe.Normal, nil)
}
