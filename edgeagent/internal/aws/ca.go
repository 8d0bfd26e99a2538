package aws

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/writhq/writ/pkg/awsdomain"
)

const (
	caFile  = "aws-ca.pem"
	caLife  = 365 * 24 * time.Hour
	caAhead = 30 * 24 * time.Hour // how long before its end a CA is replaced, so that clients have time to take the next
)

// LoadCA returns the edge's own CA for AWS's hosts, which is kept in a folder, and makes one when there is none or it is about to end. The
// PEM is of its certificate.
func LoadCA(dir, edge string, now time.Time) (*tls.Certificate, []byte, error) {
	path := filepath.Join(dir, caFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, nil, fmt.Errorf("aws: read certificate authority: %w", err)
	default:
		if ca, err := tls.X509KeyPair(text, text); err == nil && ca.Leaf != nil && now.Add(caAhead).Before(ca.Leaf.NotAfter) {
			return &ca, encodeCert(ca.Certificate[0]), nil
		}
	}
	ca, key, err := makeCA(edge, now)
	if err != nil {
		return nil, nil, err
	}
	text = append(encodeCert(ca.Certificate[0]), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := writePrivate(path, text); err != nil {
		return nil, nil, fmt.Errorf("aws: keep certificate authority: %w", err)
	}
	return ca, encodeCert(ca.Certificate[0]), nil
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func makeCA(edge string, now time.Time) (*tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("aws: make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, fmt.Errorf("aws: make a serial number: %w", err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{Organization: []string{"Writ"}, CommonName: "Writ edge " + edge + " for AWS hosts"},
		NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: awsdomain.All(),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, nil, fmt.Errorf("aws: sign certificate authority: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("aws: encode key: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, private, nil
}

// writePrivate replaces a file whole, for its owner alone.
func writePrivate(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".aws-ca-*") // which it makes for the owner alone
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
