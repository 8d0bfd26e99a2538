package upstream

import (
	"net/netip"

	"github.com/writhq/writ/pkg/destination"
)

// guard decides which addresses may be dialled, always on the address itself and
// never on a name.
type guard struct {
	allowed []netip.Prefix // empty: everything that is not refused
	denied  []netip.Prefix
}

// check returns an error that wraps ErrForbiddenAddress. A NAT64 address and the
// IPv4 address behind it must both be allowed.
func (g guard) check(addr netip.Addr, loopback bool) error {
	if err := destination.Check(addr, loopback); err != nil {
		return err
	}
	addr = addr.Unmap()
	for _, at := range []netip.Addr{addr, destination.Reached(addr)} {
		if within(at, g.denied) {
			return forbidden(at.String(), "is in a denied network")
		}
		if len(g.allowed) > 0 && !within(at, g.allowed) {
			return forbidden(at.String(), "is in no allowed network")
		}
	}
	return nil
}

func within(addr netip.Addr, networks []netip.Prefix) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

func forbidden(what, why string) error {
	return &destination.Forbidden{What: what, Why: why}
}
