package authority

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/identity"
)

// sans are subject alternative names, in canonical form and sorted.
type sans struct {
	dns []string // lower case, no dot at the end
	ips []netip.Addr
}

var (
	dnsName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)
	digits  = regexp.MustCompile(`(^|\.)[0-9]+$`) // no top-level domain; some would read an address
)

// parseNames accepts DNS names without wildcards and single IP addresses.
func parseNames(names []string) (sans, error) {
	var s sans
	for _, name := range names {
		if addr, err := netip.ParseAddr(name); err == nil {
			if addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() {
				return sans{}, fmt.Errorf("address %s does not name one machine", name)
			}
			s.ips = append(s.ips, addr.Unmap())
			continue
		}
		lower := strings.ToLower(name)
		if len(lower) > 253 || !dnsName.MatchString(lower) || digits.MatchString(lower) {
			return sans{}, fmt.Errorf("%.80q is neither a DNS name nor an IP address", name)
		}
		s.dns = append(s.dns, lower)
	}
	return s.canonical(), nil
}

func (s sans) canonical() sans {
	slices.Sort(s.dns)
	slices.SortFunc(s.ips, netip.Addr.Compare)
	return sans{dns: slices.Compact(s.dns), ips: slices.Compact(s.ips)}
}

// narrow returns the names that request asks for, all of s when it asks for
// none, and an error when it asks for one outside s.
func (s sans) narrow(request *x509.CertificateRequest) (sans, error) {
	if len(request.EmailAddresses) > 0 || len(request.URIs) > 0 {
		return sans{}, fmt.Errorf("only DNS names and IP addresses can be served")
	}
	asked := slices.Clone(request.DNSNames)
	for _, ip := range request.IPAddresses {
		asked = append(asked, ip.String())
	}
	if len(asked) == 0 {
		return s, nil
	}
	want, err := parseNames(asked)
	if err != nil {
		return sans{}, err
	}
	for _, name := range want.dns {
		if !slices.Contains(s.dns, name) {
			return sans{}, fmt.Errorf("name %q is not given to this edge", name)
		}
	}
	for _, ip := range want.ips {
		if !slices.Contains(s.ips, ip) {
			return sans{}, fmt.Errorf("address %s is not given to this edge", ip)
		}
	}
	return want, nil
}

// checkForEdge refuses names under which an edge could pass for the control
// plane.
func (s sans) checkForEdge(controlPlane sans) error {
	if len(s.dns)+len(s.ips) == 0 {
		return fmt.Errorf("no names are given to this edge")
	}
	for _, name := range s.dns {
		if name == identity.Domain || strings.HasSuffix(name, "."+identity.Domain) {
			return fmt.Errorf("name %q is kept for the control plane", name)
		}
		if name != "localhost" && slices.Contains(controlPlane.dns, name) {
			return fmt.Errorf("name %q is the control plane's", name)
		}
	}
	for _, ip := range s.ips {
		if !ip.IsLoopback() && slices.Contains(controlPlane.ips, ip) {
			return fmt.Errorf("address %s is the control plane's", ip)
		}
	}
	return nil
}

func (s sans) ipAddresses() []net.IP {
	var ips []net.IP
	for _, ip := range s.ips {
		ips = append(ips, ip.AsSlice())
	}
	return ips
}
