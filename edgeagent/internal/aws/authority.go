package aws

import (
	"container/list"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// Authority signs certificates of AWS's hosts. Its clients trust it for nothing else than the way to this edge: it signs for no other
// names, and its key stays here.
type Authority struct {
	cert   *x509.Certificate
	signer crypto.Signer
	key    *ecdsa.PrivateKey // of every leaf
	now    func() time.Time

	mu     sync.Mutex
	leaves map[string]*list.Element
	recent *list.List
}

const (
	maxLeaves = 1000
	leafLife  = 24 * time.Hour
)

type leaf struct {
	host string
	cert *tls.Certificate
	end  time.Time
}

// NewAuthority returns one that signs with a CA's certificate and key.
func NewAuthority(ca *tls.Certificate, now func() time.Time) (*Authority, error) {
	if ca == nil || len(ca.Certificate) == 0 || now == nil {
		return nil, errors.New("aws: a CA's certificate and a clock are required")
	}
	cert, err := x509.ParseCertificate(ca.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("aws: certificate authority: %w", err)
	}
	signer, ok := ca.PrivateKey.(crypto.Signer)
	if !ok || !cert.IsCA {
		return nil, errors.New("aws: the certificate is no CA's, or its key signs nothing")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("aws: make a key: %w", err)
	}
	return &Authority{cert: cert, signer: signer, key: key, now: now, leaves: map[string]*list.Element{}, recent: list.New()}, nil
}

// leaf returns a certificate of a host, which the caller has found to be AWS's.
func (a *Authority) leaf(host string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if e := a.leaves[host]; e != nil {
		if l := e.Value.(*leaf); now.Add(time.Hour).Before(l.end) {
			a.recent.MoveToFront(e)
			return l.cert, nil
		}
		a.recent.Remove(e)
	}
	l, err := a.sign(host, now)
	if err != nil {
		return nil, err
	}
	a.leaves[host] = a.recent.PushFront(l)
	if a.recent.Len() > maxLeaves {
		oldest := a.recent.Back()
		delete(a.leaves, a.recent.Remove(oldest).(*leaf).host)
	}
	return l.cert, nil
}

func (a *Authority) sign(host string, now time.Time) (*leaf, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	end := now.Add(leafLife)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "writ-edge"}, DNSNames: []string{host},
		NotBefore: now.Add(-5 * time.Minute), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &a.key.PublicKey, a.signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return &leaf{host, &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: a.key}, end}, nil
}
