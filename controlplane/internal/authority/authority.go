// Package authority is the control plane's own certificate authority and its
// signing keys. Private keys are sealed in the store and made once, so that
// all replicas act as one.
package authority

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/pkg/identity"
)

const (
	rootLifetime  = 10 * 365 * 24 * time.Hour
	backdate      = 5 * time.Minute // for clocks that are behind ours
	defaultServer = 24 * time.Hour
	defaultEdge   = 24 * time.Hour
)

// Config is what an authority needs.
type Config struct {
	Store  *store.Store // required
	Sealer seal.Sealer  // required; seals the private key

	// Names are the DNS names and IP addresses by which people and edges
	// reach the control plane. identity.ControlPlane is always added.
	Names []string

	// ServerLifetime is that of the control plane's own certificates, which
	// are renewed in memory after two thirds of it. Default 24 h.
	ServerLifetime time.Duration

	// EdgeLifetime is that of edge certificates. Default 24 h, so that an edge can
	// come back after a night without its control plane; a removed edge is refused
	// by name, whatever its certificate says.
	EdgeLifetime time.Duration

	Clock  func() time.Time // default time.Now
	Logger hclog.Logger     // nil discards
}

// Authority issues certificates. It is safe for concurrent use.
type Authority struct {
	root  *x509.Certificate
	key   *ecdsa.PrivateKey
	names sans
	cfg   Config

	mu     sync.Mutex
	server *tls.Certificate
	renew  time.Time
}

// root is how the authority is stored: DER, the key in PKCS #8.
type root struct {
	Certificate []byte `json:"certificate"`
	Key         []byte `json:"key"`
}

// Open loads the authority from the store or, the first time, makes it. It
// fails when the stored one was sealed with another key.
func Open(ctx context.Context, cfg Config) (*Authority, error) {
	if cfg.Store == nil || cfg.Sealer == nil {
		return nil, errors.New("authority: a store and a sealer are required")
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.ServerLifetime == 0 {
		cfg.ServerLifetime = defaultServer
	}
	if cfg.EdgeLifetime == 0 {
		cfg.EdgeLifetime = defaultEdge
	}
	if cfg.ServerLifetime < time.Minute || cfg.EdgeLifetime < time.Minute {
		return nil, errors.New("authority: certificates must live at least a minute")
	}
	names, err := parseNames(append([]string{identity.ControlPlane}, cfg.Names...))
	if err != nil {
		return nil, fmt.Errorf("authority: control plane names: %w", err)
	}
	stored, err := load(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open authority: %w", err)
	}
	return restore(stored, names, cfg)
}

func load(ctx context.Context, cfg Config) (root, error) {
	roots := store.Define[root](cfg.Store, "authority", store.Sealed(cfg.Sealer))
	for {
		e, err := roots.Get(ctx, "root")
		if !errors.Is(err, store.ErrNotFound) {
			return e.Value, err
		}
		made, err := generate(cfg.Clock())
		if err != nil {
			return root{}, err
		}
		_, err = roots.Create(ctx, "root", made)
		if err == nil {
			cfg.Logger.Info("made a new certificate authority")
			return made, nil
		}
		if !errors.Is(err, store.ErrExists) { // another replica was faster
			return root{}, err
		}
	}
}

func generate(now time.Time) (root, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return root{}, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Writ authority", Organization: []string{"Writ"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(rootLifetime),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
		// Identities of other trust domains are not ours to give. Host names
		// are the operator's and not known yet.
		PermittedURIDomains: []string{identity.TrustDomain},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return root{}, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	return root{Certificate: certificate, Key: private}, err
}

func restore(stored root, names sans, cfg Config) (*Authority, error) {
	certificate, err := x509.ParseCertificate(stored.Certificate)
	if err != nil {
		return nil, fmt.Errorf("open authority: %w", err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(stored.Key)
	if err != nil {
		return nil, errors.New("open authority: unusable private key")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(certificate.PublicKey) {
		return nil, errors.New("open authority: key and certificate do not belong together")
	}
	return &Authority{root: certificate, key: key, names: names, cfg: cfg}, nil
}

// Pin is what an operator gives to an edge with its join token.
func (a *Authority) Pin() identity.Pin { return identity.PinOf(a.root) }

// Roots is a new pool that trusts this authority only.
func (a *Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// PEM is the authority's certificate for clients' trust stores.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// ServerTLS is for the control plane's listeners.
func (a *Authority) ServerTLS() (*tls.Config, error) {
	return identity.ServerTLS(a.ServerCertificate, a.Roots())
}
