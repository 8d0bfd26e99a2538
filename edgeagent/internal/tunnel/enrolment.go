package tunnel

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/writhq/writ/pkg/identity"
	"github.com/writhq/writ/pkg/token"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

const identityFile = "identity.json"

var (
	// ErrNotEnrolled: there is no identity and no join token to get one.
	ErrNotEnrolled = errors.New("this edge is not enrolled; start it with a join token and the control plane's pin")
	// ErrIdentity: the stored identity cannot be used.
	ErrIdentity = errors.New("stored edge identity is not usable")
)

// enrolment is who this edge is: keys, certificates, and the authority it
// trusts. All of it is one file, so that it is replaced whole.
type enrolment struct {
	Name       string   `json:"edge"`
	Names      []string `json:"names,omitempty"`
	ClientKey  string   `json:"client_key"`  // PEM, PKCS #8
	ClientCert string   `json:"client_cert"` // PEM
	ServingKey string   `json:"serving_key"`
	Serving    string   `json:"serving_cert"`
	CA         string   `json:"ca"`
	// Join is the hash of the join token that was spent, to tell it from a
	// new one.
	Join token.Hash `json:"join_token_hash"`

	client, serving *tls.Certificate
	roots           *x509.CertPool
}

// loadOrEnrol prefers the stored identity, unless another join token is given.
func loadOrEnrol(ctx context.Context, cfg Config) (*enrolment, error) {
	if err := makeStateDir(cfg.StateDir); err != nil {
		return nil, err
	}
	id, err := loadEnrolment(cfg.StateDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if cfg.JoinToken == "" {
		if id == nil {
			return nil, ErrNotEnrolled
		}
		return id, nil
	}
	secret, err := token.ParseSecret(token.JoinSecret, cfg.JoinToken)
	if err != nil {
		return nil, fmt.Errorf("join token: %w", err)
	}
	if id != nil && id.Join.Matches(secret) {
		return id, nil
	}
	if id, err = enrol(ctx, cfg, secret); err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	return id, id.save(cfg.StateDir)
}

func makeStateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("state dir: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("state dir: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("state dir %s is open to others (mode %04o): chmod 700 it", dir, info.Mode().Perm())
	}
	return nil
}

func loadEnrolment(dir string) (*enrolment, error) {
	path := filepath.Join(dir, identityFile)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s is open to others: chmod 600 it", ErrIdentity, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	id := new(enrolment)
	if json.Unmarshal(data, id) != nil { // the decoder's words could quote a key
		return nil, fmt.Errorf("%w: %s is damaged", ErrIdentity, path)
	}
	return id, id.parse()
}

// parse makes the usable forms and checks that they belong together.
func (id *enrolment) parse() error {
	client, err := tls.X509KeyPair([]byte(id.ClientCert), []byte(id.ClientKey))
	if err != nil {
		return fmt.Errorf("%w: client certificate and key", ErrIdentity)
	}
	serving, err := tls.X509KeyPair([]byte(id.Serving), []byte(id.ServingKey))
	if err != nil {
		return fmt.Errorf("%w: serving certificate and key", ErrIdentity)
	}
	id.roots = x509.NewCertPool()
	if !id.roots.AppendCertsFromPEM([]byte(id.CA)) {
		return fmt.Errorf("%w: no authority", ErrIdentity)
	}
	who, err := identity.EdgeOf(client.Leaf)
	if err != nil || who.Name != id.Name {
		return fmt.Errorf("%w: the certificate is not of edge %q", ErrIdentity, id.Name)
	}
	id.client, id.serving = &client, &serving
	return nil
}

// save replaces the file as a whole and durably.
func (id *enrolment) save(dir string) error {
	data, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	f, err := os.CreateTemp(dir, ".identity-*") // mode 0600
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, identityFile))
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// keyPairs are fresh keys and the requests to have them certified.
type keyPairs struct {
	client, serving       string // PEM
	clientCSR, servingCSR []byte
}

func newKeyPairs(names []string) (keyPairs, error) {
	var k keyPairs
	var err error
	if k.client, k.clientCSR, err = newKey(nil); err != nil {
		return k, err
	}
	k.serving, k.servingCSR, err = newKey(names)
	return k, err
}

func newKey(names []string) (keyPEM string, csr []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, fmt.Errorf("generate key: %w", err)
	}
	template := &x509.CertificateRequest{}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	if csr, err = x509.CreateCertificateRequest(rand.Reader, template, key); err != nil {
		return "", nil, fmt.Errorf("make certificate request: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", nil, fmt.Errorf("encode key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), csr, nil
}

// with returns an identity of these keys and certificates.
func (k keyPairs) with(name string, names []string, certs *edgev1.Certificates, join token.Hash) (*enrolment, error) {
	id := &enrolment{
		Name: name, Names: names, ClientKey: k.client, ServingKey: k.serving, Join: join,
		ClientCert: string(certs.GetClientChain()), Serving: string(certs.GetServingChain()), CA: string(certs.GetCa()),
	}
	return id, id.parse()
}

// enrol spends the join token at a control plane that proves to be the pinned
// one, and accepts only that one's authority.
func enrol(ctx context.Context, cfg Config, secret token.Secret) (*enrolment, error) {
	pin, err := identity.ParsePin(cfg.Pin)
	if err != nil {
		return nil, err
	}
	conf, err := identity.EnrolTLS(pin, cfg.Now)
	if err != nil {
		return nil, err
	}
	conn, err := newConn(cfg, conf)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	keys, err := newKeyPairs(cfg.Names)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*callTimeout)
	defer cancel()
	resp, err := edgev1.NewEnrolmentServiceClient(conn).Enrol(ctx, &edgev1.EnrolRequest{
		JoinToken: secret.Reveal(), ClientCsr: keys.clientCSR, ServingCsr: keys.servingCSR,
	})
	if err != nil {
		return nil, err
	}
	if !pinnedAuthority(resp.GetCertificates().GetCa(), pin) {
		return nil, identity.ErrPin
	}
	return keys.with(resp.GetEdge(), resp.GetNames(), resp.GetCertificates(), secret.Hash())
}

// pinnedAuthority tells whether the PEM is exactly one certificate with the
// pinned key.
func pinnedAuthority(text []byte, pin identity.Pin) bool {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	return err == nil && pin.Matches(cert)
}

// renewAt is when two thirds of a certificate's life are over.
func renewAt(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) * 2 / 3)
}

// keepFresh renews the certificates when two thirds of their life are over.
func (c *Client) keepFresh(ctx context.Context) error {
	wait := newBackoff(time.Second, time.Minute)
	for {
		pause := c.identity().untilRenewal(c.cfg.Now())
		if wait.failed() {
			pause = wait.next()
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		if c.identity().untilRenewal(c.cfg.Now()) > 0 {
			continue
		}
		if err := c.renew(ctx); err != nil {
			wait.fail()
			c.cfg.Logger.Warn("renew certificates", "expires", c.identity().client.Leaf.NotAfter, "error", err)
			continue
		}
		wait.reset()
		c.cfg.Logger.Info("certificates renewed", "expires", c.identity().client.Leaf.NotAfter)
	}
}

func (id *enrolment) untilRenewal(now time.Time) time.Duration {
	at := renewAt(id.client.Leaf)
	if s := renewAt(id.serving.Leaf); s.Before(at) {
		at = s
	}
	return min(max(at.Sub(now), 0), time.Hour) // looked at hourly, should the clock be set
}

// renew gets certificates for fresh keys and moves to a connection that shows
// them.
func (c *Client) renew(ctx context.Context) error {
	old := c.identity()
	keys, err := newKeyPairs(c.cfg.Names)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.client().Renew(ctx, &edgev1.RenewRequest{ClientCsr: keys.clientCSR, ServingCsr: keys.servingCSR})
	if err != nil {
		return err
	}
	certs := resp.GetCertificates()
	if string(certs.GetCa()) != old.CA {
		return errors.New("the control plane answered with another authority")
	}
	id, err := keys.with(old.Name, old.Names, certs, old.Join)
	if err != nil {
		return err
	}
	if err := id.save(c.cfg.StateDir); err != nil {
		return err
	}
	c.mu.Lock()
	c.id = id
	c.mu.Unlock()
	return c.redial()
}
