package aws

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

const (
	maxIdleLines = 32               // to one host
	lineIdle     = 50 * time.Second // less than AWS keeps its ends open
	lineBuffer   = 16 << 10
	maxAnswer    = 256 << 10 // of an answer's headers, in bytes
)

// lines are HTTP/1.1 connections for requests whose body is in memory: each is written and its answer read by the goroutine that
// serves the client. A transport has two more for each connection, which is right for streams and dear for small calls.
type lines struct {
	dial func(ctx context.Context, secure bool, address string) (net.Conn, error)
	now  func() time.Time

	mu     sync.Mutex
	idle   map[string][]*line // by address; the one used last is the last
	closed bool
}

// line is a connection that one exchange has at a time.
type line struct {
	net.Conn
	address string
	r       *bufio.Reader
	w       *bufio.Writer
	raw     syscall.RawConn // nil where there is none
	left    int64           // bytes of headers that may still come; negative is no bound
	since   time.Time       // that it is idle
}

// Read implements io.Reader within the bound on headers.
func (l *line) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errors.New("headers too long")
	}
	if l.left > 0 {
		p = p[:min(int64(len(p)), l.left)]
	}
	n, err := l.Conn.Read(p)
	if l.left > 0 {
		l.left -= int64(n)
	}
	return n, err
}

// RoundTrip implements http.RoundTripper for bodies in memory. What fails is not sent again: AWS may have done it.
func (ls *lines) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	l, err := ls.take(ctx, req.URL.Scheme == "https", req.URL.Host)
	if err != nil {
		return nil, err
	}
	cut := context.AfterFunc(ctx, func() { l.Close() })
	resp, err := l.exchange(req)
	if err != nil {
		cut()
		l.Close()
		return nil, errors.Join(context.Cause(ctx), err)
	}
	end := func(whole bool) {
		if cut() && whole && !resp.Close {
			ls.put(l)
			return
		}
		l.Close()
	}
	if resp.Body == http.NoBody {
		end(true)
	} else {
		resp.Body = &answerBody{ReadCloser: resp.Body, end: end}
	}
	return resp, nil
}

func (l *line) exchange(req *http.Request) (*http.Response, error) {
	if err := req.Write(l.w); err != nil {
		return nil, fmt.Errorf("send request: %w", err)
	}
	if err := l.w.Flush(); err != nil {
		return nil, fmt.Errorf("send request: %w", err)
	}
	l.left = maxAnswer
	for {
		resp, err := http.ReadResponse(l.r, req)
		if err != nil {
			return nil, fmt.Errorf("read answer: %w", err)
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, errors.New("read answer: another protocol")
		}
		if resp.StatusCode >= http.StatusOK {
			l.left = -1
			return resp, nil
		}
	}
}

// take returns an idle connection that is still good, or a new one.
func (ls *lines) take(ctx context.Context, secure bool, address string) (*line, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(address, "443")
	}
	for {
		l := ls.pop(address)
		if l == nil {
			break
		}
		if ls.now().Sub(l.since) < lineIdle && l.quiet() {
			return l, nil
		}
		l.Close()
	}
	conn, err := ls.dial(ctx, secure, address)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, address: address, left: -1, raw: rawOf(conn)}
	l.r, l.w = bufio.NewReaderSize(l, lineBuffer), bufio.NewWriterSize(conn, lineBuffer)
	return l, nil
}

func (ls *lines) pop(address string) *line {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	all := ls.idle[address]
	if len(all) == 0 {
		return nil
	}
	l := all[len(all)-1]
	ls.idle[address] = all[:len(all)-1]
	return l
}

// put keeps a connection for the next request, and closes those that have been idle for long.
func (ls *lines) put(l *line) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	now, all := ls.now(), ls.idle[l.address]
	for len(all) > 0 && (len(all) >= maxIdleLines || now.Sub(all[0].since) >= lineIdle) {
		all[0].Close()
		all = all[1:]
	}
	if ls.closed || l.r.Buffered() > 0 {
		l.Close()
	} else {
		l.since = now
		all = append(all, l)
	}
	ls.idle[l.address] = all
}

func (ls *lines) close() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.closed = true
	for _, all := range ls.idle {
		for _, l := range all {
			l.Close()
		}
	}
	clear(ls.idle)
}

// rawOf is the connection below TLS, if there is one of the operating system's.
func rawOf(conn net.Conn) syscall.RawConn {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	of, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := of.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// quiet reports a connection whose other end neither closed it nor sent anything that nobody asked for.
func (l *line) quiet() bool {
	if l.raw == nil {
		return false
	}
	var peeked error
	err := l.raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, peeked = syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return err == nil && errors.Is(peeked, syscall.EAGAIN)
}

// answerBody tells when it was read to its end, or closed before.
type answerBody struct {
	io.ReadCloser
	once sync.Once
	end  func(whole bool)
}

// Read implements io.Reader.
func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.once.Do(func() { b.end(errors.Is(err, io.EOF)) })
	}
	return n, err
}

// Close implements io.Closer. It does not read what is left, as the body of [http.ReadResponse] would.
func (b *answerBody) Close() error {
	b.once.Do(func() { b.end(false) })
	return nil
}
