package tunnel

import (
	"crypto/x509"
	"errors"
	"slices"
)

// maxAuthority bounds an edge's CA certificate, in bytes.
const maxAuthority = 4 << 10

// awsDomains are those that an edge's CA may sign for. Clients are told to trust it, so it must not be good for more.
var awsDomains = []string{"amazonaws.com", "amazonaws.com.cn", "api.aws", "aws"}

// checkAuthority refuses a CA that clients would trust for other than AWS's hosts. An edge without one has nothing to check.
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
	case slices.ContainsFunc(cert.PermittedDNSDomains, func(d string) bool { return !slices.Contains(awsDomains, d) }):
		return errors.New("it may sign for more than AWS's hosts")
	}
	return nil
}
