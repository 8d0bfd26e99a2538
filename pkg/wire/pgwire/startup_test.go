package pgwire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"
)

func TestReadStartup(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 256)
	tests := []struct {
		name string
		in   string
		want Startup
		err  error
	}{
		{name: "TLS", in: "\x00\x00\x00\x08\x04\xd2\x16\x2f", want: SSLRequest{}},
		{name: "GSS", in: "\x00\x00\x00\x08\x04\xd2\x16\x30", want: GSSENCRequest{}},
		{name: "direct TLS", in: "\x16\x03\x01\x02\x00", want: DirectTLS{Prefix: [4]byte{0x16, 3, 1, 2}}},
		{name: "cancel 3.0", in: "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x09abcd",
			want: &CancelRequest{ProcessID: 9, SecretKey: []byte("abcd")}},
		{name: "cancel 3.2", in: "\x00\x00\x01\x0c\x04\xd2\x16\x2e\x00\x00\x00\x09" + string(long),
			want: &CancelRequest{ProcessID: 9, SecretKey: long}},
		{name: "session", in: "\x00\x00\x00\x19\x00\x03\x00\x00user\x00bob\x00x\x00yzab\x00\x00",
			want: &StartupMessage{Version: Version30, Params: []Param{{"user", "bob"}, {"x", "yzab"}}}},
		{name: "length 0", in: "\x00\x00\x00\x00\x04\xd2\x16\x2f", err: ErrFrame},
		{name: "length 7", in: "\x00\x00\x00\x07\x04\xd2\x16", err: ErrFrame},
		{name: "length 10001", in: "\x00\x00\x27\x11\x00\x03\x00\x00", err: ErrFrame},
		{name: "length 2^32-1", in: "\xff\xff\xff\xff\x00\x03\x00\x00", err: ErrFrame},
		{name: "TLS with more", in: "\x00\x00\x00\x09\x04\xd2\x16\x2fx", err: ErrMalformed},
		{name: "cancel with a short key", in: "\x00\x00\x00\x0f\x04\xd2\x16\x2e\x00\x00\x00\x09abc", err: ErrMalformed},
		{name: "protocol 2", in: "\x00\x00\x00\x09\x00\x02\x00\x00\x00", err: ErrUnsupportedVersion},
		{name: "HTTP", in: "GET / HTTP/1.1\r\n", err: ErrFrame},
		{name: "no terminator", in: "\x00\x00\x00\x11\x00\x03\x00\x00user\x00bob\x00", err: ErrMalformed},
		{name: "early terminator", in: "\x00\x00\x00\x13\x00\x03\x00\x00\x00user\x00bob\x00\x00", err: ErrMalformed},
		{name: "name without value", in: "\x00\x00\x00\x0d\x00\x03\x00\x00user\x00", err: ErrMalformed},
		{name: "cut", in: "\x00\x00\x00\x18\x00\x03", err: io.ErrUnexpectedEOF},
		{name: "nothing", in: "", err: io.EOF},
	}
	for _, tt := range tests {
		got, err := ReadStartup(strings.NewReader(tt.in))
		if tt.err != nil {
			if !errors.Is(err, tt.err) {
				t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", tt.name, err, diff)
		}
	}
}

// The class of CVE-2021-23214: what follows an SSLRequest in the clear must not be
// read by anything but the TLS handshake.
func TestReadStartupLeavesWhatFollows(t *testing.T) {
	for _, first := range [][]byte{SSLRequest{}.Append(nil), GSSENCRequest{}.Append(nil)} {
		injected := mustEncode(t, &pgproto3.Query{String: "drop table t"})
		src := bytes.NewReader(append(first, injected...))
		if _, err := ReadStartup(src); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(src)
		if !bytes.Equal(rest, injected) {
			t.Errorf("left %q", rest)
		}
	}
}

func TestStartupMessageParams(t *testing.T) {
	m := StartupMessage{Version: Version30, Params: []Param{{"user", "a"}, {"database", "d"}, {"user", "b"}}}
	if m.Get("user") != "b" || m.Get("none") != "" || m.Repeated() != "user" {
		t.Errorf("user %q, repeated %q", m.Get("user"), m.Repeated())
	}
	m.Params = m.Params[1:]
	if m.Repeated() != "" {
		t.Error("nothing is repeated")
	}
	m.Params = []Param{{"user", "a\x00b"}}
	if _, err := m.Append(nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("NUL: %v", err)
	}
	m.Params = []Param{{"user", strings.Repeat("a", MaxStartupPacketLength)}}
	if _, err := m.Append(nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("size: %v", err)
	}
}

func TestStartupAgainstPgproto3(t *testing.T) {
	theirs := mustEncode(t, &pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion32, Parameters: map[string]string{"user": "u"}})
	m, err := ReadStartup(bytes.NewReader(theirs))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := m.(*StartupMessage).Append(nil)
	if err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("%q, %v", ours, err)
	}
	theirs = mustEncode(t, &pgproto3.CancelRequest{ProcessID: 3, SecretKey: []byte("0123456789")})
	if m, err = ReadStartup(bytes.NewReader(theirs)); err != nil {
		t.Fatal(err)
	}
	if ours, err = m.(*CancelRequest).Append(nil); err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("%q, %v", ours, err)
	}
}

func TestNegotiate(t *testing.T) {
	option := []Param{{"_pq_.shiny", "1"}}
	tests := []struct {
		name   string
		asked  Version
		params []Param
		speak  Version
		reply  *NegotiateProtocolVersion
	}{
		{"3.0", Version30, nil, Version30, nil},
		{"3.1 is 3.0", 3<<16 | 1, nil, Version30, nil},
		{"3.2", Version32, nil, Version32, nil},
		{"3.9999", 3<<16 | 9999, nil, Version32, &NegotiateProtocolVersion{Version: Version32}},
		{"3.0 with an option", Version30, option, Version30, &NegotiateProtocolVersion{Version: Version30, Options: []string{"_pq_.shiny"}}},
	}
	for _, tt := range tests {
		speak, reply := Negotiate(&StartupMessage{Version: tt.asked, Params: tt.params})
		if speak != tt.speak || !cmp.Equal(reply, tt.reply) {
			t.Errorf("%s: %v, %+v", tt.name, speak, reply)
		}
	}
}
