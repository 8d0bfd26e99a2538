package stream

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
	"github.com/writhq/writ/pkg/kubeapi"
)

// Sizes that come in pieces are those that come at once, and what is passed on is read as the same sizes.
func FuzzSizes(f *testing.F) {
	f.Add(`{"Width":80,"Height":24}`+"\n"+`{"Height":1,"Width":2}`, 7)
	f.Add(`{"Width":80,"Height":24,"Width":81}`, 3)
	f.Add(strings.Repeat("{", 300), 1)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if at < 0 || at > len(text) {
			return
		}
		collect := func(parts ...string) (all []terminalSize, err error) {
			var s sizes
			for _, p := range parts {
				if err = s.read([]byte(p), func(size terminalSize) { all = append(all, size) }); err != nil {
					return all, err
				}
				if len(s.kept) > maxSize {
					t.Fatalf("%d bytes kept", len(s.kept))
				}
			}
			return all, nil
		}
		whole, err := collect(text)
		pieces, errPieces := collect(text[:at], text[at:])
		if err == nil && errPieces == nil && fmt.Sprint(whole) != fmt.Sprint(pieces) {
			t.Fatalf("%v at once, %v in pieces", whole, pieces)
		}
		var again []byte
		for _, size := range whole {
			again = append(again, size.encode()...)
		}
		if back, err := collect(string(again)); err != nil || fmt.Sprint(back) != fmt.Sprint(whole) {
			t.Fatalf("%v became %v, %v", whole, back, err)
		}
	})
}

// Whatever a client sends, only messages on channels that it may use come out.
func FuzzSides(f *testing.F) {
	var frames bytes.Buffer
	w := spdyframe.NewWriter(&frames)
	_ = w.Open(1, spdyframe.Header{Name: "streamtype", Value: "error"})
	_ = w.Open(3, spdyframe.Header{Name: "streamtype", Value: "stdin"})
	_ = w.Data(nil, 3, []byte("hello"), true)
	f.Add(frames.Bytes(), false)
	f.Add([]byte("\x82\x86\x00\x00\x00\x00\x00hello\x82\x82\x00\x00\x00\x00\xFF\x00"), true)
	f.Fuzz(func(t *testing.T, b []byte, overSocket bool) {
		l := &link{r: bufio.NewReader(bytes.NewReader(b))}
		allowed := expected(kubeapi.Exec{Stdin: true, Stdout: true})
		var s side = newSocketSide(l, protocolV5, true)
		if !overSocket {
			spdy, err := newSpdySide(l, allowed, true)
			if err != nil {
				t.Fatal(err)
			}
			s = spdy
		}
		total := 0
		for {
			m, err := s.next()
			if err != nil {
				return
			}
			if m.channel >= channels || m.kind == 0 || len(m.data) > chunk || m.kind == open && !allowed[m.channel] {
				t.Fatalf("%+v", m)
			}
			if total += len(m.data); total > len(b) {
				t.Fatalf("%d bytes out of %d", total, len(b))
			}
		}
	})
}
