package client

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrPin says that the server's chain holds no key with the pinned digest, or does not verify under it.
var ErrPin = errors.New("server does not match the pin")

// pinPrefix stands before the hex SHA-256 of a public key (its SubjectPublicKeyInfo).
const pinPrefix = "sha256:"

// tlsConfig checks the server's name, host, and trusts exactly one of: the pinned key, the given CA certificates, the system's.
func tlsConfig(host string, caPEM []byte, pin string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13}
	switch {
	case pin != "" && len(caPEM) > 0:
		return nil, errors.New("give a CA or a pin, not both")
	case pin != "":
		digest, err := parsePin(pin)
		if err != nil {
			return nil, err
		}
		// The chain is verified in full by VerifyConnection, under the pinned key as the only root.
		cfg.InsecureSkipVerify = true
		cfg.VerifyConnection = func(cs tls.ConnectionState) error { return verifyPinned(cs.PeerCertificates, host, digest) }
	case len(caPEM) > 0:
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(caPEM) {
			return nil, errors.New("the CA file holds no certificate")
		}
	}
	return cfg, nil
}

func parsePin(pin string) ([sha256.Size]byte, error) {
	text, ok := strings.CutPrefix(pin, pinPrefix)
	raw, err := hex.DecodeString(text)
	if !ok || err != nil || len(raw) != sha256.Size {
		return [sha256.Size]byte{}, errors.New(`a pin is "sha256:" and 64 hex digits`)
	}
	return [sha256.Size]byte(raw), nil
}

func verifyPinned(chain []*x509.Certificate, host string, digest [sha256.Size]byte) error {
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, cert := range chain {
		if sha256.Sum256(cert.RawSubjectPublicKeyInfo) == digest {
			roots.AddCert(cert)
			found = true
		} else {
			others.AddCert(cert)
		}
	}
	if !found || host == "" {
		return ErrPin
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		DNSName: host, Roots: roots, Intermediates: others,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPin, err)
	}
	return nil
}
