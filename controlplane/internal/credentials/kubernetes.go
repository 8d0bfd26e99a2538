package credentials

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/writhq/writ/controlplane/internal/resources"
)

// TokenRequest names the service account whose token signs in.
type TokenRequest struct {
	Namespace      string
	ServiceAccount string
	Audiences      []string
}

// serviceAccount gives what may ask the cluster for a token. The token itself is made by the cluster and never comes
// here.
func (b *Broker) serviceAccount(ctx context.Context, r resources.Resource, cred *Credential) (err error) {
	source := r.Kubernetes.Credential.ServiceAccount
	cred.User = "system:serviceaccount:" + source.Namespace + ":" + source.Name
	cred.TokenRequest = &TokenRequest{Namespace: source.Namespace, ServiceAccount: source.Name, Audiences: source.Audiences}
	cred.Password, err = b.secret(ctx, r.Name)
	return err
}

// clientCertificate gives the certificate while it is valid.
func (b *Broker) clientCertificate(ctx context.Context, r resources.Resource, cred *Credential) error {
	text := []byte(r.Kubernetes.Credential.ClientCertificate.CertificatePEM)
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%w: certificate of %s is not readable", ErrSource, r.Name)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return fmt.Errorf("%w: certificate of %s: %w", ErrSource, r.Name, err)
	}
	if !b.cfg.Now().Before(leaf.NotAfter) {
		return fmt.Errorf("%w: certificate of %s expired at %s", ErrSource, r.Name, leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	cred.User, cred.ClientCertificate = leaf.Subject.CommonName, text
	cred.noLaterThan(leaf.NotAfter)
	cred.Password, err = b.secret(ctx, r.Name)
	return err
}

// noLaterThan brings the end of the credential forward.
func (c *Credential) noLaterThan(end time.Time) {
	if end = end.UTC(); c.ExpiresAt.IsZero() || end.Before(c.ExpiresAt) {
		c.ExpiresAt = end
	}
}
