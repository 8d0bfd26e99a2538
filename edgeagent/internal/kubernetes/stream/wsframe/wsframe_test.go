package wsframe_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/wsframe"
)

// fromClient and fromServer read bytes as what a client or server sent.
func fromClient(b []byte) *wsframe.Reader {
	return wsframe.NewServerReader(bufio.NewReader(bytes.NewReader(b)))
}

func fromServer(b []byte) *wsframe.Reader {
	return wsframe.NewClientReader(bufio.NewReader(bytes.NewReader(b)))
}

func TestRefused(t *testing.T) {
	key := "\x00\x00\x00\x00"
	tests := []struct {
		name  string
		bytes string
	}{
		{"text", "\x81\x81" + key + "a"},
		{"unmasked", "\x82\x01a"},
		{"reserved bit 1", "\xC2\x81" + key + "a"},
		{"reserved bit 2", "\xA2\x81" + key + "a"},
		{"reserved bit 3", "\x92\x81" + key + "a"},
		{"unknown data", "\x83\x81" + key + "a"},
		{"unknown control", "\x8B\x80" + key},
		{"ping in fragments", "\x09\x80" + key},
		{"long ping", "\x89\xFE\x00\x7E" + key + strings.Repeat("a", 126)},
		{"continuation of nothing", "\x80\x81" + key + "a"},
		{"length in two bytes instead of one", "\x82\xFE\x00\x01" + key + "a"},
		{"length in eight bytes instead of two", "\x82\xFF\x00\x00\x00\x00\x00\x00\xFF\xFF" + key},
		{"too long", "\x82\xFF\x00\x00\x00\x00\x02\x00\x00\x01" + key},
		{"negative length", "\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x01" + key},
		{"close of one byte", "\x88\x81" + key + "a"},
		{"close with a code that is never sent", "\x88\x82" + key + "\x03\xED"},
		{"close with a code below all", "\x88\x82" + key + "\x00\x01"},
		{"close with a reason that is no text", "\x88\x83" + key + "\x03\xE8\xFF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if f, err := fromClient([]byte(tt.bytes)).Next(); !errors.Is(err, wsframe.ErrProtocol) {
				t.Errorf("got %+v, %v", f, err)
			}
		})
	}
	t.Run("a message within a message", func(t *testing.T) {
		r := fromClient([]byte("\x02\x81" + key + "a\x82\x81" + key + "b"))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); !errors.Is(err, wsframe.ErrProtocol) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("masked by a server", func(t *testing.T) {
		if _, err := fromServer([]byte("\x82\x81" + key + "a")).Next(); !errors.Is(err, wsframe.ErrProtocol) {
			t.Errorf("got %v", err)
		}
	})
}

// Every frame that breaks off is an error other than a plain end.
func TestBrokenOff(t *testing.T) {
	var whole bytes.Buffer
	w := wsframe.NewClientWriter(&whole, rand.Reader)
	if err := w.Write(nil, wsframe.Binary, []byte{0}, bytes.Repeat([]byte("x"), 300)); err != nil {
		t.Fatal(err)
	}
	for n := range whole.Len() {
		r := fromClient(whole.Bytes()[:n])
		_, err := r.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if want := io.ErrUnexpectedEOF; n == 0 && err != io.EOF || n > 0 && !errors.Is(err, want) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// Control frames may stand between the fragments of a message (RFC 6455, section 5.4).
func TestFragments(t *testing.T) {
	r := fromServer([]byte("\x02\x02he\x89\x01p\x00\x00\x80\x03llo"))
	var got []byte
	for i, want := range []struct {
		op          wsframe.Op
		first, last bool
	}{{wsframe.Binary, true, false}, {wsframe.Ping, true, true}, {wsframe.Binary, false, false}, {wsframe.Binary, false, true}} {
		f, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f.Op != want.op || f.First != want.first || f.Last != want.last {
			t.Errorf("frame %d: %+v", i, f)
		}
		if f.Op == wsframe.Binary {
			part, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, part...)
		}
	}
	if string(got) != "hello" {
		t.Errorf("got %q", got)
	}
}

// What is left unread of a frame is passed over.
func TestUnread(t *testing.T) {
	r := fromServer([]byte("\x82\x05hello\x89\x01p"))
	for _, want := range []wsframe.Op{wsframe.Binary, wsframe.Ping} {
		if f, err := r.Next(); err != nil || f.Op != want {
			t.Fatalf("%+v, %v", f, err)
		}
	}
}

// gorilla/websocket, which kubectl uses, reads what is written here and the reverse.
func TestAgainstGorilla(t *testing.T) {
	upgraded := make(chan *websocket.Conn, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		defer close(upgraded)
		ws, _, err := (&websocket.Dialer{NetDial: func(network, addr string) (net.Conn, error) {
			return net.Dial(network, l.Addr().String())
		}}).Dial("ws://server/", nil)
		if err == nil {
			upgraded <- ws
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	br := bufio.NewReader(conn)
	grant(t, br, conn)
	theirs := <-upgraded
	if theirs == nil {
		t.Fatal("no upgrade")
	}
	defer theirs.Close()
	w, r := wsframe.NewServerWriter(conn), wsframe.NewServerReader(br)
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		want := make([]byte, size)
		if _, err := rand.Read(want); err != nil {
			t.Fatal(err)
		}
		wait := inBackground(func() error { return w.Write(nil, wsframe.Binary, want[:size/3], want[size/3:]) })
		if _, got, err := theirs.ReadMessage(); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes from the server: %v", size, err)
		}
		wait(t)
		wait = inBackground(func() error { return theirs.WriteMessage(websocket.BinaryMessage, want) })
		if got, err := message(r); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes from the client: %v", size, err)
		}
		wait(t)
	}
	defer inBackground(func() error { return w.WriteClose(wsframe.PolicyViolation, []byte("enough")) })(t)
	_, _, err = theirs.ReadMessage()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != wsframe.PolicyViolation || closed.Text != "enough" {
		t.Errorf("close: %v", err)
	}
	if f, err := r.Next(); err != nil || f.Op != wsframe.Close || f.Code != wsframe.PolicyViolation {
		t.Errorf("its answer: %+v, %v", f, err)
	}
}

func inBackground(f func() error) (wait func(*testing.T)) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return func(t *testing.T) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// message reads a message, whatever its fragments.
func message(r *wsframe.Reader) ([]byte, error) {
	var out []byte
	for {
		f, err := r.Next()
		if err != nil {
			return nil, err
		}
		part, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if out = append(out, part...); f.Last {
			return out, nil
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("\x82\x05hello\x89\x01p\x88\x02\x03\xE8"), false)
	f.Add([]byte("\x02\x82\x01\x02\x03\x04he\x80\x83\x01\x02\x03\x04llo"), true)
	f.Add([]byte("\x82\xFE\x01\x00\x01\x02\x03\x04"), true)
	f.Fuzz(func(t *testing.T, b []byte, masked bool) {
		r := fromServer(b)
		if masked {
			r = fromClient(b)
		}
		total := 0
		for {
			frame, err := r.Next()
			if err != nil {
				return
			}
			if frame.Size < 0 || frame.Size > wsframe.MaxData || len(frame.Payload) > 125 {
				t.Fatalf("out of bounds: %+v", frame)
			}
			n, _ := io.Copy(io.Discard, r)
			if total += int(n) + len(frame.Payload); total > len(b) {
				t.Fatalf("%d bytes of payload in %d bytes", total, len(b))
			}
		}
	})
}

// What is written is read again, for both roles.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{0}, []byte("hello"))
	f.Fuzz(func(t *testing.T, head, body []byte) {
		var sent bytes.Buffer
		if err := wsframe.NewClientWriter(&sent, rand.Reader).Write(make([]byte, 64), wsframe.Binary, head, body); err != nil {
			t.Fatal(err)
		}
		if got, err := message(fromClient(sent.Bytes())); err != nil || string(got) != string(head)+string(body) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}
