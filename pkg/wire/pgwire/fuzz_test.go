package pgwire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// fuzzDecoder holds for every decoder: it never panics, its errors are ErrMalformed,
// and what it accepts it writes again, to the byte where the order is fixed.
func fuzzDecoder(f *testing.F, name string) {
	var s subject
	for _, each := range subjects() {
		if each.name == name {
			s = each
		}
	}
	for _, sample := range s.samples {
		f.Add(mustEncode(f, sample)[HeaderSize:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m := s.fresh()
		if err := m.Decode(body); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		frame, err := m.Append(nil)
		if unordered(name) {
			if err == nil {
				checkSame(t, s, m, frame)
			}
			return
		}
		if err != nil || !bytes.Equal(frame[HeaderSize:], body) {
			t.Fatalf("read %q, wrote %q, %v", body, frame, err)
		}
	})
}

func checkSame(t *testing.T, s subject, m codec, frame []byte) {
	again := s.fresh()
	if err := again.Decode(frame[HeaderSize:]); err != nil {
		t.Fatal(err)
	}
	ignore := cmpopts.IgnoreFields(Diagnostic{}, "LocalSeverity")
	if diff := cmp.Diff(m, again, ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Fatal(diff)
	}
}

func FuzzQuery(f *testing.F)                    { fuzzDecoder(f, "Query") }
func FuzzParse(f *testing.F)                    { fuzzDecoder(f, "Parse") }
func FuzzBind(f *testing.F)                     { fuzzDecoder(f, "Bind") }
func FuzzDescribe(f *testing.F)                 { fuzzDecoder(f, "Describe") }
func FuzzClose(f *testing.F)                    { fuzzDecoder(f, "Close") }
func FuzzExecute(f *testing.F)                  { fuzzDecoder(f, "Execute") }
func FuzzFunctionCall(f *testing.F)             { fuzzDecoder(f, "FunctionCall") }
func FuzzCopyData(f *testing.F)                 { fuzzDecoder(f, "CopyData") }
func FuzzCopyFail(f *testing.F)                 { fuzzDecoder(f, "CopyFail") }
func FuzzCopyInResponse(f *testing.F)           { fuzzDecoder(f, "CopyInResponse") }
func FuzzCopyOutResponse(f *testing.F)          { fuzzDecoder(f, "CopyOutResponse") }
func FuzzCopyBothResponse(f *testing.F)         { fuzzDecoder(f, "CopyBothResponse") }
func FuzzPasswordMessage(f *testing.F)          { fuzzDecoder(f, "PasswordMessage") }
func FuzzSASLInitialResponse(f *testing.F)      { fuzzDecoder(f, "SASLInitialResponse") }
func FuzzSASLResponse(f *testing.F)             { fuzzDecoder(f, "SASLResponse") }
func FuzzAuthentication(f *testing.F)           { fuzzDecoder(f, "Authentication") }
func FuzzParameterStatus(f *testing.F)          { fuzzDecoder(f, "ParameterStatus") }
func FuzzBackendKeyData(f *testing.F)           { fuzzDecoder(f, "BackendKeyData") }
func FuzzReadyForQuery(f *testing.F)            { fuzzDecoder(f, "ReadyForQuery") }
func FuzzNotificationResponse(f *testing.F)     { fuzzDecoder(f, "NotificationResponse") }
func FuzzParameterDescription(f *testing.F)     { fuzzDecoder(f, "ParameterDescription") }
func FuzzRowDescription(f *testing.F)           { fuzzDecoder(f, "RowDescription") }
func FuzzDataRow(f *testing.F)                  { fuzzDecoder(f, "DataRow") }
func FuzzCommandComplete(f *testing.F)          { fuzzDecoder(f, "CommandComplete") }
func FuzzFunctionCallResponse(f *testing.F)     { fuzzDecoder(f, "FunctionCallResponse") }
func FuzzNegotiateProtocolVersion(f *testing.F) { fuzzDecoder(f, "NegotiateProtocolVersion") }
func FuzzErrorResponse(f *testing.F)            { fuzzDecoder(f, "ErrorResponse") }
func FuzzNoticeResponse(f *testing.F)           { fuzzDecoder(f, "NoticeResponse") }

func FuzzReadStartup(f *testing.F) {
	f.Add(SSLRequest{}.Append(nil))
	f.Add(GSSENCRequest{}.Append(nil))
	f.Add([]byte("\x16\x03\x01\x02\x00\x01"))
	cancel, _ := (&CancelRequest{ProcessID: 1, SecretKey: []byte("abcd")}).Append(nil)
	f.Add(cancel)
	start, _ := (&StartupMessage{Version: Version30, Params: []Param{{"user", "u"}}}).Append(nil)
	f.Add(start)
	f.Fuzz(func(t *testing.T, data []byte) {
		src := bytes.NewReader(data)
		m, err := ReadStartup(src)
		if err != nil {
			return
		}
		read := data[:len(data)-src.Len()]
		var again []byte
		switch m := m.(type) {
		case SSLRequest:
			again = m.Append(nil)
		case GSSENCRequest:
			again = m.Append(nil)
		case DirectTLS:
			again = m.Prefix[:]
		case *CancelRequest:
			again, err = m.Append(nil)
		case *StartupMessage:
			again, err = m.Append(nil)
		}
		if err != nil || !bytes.Equal(read, again) {
			t.Fatalf("read %q, wrote %q, %v", read, again, err)
		}
	})
}

// FuzzReader holds: however the bytes arrive and whatever calls take the frames, the
// frames are the same.
func FuzzReader(f *testing.F) {
	stream := AppendEmpty(nil, TypeSync)
	stream, _ = (&Query{SQL: "select 1"}).Append(stream)
	f.Add(stream, byte(3), true)
	f.Add([]byte("Q\xff\xff\xff\xff"), byte(1), false)
	f.Add(bytes.Repeat([]byte("D\x00\x00\x00\x06\x00\x00"), 40), byte(7), false)
	f.Fuzz(func(t *testing.T, data []byte, calls byte, front bool) {
		want, wantErr := drain(newTestReader(bytes.NewReader(data), front, 1<<20), 0)
		got, gotErr := drain(newTestReader(&trickle{data: data}, front, 64), calls)
		if !bytes.Equal(want, got) {
			t.Fatalf("frames %q, want %q", got, want)
		}
		if (wantErr == io.EOF) != (gotErr == io.EOF) {
			t.Fatalf("ended with %v, want %v", gotErr, wantErr)
		}
	})
}

func newTestReader(src io.Reader, front bool, buffer int) *Reader {
	o := Options{BufferSize: buffer}
	if front {
		r := NewFrontendReader(src, o)
		r.Authenticated()
		return r
	}
	r := NewBackendReader(src, o)
	r.Authenticated()
	return r
}

// drain takes all frames, by the calls that the bits of calls choose in turn.
func drain(r *Reader, calls byte) (all []byte, err error) {
	every := new(TypeSet)
	for i := range every {
		every[i] = true
	}
	for i := 0; ; i++ {
		if calls&(1<<(i%4)) != 0 {
			run, _ := r.NextRun(every, 3)
			all = append(all, run...)
		}
		if calls&(16<<(i%4)) != 0 {
			var sink bytes.Buffer
			if err := r.CopyFrame(&sink); err != nil {
				return all, err
			}
			all = append(all, sink.Bytes()...)
			continue
		}
		frame, err := r.NextFrame()
		if err != nil {
			return all, err
		}
		all = append(all, frame...)
	}
}

// trickle gives one to seven bytes at a time.
type trickle struct {
	data []byte
	n    int
}

func (s *trickle) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	s.n++
	n := copy(p, s.data[:min(1+s.n%7, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}
