package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
)

// Server is a server that speaks TLS from the first byte, such as an API server.
type Server struct {
	// Address is "host:port".
	Address string
	// TLS may not be off.
	TLS TLS
	// Protocols are offered in this order (ALPN), such as "h2".
	Protocols []string
	// Certificate signs in, where one does.
	Certificate *tls.Certificate
	// AllowLoopback permits addresses of this very machine.
	AllowLoopback bool
}

// DialTLS resolves, checks, connects and shakes hands. Errors wrap one of this package's sentinels.
func (d *Dialer) DialTLS(ctx context.Context, s Server) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	if s.TLS.Mode == Disable {
		return nil, fmt.Errorf("%w: TLS may not be off", ErrInvalidTarget)
	}
	r, err := d.route(ctx, &Target{Address: s.Address, TLS: s.TLS, AllowLoopback: s.AllowLoopback})
	if err != nil {
		return nil, err
	}
	r.tls.NextProtos = s.Protocols
	if s.Certificate != nil {
		r.tls.Certificates = []tls.Certificate{*s.Certificate}
	}
	var last error
	for _, address := range r.addresses {
		conn, err := d.connect(ctx, r, address)
		if err != nil {
			last = explain(ctx, err, stageDial, nil)
			continue
		}
		secure := tls.Client(conn, r.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, explain(ctx, err, stageTLS, nil)
		}
		return secure, nil
	}
	return nil, last
}

// DialOwn connects without TLS to an address of this very machine, "127.0.0.1:port"; no other is accepted.
func (d *Dialer) DialOwn(ctx context.Context, address string) (net.Conn, error) {
	if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Unmap().IsLoopback() {
		return nil, fmt.Errorf("%w: %q is not of this machine, so that TLS may not be off", ErrInvalidTarget, address)
	}
	conn, err := (&net.Dialer{Timeout: d.timeout}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, explain(ctx, err, stageDial, nil)
	}
	return conn, nil
}
