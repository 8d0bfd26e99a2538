package pgwire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func frame(typ byte, size int) []byte {
	f := binary.BigEndian.AppendUint32([]byte{typ}, uint32(4+size))
	return append(f, bytes.Repeat([]byte{typ | 0x80}, size)...)
}

func ready(r *Reader) *Reader {
	r.Authenticated()
	return r
}

func TestReaderFrames(t *testing.T) {
	var stream []byte
	sizes := []int{0, 1, 59, 60, 1000, 5, 70000, 0, 300}
	for _, n := range sizes {
		stream = append(stream, frame(TypeDataRow, n)...)
	}
	sources := map[string]func() io.Reader{
		"at once":        func() io.Reader { return bytes.NewReader(stream) },
		"byte by byte":   func() io.Reader { return iotest.OneByteReader(bytes.NewReader(stream)) },
		"with its end":   func() io.Reader { return iotest.DataErrReader(bytes.NewReader(stream)) },
		"half at a time": func() io.Reader { return iotest.HalfReader(bytes.NewReader(stream)) },
	}
	for name, source := range sources {
		r := ready(NewBackendReader(source(), Options{BufferSize: 64}))
		for _, n := range sizes {
			typ, body, err := r.Next()
			if err != nil || typ != TypeDataRow || !bytes.Equal(body, frame(TypeDataRow, n)[HeaderSize:]) {
				t.Fatalf("%s: %d bytes: %c, %d bytes, %v", name, n, typ, len(body), err)
			}
		}
		if _, _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: %v at the end", name, err)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want error
	}{
		{"length 0", "Q\x00\x00\x00\x00", ErrFrame},
		{"length 3", "Q\x00\x00\x00\x03", ErrFrame},
		{"length 2^31-1", "Q\x7f\xff\xff\xff", ErrFrame},
		{"length 2^32-1", "Q\xff\xff\xff\xff", ErrFrame},
		{"Sync over the small limit", "S\x00\x00\x27\x11", ErrFrame},
		{"backend's type", "T\x00\x00\x00\x06\x00\x00", ErrUnknownMessage},
		{"type 0", "\x00\x00\x00\x00\x04", ErrUnknownMessage},
		{"a password in mid-session", "p\x00\x00\x00\x05\x00", ErrUnknownMessage},
		{"cut header", "Q\x00\x00", io.ErrUnexpectedEOF},
		{"cut body", "Q\x00\x00\x00\x09sel", io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		r := ready(NewFrontendReader(strings.NewReader(tt.in), Options{}))
		_, _, err := r.Next()
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if _, _, again := r.Next(); !errors.Is(again, tt.want) {
			t.Errorf("%s: second call: %v", tt.name, again)
		}
	}
}

// The class of CVE-2024-27304: a payload that contains a frame is payload.
func TestReaderKeepsFramesInPayload(t *testing.T) {
	inner, _ := (&Query{SQL: "drop table t"}).Append(nil)
	bind, err := (&Bind{Params: [][]byte{inner}}).Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := ready(NewFrontendReader(bytes.NewReader(append(bind, AppendEmpty(nil, TypeSync)...)), Options{}))
	for _, want := range []byte{TypeBind, TypeSync} {
		if typ, _, err := r.Next(); typ != want || err != nil {
			t.Errorf("type %q, %v, want %q", typ, err, want)
		}
	}
}

func TestReaderPhases(t *testing.T) {
	in := append(frame(TypePassword, 6), frame(TypeSync, 0)...)
	r := NewFrontendReader(bytes.NewReader(in), Options{})
	if typ, _, err := r.Next(); typ != TypePassword || err != nil {
		t.Fatalf("%q, %v", typ, err)
	}
	r.Authenticated()
	if typ, _, err := r.Next(); typ != TypeSync || err != nil {
		t.Fatalf("%q, %v", typ, err)
	}
	for _, typ := range []byte{TypeQuery, TypeSync, TypeParse, TypeCopyData} {
		r := NewFrontendReader(bytes.NewReader(frame(typ, 0)), Options{})
		if _, _, err := r.Next(); !errors.Is(err, ErrUnknownMessage) {
			t.Errorf("%q before the password: %v", typ, err)
		}
	}
	for _, typ := range []byte{TypeAuthentication, TypeBackendKeyData, TypeNegotiateProtocolVersion} {
		r := ready(NewBackendReader(bytes.NewReader(frame(typ, 8)), Options{}))
		if _, _, err := r.Next(); !errors.Is(err, ErrUnknownMessage) {
			t.Errorf("%q in a running session: %v", typ, err)
		}
	}
	if _, _, err := NewBackendReader(bytes.NewReader(frame(TypeDataRow, 2)), Options{}).Next(); !errors.Is(err, ErrUnknownMessage) {
		t.Errorf("a row before the session is ready: %v", err)
	}
}

func TestReaderStepsOverTooLarge(t *testing.T) {
	in := append(frame(TypeQuery, 5000), frame(TypeSync, 0)...)
	r := ready(NewFrontendReader(bytes.NewReader(in), Options{BufferSize: 64, MaxStatement: 1000}))
	for range 2 {
		_, _, err := r.Next()
		var size *SizeError
		if !errors.As(err, &size) || size.Length != 5004 || size.Limit != 1000 || !errors.Is(err, ErrTooLarge) {
			t.Fatalf("got %v", err)
		}
	}
	if !r.HasFrame() {
		t.Error("a certain error counts as a frame")
	}
	if typ, size, err := r.Begin(); typ != TypeQuery || size != 5000 || err != nil {
		t.Fatalf("%q, %d, %v", typ, size, err)
	}
	if err := r.Discard(); err != nil {
		t.Fatal(err)
	}
	if typ, _, err := r.Next(); typ != TypeSync || err != nil {
		t.Errorf("after it: %q, %v", typ, err)
	}
}

func TestReaderLimitsApplyToStatementsOnly(t *testing.T) {
	r := ready(NewFrontendReader(bytes.NewReader(frame(TypeBind, 5000)), Options{MaxStatement: 1000}))
	if _, _, err := r.Next(); err != nil {
		t.Error(err)
	}
	// D is Describe here and DataRow there; P and Q are Parse and Query here only.
	r = ready(NewBackendReader(bytes.NewReader(frame(TypeDataRow, 5000)), Options{MaxStatement: 1000, MaxMessage: 4000}))
	if _, _, err := r.Next(); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestReaderGrowsWithWhatArrives(t *testing.T) {
	r := ready(NewFrontendReader(strings.NewReader("d\x03\xff\xff\xffabc"), Options{BufferSize: 64}))
	if _, _, err := r.Next(); err == nil {
		t.Fatal("the frame is cut")
	}
	if len(r.buf) > 128 {
		t.Errorf("a claim of 64 MiB reserved %d bytes", len(r.buf))
	}
}

func TestReaderShrinks(t *testing.T) {
	in := append(frame(TypeDataRow, 2<<20), frame(TypeDataRow, 9)...)
	r := ready(NewBackendReader(bytes.NewReader(in), Options{}))
	for range 2 {
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := r.Next(); err != io.EOF || len(r.buf) != DefaultBufferSize {
		t.Errorf("%d bytes kept, %v", len(r.buf), err)
	}
}

func TestReaderResumesAfterDeadline(t *testing.T) {
	in := append(frame(TypeQuery, 30), frame(TypeSync, 0)...)
	src := &stutter{data: in}
	r := ready(NewFrontendReader(src, Options{}))
	var got []byte
	for len(got) < 2 {
		typ, _, err := r.Next()
		if errors.Is(err, iotest.ErrTimeout) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, typ)
	}
	if string(got) != "QS" {
		t.Errorf("got %q", got)
	}
}

// stutter times out before every byte.
type stutter struct {
	data []byte
	late bool
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.late = !s.late; s.late {
		return 0, iotest.ErrTimeout
	}
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	p[0], s.data = s.data[0], s.data[1:]
	return 1, nil
}

func TestReaderGivesUpOnNoProgress(t *testing.T) {
	r := NewFrontendReader(mute{}, Options{})
	if _, _, err := r.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Error(err)
	}
}

type mute struct{}

func (mute) Read([]byte) (int, error) { return 0, nil }

func TestReaderInitial(t *testing.T) {
	in := append(frame(TypeQuery, 100), frame(TypeSync, 0)...)
	r := ready(NewFrontendReader(bytes.NewReader(in[90:]), Options{BufferSize: 64, Initial: in[:90]}))
	for _, want := range []byte{TypeQuery, TypeSync} {
		if typ, _, err := r.Next(); typ != want || err != nil {
			t.Errorf("%q, %v", typ, err)
		}
	}
}

func TestPeekAndHasFrame(t *testing.T) {
	r := ready(NewFrontendReader(iotest.OneByteReader(bytes.NewReader(frame(TypeQuery, 3))), Options{}))
	if r.HasFrame() {
		t.Error("nothing was read yet")
	}
	typ, size, err := r.Peek()
	if typ != TypeQuery || size != 3 || err != nil {
		t.Errorf("%q, %d, %v", typ, size, err)
	}
	if r.HasFrame() || r.Buffered() != HeaderSize {
		t.Errorf("%d bytes buffered", r.Buffered())
	}
	if _, _, err := r.Next(); err != nil {
		t.Error(err)
	}
}

func TestNextRun(t *testing.T) {
	var in []byte
	for range 5 {
		in = append(in, frame(TypeDataRow, 10)...)
	}
	in = append(in, frame(TypeCommandComplete, 9)...)
	in = append(in, frame(TypeDataRow, 10)...)
	in = append(in, frame(TypeDataRow, 10)[:8]...)
	r := ready(NewBackendReader(bytes.NewReader(in), Options{}))
	rows := NewTypeSet(TypeDataRow)
	if run, n := r.NextRun(rows, 10); run != nil || n != 0 {
		t.Errorf("nothing is buffered: %q", run)
	}
	if _, _, err := r.Peek(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 3, 0} {
		run, n := r.NextRun(rows, max(want, 2)+want/3*9)
		if n != want || len(run) != 15*want {
			t.Errorf("%d frames, %d bytes, want %d", n, len(run), want)
		}
	}
	if typ, _, err := r.Next(); typ != TypeCommandComplete || err != nil {
		t.Errorf("%q, %v", typ, err)
	}
	if _, n := r.NextRun(rows, 10); n != 1 {
		t.Errorf("%d frames before the cut one", n)
	}
	if _, n := r.NextRun(rows, 10); n != 0 {
		t.Errorf("a cut frame was taken")
	}
	if run, n := r.NextRun(rows, 0); run != nil || n != 0 {
		t.Error("at most none")
	}
}

func TestNextRunStopsAtBadFrames(t *testing.T) {
	for _, bad := range []string{"D\x00\x00\x00\x03", "D\xff\xff\xff\xff", "R\x00\x00\x00\x08\x00\x00\x00\x00"} {
		r := ready(NewBackendReader(strings.NewReader(string(frame(TypeDataRow, 2))+bad), Options{}))
		if _, _, err := r.Peek(); err != nil {
			t.Fatal(err)
		}
		all := NewTypeSet(TypeDataRow, TypeAuthentication)
		if run, n := r.NextRun(all, 10); n != 1 || len(run) != 7 {
			t.Errorf("%q: %d frames", bad, n)
		}
		if _, _, err := r.Next(); !errors.Is(err, ErrFrame) && !errors.Is(err, ErrUnknownMessage) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestStream(t *testing.T) {
	big := frame(TypeCopyData, 1<<20)
	in := append(append([]byte{}, big...), frame(TypeCopyDone, 0)...)
	r := ready(NewFrontendReader(bytes.NewReader(in), Options{MaxMessage: 1000}))
	var out bytes.Buffer
	if err := r.CopyFrame(&out); err != nil || !bytes.Equal(out.Bytes(), big) {
		t.Fatalf("%d bytes, %v", out.Len(), err)
	}
	if len(r.buf) != DefaultBufferSize {
		t.Errorf("streaming holds %d bytes", len(r.buf))
	}
	if typ, _, err := r.Next(); typ != TypeCopyDone || err != nil {
		t.Errorf("%q, %v", typ, err)
	}
}

func TestStreamGuards(t *testing.T) {
	in := append(frame(TypeCopyData, 100), frame(TypeCopyDone, 0)...)
	r := ready(NewFrontendReader(bytes.NewReader(in[:60]), Options{}))
	if _, _, err := r.Begin(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Next(); !errors.Is(err, ErrUnfinished) {
		t.Errorf("Next inside a body: %v", err)
	}
	if run, _ := r.NextRun(NewTypeSet(TypeCopyData), 9); run != nil {
		t.Error("NextRun inside a body")
	}
	if err := r.Discard(); !errors.Is(err, io.ErrUnexpectedEOF) || r.Remaining() != 45 {
		t.Errorf("cut body: %v, %d remain", err, r.Remaining())
	}
	if _, err := ready(NewFrontendReader(bytes.NewReader(in), Options{})).Chunk(); err != io.EOF {
		t.Errorf("a chunk of nothing: %v", err)
	}
	r = ready(NewFrontendReader(bytes.NewReader(in), Options{}))
	if err := r.CopyFrame(brokenWriter{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("broken writer: %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
