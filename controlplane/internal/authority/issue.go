package authority

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/writhq/writ/pkg/identity"
)

// MaxRequest is the largest certificate request in bytes.
const MaxRequest = 16 << 10

// ErrRequest: a certificate request that is not granted.
var ErrRequest = errors.New("certificate request refused")

// Issued is a new certificate.
type Issued struct {
	Chain   []byte // PEM, the certificate only; the authority is sent apart
	Serial  string // hex, as identity.Edge has it
	Expires time.Time
}

// EdgeClient issues the certificate by which an edge signs in, for the key in
// csr (DER, PKCS #10). Everything else in csr is ignored. enrolment names the
// enrolment it belongs to, so that a later one can void it.
func (a *Authority) EdgeClient(name, enrolment string, csr []byte) (Issued, error) {
	request, err := parseRequest(csr)
	if err != nil {
		return Issued{}, err
	}
	if err := identity.CheckEdgeName(name); err != nil {
		return Issued{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if enrolment == "" {
		return Issued{}, fmt.Errorf("%w: no enrolment", ErrRequest)
	}
	template := a.template(a.cfg.EdgeLifetime, x509.ExtKeyUsageClientAuth)
	template.Subject = pkix.Name{CommonName: name, SerialNumber: enrolment}
	template.URIs = []*url.URL{identity.EdgeURI(name)}
	return a.issue(template, request.PublicKey)
}

// EdgeServing issues the certificate that an edge shows to database clients
// and SDKs, for the key in csr. allowed are the DNS names and IP addresses the
// operator gave to this edge. The certificate gets those that csr asks for, or
// all when it asks for none; asking for another one is refused, and so is
// every name of the control plane and under identity.Domain, except that
// loopback names may be shared: they mean another machine to every client.
func (a *Authority) EdgeServing(name string, csr []byte, allowed []string) (Issued, error) {
	request, err := parseRequest(csr)
	if err != nil {
		return Issued{}, err
	}
	permitted, err := parseNames(allowed)
	if err != nil {
		return Issued{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	granted, err := permitted.narrow(request)
	if err != nil {
		return Issued{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if err := granted.checkForEdge(a.names); err != nil {
		return Issued{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	template := a.template(a.cfg.EdgeLifetime, x509.ExtKeyUsageServerAuth)
	template.Subject = pkix.Name{CommonName: name}
	template.DNSNames, template.IPAddresses = granted.dns, granted.ipAddresses()
	return a.issue(template, request.PublicKey)
}

// ServerCertificate returns the control plane's certificate with the authority
// in its chain (an enrolling edge looks for the pin there), and renews it when
// two thirds of its life are over.
func (a *Authority) ServerCertificate() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Clock()
	if a.server != nil && now.Before(a.renew) {
		return a.server, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	template := a.template(a.cfg.ServerLifetime, x509.ExtKeyUsageServerAuth)
	template.Subject = pkix.Name{CommonName: identity.ControlPlane}
	template.DNSNames, template.IPAddresses = a.names.dns, a.names.ipAddresses()
	leaf, err := a.sign(template, key.Public())
	if err != nil {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	a.server = &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.root.Raw}, PrivateKey: key, Leaf: leaf}
	a.renew = now.Add(a.cfg.ServerLifetime * 2 / 3)
	return a.server, nil
}

func (a *Authority) template(life time.Duration, usage x509.ExtKeyUsage) *x509.Certificate {
	now := a.cfg.Clock()
	return &x509.Certificate{
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(life),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{usage},
		BasicConstraintsValid: true,
	}
}

func (a *Authority) issue(template *x509.Certificate, key any) (Issued, error) {
	leaf, err := a.sign(template, key)
	if err != nil {
		return Issued{}, fmt.Errorf("issue certificate: %w", err)
	}
	return Issued{
		Chain:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}),
		Serial:  leaf.SerialNumber.Text(16),
		Expires: leaf.NotAfter,
	}, nil
}

// sign gives every certificate a random serial of its own.
func (a *Authority) sign(template *x509.Certificate, key any) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, key, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// parseRequest accepts a request that proves possession of a strong key.
func parseRequest(csr []byte) (*x509.CertificateRequest, error) {
	if len(csr) > MaxRequest {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrRequest, len(csr), MaxRequest)
	}
	request, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if err := checkStrength(request.PublicKey); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return request, nil
}

func checkStrength(key any) error {
	switch key := key.(type) {
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521() {
			return nil
		}
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); 2048 <= bits && bits <= 8192 {
			return nil
		}
	}
	return errors.New("want an ECDSA P-256 to P-521, Ed25519, or RSA 2048 to 8192 bit key")
}
