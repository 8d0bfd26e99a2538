package pgtunnel

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

// scripted is an edge that says one thing whatever it hears, or a client that hears.
type scripted struct {
	net.Conn
	says  io.Reader
	heard bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error)  { return s.says.Read(p) }
func (s *scripted) Write(p []byte) (int, error) { return s.heard.Write(p) }

const (
	askPassword = "R\x00\x00\x00\x08\x00\x00\x00\x03"
	authOK      = "R\x00\x00\x00\x08\x00\x00\x00\x00"
	keyData     = "K\x00\x00\x00\x0c\x00\x00\x00\x01key!"
	ready       = "Z\x00\x00\x00\x05I"
)

func TestSignin(t *testing.T) {
	for name, c := range map[string]struct {
		says   string
		client string // what the client hears
		err    error
	}{
		"good":                     {askPassword + authOK + keyData + ready, authOK + keyData + ready, nil},
		"admits without asking":    {authOK + ready, "", errProtocol},
		"asks twice":               {askPassword + askPassword, "", errProtocol},
		"asks for MD5":             {"R\x00\x00\x00\x0c\x00\x00\x00\x05salt", "", errProtocol},
		"ready before it admits":   {askPassword + ready, "", errProtocol},
		"admits twice":             {askPassword + authOK + authOK, authOK, errProtocol},
		"rows before it is ready":  {askPassword + authOK + "D\x00\x00\x00\x06\x00\x00", authOK, errProtocol},
		"claims a giant message":   {"R\x7f\x00\x00\x00", "", pgwire.ErrFrame},
		"malformed authentication": {"R\x00\x00\x00\x06\x00\x00", "", pgwire.ErrMalformed},
		"falls silent":             {askPassword + authOK, authOK, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			edge, local := &scripted{says: bytes.NewReader([]byte(c.says))}, &scripted{}
			s := signin{local: local, edge: edge, token: Token{Password: "tok"}, keys: new(keyring), endpoint: "e:1"}
			err := s.run(&pgwire.StartupMessage{Version: pgwire.Version30})
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("got error %v, want %v", err, c.err)
			}
			if got := local.heard.String(); got != c.client {
				t.Errorf("the client heard %q, want %q", got, c.client)
			}
			if n := bytes.Count(edge.heard.Bytes(), []byte("tok\x00")); n > 1 || bytes.Contains(local.heard.Bytes(), []byte("tok")) {
				t.Errorf("the token was sent %d times", n)
			}
			cancel := &pgwire.CancelRequest{ProcessID: 1, SecretKey: []byte("key!")}
			if _, _, ok := s.keys.find(cancel); ok != (c.err == nil) {
				t.Errorf("cancel key known: %v", ok)
			}
			s.forget()
			if _, _, ok := s.keys.find(cancel); ok {
				t.Error("cancel key outlives the session")
			}
		})
	}
}
