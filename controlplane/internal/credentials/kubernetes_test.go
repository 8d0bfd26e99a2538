package credentials_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
)

func TestMintServiceAccount(t *testing.T) {
	b, _, _, _ := newBroker(t)
	r := cluster("orders-db", resources.ClusterCredential{ServiceAccount: &resources.ServiceAccount{
		Namespace: "writ", Name: "gate", Audiences: []string{"https://api"},
	}})
	lease, cred, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	want := &credentials.TokenRequest{Namespace: "writ", ServiceAccount: "gate", Audiences: []string{"https://api"}}
	if lease.Kind != credentials.KindServiceAccount || lease.Role != "" || cred.User != "system:serviceaccount:writ:gate" ||
		string(cred.Password) != "hunter2" || !reflect.DeepEqual(cred.TokenRequest, want) || !cred.ExpiresAt.Equal(now.Add(time.Hour)) {
		t.Fatalf("%+v %+v", lease, cred)
	}
	again, err := b.Refresh(t.Context(), r, lease, ask(now.Add(2*time.Hour)))
	if err != nil || again.Lease != lease.ID || !reflect.DeepEqual(again.TokenRequest, want) || !again.ExpiresAt.Equal(now.Add(2*time.Hour)) {
		t.Fatalf("%+v, %v", again, err)
	}
}

func clientCertificate(t *testing.T, end time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "writ-gate"}, NotBefore: now.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestMintClientCertificate(t *testing.T) {
	b, _, _, clock := newBroker(t)
	text := clientCertificate(t, now.Add(30*time.Minute))
	r := cluster("orders-db", resources.ClusterCredential{ClientCertificate: &resources.ClientCertificate{CertificatePEM: text}})
	lease, cred, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	if lease.Kind != credentials.KindClientCertificate || lease.Role != "" || cred.User != "writ-gate" || string(cred.ClientCertificate) != text ||
		string(cred.Password) != "hunter2" || cred.TokenRequest != nil || !cred.ExpiresAt.Equal(now.Add(30*time.Minute)) {
		t.Fatalf("%+v %+v", lease, cred)
	}
	*clock = now.Add(30 * time.Minute)
	if _, _, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour))); !errors.Is(err, credentials.ErrSource) {
		t.Fatalf("an expired certificate was handed out: %v", err)
	}
	if _, err := b.Refresh(t.Context(), r, lease, ask(now.Add(time.Hour))); !errors.Is(err, credentials.ErrSource) {
		t.Fatalf("an expired certificate was handed out: %v", err)
	}
}

func TestClusterCredentialsRefuse(t *testing.T) {
	b, _, _, _ := newBroker(t)
	for name, c := range map[string]resources.ClusterCredential{
		"no source":      {},
		"no token":       {ServiceAccount: &resources.ServiceAccount{Namespace: "writ", Name: "gate"}},
		"no certificate": {ClientCertificate: &resources.ClientCertificate{CertificatePEM: "?"}},
		"no key":         {ClientCertificate: &resources.ClientCertificate{CertificatePEM: clientCertificate(t, now.Add(time.Hour))}},
		"no role":        {EKS: &resources.EKS{Cluster: "shop", Region: "eu-west-1", RoleARN: "broken"}},
	} {
		r := cluster("no-secret", c)
		if _, cred, err := b.Mint(t.Context(), r, ask(now.Add(time.Hour))); !errors.Is(err, credentials.ErrSource) || len(cred.Password) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A credential of a cluster could act as anybody there: it is for sessions alone.
func TestEdgesHaveNoCredentialOfTheirOwnAtClusters(t *testing.T) {
	b, _, aws, _ := newBroker(t)
	for name, c := range map[string]resources.ClusterCredential{
		"eks":                eksCluster().Kubernetes.Credential,
		"service account":    {ServiceAccount: &resources.ServiceAccount{Namespace: "writ", Name: "gate"}},
		"client certificate": {ClientCertificate: &resources.ClientCertificate{CertificatePEM: clientCertificate(t, now.Add(time.Hour))}},
	} {
		if cred, err := b.Service(t.Context(), cluster("orders-db", c)); !errors.Is(err, credentials.ErrSource) || len(cred.Password)+len(cred.ClientCertificate) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(aws.assumed) > 0 {
		t.Error("a role was assumed")
	}
}
