package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"github.com/writhq/writ/pkg/identity"
)

// trust says which server is the control plane. With a pin: whoever holds a certificate of the pinned authority for
// the control plane's own name, at whatever address. Else: whoever holds one for the dialled name, from the given CA
// or one of the system's.
func trust(caPEM []byte, pin string, now func() time.Time) (*tls.Config, error) {
	switch {
	case pin != "" && len(caPEM) > 0:
		return nil, errors.New("give a CA or a pin, not both")
	case pin != "":
		parsed, err := identity.ParsePin(pin)
		if err != nil {
			return nil, err
		}
		return identity.EnrolTLS(parsed, now)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	if len(caPEM) > 0 {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(caPEM) {
			return nil, errors.New("the CA file holds no certificate")
		}
	}
	return cfg, nil
}
