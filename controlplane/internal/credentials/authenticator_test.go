package credentials_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/credentials"
	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/store"
	"github.com/writhq/writ/test/kubetest"
	"github.com/writhq/writ/test/mototest"
)

// TestEKSTakesTheToken asks the code that EKS clusters run.
func TestEKSTakesTheToken(t *testing.T) {
	const role = "arn:aws:iam::" + mototest.Account + ":role/writ-shop"
	moto := mototest.Start(t)
	s, err := store.Open(t.Context(), store.Config{DataDir: t.TempDir() + "/etcd"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	b, err := credentials.New(credentials.Config{Store: s, Secrets: secrets{}, AWS: at(t, moto.URL, moto.Key, moto.Secret), Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	r := cluster("shop-k8s", resources.ClusterCredential{EKS: &resources.EKS{Cluster: "shop", Region: "eu-west-1", RoleARN: role, ExternalID: "writ-shop"}})
	order := ask(time.Now().Add(time.Hour))
	order.Principal = "aws:123456789012/deploy"
	lease, cred, err := b.Mint(t.Context(), r, order)
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := b.Refresh(t.Context(), r, lease, order)
	if err != nil {
		t.Fatal(err)
	}
	eks := kubetest.EKS{Cluster: "shop", Region: "eu-west-1", Moto: moto.URL}
	for _, c := range []credentials.Credential{cred, renewed} {
		if id, err := eks.Verify(t, string(c.Password)); err != nil || id.CanonicalARN != role || id.SessionName != "ses-1" {
			t.Errorf("%+v, %v", id, err)
		}
	}
	other := kubetest.EKS{Cluster: "staging", Region: "eu-west-1", Moto: moto.URL}
	if id, err := other.Verify(t, string(cred.Password)); !errors.Is(err, kubetest.ErrEKSDenied) {
		t.Errorf("another cluster took it: %+v, %v", id, err)
	}
}
