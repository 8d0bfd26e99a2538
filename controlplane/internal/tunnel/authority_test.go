package tunnel

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"testing"
	"time"
)

// A CA that clients would trust for more than AWS's hosts is not passed on to them.
func TestCheckAuthority(t *testing.T) {
	made := func(change func(*x509.Certificate)) []byte {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		tmpl := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
			KeyUsage: x509.KeyUsageCertSign, PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"amazonaws.com", "aws"},
		}
		if change != nil {
			change(tmpl)
		}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	for name, c := range map[string]struct {
		der  []byte
		good bool
	}{
		"none":            {nil, true},
		"constrained":     {made(nil), true},
		"not constrained": {made(func(c *x509.Certificate) { c.PermittedDNSDomains = nil }), false},
		"not critical":    {made(func(c *x509.Certificate) { c.PermittedDNSDomainsCritical = false }), false},
		"for more":        {made(func(c *x509.Certificate) { c.PermittedDNSDomains = append(c.PermittedDNSDomains, "example.com") }), false},
		"for everything":  {made(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"com"} }), false},
		"no CA":           {made(func(c *x509.Certificate) { c.IsCA = false }), false},
		"nonsense":        {[]byte("nonsense"), false},
		"too large":       {make([]byte, maxAuthority+1), false},
	} {
		if err := checkAuthority(c.der); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
