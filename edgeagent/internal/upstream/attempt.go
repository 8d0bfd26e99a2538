package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// attempt steers the driver along a route and watches how far it comes. The driver
// also dials on its own, from a goroutine: to cancel a query whose context ended, or
// after a failed attempt.
type attempt struct {
	dialer *Dialer
	route  *route

	mu      sync.Mutex
	at      string // the address that was dialled
	reached stage
	ended   bool
	failed  bool
}

// steer makes the driver go the attempt's route and no other.
func (a *attempt) steer(c *pgconn.Config) {
	c.Host, c.Port, c.TLSConfig = a.route.host, 1, a.route.tls
	c.LookupFunc = func(context.Context, string) ([]string, error) { return a.route.addresses, nil }
	c.DialFunc = a.dial
	c.AfterNetConnect = func(ctx context.Context, _ *pgconn.Config, conn net.Conn) (net.Conn, error) {
		if secure, ok := conn.(*tls.Conn); ok {
			if err := secure.HandshakeContext(ctx); err != nil {
				return conn, err
			}
		}
		a.note(stageSession, "")
		return conn, nil
	}
}

func (a *attempt) dial(ctx context.Context, _, address string) (net.Conn, error) {
	if a.note(stageDial, "") {
		return nil, errors.New("attempt has failed")
	}
	if a.route.network == "unix" {
		address = a.route.addresses[0]
	}
	conn, err := a.dialer.connect(ctx, a.route, address)
	if err == nil {
		a.note(stageTLS, address)
	}
	return conn, err
}

// note records the progress while the attempt lasts, and returns whether it has
// failed.
func (a *attempt) note(reached stage, at string) (failed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.ended {
		a.reached = reached
		if at != "" {
			a.at = at
		}
	}
	return a.failed
}

// end closes the record and returns how far the attempt came.
func (a *attempt) end(err error) stage {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended, a.failed = true, err != nil
	return a.reached
}
