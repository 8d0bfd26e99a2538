package aws

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/writhq/writ/pkg/awsdomain"
)

// endpoint is where clients connect: with requests of their own, and with CONNECT.
type endpoint struct{ s *Server }

// ServeHTTP implements http.Handler.
func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		if r.TLS == nil && !isLoopback(r.RemoteAddr) {
			http.Error(w, "writ: from another machine this edge is used as an HTTPS proxy: set HTTPS_PROXY", http.StatusForbidden)
			return
		}
		(&service{s: e.s}).ServeHTTP(w, r)
		return
	}
	if err := e.s.connect(w, r); err != nil {
		e.s.log.Debug("connect", "client", r.RemoteAddr, "error", err)
	}
}

// isLoopback reports a client on this very machine, whose requests cross no network.
func isLoopback(address string) bool {
	addr, err := netip.ParseAddrPort(address)
	return err == nil && addr.Addr().Unmap().IsLoopback()
}

// connect lets a client speak TLS with a host of AWS, which is this edge in truth. A name in AWS's domains that is nobody's known host gets
// its tunnel too, so that the client hears in its own form that requests there are refused.
func (s *Server) connect(w http.ResponseWriter, r *http.Request) error {
	host, port, err := net.SplitHostPort(r.Host)
	if host = strings.ToLower(host); err != nil || port != "443" || !awsdomain.Under(host) || s.cfg.Authority == nil {
		http.Error(w, "writ: only hosts of AWS are reached through this edge, at port 443", http.StatusForbidden)
		return fmt.Errorf("refused %q", r.Host)
	}
	cert, err := s.cfg.Authority.leaf(host)
	if err != nil {
		http.Error(w, "writ: no certificate can be made now", http.StatusServiceUnavailable)
		return err
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "writ: use HTTP/1.1 for CONNECT", http.StatusHTTPVersionNotSupported)
		return err
	}
	if _, err := conn.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n")); err != nil {
		conn.Close()
		return err
	}
	s.serveTunnel(r.Context(), &buffered{conn, rw.Reader}, host, cert)
	return nil
}

// serveTunnel serves requests within a tunnel until it ends.
func (s *Server) serveTunnel(ctx context.Context, conn net.Conn, host string, cert *tls.Certificate) {
	secure := tls.Server(conn, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, DynamicRecordSizingDisabled: true,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if strings.ToLower(hello.ServerName) != host {
				return nil, errors.New("the name asked for is not the tunnel's")
			}
			return cert, nil
		},
	})
	l := &single{conn: secure, done: make(chan struct{})}
	server := s.httpServer(ctx, &service{s: s, host: host})
	server.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			l.Close()
		}
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	_ = server.Serve(l)
}

// single is a listener of one connection.
type single struct {
	conn net.Conn
	once sync.Once
	end  sync.Once
	done chan struct{}
}

// Accept implements net.Listener.
func (l *single) Accept() (conn net.Conn, err error) {
	l.once.Do(func() { conn = l.conn })
	if conn != nil {
		return conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (l *single) Close() error {
	l.end.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }

// buffered is a connection of which something was read already.
type buffered struct {
	net.Conn
	r *bufio.Reader
}

// Read implements net.Conn. Behind what is buffered it reads the connection itself: the reader belongs to the outer server, which takes
// a deadline that the inner one sets for the end of the client, and would end the tunnel.
func (b *buffered) Read(p []byte) (int, error) {
	if n := b.r.Buffered(); n > 0 {
		return b.r.Read(p[:min(len(p), n)])
	}
	return b.Conn.Read(p)
}
