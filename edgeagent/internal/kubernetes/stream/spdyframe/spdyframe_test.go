package spdyframe_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/moby/spdystream/spdy"

	"github.com/writhq/writ/edgeagent/internal/kubernetes/stream/spdyframe"
)

func fromClient(tb testing.TB, b []byte) *spdyframe.Reader {
	tb.Helper()
	r, err := spdyframe.NewServerReader(bufio.NewReader(bytes.NewReader(b)))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func fromServer(b []byte) *spdyframe.Reader {
	return spdyframe.NewClientReader(bufio.NewReader(bytes.NewReader(b)))
}

// theirs returns frames as the library of kubectl and the kubelet writes them.
func theirs(tb testing.TB, frames ...spdy.Frame) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := spdy.NewFramer(&b, nil)
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range frames {
		if err := w.WriteFrame(f); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestReadsTheirs(t *testing.T) {
	r := fromClient(t, theirs(t,
		&spdy.SynStreamFrame{StreamId: 1, Headers: http.Header{"Streamtype": {"error"}, "Port": {"80"}}},
		&spdy.SynStreamFrame{StreamId: 3, Headers: http.Header{"Streamtype": {"data"}}, CFHeader: spdy.ControlFrameHeader{Flags: spdy.ControlFlagFin}},
		&spdy.SettingsFrame{FlagIdValues: []spdy.SettingsFlagIdValue{{Id: 7, Value: 1}}},
		&spdy.WindowUpdateFrame{StreamId: 1, DeltaWindowSize: 9},
		&spdy.DataFrame{StreamId: 1, Data: []byte("hello")},
		&spdy.DataFrame{StreamId: 1, Flags: spdy.DataFlagFin},
		&spdy.PingFrame{Id: 7},
		&spdy.RstStreamFrame{StreamId: 3, Status: spdy.Cancel},
		&spdy.GoAwayFrame{LastGoodStreamId: 3, Status: spdy.GoAwayOK},
	))
	want := []spdyframe.Frame{
		{Kind: spdyframe.Open, Stream: 1, Header: http.Header{"Streamtype": {"error"}, "Port": {"80"}}},
		{Kind: spdyframe.Open, Stream: 3, Header: http.Header{"Streamtype": {"data"}}, Fin: true},
		{Kind: spdyframe.Data, Stream: 1, Size: 5},
		{Kind: spdyframe.Data, Stream: 1, Fin: true},
		{Kind: spdyframe.Ping, Code: 7},
		{Kind: spdyframe.Reset, Stream: 3, Code: spdyframe.Cancel},
		{Kind: spdyframe.GoAway, Stream: 3},
	}
	for _, w := range want {
		f, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind != w.Kind || f.Stream != w.Stream || f.Fin != w.Fin || f.Code != w.Code || f.Size != w.Size || len(f.Header) != len(w.Header) {
			t.Errorf("got %+v, want %+v", f, w)
		}
		for name, v := range w.Header {
			if f.Header.Get(name) != v[0] {
				t.Errorf("header %s: %q", name, f.Header[name])
			}
		}
		if f.Size > 0 {
			if got, err := io.ReadAll(r); err != nil || string(got) != "hello" {
				t.Errorf("payload %q, %v", got, err)
			}
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// The library reads what is written here: headers in several frames, long ones, and data.
func TestTheirsReads(t *testing.T) {
	long := strings.Repeat("v", 100_000)
	var b bytes.Buffer
	w := spdyframe.NewWriter(&b)
	err := errors.Join(
		w.Open(1, spdyframe.Header{Name: "streamtype", Value: "error"}, spdyframe.Header{Name: "port", Value: "80"}),
		w.Open(3, spdyframe.Header{Name: "long", Value: long}),
		w.Reply(2), w.Data(nil, 3, []byte("hello"), false), w.Data(nil, 3, nil, true),
		w.Ping(9), w.Reset(3, 0), w.GoAway(3, spdyframe.GoAwayProtocol))
	if err != nil {
		t.Fatal(err)
	}
	r, err := spdy.NewFramer(io.Discard, &b)
	if err != nil {
		t.Fatal(err)
	}
	next := func() spdy.Frame {
		f, err := r.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := next().(*spdy.SynStreamFrame); f.StreamId != 1 || f.Headers.Get("streamtype") != "error" || f.Headers.Get("port") != "80" {
		t.Errorf("%+v", f)
	}
	if f := next().(*spdy.SynStreamFrame); f.StreamId != 3 || f.Headers.Get("long") != long {
		t.Errorf("%+v", f)
	}
	if f := next().(*spdy.SynReplyFrame); f.StreamId != 2 || len(f.Headers) != 0 {
		t.Errorf("%+v", f)
	}
	if f := next().(*spdy.DataFrame); f.StreamId != 3 || string(f.Data) != "hello" || f.Flags != 0 {
		t.Errorf("%+v", f)
	}
	if f := next().(*spdy.DataFrame); f.StreamId != 3 || len(f.Data) != 0 || f.Flags != spdy.DataFlagFin {
		t.Errorf("%+v", f)
	}
	if f := next().(*spdy.PingFrame); f.Id != 9 {
		t.Errorf("%+v", f)
	}
	if f := next().(*spdy.RstStreamFrame); f.StreamId != 3 || f.Status != spdy.Cancel {
		t.Errorf("%+v", f)
	}
	if f := next().(*spdy.GoAwayFrame); f.LastGoodStreamId != 3 || f.Status != spdy.GoAwayProtocolError {
		t.Errorf("%+v", f)
	}
}

func TestRefused(t *testing.T) {
	header := http.Header{"A": {"b"}}
	open := theirs(t, &spdy.SynStreamFrame{StreamId: 1, Headers: header})
	with := func(at int, value byte) []byte {
		b := bytes.Clone(open)
		b[at] = value
		return b
	}
	many := http.Header{}
	for i := range 17 {
		many["H"+string(rune('a'+i))] = []string{"x"}
	}
	tests := []struct {
		name  string
		bytes []byte
	}{
		{"another version", with(1, 2)},
		{"unknown flag", with(4, 4)},
		{"one way", with(4, 2)},
		{"with a parent", with(15, 7)},
		{"stream zero", with(11, 0)},
		{"longer than it says", with(7, open[7]-8)},
		{"garbage for headers", with(18, 0xFF)},
		{"unknown kind", []byte("\x80\x03\x00\x0A\x00\x00\x00\x00")},
		{"no fixed part", []byte("\x80\x03\x00\x01\x00\x00\x00\x00")},
		{"long control frame", []byte("\x80\x03\x00\x01\x00\x00\x40\x01")},
		{"headers in mid-stream", theirs(t, &spdy.HeadersFrame{StreamId: 1, Headers: header})},
		{"many headers", theirs(t, &spdy.SynStreamFrame{StreamId: 1, Headers: many})},
		{"long header", theirs(t, &spdy.SynStreamFrame{StreamId: 1, Headers: http.Header{"A": {strings.Repeat("b", 1025)}}})},
		{"bomb", theirs(t, &spdy.SynStreamFrame{StreamId: 1, Headers: http.Header{"A": {strings.Repeat("b", 1<<20)}}})},
		{"hop-by-hop header", theirs(t, &spdy.SynStreamFrame{StreamId: 1, Headers: http.Header{"Host": {"b"}, "Connection": {"c"}}})},
		{"data on stream zero", []byte("\x00\x00\x00\x00\x00\x00\x00\x01a")},
		{"data with an unknown flag", []byte("\x00\x00\x00\x01\x02\x00\x00\x01a")},
		{"long ping", []byte("\x80\x03\x00\x06\x00\x00\x00\x05\x00\x00\x00\x01a")},
		{"ping with a flag", []byte("\x80\x03\x00\x06\x01\x00\x00\x04\x00\x00\x00\x01")},
		{"short reset", []byte("\x80\x03\x00\x03\x00\x00\x00\x04\x00\x00\x00\x01")},
		{"reset of stream zero", []byte("\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01")},
		{"short reply", []byte("\x80\x03\x00\x02\x00\x00\x00\x02\x00\x00")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if f, err := fromClient(t, tt.bytes).Next(); !errors.Is(err, spdyframe.ErrProtocol) {
				t.Errorf("got %+v, %v", f, err)
			}
		})
	}
	t.Run("a server opens a stream", func(t *testing.T) {
		if _, err := fromServer(open).Next(); !errors.Is(err, spdyframe.ErrProtocol) {
			t.Errorf("got %v", err)
		}
	})
}

// A name that stands twice has two values, so that who reads it can refuse it.
func TestDuplicateHeaders(t *testing.T) {
	var b bytes.Buffer
	if err := spdyframe.NewWriter(&b).Open(1, spdyframe.Header{Name: "port", Value: "80"}, spdyframe.Header{Name: "port", Value: "81"}); err != nil {
		t.Fatal(err)
	}
	f, err := fromClient(t, b.Bytes()).Next()
	if err == nil && len(f.Header["Port"]) != 2 {
		t.Errorf("%+v", f)
	}
}

func TestBrokenOff(t *testing.T) {
	whole := append(theirs(t, &spdy.SynStreamFrame{StreamId: 1, Headers: http.Header{"A": {"b"}}}), theirs(t, &spdy.DataFrame{StreamId: 1, Data: []byte("hello")})...)
	first := len(whole) - 13
	for n := range whole {
		r := fromClient(t, whole[:n])
		var err error
		for err == nil {
			if _, err = r.Next(); err == nil {
				_, err = io.Copy(io.Discard, r)
			}
		}
		if clean := n == 0 || n == first; clean && err != io.EOF || !clean && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(theirs(f, &spdy.SynStreamFrame{StreamId: 1, Headers: http.Header{"Streamtype": {"error"}}}, &spdy.DataFrame{StreamId: 1, Data: []byte("x")}), true)
	f.Add(theirs(f, &spdy.SynReplyFrame{StreamId: 1}, &spdy.PingFrame{Id: 2}, &spdy.GoAwayFrame{}), false)
	var own bytes.Buffer
	_ = spdyframe.NewWriter(&own).Open(1, spdyframe.Header{Name: "streamtype", Value: "data"})
	f.Add(own.Bytes(), true)
	f.Fuzz(func(t *testing.T, b []byte, server bool) {
		r := fromServer(b)
		if server {
			r = fromClient(t, b)
		}
		total := 0
		for {
			frame, err := r.Next()
			if err != nil {
				return
			}
			n, _ := io.Copy(io.Discard, r)
			if total += int(n); total > len(b) || len(frame.Header) > 16 {
				t.Fatalf("%d bytes of payload in %d bytes, %d headers", total, len(b), len(frame.Header))
			}
		}
	})
}
