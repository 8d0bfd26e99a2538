package pgtunnel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

// maxFrame bounds one message before the session is ready, in bytes with its length word: libpq's own limit for what
// a server sends then, and room for a long error.
const maxFrame = pgwire.MaxAuthTokenLength

// errProtocol says that the edge sent what has no place in a sign-in.
var errProtocol = errors.New("unexpected message of the edge")

// signin leads one connection from its startup message to the first ReadyForQuery. The client sees all of it but the
// question for the password.
type signin struct {
	local, edge net.Conn
	token       Token
	keys        *keyring
	endpoint    string

	refusal func() // called when the edge refuses the token, before the client hears of it

	key      string // in keys
	asked    bool   // the password was sent
	admitted bool   // AuthenticationOk came
}

// run returns nil when the session is ready; errRefused when the client has the edge's own refusal.
func (s *signin) run(start *pgwire.StartupMessage) error {
	packet, err := start.Append(nil)
	if err != nil {
		return err
	}
	if _, err := s.edge.Write(packet); err != nil {
		return fmt.Errorf("send startup: %w", err)
	}
	for {
		frame, err := readFrame(s.edge)
		if err != nil {
			return fmt.Errorf("read from edge: %w", err)
		}
		done, err := s.take(frame)
		if done || err != nil {
			return err
		}
	}
}

// take deals with one message of the edge and says whether it was the last of the sign-in.
func (s *signin) take(frame []byte) (done bool, err error) {
	typ, body := frame[0], frame[pgwire.HeaderSize:]
	switch typ {
	case pgwire.TypeAuthentication:
		return false, s.authenticate(frame, body)
	case pgwire.TypeErrorResponse:
		return true, s.refused(frame, body)
	case pgwire.TypeNegotiateProtocolVersion, pgwire.TypeNoticeResponse:
		return false, s.pass(frame)
	}
	if !s.admitted {
		return false, fmt.Errorf("%w: type %q before authentication", errProtocol, typ)
	}
	switch typ {
	case pgwire.TypeParameterStatus:
		return false, s.pass(frame)
	case pgwire.TypeBackendKeyData:
		if err := s.remember(body); err != nil {
			return false, err
		}
		return false, s.pass(frame)
	case pgwire.TypeReadyForQuery:
		return true, s.pass(frame)
	}
	return false, fmt.Errorf("%w: type %q before the session is ready", errProtocol, typ)
}

// authenticate sends the token once, to a cleartext question only: the connection is TLS, and the edge needs it whole.
func (s *signin) authenticate(frame, body []byte) error {
	var m pgwire.Authentication
	if err := m.Decode(body); err != nil {
		return err
	}
	switch {
	case m.Kind == pgwire.AuthOK && s.asked && !s.admitted:
		s.admitted = true
		return s.pass(frame)
	case m.Kind == pgwire.AuthCleartext && !s.asked:
		s.asked = true
		answer, err := (&pgwire.PasswordMessage{Password: []byte(s.token.Password)}).Append(nil)
		if err != nil {
			return errors.New("the access token cannot be sent")
		}
		if _, err := s.edge.Write(answer); err != nil {
			return fmt.Errorf("send token: %w", err)
		}
		return nil
	}
	return fmt.Errorf("%w: authentication kind %d", errProtocol, m.Kind)
}

// refused passes the edge's error on. Class 28 is "invalid authorization specification".
func (s *signin) refused(frame, body []byte) error {
	var m pgwire.ErrorResponse
	if err := m.Decode(body); err != nil {
		return err
	}
	if strings.HasPrefix(string(m.Code), "28") {
		s.refusal()
	}
	if err := s.pass(frame); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", errRefused, m.Message)
}

func (s *signin) remember(body []byte) error {
	var m pgwire.BackendKeyData
	if err := m.Decode(body); err != nil {
		return err
	}
	s.forget()
	s.key = keyName(m.ProcessID, m.SecretKey)
	s.keys.add(s.key, place{endpoint: s.endpoint, token: s.token})
	return nil
}

// forget drops the session's cancel key.
func (s *signin) forget() {
	if s.key != "" {
		s.keys.remove(s.key)
	}
}

func (s *signin) pass(frame []byte) error {
	if _, err := s.local.Write(frame); err != nil {
		return fmt.Errorf("send to client: %w", err)
	}
	return nil
}

// readFrame reads one whole message, header included, and not a byte beyond it.
func readFrame(r io.Reader) ([]byte, error) {
	var head [pgwire.HeaderSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > maxFrame {
		return nil, fmt.Errorf("%w: type %q claims %d bytes", pgwire.ErrFrame, head[0], size)
	}
	frame := make([]byte, 1+size)
	copy(frame, head[:])
	if _, err := io.ReadFull(r, frame[len(head):]); err != nil {
		return nil, err
	}
	return frame, nil
}
