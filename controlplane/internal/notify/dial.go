package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// errAddress is an address that nothing is sent to, whatever name led there.
var errAddress = errors.New("refused address: loopback, link-local and metadata addresses are not receivers")

// metadata lists addresses at which clouds give out credentials, besides the link-local ones.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
}

// carriers are IPv6 prefixes whose addresses stand for the IPv4 address at an offset in bytes.
var carriers = []struct {
	prefix netip.Prefix
	offset int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},   // NAT64, RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12}, // local-use NAT64 with /96, RFC 8215
	{netip.MustParsePrefix("2002::/16"), 2},       // 6to4, RFC 3056
	{netip.MustParsePrefix("::/96"), 12},          // IPv4-compatible, RFC 4291
}

// checkAddress refuses what a receiver cannot be. local allows loopback, and nothing else then.
func checkAddress(addr netip.Addr, local bool) error {
	addr = addr.Unmap().WithZone("")
	if local {
		if !addr.IsLoopback() {
			return errAddress
		}
		return nil
	}
	if !addr.IsValid() || addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() ||
		addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || addr.Is4() && addr.As4()[0] == 0 {
		return errAddress
	}
	for _, m := range metadata {
		if addr == m {
			return errAddress
		}
	}
	for _, c := range carriers {
		if raw := addr.As16(); addr.Is6() && c.prefix.Contains(addr) {
			return checkAddress(netip.AddrFrom4([4]byte(raw[c.offset:c.offset+4])), false)
		}
	}
	return nil
}

// guarded dials as the system does and checks the address itself, after the name was looked up, so that a name that
// answers differently later leads nowhere else.
func guarded(resolver *net.Resolver, local bool) func(context.Context, string, string) (net.Conn, error) {
	d := net.Dialer{
		Timeout: 10 * time.Second, Resolver: resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return errAddress
			}
			return checkAddress(at.Addr(), local)
		},
	}
	return d.DialContext
}

// newClient makes the one client of a receiver: its own connections, no proxy, no redirects, TLS 1.2 or newer.
func newClient(r Receiver, caFile string, resolver *net.Resolver, local bool) (*http.Client, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: no certificate in %s", caFile)
		}
	}
	return &http.Client{
		Timeout: r.Timeout,
		Transport: &http.Transport{
			DialContext: guarded(resolver, local), TLSClientConfig: tlsConfig, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: r.Timeout, ResponseHeaderTimeout: r.Timeout, IdleConnTimeout: time.Minute,
			MaxIdleConnsPerHost: perReceiver, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
