package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

// Conn is a signed-in session, idle and with nothing read ahead.
type Conn struct {
	net.Conn
	PID        uint32
	SecretKey  []byte            // 4 bytes under protocol 3.0, up to 256 under 3.2
	Parameters map[string]string // as the server reported them
	TxStatus   pgwire.TxStatus

	dialer *Dialer
	route  *route
	at     string // the address that was dialled
}

// maxStartupBody bounds what the server may send at once before the session is
// ready, in bytes.
const maxStartupBody = 1 << 20

// Authentication that is accepted from a server. In the clear, a password must not
// be sent; over TLS, RDS IAM tokens go as one.
const (
	authOverTLS = "scram-sha-256,password,md5,none"
	authInClear = "scram-sha-256,none"
)

// Dial resolves, checks, connects and signs in, and returns the connection for
// direct use. Errors wrap one of this package's sentinels.
func (d *Dialer) Dial(ctx context.Context, t Target) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	pg, try, err := d.open(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := pg.SyncConn(ctx); err != nil {
		pg.Close(ctx)
		return nil, fmt.Errorf("%w: session did not settle", ErrUnreachable)
	}
	raw, err := pg.Hijack()
	if err != nil {
		pg.Close(ctx)
		return nil, fmt.Errorf("%w: session closed", ErrUnreachable)
	}
	return &Conn{
		Conn: raw.Conn, PID: raw.PID, SecretKey: raw.SecretKey,
		Parameters: raw.ParameterStatuses, TxStatus: pgwire.TxStatus(raw.TxStatus),
		dialer: d, route: try.route, at: try.at,
	}, nil
}

// Open is [Dialer.Dial] for the edge's own queries: the same checks, but the
// driver's connection.
func (d *Dialer) Open(ctx context.Context, t Target) (*pgconn.PgConn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	pg, _, err := d.open(ctx, t)
	return pg, err
}

func (d *Dialer) open(ctx context.Context, t Target) (*pgconn.PgConn, *attempt, error) {
	defer t.Password.Wipe()
	config, err := d.config(&t)
	if err != nil {
		return nil, nil, err
	}
	route, err := d.route(ctx, &t)
	if err != nil {
		return nil, nil, err
	}
	try := &attempt{dialer: d, route: route}
	try.steer(config)
	pg, err := pgconn.ConnectConfig(ctx, config)
	reached := try.end(err)
	// The driver keeps its configuration; the copy that it had to be given as a
	// string is only left to the collector.
	config.Password = ""
	if err != nil {
		return nil, nil, explain(ctx, err, reached, t.Password)
	}
	return pg, try, nil
}

func (d *Dialer) config(t *Target) (*pgconn.Config, error) {
	settings, err := t.settings()
	if err != nil {
		return nil, err
	}
	version, err := t.maxProtocol()
	if err != nil {
		return nil, err
	}
	c := d.base.Copy()
	c.Database, c.User, c.Password = t.Database, t.User, string(t.Password)
	c.RuntimeParams = settings
	c.MaxProtocolVersion = version
	c.MaxProtocolMessageBodyLen = maxStartupBody
	c.RequireAuth = authOverTLS
	if t.TLS.Mode == Disable {
		c.RequireAuth = authInClear
	}
	return c, nil
}

// Cancel asks the server to cancel what the session runs, over a connection of its
// own to the very address of the session and with the same TLS. It returns when the
// server has taken the request; whether anything was cancelled shows in the session.
func (c *Conn) Cancel(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, c.dialer.timeout)
	defer stop()
	raw, err := c.dialer.connect(ctx, c.route, c.at)
	if err != nil {
		return explain(ctx, err, stageDial, nil)
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	conn := raw
	if c.route.tls != nil {
		if conn, err = startTLS(ctx, raw, c.route.tls); err != nil {
			return explain(ctx, err, stageTLS, nil)
		}
	}
	return sendCancel(ctx, conn, c.PID, c.SecretKey)
}

func startTLS(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	if _, err := conn.Write(pgwire.SSLRequest{}.Append(nil)); err != nil {
		return nil, err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		return nil, errors.New("server refused TLS")
	}
	secure := tls.Client(conn, config)
	return secure, secure.HandshakeContext(ctx)
}

func sendCancel(ctx context.Context, conn net.Conn, pid uint32, key []byte) error {
	request, err := (&pgwire.CancelRequest{ProcessID: pid, SecretKey: key}).Append(nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidTarget, err)
	}
	if _, err := conn.Write(request); err != nil {
		return explain(ctx, err, stageSession, nil)
	}
	// The server closes the connection once it has signalled the session.
	if _, err := io.Copy(io.Discard, io.LimitReader(conn, 1)); err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
	return nil
}
