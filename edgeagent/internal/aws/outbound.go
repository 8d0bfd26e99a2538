package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/upstream"
	"github.com/writhq/writ/pkg/sigv4"
)

// outbound is a session's way to AWS: connections of its own and the access key.
type outbound struct {
	server  *Server
	session *enforce.Session
	account *Resource
	streams *http.Transport
	small   *lines // for bodies in memory, and none

	mu    sync.Mutex
	cred  enforce.Credential
	tried time.Time // when it was last renewed
}

func newOutbound(s *Server, session *enforce.Session, r *Resource) *outbound {
	o := &outbound{server: s, session: session, account: r, cred: session.TakeCredential()}
	o.small = &lines{now: s.cfg.Clock, idle: map[string][]*line{}, dial: func(ctx context.Context, secure bool, address string) (net.Conn, error) {
		if secure {
			return o.dial(ctx, "tcp", address)
		}
		return o.dialOwn(ctx, "tcp", address)
	}}
	o.streams = &http.Transport{
		DialTLSContext: o.dial, DialContext: o.dialOwn, DisableCompression: true, MaxIdleConnsPerHost: maxIdleLines, IdleConnTimeout: lineIdle,
		MaxResponseHeaderBytes: maxAnswer, ExpectContinueTimeout: time.Second, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}
	return o
}

// smallBody bounds what is sent before an answer is read, in bytes.
const smallBody = 64 << 10

// way is where a request goes out.
func (o *outbound) way(req *http.Request) http.RoundTripper {
	if _, stream := req.Body.(*stream); stream || req.ContentLength < 0 || req.ContentLength > smallBody {
		return o.streams
	}
	return o.small
}

// stream is a body that comes while it is sent.
type stream struct{ io.Reader }

// Close implements io.Closer.
func (*stream) Close() error { return nil }

// dial reaches a host of AWS, or the account's own endpoint in the place of all.
func (o *outbound) dial(ctx context.Context, _, address string) (net.Conn, error) {
	if o.account.Endpoint != "" {
		address = o.account.Endpoint
	}
	return o.server.cfg.Dialer.DialTLS(ctx, upstream.Server{
		Address: address, TLS: o.account.TLS, Protocols: []string{"http/1.1"}, AllowLoopback: o.account.AllowLoopback,
	})
}

// dialOwn reaches an endpoint on this very machine.
func (o *outbound) dialOwn(ctx context.Context, _, _ string) (net.Conn, error) {
	return o.server.cfg.Dialer.DialOwn(ctx, o.account.Endpoint)
}

func (o *outbound) close() {
	o.streams.CloseIdleConnections()
	o.small.close()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cred.Wipe()
}

const (
	renewAhead = 5 * time.Minute  // how long before its end a key is replaced
	renewPause = 10 * time.Second // between two tries while the old one still works
)

var errCredential = errors.New("no access key for the account")

// keys returns what signs now. It replaces a key that is about to expire.
func (o *outbound) keys(ctx context.Context) (sigv4.Credentials, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.renew(ctx); err != nil {
		if !o.usable() {
			return sigv4.Credentials{}, err
		}
		o.server.log.Warn("renew credential", "session", o.session.ID(), "error", err)
	}
	if !o.usable() {
		return sigv4.Credentials{}, errCredential
	}
	k := o.cred.AWS
	return sigv4.Credentials{KeyID: k.KeyID, Secret: string(k.Secret), SessionToken: string(k.SessionToken)}, nil
}

// usable reports whether something signs at this moment; mu is held.
func (o *outbound) usable() bool {
	return o.cred.AWS != nil && o.server.cfg.Clock().Before(o.cred.ExpiresAt)
}

// renew replaces the key when it is about to expire; mu is held.
func (o *outbound) renew(ctx context.Context) error {
	now := o.server.cfg.Clock()
	if o.usable() && (now.Add(renewAhead).Before(o.cred.ExpiresAt) || now.Sub(o.tried) < renewPause) {
		return nil
	}
	o.tried = now
	cred, err := o.server.cfg.Broker.RefreshCredential(ctx, o.session.ID())
	if err != nil {
		return fmt.Errorf("refresh credential: %w", err)
	}
	o.cred.Wipe()
	o.cred = cred
	return nil
}
