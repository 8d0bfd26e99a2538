package stream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// link is one end's connection, after the upgrade.
type link struct {
	net.Conn
	r *bufio.Reader
}

// accept grants the upgrade that the client asked for. Headers that were set on w go with it.
func accept(w http.ResponseWriter, o offer, protocol string) (*link, error) {
	header := w.Header().Clone()
	for name, values := range o.headers(protocol) {
		header[name] = values
	}
	if o.socket {
		header.Set("Sec-Websocket-Accept", acceptKey(o.key))
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, refuse(w, fmt.Errorf("%w: the connection cannot be upgraded: %w", ErrClient, err))
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	if err := writeSwitch(conn, header); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return &link{Conn: conn, r: rw.Reader}, nil
}

func writeSwitch(w io.Writer, header http.Header) error {
	b := bufio.NewWriter(w)
	_, _ = b.WriteString("HTTP/1.1 101 Switching Protocols\r\n") // what fails is told by Flush
	if err := header.Write(b); err != nil {
		return err
	}
	_, _ = b.WriteString("\r\n")
	return b.Flush()
}

// farewell is how long a peer is waited for when a connection ends: once for what is still to be written, and once for
// the peer to have read it.
const farewell = 400 * time.Millisecond

// hangUp ends what is sent and waits for the peer to end as well, since closing with unread input would make the peer
// lose what was sent last. reading is closed when nobody else reads.
func (l *link) hangUp(reading <-chan struct{}) {
	defer l.cut()
	limit := time.AfterFunc(farewell, l.cut)
	defer limit.Stop()
	if half, ok := l.Conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		l.cut()
	}
	<-reading
	_, _ = io.Copy(io.Discard, l.r)
}

// cut closes the connection at once. TLS would wait for room to say goodbye.
func (l *link) cut() {
	if c, ok := l.Conn.(interface{ NetConn() net.Conn }); ok {
		_ = c.NetConn().Close()
	}
	_ = l.Close()
}

// chunk is how much of a payload is handled at once, in bytes.
const chunk = 32 << 10

// room is what the headers of a frame within a frame take at most.
const room = 32

// buffers are used while a payload is handled, so that an idle connection holds none.
var buffers = sync.Pool{New: func() any { return new([room + chunk]byte) }}

func borrow() *[room + chunk]byte    { return buffers.Get().(*[room + chunk]byte) }
func giveBack(b *[room + chunk]byte) { buffers.Put(b) }

// fill reads until p is full or the frame that r reads ends. A frame that came in one piece leaves in one: connections hand
// it over in smaller ones, and each would cost every hop behind this one a frame of its own.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	if n > 0 {
		return n, nil // what is wrong will be told by the next call
	}
	return 0, err
}
