package tunnel

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/writhq/writ/pkg/identity"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

const (
	streamWindow = 1 << 20
	connWindow   = 4 << 20
	maxMessage   = 32 << 20 // a bundle of 8 MiB, or the state of many resources
	maxBackoff   = 15 * time.Second
)

// connection is one gRPC connection and what speaks over it.
type connection struct {
	*grpc.ClientConn
	tunnel edgev1.TunnelServiceClient
}

// client speaks over the newest connection.
func (c *Client) client() edgev1.TunnelServiceClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn.tunnel
}

// current returns the newest connection and a channel that is closed when
// there is a newer one.
func (c *Client) current() (*connection, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn, c.moved
}

func (c *Client) dial() (*connection, error) {
	conf, err := identity.EdgeTLS(c.present, c.identity().roots)
	if err != nil {
		return nil, err
	}
	conf.Time = c.cfg.Now
	conn, err := newConn(c.cfg, conf)
	if err != nil {
		return nil, err
	}
	return &connection{ClientConn: conn, tunnel: edgev1.NewTunnelServiceClient(conn)}, nil
}

// maxRetired is how many former connections may still serve what is under way
// on them, such as held commands.
const maxRetired = 2

// redial moves to a new connection, which shows the newest certificate and may
// reach another replica.
func (c *Client) redial() error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return conn.Close()
	}
	c.retired = append(c.retired, c.conn)
	for len(c.retired) > maxRetired {
		_ = c.retired[0].Close()
		c.retired = c.retired[1:]
	}
	c.conn = conn
	close(c.moved)
	c.moved = make(chan struct{})
	return nil
}

func (c *Client) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		for _, conn := range append(c.retired, c.conn) {
			_ = conn.Close()
		}
	}
}

func newConn(cfg Config, conf *tls.Config) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+cfg.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(conf)),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return dialThrough(ctx, cfg, addr) }),
		grpc.WithInitialWindowSize(streamWindow),
		grpc.WithInitialConnWindowSize(connWindow),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.3, MaxDelay: maxBackoff},
			MinConnectTimeout: callTimeout,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("dial control plane: %w", err)
	}
	return conn, nil
}

// dialThrough connects to addr, through the proxy that is set for it, if any.
func dialThrough(ctx context.Context, cfg Config, addr string) (net.Conn, error) {
	proxy, err := cfg.Proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: addr}})
	if err != nil {
		return nil, fmt.Errorf("proxy setting: %w", errors.Unwrap(err)) // without the URL, which can hold a password
	}
	if proxy == nil {
		return cfg.Dial(ctx, "tcp", addr)
	}
	conn, err := dialProxy(ctx, cfg, proxy)
	if err != nil {
		return nil, fmt.Errorf("reach proxy %s: %w", proxy.Host, err)
	}
	tunnelled, err := connect(ctx, conn, proxy, addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("proxy %s: %w", proxy.Host, err), conn.Close())
	}
	return tunnelled, nil
}

func dialProxy(ctx context.Context, cfg Config, proxy *url.URL) (net.Conn, error) {
	ports := map[string]string{"http": "80", "https": "443"}
	port, known := ports[proxy.Scheme]
	if !known {
		return nil, fmt.Errorf("unsupported scheme %q", proxy.Scheme)
	}
	if proxy.Port() != "" {
		port = proxy.Port()
	}
	conn, err := cfg.Dial(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), port))
	if err != nil || proxy.Scheme == "http" {
		return conn, err
	}
	secure := tls.Client(conn, &tls.Config{ServerName: proxy.Hostname(), MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// connect asks the proxy for a tunnel (RFC 9110, section 9.3.6).
func connect(ctx context.Context, conn net.Conn, proxy *url.URL, addr string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := req.Write(conn); err != nil {
		return nil, fmt.Errorf("send CONNECT: %w", err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return nil, fmt.Errorf("read answer to CONNECT: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("CONNECT was answered with %s", resp.Status)
	}
	if r.Buffered() > 0 { // the control plane does not speak first in TLS
		return nil, errors.New("bytes behind the answer to CONNECT")
	}
	return conn, nil
}

// backoffTimer gives growing pauses with jitter.
type backoffTimer struct {
	base, cap time.Duration
	tries     int
}

func newBackoff(base, cap time.Duration) *backoffTimer { return &backoffTimer{base: base, cap: cap} }

func (b *backoffTimer) failed() bool { return b.tries > 0 }

func (b *backoffTimer) fail() { b.tries++ }

func (b *backoffTimer) reset() { b.tries = 0 }

// next is between half and all of the base doubled per failure, at most cap.
func (b *backoffTimer) next() time.Duration {
	d := min(b.base<<min(b.tries, 20), b.cap)
	return d - rand.N(d/2)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
