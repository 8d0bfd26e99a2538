package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// TLSMode is how a target proves who it is.
type TLSMode int

// The modes. The zero value is the strictest.
const (
	// VerifyFull checks the chain and the name.
	VerifyFull TLSMode = iota
	// VerifyCA checks the chain only, and needs an own CA.
	VerifyCA
	// Disable sends everything in the clear, and is refused for addresses that
	// are not of this machine.
	Disable
)

// TLS is how to reach a target safely.
type TLS struct {
	Mode TLSMode
	// CAPEM holds the accepted roots. Empty means the system's.
	CAPEM []byte
	// ServerName is the name to expect. Empty means the host of the address.
	ServerName string
}

// config returns nil when TLS is off.
func (t TLS) config(host string) (*tls.Config, error) {
	if t.Mode == Disable {
		return nil, nil
	}
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	if len(t.CAPEM) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(t.CAPEM) {
			return nil, fmt.Errorf("%w: no certificate in the CA file", ErrInvalidTarget)
		}
	}
	switch t.Mode {
	case VerifyFull:
		return c, nil
	case VerifyCA:
		if c.RootCAs == nil {
			return nil, fmt.Errorf("%w: verify-ca needs a CA", ErrInvalidTarget)
		}
		return chainOnly(c), nil
	}
	return nil, fmt.Errorf("%w: TLS mode %d", ErrInvalidTarget, t.Mode)
}

// chainOnly replaces the standard verification, which also checks the name, by one
// of the chain. VerifyConnection runs on resumed connections too.
func chainOnly(c *tls.Config) *tls.Config {
	roots := c.RootCAs
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("server sent no certificate")
		}
		intermediates := x509.NewCertPool()
		for _, cert := range state.PeerCertificates[1:] {
			intermediates.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
		return err
	}
	return c
}
