package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Resolver looks addresses up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config is what a [Dialer] works with.
type Config struct {
	// Dial connects to an address that was checked. Default: a net.Dialer that
	// checks the address of the socket once more.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Resolver is asked once per attempt. Default net.DefaultResolver.
	Resolver Resolver
	// AllowedNetworks are the only ones to dial. Empty means all but the denied
	// ones and those that no target may have.
	AllowedNetworks []netip.Prefix
	// DeniedNetworks are never dialled.
	DeniedNetworks []netip.Prefix
	// Timeout bounds one attempt from the lookup to the signed-in session.
	// Default 10 s.
	Timeout time.Duration
}

// DefaultTimeout is [Config.Timeout]'s default.
const DefaultTimeout = 10 * time.Second

// Dialer signs in to targets. It is safe for concurrent use.
type Dialer struct {
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	resolver Resolver
	guard    guard
	timeout  time.Duration
	base     *pgconn.Config
}

// New returns a dialer.
func New(c Config) (*Dialer, error) {
	if c.Timeout < 0 {
		return nil, errors.New("upstream: negative timeout")
	}
	base, err := bareConfig()
	if err != nil {
		return nil, fmt.Errorf("prepare driver: %w", err)
	}
	d := &Dialer{
		dial: c.Dial, resolver: c.Resolver, timeout: c.Timeout, base: base,
		guard: guard{allowed: c.AllowedNetworks, denied: c.DeniedNetworks},
	}
	if d.resolver == nil {
		d.resolver = net.DefaultResolver
	}
	if d.timeout == 0 {
		d.timeout = DefaultTimeout
	}
	return d, nil
}

// bareSettings names every setting that the driver would else take from the
// environment or from files in the home directory. A host that is a path keeps it
// from looking at any TLS setting.
const bareSettings = "host=/ port=1 user=none database=none password=none passfile='' " +
	"sslmode=disable sslcert='' sslkey='' sslrootcert='' sslpassword='' sslcertmode=disable sslsni=1 sslnegotiation='' " +
	"connect_timeout=0 target_session_attrs=any min_protocol_version=3.0 max_protocol_version=3.0 " +
	"channel_binding=prefer require_auth='' "

// bareConfig returns a driver configuration that owes nothing to this process's
// environment. The driver only accepts one that its own parser made.
func bareConfig() (*pgconn.Config, error) {
	settings := bareSettings
	if os.Getenv("PGSERVICE") != "" {
		file, err := emptyService()
		if err != nil {
			return nil, err
		}
		defer file.Close()
		settings += fmt.Sprintf("service=none servicefile=/dev/fd/%d", file.Fd())
	}
	c, err := pgconn.ParseConfig(settings)
	if err != nil {
		return nil, err
	}
	c.Password = ""
	c.RuntimeParams = nil
	c.Fallbacks = nil
	c.ConnectTimeout = 0
	return c, nil
}

// emptyService returns a service file with one service that sets nothing. A service
// named by the environment cannot be switched off in any other way.
func emptyService() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	_, err = w.WriteString("[none]\n")
	if err := errors.Join(err, w.Close()); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}
