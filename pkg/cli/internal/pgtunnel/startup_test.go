package pgtunnel

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

// stream is a client that said everything beforehand.
type stream struct {
	io.Reader
	answers bytes.Buffer
}

func (s *stream) Write(p []byte) (int, error) { return s.answers.Write(p) }

const (
	askSSL = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	askGSS = "\x00\x00\x00\x08\x04\xd2\x16\x30"
	begin  = "\x00\x00\x00\x11\x00\x03\x00\x00user\x00me\x00\x00"
)

func TestReadFirst(t *testing.T) {
	for name, c := range map[string]struct {
		in, answers string
		err         error
	}{
		"plain":                {begin, "", nil},
		"asks for TLS":         {askSSL + begin, "N", nil},
		"asks for both":        {askGSS + askSSL + begin, "NN", nil},
		"asks again and again": {askSSL + askSSL + askSSL + askSSL + begin, "NNNN", pgwire.ErrMalformed},
		"direct TLS":           {"\x16\x03\x01\x02\x00", "", pgwire.ErrMalformed},
		"too large":            {"\x7f\x00\x00\x00\x00\x03\x00\x00", "", pgwire.ErrFrame},
		"protocol 2":           {"\x00\x00\x00\x08\x00\x02\x00\x00", "", pgwire.ErrUnsupportedVersion},
		"cut short":            {begin[:12], "", io.ErrUnexpectedEOF},
		"nothing":              {"", "", io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stream{Reader: bytes.NewReader([]byte(c.in))}
			_, err := readFirst(s)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("got error %v, want %v", err, c.err)
			}
			if s.answers.String() != c.answers {
				t.Errorf("answered %q, want %q", s.answers.String(), c.answers)
			}
		})
	}
}

func FuzzStartup(f *testing.F) {
	for _, seed := range []string{begin, askSSL + begin, askGSS + askSSL + begin, askSSL, "\x16\x03\x01\x02"} {
		f.Add([]byte(seed))
	}
	tok := Token{User: "kim@example.com", Database: "orders"}
	f.Fuzz(func(t *testing.T, in []byte) {
		first, err := readFirst(&stream{Reader: bytes.NewReader(in)})
		m, ok := first.(*pgwire.StartupMessage)
		if err != nil || !ok {
			return
		}
		out := rewrite(m, tok, "os")
		if out.Get("user") != tok.User || out.Repeated() == "user" || out.Repeated() == "database" {
			t.Fatalf("rewritten to %v", out.Params)
		}
		packet, err := out.Append(nil)
		if err != nil {
			return // too large with the longer name
		}
		if _, err := readFirst(&stream{Reader: bytes.NewReader(packet)}); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("R\x00\x00\x00\x08\x00\x00\x00\x00"))
	f.Add([]byte("E\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		frame, err := readFrame(r)
		if err == nil && (!bytes.HasPrefix(in, frame) || r.Len() != len(in)-len(frame)) {
			t.Fatalf("read %q of %q", frame, in)
		}
	})
}
