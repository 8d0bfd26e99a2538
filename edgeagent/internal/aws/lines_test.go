package aws

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// farEnd answers each request on each connection as it is told.
type farEnd struct {
	addr  string
	conns atomic.Int32
}

func newFarEnd(t *testing.T, answer func(w net.Conn, r *http.Request)) *farEnd {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f := &farEnd{addr: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.conns.Add(1)
			t.Cleanup(func() { conn.Close() })
			go func() {
				for r := bufio.NewReader(conn); ; {
					req, err := http.ReadRequest(r)
					if err != nil {
						conn.Close()
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					answer(conn, req)
				}
			}()
		}
	}()
	return f
}

func newLines(t *testing.T) *lines {
	t.Helper()
	ls := &lines{now: time.Now, idle: map[string][]*line{}, dial: func(ctx context.Context, _ bool, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
	t.Cleanup(ls.close)
	return ls
}

func (f *farEnd) request(t *testing.T, method, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+f.addr+"/x", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func get(ls *lines, req *http.Request) (string, error) {
	resp, err := ls.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", string(text)), err
}

// TestLinesAreKept: a connection serves request after request, whatever form the answers have, unless one was not read whole or either
// end wants it closed.
func TestLinesAreKept(t *testing.T) {
	for name, test := range map[string]struct {
		method, answer string
		want           string
		conns          int32 // of three requests
	}{
		"length":        {"POST", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 hi", 1},
		"chunks":        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "200 hi", 1},
		"empty":         {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 ", 1},
		"no content":    {"GET", "HTTP/1.1 204 No Content\r\n\r\n", "204 ", 1},
		"head":          {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", "200 ", 1},
		"hints before":  {"GET", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 hi", 1},
		"to be closed":  {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", "200 hi", 3},
		"old":           {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 hi", 3},
		"more than due": {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "200 hi", 3},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFarEnd(t, func(w net.Conn, _ *http.Request) { _, _ = io.WriteString(w, test.answer) })
			ls := newLines(t)
			for range 3 {
				if got, err := get(ls, f.request(t, test.method, "body")); err != nil || got != test.want {
					t.Errorf("got %q, %v", got, err)
				}
			}
			if n := f.conns.Load(); n != test.conns {
				t.Errorf("%d connections, want %d", n, test.conns)
			}
		})
	}
}

// TestLinesRefuse: what is not an answer, or one without end, is an error, and the request is not sent again.
func TestLinesRefuse(t *testing.T) {
	for name, answer := range map[string]string{
		"nonsense":         "SSH-2.0-OpenSSH\r\n\r\n",
		"another protocol": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
		"endless headers":  "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxAnswer+lineBuffer),
		"two lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			f := newFarEnd(t, func(w net.Conn, _ *http.Request) {
				asked.Add(1)
				_, _ = io.WriteString(w, answer)
			})
			if got, err := get(newLines(t), f.request(t, "POST", "body")); err == nil || asked.Load() != 1 {
				t.Errorf("got %q, asked %d times", got, asked.Load())
			}
		})
	}
}

// TestLinesCutOff: a body that ends early is an error, and the connection is not used again.
func TestLinesCutOff(t *testing.T) {
	f := newFarEnd(t, func(w net.Conn, _ *http.Request) {
		_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")
		w.Close()
	})
	ls := newLines(t)
	for range 2 {
		if got, err := get(ls, f.request(t, "GET", "")); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

// TestLinesLeftUnread: a connection on which an answer was not read to its end serves nobody else, who would take the rest for his.
func TestLinesLeftUnread(t *testing.T) {
	f := newFarEnd(t, func(w net.Conn, _ *http.Request) {
		_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhi")
	})
	ls := newLines(t)
	for n := range int32(2) {
		resp, err := ls.RoundTrip(f.request(t, "GET", ""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := f.conns.Load(); got != n+1 {
			t.Errorf("%d connections after %d requests", got, n+1)
		}
	}
}

// TestLinesClosedByOtherEnd: a connection that the other end closed while it was idle is not used, since what is lost is not sent again.
func TestLinesClosedByOtherEnd(t *testing.T) {
	closed := make(chan struct{})
	f := newFarEnd(t, func(w net.Conn, _ *http.Request) {
		_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
		_ = w.(*net.TCPConn).SetLinger(0)
		w.Close()
		closed <- struct{}{}
	})
	ls := newLines(t)
	for range 3 {
		go func() { <-closed }()
		if got, err := get(ls, f.request(t, "POST", "body")); err != nil || got != "200 hi" {
			t.Errorf("got %q, %v", got, err)
		}
		for ls.idleQuiet(f.addr) { // until the end has arrived
			time.Sleep(time.Millisecond)
		}
	}
}

// idleQuiet reports an idle connection that looks good.
func (ls *lines) idleQuiet(address string) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	all := ls.idle[address]
	return len(all) > 0 && all[len(all)-1].quiet()
}

// TestLinesEndWithTheirContext: a caller that leaves does not wait, for the answer or for its end, and takes the connection along.
func TestLinesEndWithTheirContext(t *testing.T) {
	for name, answer := range map[string]string{"before the answer": "", "within its body": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			f := newFarEnd(t, func(w net.Conn, _ *http.Request) {
				_, _ = io.WriteString(w, answer)
				time.AfterFunc(10*time.Millisecond, cancel)
			})
			ls := newLines(t)
			if got, err := get(ls, f.request(t, "GET", "").WithContext(ctx)); err == nil {
				t.Errorf("got %q", got)
			}
			if len(ls.idle[f.addr]) > 0 {
				t.Error("the connection was kept")
			}
		})
	}
}
