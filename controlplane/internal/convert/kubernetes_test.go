package convert_test

import (
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"

	"github.com/writhq/writ/controlplane/internal/convert"
	"github.com/writhq/writ/controlplane/internal/resources"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func TestClustersGoThereAndBack(t *testing.T) {
	for name, cred := range map[string]resources.ClusterCredential{
		"none": {},
		"eks":  {EKS: &resources.EKS{Cluster: "shop", Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/x", ExternalID: "id"}},
		"service account": {ServiceAccount: &resources.ServiceAccount{
			Namespace: "writ", Name: "gate", Audiences: []string{"a", "b"}, Token: "topsecret",
		}},
		"client certificate": {ClientCertificate: &resources.ClientCertificate{CertificatePEM: "cert", KeyPEM: "topsecret"}},
	} {
		want := resources.Resource{
			Name: "shop-k8s", Labels: map[string]string{"env": "prod"}, Edges: []string{"a"}, Description: "d",
			Kubernetes: &resources.Kubernetes{
				Endpoint: "api:6443", TLS: resources.TLS{Mode: resources.VerifyCA, CAPEM: "ca", ServerName: "kubernetes"}, Credential: cred,
				Groups: []string{"g"}, Classes: map[string][]string{"pii": {"configmaps:data.*"}}, AllowLoopback: true, Detectors: []string{"email"},
			},
		}
		message := convert.Resource(want)
		if text := prototext.Format(message); strings.Contains(text, "topsecret") {
			t.Errorf("%s: a secret went out: %s", name, text)
		}
		got := convert.FromResource(message)
		forget(&want.Kubernetes.Credential)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got.Kubernetes, want.Kubernetes)
		}
	}
}

// forget empties what is not read back.
func forget(c *resources.ClusterCredential) {
	if c.ServiceAccount != nil {
		c.ServiceAccount.Token = ""
	}
	if c.ClientCertificate != nil {
		c.ClientCertificate.KeyPEM = ""
	}
}

func TestClusterSecretsComeIn(t *testing.T) {
	account := convert.FromResource(&accessv1.Resource{Target: &accessv1.Resource_Kubernetes{Kubernetes: &accessv1.KubernetesTarget{
		Credential: &accessv1.KubernetesCredential{Source: &accessv1.KubernetesCredential_ServiceAccount{
			ServiceAccount: &accessv1.ServiceAccountCredential{Token: "topsecret"},
		}},
	}}})
	certificate := convert.FromResource(&accessv1.Resource{Target: &accessv1.Resource_Kubernetes{Kubernetes: &accessv1.KubernetesTarget{
		Credential: &accessv1.KubernetesCredential{Source: &accessv1.KubernetesCredential_ClientCertificate{
			ClientCertificate: &accessv1.ClientCertificate{KeyPem: "topsecret"},
		}},
	}}})
	if account.Kubernetes.Credential.ServiceAccount.Token != "topsecret" || certificate.Kubernetes.Credential.ClientCertificate.KeyPEM != "topsecret" {
		t.Fatal("a secret was lost")
	}
}
