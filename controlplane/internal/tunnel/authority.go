package tunnel

import (
	"crypto/x509"
	"errors"
	"slices"

	"github.com/writhq/writ/pkg/awsdomain"
)

// maxAuthority bounds an edge's CA certificate, in bytes.
const maxAuthority = 4 << 10

// checkAuthority refuses a CA that is good for other than AWS's hosts, since clients are told to trust it. An edge without one has nothing to check.
func checkAuthority(der []byte) error {
	if len(der) == 0 {
		return nil
	}
	if len(der) > maxAuthority {
		return errors.New("the certificate is too large")
	}
	cert, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return errors.New("no certificate")
	case !cert.IsCA || !cert.PermittedDNSDomainsCritical || len(cert.PermittedDNSDomains) == 0:
		return errors.New("not a CA that is constrained to names")
	case slices.ContainsFunc(cert.PermittedDNSDomains, func(d string) bool { return !awsdomain.Has(d) }):
		return errors.New("it may sign for more than AWS's hosts")
	}
	return nil
}
