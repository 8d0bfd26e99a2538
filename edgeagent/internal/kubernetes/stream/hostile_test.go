package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moby/spdystream/spdy"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream"
	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
)

// listening is a process that tells what it was given, when its connection is closed.
func listening(got chan<- string) func(*process) {
	return func(p *process) {
		input := make(chan string, 1)
		go func() {
			var b []byte
			if p.stdin != nil {
				b, _ = io.ReadAll(p.stdin)
			}
			input <- string(b)
		}()
		<-p.closed
		if p.resize != nil {
			sizes, _ := io.ReadAll(p.resize)
			got <- <-input + string(sizes)
			return
		}
		got <- <-input
	}
}

// masked returns a client's frame with a masking key of zeros.
func masked(first byte, payload string) string {
	if len(payload) > 125 {
		return string([]byte{first, 0xFE, byte(len(payload) >> 8), byte(len(payload))}) + "\x00\x00\x00\x00" + payload
	}
	return string([]byte{first, 0x80 | byte(len(payload))}) + "\x00\x00\x00\x00" + payload
}

// What is not understood of a WebSocket ends the connection, and nothing of it reaches the process.
func TestHostileWebSocket(t *testing.T) {
	const evil = "\x00evil"
	tests := []struct {
		name  string
		bytes string
		query string
	}{
		{"text", masked(0x81, evil), ""},
		{"unmasked", "\x82\x05" + evil, ""},
		{"reserved bit", masked(0xC2, evil), ""},
		{"unknown kind", masked(0x83, evil), ""},
		{"unknown channel", masked(0x82, "\x05evil"), ""},
		{"far channel", masked(0x82, "\xFEevil"), ""},
		{"half-close of an unknown channel", masked(0x82, "\xFF\x09"), ""},
		{"long half-close", masked(0x82, "\xFF\x00evil"), ""},
		{"half-close in fragments", masked(0x02, "\xFF") + masked(0x80, "\x00evil"), ""},
		{"channel of output", masked(0x82, "\x01evil"), ""},
		{"channel of errors", masked(0x82, "\x03evil"), ""},
		{"size that is none", masked(0x82, "\x04evil}"), ""},
		{"endless size", masked(0x82, "\x04"+strings.Repeat("{", 300)), ""},
		{"long ping", masked(0x89, strings.Repeat("p", 200)), ""},
		{"ping in fragments", masked(0x09, "p"), ""},
		{"continuation of nothing", masked(0x80, evil), ""},
		{"message in a message", masked(0x02, "\x04{") + masked(0x82, evil), ""},
		{"empty first fragment", masked(0x02, "") + masked(0x80, evil), ""},
		{"too long", "\x82\xFF\x00\x00\x00\x00\x02\x00\x00\x01\x00\x00\x00\x00" + evil, ""},
		{"length not in its shortest form", "\x82\xFE\x00\x05\x00\x00\x00\x00" + evil, ""},
		{"malformed close", masked(0x88, "\x00"), ""},
		{"input that was not asked for", masked(0x82, evil), "&stdout=true"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan string, 1)
			tap := &tap{}
			g := newGateway(t, newCluster(t, listening(got)), tap, stream.Config{})
			query := tt.query
			if query == "" {
				query = "&stdin=true&stdout=true&tty=true"
			}
			conn, resp := g.upgrade(t, "GET", execPath+query, offering(socketV5))
			if resp.StatusCode != 101 {
				t.Fatal(resp)
			}
			if _, err := io.WriteString(conn, tt.bytes); err != nil {
				t.Fatal(err)
			}
			closesWith(t, conn, "not understood")
			if b := within(t, "input", got); b != "" || tap.seen() != "" {
				t.Errorf("the process got %q, the tap saw %q", b, tap.seen())
			}
			if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrClient) {
				t.Errorf("%+v", o)
			}
		})
	}
}

// closesWith reads a connection to its end, which has a text in it.
func closesWith(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("not closed: %v", err)
	}
	_ = conn.Close()
	contains(t, "what the client was told", string(all), text)
}

// In v4 there is no half-close: 255 is a channel that is not known.
func TestNoHalfCloseInV4(t *testing.T) {
	got := make(chan string, 1)
	g := newGateway(t, newCluster(t, listening(got)), &tap{}, stream.Config{})
	conn, _ := g.upgrade(t, "GET", execPath+"&stdin=true", offering(socketV4))
	_, _ = io.WriteString(conn, masked(0x82, "\xFF\x00"))
	closesWith(t, conn, "not understood")
	within(t, "input", got)
}

// A message in fragments is one message on one channel: what the API server's library would read as the channel of the
// second fragment is input.
func TestFragmentedMessage(t *testing.T) {
	got := make(chan string, 1)
	tap := &tap{}
	g := newGateway(t, newCluster(t, listening(got)), tap, stream.Config{})
	conn, _ := g.upgrade(t, "GET", execPath+"&stdin=true&tty=true", offering(socketV5))
	frames := masked(0x02, "\x00ab") + masked(0x89, "p") + masked(0x00, "") + masked(0x00, "\x04{\"Width\":1,\"Height\":1}") + masked(0x80, "\xFF\x00") + masked(0x88, "")
	if _, err := io.WriteString(conn, frames); err != nil {
		t.Fatal(err)
	}
	const want = "ab\x04{\"Width\":1,\"Height\":1}\xFF\x00"
	if b := within(t, "input", got); b != want || tap.seen() != want || len(tap.sizes) != 0 {
		t.Errorf("the process got %q, the tap saw %q", b, tap.seen())
	}
}

// spdyFrames returns frames as kubectl's library writes them.
func spdyFrames(t *testing.T, frames ...spdy.Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := spdy.NewFramer(&b, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := w.WriteFrame(f); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func opens(id uint32, kind string) *spdy.SynStreamFrame {
	return &spdy.SynStreamFrame{StreamId: spdy.StreamId(id), Headers: http.Header{"streamType": {kind}}}
}

// What is not understood of SPDY ends the connection, and nothing of it reaches the process.
func TestHostileSPDY(t *testing.T) {
	evil := func(id uint32) spdy.Frame { return &spdy.DataFrame{StreamId: spdy.StreamId(id), Data: []byte("evil")} }
	begun := []spdy.Frame{opens(1, "error"), opens(3, "stdin"), opens(5, "stdout"), opens(7, "resize")}
	then := func(frames ...spdy.Frame) []spdy.Frame { return append(append([]spdy.Frame(nil), begun...), frames...) }
	var twice bytes.Buffer
	_ = spdyframe.NewWriter(&twice).Open(1, spdyframe.Header{Name: "streamtype", Value: "stdin"}, spdyframe.Header{Name: "streamtype", Value: "error"})
	tests := []struct {
		name   string
		frames []spdy.Frame
		raw    []byte
	}{
		{"unknown stream", []spdy.Frame{opens(1, "evil")}, nil},
		{"no type", []spdy.Frame{&spdy.SynStreamFrame{StreamId: 1, Headers: http.Header{}}}, nil},
		{"type that is empty", []spdy.Frame{opens(1, "")}, nil},
		{"type in capitals", []spdy.Frame{opens(1, "STDIN")}, nil},
		{"two types in one header", []spdy.Frame{&spdy.SynStreamFrame{StreamId: 1, Headers: http.Header{"streamType": {"error", "stdin"}}}}, nil},
		{"two headers of one name", nil, twice.Bytes()},
		{"another header", []spdy.Frame{&spdy.SynStreamFrame{StreamId: 1, Headers: http.Header{"streamType": {"error"}, "Impersonate-User": {"root"}}}}, nil},
		{"stderr of a terminal", then(opens(9, "stderr")), nil},
		{"second stdin", then(opens(9, "stdin"), evil(9)), nil},
		{"even number", []spdy.Frame{opens(2, "error")}, nil},
		{"number used again", then(opens(7, "stderr")), nil},
		{"number downward", []spdy.Frame{opens(5, "error"), opens(3, "stdin")}, nil},
		{"data on no stream", then(evil(99)), nil},
		{"data on output", then(evil(5)), nil},
		{"data on errors", then(evil(1)), nil},
		{"size that is none", then(&spdy.DataFrame{StreamId: 7, Data: []byte("evil}")}), nil},
		{"size with more in it", then(&spdy.DataFrame{StreamId: 7, Data: []byte(`{"Width":1,"Height":1,"evil":1}`)}), nil},
		{"size without height", then(&spdy.DataFrame{StreamId: 7, Data: []byte(`{"Width":1}`)}), nil},
		{"size out of range", then(&spdy.DataFrame{StreamId: 7, Data: []byte(`{"Width":65536,"Height":1}`)}), nil},
		{"reply of a client", then(&spdy.SynReplyFrame{StreamId: 3}), nil},
		{"headers in mid-stream", then(&spdy.HeadersFrame{StreamId: 3, Headers: http.Header{"A": {"b"}}}), nil},
		{"one way", []spdy.Frame{&spdy.SynStreamFrame{StreamId: 1, CFHeader: spdy.ControlFrameHeader{Flags: spdy.ControlFlagUnidirectional}, Headers: http.Header{"streamType": {"error"}}}}, nil},
		{"with a parent", []spdy.Frame{opens(1, "error"), &spdy.SynStreamFrame{StreamId: 3, AssociatedToStreamId: 1, Headers: http.Header{"streamType": {"stdin"}}}}, nil},
		{"long header", []spdy.Frame{opens(1, strings.Repeat("e", 2000))}, nil},
		{"garbage", nil, []byte("GET / HTTP/1.1\r\nHost: evil\r\n\r\n")},
		{"another version", nil, []byte("\x80\x02\x00\x06\x00\x00\x00\x04\x00\x00\x00\x01")},
		{"long control frame", nil, []byte("\x80\x03\x00\x01\x00\xFF\xFF\xFF")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(chan string, 1)
			complete := false
			c := newCluster(t, func(p *process) { complete = true; listening(got)(p) })
			tap := &tap{}
			g := newGateway(t, c, tap, stream.Config{})
			conn, resp := g.upgrade(t, "POST", execPath+"&stdin=true&stdout=true&stderr=true&tty=true", offering(spdyV4))
			if resp.StatusCode != 101 {
				t.Fatal(resp)
			}
			if _, err := conn.Write(append(spdyFrames(t, tt.frames...), tt.raw...)); err != nil {
				t.Fatal(err)
			}
			text := ""
			if len(tt.frames) > 0 && tt.frames[0] == begun[0] {
				text = "not understood"
			}
			closesWith(t, conn, text)
			if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrClient) {
				t.Errorf("%+v", o)
			}
			c.active.Wait()
			if tap.seen() != "" {
				t.Errorf("the tap saw %q", tap.seen())
			}
			if complete {
				if b := <-got; b != "" {
					t.Errorf("the process got %q", b)
				}
			}
		})
	}
}

// A stream for what the request does not ask for is refused.
func TestStreamThatWasNotAskedFor(t *testing.T) {
	for _, kind := range []string{"stdin", "stderr", "resize"} {
		g := newGateway(t, newCluster(t, func(*process) {}), &tap{}, stream.Config{})
		conn, _ := g.upgrade(t, "POST", execPath+"&stdout=true", offering(spdyV4))
		if _, err := conn.Write(spdyFrames(t, opens(1, kind))); err != nil {
			t.Fatal(err)
		}
		closesWith(t, conn, "")
		if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrClient) {
			t.Errorf("%s: %+v", kind, o)
		}
	}
}

// Requests that are no plain offer of a protocol that is spoken here reach no API server.
func TestOffersRefused(t *testing.T) {
	with := func(protocol, name string, values ...string) http.Header {
		h := offering(protocol)
		h[name] = values
		return h
	}
	const versions = "X-Stream-Protocol-Version"
	const sockets = "Sec-Websocket-Protocol"
	tests := []struct {
		name   string
		method string
		header http.Header
		text   string
	}{
		{"no upgrade", "POST", http.Header{}, "Connection"},
		{"no Connection", "POST", with(spdyV4, "Connection", "keep-alive"), "Connection"},
		{"unknown upgrade", "POST", with(spdyV4, "Upgrade", "SPDY/2"), "Upgrade"},
		{"two upgrades", "GET", with(socketV5, "Upgrade", "websocket, SPDY/3.1"), "Upgrade"},
		{"two upgrade headers", "GET", with(socketV5, "Upgrade", "websocket", "SPDY/3.1"), "Upgrade"},
		{"no version", "POST", with(spdyV4, versions), "no stream protocol"},
		{"old versions", "POST", with(spdyV4, versions, "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"), "no stream protocol"},
		{"no subprotocol", "GET", with(socketV5, sockets), "no stream protocol"},
		{"base64", "GET", with(socketV5, sockets, "base64.channel.k8s.io", "v4.base64.channel.k8s.io"), "no stream protocol"},
		{"port-forward", "GET", with(socketV5, sockets, "SPDY/3.1+portforward.k8s.io"), "no stream protocol"},
		{"token", "GET", with(socketV5, sockets, "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0"), "Authorization: Bearer"},
		{"token in capitals", "GET", with(socketV5, sockets, "v5.channel.k8s.io", "Base64URL.Bearer.Authorization.k8s.io.c2VjcmV0"), "Authorization: Bearer"},
		{"POST", "POST", offering(socketV5), "GET"},
		{"no key", "GET", with(socketV5, "Sec-Websocket-Key"), "key"},
		{"two keys", "GET", with(socketV5, "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="), "key"},
		{"short key", "GET", with(socketV5, "Sec-Websocket-Key", "c2hvcnQ="), "key"},
		{"another version of WebSocket", "GET", with(socketV5, "Sec-Websocket-Version", "8"), "13"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCluster(t, func(*process) {})
			g := newGateway(t, c, &tap{}, stream.Config{})
			_, resp := g.upgrade(t, tt.method, execPath+"&stdout=true", tt.header)
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 400 {
				t.Errorf("got %v, %v", resp, err)
			}
			contains(t, "answer", string(body), tt.text)
			if strings.Contains(string(body), "c2VjcmV0") {
				t.Errorf("the token is in %q", body)
			}
			if o := within(t, "end", g.ended); !errors.Is(o.err, stream.ErrClient) || strings.Contains(fmt.Sprint(o.err), "c2VjcmV0") {
				t.Errorf("%+v", o)
			}
			if c.dialled() != 0 {
				t.Error("the API server was dialled")
			}
		})
	}
	t.Run("a body", func(t *testing.T) {
		c := newCluster(t, func(*process) {})
		g := newGateway(t, c, &tap{}, stream.Config{})
		conn := g.dial(t)
		fmt.Fprintf(conn, "POST %s&stdout=true HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nContent-Length: 4\r\n\r\nevil", execPath)
		b := make([]byte, 12)
		if _, err := io.ReadFull(conn, b); err != nil || string(b) != "HTTP/1.1 400" || c.dialled() != 0 {
			t.Errorf("%q, %v", b, err)
		}
	})
}

// Sizes of the terminal are read and written anew; without a terminal they are dropped.
func TestResize(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol string) {
		got := make(chan string, 1)
		c := newCluster(t, func(p *process) {
			b := make([]byte, len("{\"Width\":80,\"Height\":24}\n{\"Width\":99,\"Height\":33}\n"))
			_, err := io.ReadFull(p.resize, b)
			got <- fmt.Sprint(string(b), err)
			fmt.Fprint(p.status, success)
		})
		tap := &tap{}
		g := newGateway(t, c, tap, stream.Config{})
		k := g.connect(t, protocol, "stdin", "stdout", "stderr", "tty")
		go func() { _, _ = io.Copy(io.Discard, k.status) }()
		for _, part := range []string{"{\"Height\":24, \"Wid", "th\":80}\n\n {\"Width\":99,\"Height\":33}", "\n"} {
			if _, err := io.WriteString(k.resize, part); err != nil {
				t.Fatal(err)
			}
		}
		if b := within(t, "sizes", got); b != "{\"Width\":80,\"Height\":24}\n{\"Width\":99,\"Height\":33}\n<nil>" {
			t.Errorf("the process got %q", b)
		}
		within(t, "end", g.ended)
		if fmt.Sprint(tap.sizes) != "[[80 24] [99 33]]" {
			t.Errorf("the tap saw %v", tap.sizes)
		}
	})
	t.Run("without a terminal", func(t *testing.T) {
		got := make(chan string, 1)
		tap := &tap{}
		g := newGateway(t, newCluster(t, listening(got)), tap, stream.Config{})
		conn, _ := g.upgrade(t, "GET", execPath+"&stdin=true", offering(socketV5))
		_, _ = io.WriteString(conn, masked(0x82, "\x04{\"Width\":80,\"Height\":24}")+masked(0x82, "\x00ok")+masked(0x88, ""))
		if b := within(t, "input", got); b != "ok" || len(tap.sizes) != 0 {
			t.Errorf("the process got %q, the tap saw %v", b, tap.sizes)
		}
	})
}
