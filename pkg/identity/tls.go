package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Present gives the certificate to show in a handshake; it is asked at every
// handshake, so that renewed certificates are used at once.
type Present func() (*tls.Certificate, error)

// ServerTLS is for the control plane's listener. TLS 1.3 only. A client
// certificate is optional here, since people and enrolling edges have none,
// but one that is shown must verify under roots. No session tickets: a resumed
// session would outlive the check of a certificate that has since expired.
func ServerTLS(present Present, roots *x509.CertPool) (*tls.Config, error) {
	if present == nil || roots == nil {
		return nil, errors.New("server tls: a certificate and client roots are required")
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{"h2", "http/1.1"},
		ClientAuth:             tls.VerifyClientCertIfGiven,
		ClientCAs:              roots,
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return present() },
	}, nil
}

// ServingTLS is for the edge's listeners, where database clients and SDKs
// connect; they get TLS 1.2 or later and show no certificate.
func ServingTLS(present Present) (*tls.Config, error) {
	if present == nil {
		return nil, errors.New("serving tls: a certificate is required")
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return present() },
	}, nil
}

// EnrolTLS is for the edge's first call, when it knows only the pin. The chain
// that the control plane presents must lead to an authority with that key, be
// valid now, be made for servers, and carry the name ControlPlane.
func EnrolTLS(pin Pin, now func() time.Time) (*tls.Config, error) {
	if pin.IsZero() || now == nil {
		return nil, errors.New("enrol tls: a pin and a clock are required")
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"h2"},
		ServerName: ControlPlane,
		// The built-in check needs roots, which are not known yet; the
		// check below takes its place and is as strict.
		InsecureSkipVerify: true,
		VerifyConnection:   func(state tls.ConnectionState) error { return verifyPinned(state, pin, now()) },
	}, nil
}

func verifyPinned(state tls.ConnectionState, pin Pin, now time.Time) error {
	chain := state.PeerCertificates
	at := slices.IndexFunc(chain, pin.Matches)
	if at < 1 { // not there, or the leaf itself poses as the authority
		return ErrPin
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[at])
	for _, cert := range chain[1:at] {
		between.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, DNSName: ControlPlane,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPin, err)
	}
	return nil
}

// EdgeTLS is for every later call of an edge: its own certificate, and the
// authority it learned when it enrolled.
func EdgeTLS(present Present, roots *x509.CertPool) (*tls.Config, error) {
	if present == nil || roots == nil {
		return nil, errors.New("edge tls: a certificate and roots are required")
	}
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		NextProtos:           []string{"h2"},
		ServerName:           ControlPlane,
		RootCAs:              roots,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return present() },
	}, nil
}

// ClientTLS is for people and services, which dial the control plane by any of
// its names and trust roots; nil means the system's roots.
func ClientTLS(roots *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}
}
