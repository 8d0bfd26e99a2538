package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
)

// maxAddresses bounds how many addresses of one name are tried.
const maxAddresses = 4

// route is where a target is reached: every address in it was checked, and nothing
// else is dialled.
type route struct {
	network   string
	addresses []string // "ip:port" or a socket path
	host      string
	tls       *tls.Config
	loopback  bool // the target may be of this machine
}

// route resolves a target's host once and checks all of its addresses: one that is
// forbidden refuses the target.
func (d *Dialer) route(ctx context.Context, t *Target) (*route, error) {
	end, err := parseEndpoint(t.Address)
	if err != nil {
		return nil, err
	}
	r := &route{network: "tcp", host: end.host, loopback: t.AllowLoopback}
	if r.tls, err = t.TLS.config(end.host); err != nil {
		return nil, err
	}
	if end.path != "" {
		return r.overSocket(end.path)
	}
	addrs, err := d.resolve(ctx, end.host)
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if err := d.guard.check(addr, t.AllowLoopback); err != nil {
			return nil, err
		}
		if r.tls == nil && !addr.Unmap().IsLoopback() {
			return nil, fmt.Errorf("%w: TLS can only be off for this machine's own addresses", ErrInvalidTarget)
		}
		r.addresses = append(r.addresses, net.JoinHostPort(addr.Unmap().String(), strconv.Itoa(int(end.port))))
	}
	return r, nil
}

func (r *route) overSocket(path string) (*route, error) {
	if !r.loopback {
		return nil, forbidden("socket "+path, "is this machine's own")
	}
	if r.tls != nil {
		return nil, fmt.Errorf("%w: a unix socket has no TLS", ErrInvalidTarget)
	}
	r.network, r.addresses, r.host = "unix", []string{path}, "/"
	return r, nil
}

func (d *Dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	addrs, err := d.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("%w: resolve: %w", ErrUnreachable, err)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%w: %q has no address", ErrUnreachable, host)
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}

// connect dials one of the route's addresses and no other.
func (d *Dialer) connect(ctx context.Context, r *route, address string) (net.Conn, error) {
	if !slices.Contains(r.addresses, address) {
		return nil, forbidden(address, "was not checked")
	}
	if d.dial != nil {
		return d.dial(ctx, r.network, address)
	}
	dialer := net.Dialer{Control: d.control(r)}
	return dialer.DialContext(ctx, r.network, address)
}

// control checks the address of the socket itself, after everything that could
// still have changed it.
func (d *Dialer) control(r *route) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		if network == "unix" && r.network == "unix" {
			return nil
		}
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return errors.New("socket without an address")
		}
		return d.guard.check(at.Addr(), r.loopback)
	}
}
