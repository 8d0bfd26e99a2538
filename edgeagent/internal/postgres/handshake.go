package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// client is a connection that is signing in.
type client struct {
	s      *Server
	conn   net.Conn
	secure bool // inside TLS, or on a unix socket
	start  *pgwire.StartupMessage
	speak  pgwire.Version
}

// serve takes one client from accept to the end of its session.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		refuseConn(conn, pgwire.StateTooManyConnections, "the edge serves as many clients as it may", "")
		return
	}
	conn.SetDeadline(time.Now().Add(s.cfg.SignInTimeout))
	c := &client{s: s, conn: conn, secure: conn.LocalAddr().Network() == "unix"}
	if err := c.greet(ctx); err != nil {
		if !errors.Is(err, errHandled) && !errors.Is(err, io.EOF) {
			s.log.Debug("client refused", "client", conn.RemoteAddr().String(), "error", err)
		}
		return
	}
	p, done := c.signIn(ctx)
	if p == nil {
		return
	}
	defer done()
	c.conn.SetDeadline(time.Time{})
	p.run()
}

// errHandled ends a connection that was answered already.
var errHandled = errors.New("answered")

// greet reads up to the startup message, changing to TLS where the client asks.
func (c *client) greet(ctx context.Context) error {
	for range 4 {
		msg, err := pgwire.ReadStartup(c.conn)
		if err != nil {
			return fmt.Errorf("read startup: %w", err)
		}
		switch m := msg.(type) {
		case pgwire.SSLRequest:
			if c.secure {
				return errors.New("second request for TLS")
			}
			if _, err := c.conn.Write([]byte{'S'}); err != nil {
				return err
			}
			if err := c.startTLS(ctx, c.conn); err != nil {
				return err
			}
		case pgwire.DirectTLS:
			if err := c.startTLS(ctx, &prefixed{Conn: c.conn, prefix: m.Prefix[:]}); err != nil {
				return err
			}
		case pgwire.GSSENCRequest:
			if _, err := c.conn.Write([]byte{'N'}); err != nil {
				return err
			}
		case *pgwire.CancelRequest:
			c.s.cancels.cancel(ctx, m.ProcessID, m.SecretKey)
			return errHandled
		case *pgwire.StartupMessage:
			c.start = m
			if !c.secure {
				refuseConn(c.conn, pgwire.StateInvalidAuthorization, "the gateway takes connections over TLS only", "connect with sslmode=verify-full")
				return errHandled
			}
			return nil
		}
	}
	return errors.New("too many messages before startup")
}

// startTLS does the server side of a TLS handshake.
func (c *client) startTLS(ctx context.Context, raw net.Conn) error {
	if c.secure {
		return errors.New("TLS inside TLS")
	}
	conn := tls.Server(raw, c.s.cfg.TLS)
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	c.conn, c.secure = conn, true
	return nil
}

// prefixed gives back bytes that were read ahead.
type prefixed struct {
	net.Conn
	prefix []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.prefix) > 0 {
		n := copy(b, p.prefix)
		p.prefix = p.prefix[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// refuseConn answers a client that gets no session.
func refuseConn(conn net.Conn, code pgwire.SQLState, message, hint string) {
	frame, err := appendFatal(nil, code, message, hint)
	if err == nil {
		conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		conn.Write(frame)
	}
}

// signIn identifies the client, opens its session and signs in at the target. It returns
// nil when the client was refused and answered.
func (c *client) signIn(ctx context.Context) (*proxy, func()) {
	ctx, cancel := context.WithTimeout(ctx, c.s.cfg.SignInTimeout)
	defer cancel()
	settings, refused := c.settings()
	if refused != nil {
		c.refuse(refused)
		return nil, nil
	}
	token, err := c.password()
	if err != nil {
		refuseConn(c.conn, pgwire.StateInvalidPassword, "no access token was sent as the password", "use the token of: writ token RESOURCE")
		return nil, nil
	}
	sess, err := c.s.cfg.Pipeline.Open(ctx, enforce.Admission{
		Token: token, Protocol: "postgres", ClientAddr: addrOf(c.conn), Application: c.start.Get("application_name"),
	})
	if err != nil {
		var denied *enforce.Denied
		errors.As(err, &denied)
		c.refuse(denied)
		return nil, nil
	}
	p, done, err := c.connect(ctx, sess, settings)
	if err != nil {
		c.s.log.Warn("session not started", "session", sess.ID(), "error", err)
		c.refuseUpstream(err)
		sess.Close("not started: " + reasonOf(err))
		return nil, nil
	}
	return p, done
}

// password asks for the access token. TLS protects it.
func (c *client) password() (string, error) {
	c.speak, _ = pgwire.Negotiate(c.start)
	_, negotiate := pgwire.Negotiate(c.start)
	var out []byte
	var err error
	if negotiate != nil {
		if out, err = negotiate.Append(out); err != nil {
			return "", err
		}
	}
	if out, err = (&pgwire.Authentication{Kind: pgwire.AuthCleartext}).Append(out); err != nil {
		return "", err
	}
	if _, err := c.conn.Write(out); err != nil {
		return "", err
	}
	var m pgwire.PasswordMessage
	body, err := readExactly(c.conn, pgwire.TypePassword, maxToken)
	if err != nil {
		return "", err
	}
	defer clear(body)
	if err := m.Decode(body); err != nil {
		return "", err
	}
	return string(m.Password), nil
}

// maxToken bounds a password message, in bytes.
const maxToken = 16 << 10

// readExactly reads one frame and not a byte more.
func readExactly(r io.Reader, typ byte, limit int) ([]byte, error) {
	var head [pgwire.HeaderSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(head[1])<<24 | int(head[2])<<16 | int(head[3])<<8 | int(head[4])
	if head[0] != typ || n < 4 || n > limit {
		return nil, pgwire.ErrFrame
	}
	body := make([]byte, n-4)
	_, err := io.ReadFull(r, body)
	return body, err
}

func (c *client) refuse(d *enforce.Denied) {
	frame, err := appendRefusal(nil, d)
	if err != nil {
		return
	}
	// A refused sign-in is always fatal, whatever refused it.
	var m pgwire.ErrorResponse
	if m.Decode(frame[pgwire.HeaderSize:]) == nil {
		m.Severity, m.LocalSeverity = pgwire.SeverityFatal, ""
		if frame, err = m.Append(nil); err != nil {
			return
		}
	}
	c.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	c.conn.Write(frame)
}

// refuseUpstream words why the target could not be reached, without its details.
func (c *client) refuseUpstream(err error) {
	code, hint := pgwire.StateConnectionFailure, "ask whoever runs this edge"
	if errors.Is(err, upstream.ErrForbiddenAddress) {
		code = pgwire.StateConnectionRejected
	}
	var local *localError
	if errors.As(err, &local) {
		code, hint = local.code, local.hint
	}
	refuseConn(c.conn, code, "the target is not available: "+reasonOf(err), hint)
}

// reasonOf names what went wrong in words that are safe for anybody.
func reasonOf(err error) string {
	var local *localError
	var denied *enforce.Denied
	switch {
	case errors.As(err, &local):
		return local.message
	case errors.As(err, &denied):
		return denied.Reason
	case errors.Is(err, errUnknownResource):
		return errUnknownResource.Error()
	case errors.Is(err, upstream.ErrForbiddenAddress):
		return "its address must not be dialled"
	case errors.Is(err, upstream.ErrAuth):
		return "it refused the gateway's credential"
	case errors.Is(err, upstream.ErrTLS):
		return "it did not prove who it is"
	case errors.Is(err, upstream.ErrUnreachable):
		return "it cannot be reached"
	}
	return "the session could not be prepared"
}

func addrOf(conn net.Conn) netip.AddrPort {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}
