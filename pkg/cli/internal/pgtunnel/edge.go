package pgtunnel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/writhq/writ/pkg/wire/pgwire"
)

// sslRequest asks the edge for TLS: its length and the request code of libpq/pqcomm.h.
var sslRequest = [8]byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f}

// dialEdge connects to the first edge that answers, over TLS, with the handshake's deadline still set.
func (t *Tunnel) dialEdge(ctx context.Context, tok Token) (conn net.Conn, endpoint string, err error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(tok.CAPEM) {
		return nil, "", errors.New("the control plane gave no CA for its edges")
	}
	if len(tok.Endpoints) == 0 {
		return nil, "", errors.New("no connected edge serves this resource")
	}
	var failed []error
	for _, endpoint := range tok.Endpoints {
		conn, err := t.dialOne(ctx, endpoint, roots)
		if err == nil {
			return conn, endpoint, nil
		}
		failed = append(failed, fmt.Errorf("connect to edge %s: %w", endpoint, err))
	}
	return nil, "", errors.Join(failed...)
}

func (t *Tunnel) dialOne(ctx context.Context, endpoint string, roots *x509.CertPool) (_ net.Conn, err error) {
	host, _, err := net.SplitHostPort(endpoint)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Handshake)
	defer cancel()
	raw, err := t.cfg.Dial(ctx, "tcp", endpoint)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			raw.Close()
		}
	}()
	if err := raw.SetDeadline(time.Now().Add(t.cfg.Handshake)); err != nil {
		return nil, err
	}
	if err := askTLS(raw); err != nil {
		return nil, err
	}
	secure := tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots, ServerName: host, NextProtos: []string{"postgresql"},
	})
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return secure, nil
}

// askTLS reads one byte and no more: what somebody in between put behind it fails the handshake (CVE-2021-23222).
func askTLS(raw io.ReadWriter) error {
	if _, err := raw.Write(sslRequest[:]); err != nil {
		return err
	}
	var yes [1]byte
	if _, err := io.ReadFull(raw, yes[:]); err != nil {
		return err
	}
	if yes[0] != 'S' {
		return errors.New("the edge does not offer TLS")
	}
	return nil
}

// cancel passes a cancel request on to the edge whose session it names. Unknown keys go nowhere.
func (t *Tunnel) cancel(ctx context.Context, m *pgwire.CancelRequest) error {
	endpoint, tok, ok := t.keys.find(m)
	if !ok {
		return nil // as the server does: a wrong key is not answered
	}
	tok.Endpoints = []string{endpoint}
	edge, _, err := t.dialEdge(ctx, tok)
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	defer edge.Close()
	packet, err := m.Append(nil)
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	if _, err := edge.Write(packet); err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	// The edge closes once it has acted; only then may the client believe so.
	_, _ = io.Copy(io.Discard, edge)
	return nil
}
