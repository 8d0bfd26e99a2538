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

	"github.com/writhq/writ/pkg/destination"
)

// checkAddress refuses what a receiver cannot be. local allows loopback, and nothing else then.
func checkAddress(addr netip.Addr, local bool) error {
	if local && !addr.Unmap().IsLoopback() {
		return &destination.Forbidden{What: addr.String(), Why: "is not this machine's own, which the URL names"}
	}
	return destination.Check(addr, local)
}

// guarded dials as the system does and checks the address itself, after the name was looked up, so that a name that
// answers differently later leads nowhere else.
func guarded(resolver *net.Resolver, local bool) func(context.Context, string, string) (net.Conn, error) {
	d := net.Dialer{
		Timeout: 10 * time.Second, Resolver: resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return errors.New("socket without an address")
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
