package upstream

import (
	"fmt"
	"net/netip"
)

// neverTargets are addresses that no target has: they belong to the machine's own
// link, to cloud metadata services, or to nobody.
var neverTargets = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network, unspecified
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local, EC2 and ECS metadata
	netip.MustParsePrefix("192.0.0.0/24"),    // IETF protocol assignments
	netip.MustParsePrefix("224.0.0.0/4"),     // multicast
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
	netip.MustParsePrefix("::/128"),          // unspecified
	netip.MustParsePrefix("fe80::/10"),       // link-local
	netip.MustParsePrefix("fec0::/10"),       // site-local, deprecated
	netip.MustParsePrefix("ff00::/8"),        // multicast
	netip.MustParsePrefix("fd00:ec2::/32"),   // EC2 metadata, DNS, time, pod identity
	netip.MustParsePrefix("2001::/32"),       // Teredo, hides an IPv4 address
	netip.MustParsePrefix("2002::/16"),       // 6to4, hides an IPv4 address
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local NAT64, hides an IPv4 address
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated
}

var (
	loopback4      = netip.MustParsePrefix("127.0.0.0/8")
	loopback6      = netip.MustParsePrefix("::1/128")
	ipv4Compatible = netip.MustParsePrefix("::/96")
	nat64          = netip.MustParsePrefix("64:ff9b::/96")
)

// guard decides which addresses may be dialled, always on the address itself and
// never on a name.
type guard struct {
	allowed []netip.Prefix // empty: everything that is not refused
	denied  []netip.Prefix
}

// check returns an error that wraps ErrForbiddenAddress.
func (g guard) check(addr netip.Addr, loopback bool) error {
	if addr.Zone() != "" {
		return forbidden(addr, "has a zone")
	}
	addr = addr.Unmap()
	switch {
	case !addr.IsValid():
		return forbidden(addr, "not an address")
	case within(addr, neverTargets):
		return forbidden(addr, "is never a target")
	case isLoopback(addr):
		if !loopback {
			return forbidden(addr, "is this machine's own")
		}
	case ipv4Compatible.Contains(addr):
		return forbidden(addr, "hides an IPv4 address")
	case nat64.Contains(addr):
		if err := g.check(embedded(addr), false); err != nil {
			return err
		}
	}
	if within(addr, g.denied) {
		return forbidden(addr, "is in a denied network")
	}
	if len(g.allowed) > 0 && !within(addr, g.allowed) {
		return forbidden(addr, "is in no allowed network")
	}
	return nil
}

func isLoopback(addr netip.Addr) bool {
	return loopback4.Contains(addr) || loopback6.Contains(addr)
}

// embedded returns the IPv4 address in the last four bytes.
func embedded(addr netip.Addr) netip.Addr {
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// forbiddenError says which address is refused and why.
type forbiddenError struct{ what, why string }

func (e *forbiddenError) Error() string {
	return fmt.Sprintf("%v: %s %s", ErrForbiddenAddress, e.what, e.why)
}

func (e *forbiddenError) Unwrap() error { return ErrForbiddenAddress }

func forbidden(addr netip.Addr, why string) error {
	return &forbiddenError{what: addr.String(), why: why}
}
