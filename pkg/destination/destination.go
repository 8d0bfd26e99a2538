// Package destination says which addresses Writ never dials, whatever name led there. It judges the address itself, so
// whoever dials asks after the name was looked up, and dials the address that was judged.
package destination

import (
	"errors"
	"fmt"
	"net/netip"
)

// ErrForbidden is wrapped by every [Forbidden].
var ErrForbidden = errors.New("forbidden address")

// Forbidden says what must not be dialled, and why.
type Forbidden struct{ What, Why string }

func (e *Forbidden) Error() string { return fmt.Sprintf("%v: %s %s", ErrForbidden, e.What, e.Why) }

// Unwrap returns ErrForbidden.
func (e *Forbidden) Unwrap() error { return ErrForbidden }

// never lists networks that hold no destination.
var never = []struct {
	network netip.Prefix
	why     string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "is this network or unspecified"}, // RFC 1122
	{netip.MustParsePrefix("169.254.0.0/16"), "is link-local"},             // also EC2 and ECS metadata
	{netip.MustParsePrefix("192.0.0.0/24"), "is of protocol assignments"},  // RFC 6890; also Oracle Cloud metadata
	{netip.MustParsePrefix("224.0.0.0/4"), "is multicast"},                 // RFC 5771
	{netip.MustParsePrefix("240.0.0.0/4"), "is reserved or broadcast"},     // RFC 1112
	{netip.MustParsePrefix("100.100.100.200/32"), "is a cloud's metadata"}, // Alibaba Cloud
	{netip.MustParsePrefix("168.63.129.16/32"), "is a cloud's metadata"},   // Azure
	{netip.MustParsePrefix("fd00:ec2::/32"), "is a cloud's metadata"},      // EC2: metadata, DNS, time, pod identity
	{netip.MustParsePrefix("::/128"), "is unspecified"},                    // RFC 4291
	{netip.MustParsePrefix("fe80::/10"), "is link-local"},                  // RFC 4291
	{netip.MustParsePrefix("fec0::/10"), "is site-local"},                  // RFC 3879
	{netip.MustParsePrefix("ff00::/8"), "is multicast"},                    // RFC 4291
	{netip.MustParsePrefix("2001::/32"), "hides an IPv4 address"},          // Teredo, RFC 4380
	{netip.MustParsePrefix("2002::/16"), "hides an IPv4 address"},          // 6to4, RFC 3056
	{netip.MustParsePrefix("64:ff9b:1::/48"), "hides an IPv4 address"},     // local-use NAT64, RFC 8215
	{netip.MustParsePrefix("::ffff:0:0:0/96"), "hides an IPv4 address"},    // IPv4-translated, RFC 2765
}

var (
	ipv4Compatible = netip.MustParsePrefix("::/96")        // RFC 4291; holds ::1 too
	nat64          = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
)

// Check returns a *Forbidden for an address that is never dialled: link-local, metadata, multicast, unspecified or
// reserved, in any IPv6 form of it, one with a zone, and the zero Addr. Loopback is allowed with loopback only, and
// never behind NAT64. Private networks are allowed.
func Check(addr netip.Addr, loopback bool) error {
	switch {
	case !addr.IsValid():
		return forbidden(addr, "is not an address")
	case addr.Zone() != "":
		return forbidden(addr, "has a zone")
	}
	addr = addr.Unmap()
	for _, n := range never {
		if n.network.Contains(addr) {
			return forbidden(addr, n.why)
		}
	}
	switch {
	case addr.IsLoopback() && loopback:
		return nil
	case addr.IsLoopback():
		return forbidden(addr, "is this machine's own")
	case ipv4Compatible.Contains(addr):
		return forbidden(addr, "hides an IPv4 address")
	case nat64.Contains(addr):
		return Check(Reached(addr), false)
	}
	return nil
}

// Reached is the address at which a packet to addr arrives: the IPv4 address in a mapped or NAT64 address, else addr.
func Reached(addr netip.Addr) netip.Addr {
	if addr = addr.Unmap(); !nat64.Contains(addr) {
		return addr
	}
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}

func forbidden(addr netip.Addr, why string) error { return &Forbidden{What: addr.String(), Why: why} }
