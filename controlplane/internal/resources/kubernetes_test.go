package resources_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/controlplane/internal/resources"
	"github.com/writhq/writ/controlplane/internal/seal"
	"github.com/writhq/writ/controlplane/internal/store"
)

const brokerToken = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"

func cluster(name string) resources.Resource {
	return resources.Resource{
		Name: name, Labels: map[string]string{"env": "prod"}, Edges: []string{"edge-1"},
		Kubernetes: &resources.Kubernetes{
			Endpoint: "api.example:6443", Groups: []string{"viewers", "team one"},
			Credential: resources.ClusterCredential{ServiceAccount: &resources.ServiceAccount{Namespace: "writ", Name: "gate", Token: brokerToken}},
			Classes:    map[string][]string{"pii": {"configmaps:data.*", "apps/deployments:spec.template.metadata.annotations"}},
		},
	}
}

func eks(name string) resources.Resource {
	r := cluster(name)
	r.Kubernetes.Credential = resources.ClusterCredential{EKS: &resources.EKS{
		Cluster: "shop", Region: "eu-west-1", RoleARN: "arn:aws:iam::111122223333:role/writ-shop", ExternalID: "writ:shop",
	}}
	return r
}

// pair makes a self-signed certificate and its key, as PEM.
func pair(t *testing.T, change func(*x509.Certificate)) resources.ClientCertificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "writ"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	change(leaf)
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return resources.ClientCertificate{
		CertificatePEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		KeyPEM:         resources.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
	}
}

func withCertificate(t *testing.T, change func(*x509.Certificate)) resources.Resource {
	r, c := cluster("shop-k8s"), pair(t, change)
	r.Kubernetes.Credential = resources.ClusterCredential{ClientCertificate: &c}
	return r
}

func asIs(*x509.Certificate) {}

func TestClusters(t *testing.T) {
	inv, _ := setUp(t)
	for name, r := range map[string]resources.Resource{
		"service account": cluster("shop-k8s"), "eks": eks("shop-k8s"), "client certificate": withCertificate(t, asIs),
		"a certificate for everything": withCertificate(t, func(c *x509.Certificate) { c.ExtKeyUsage = nil }),
	} {
		if _, err := inv.Apply(t.Context(), []resources.Resource{r}, true); err != nil || r.Kind() != "kubernetes" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEveryProblemOfAClusterAtOnce(t *testing.T) {
	inv, _ := setUp(t)
	refused := func(name string, r resources.Resource, field string) {
		t.Helper()
		_, err := inv.Apply(t.Context(), []resources.Resource{r}, true)
		var invalid *resources.Invalid
		if !errors.As(err, &invalid) || len(invalid.Problems) == 0 || invalid.Problems[0].Field != field || invalid.Problems[0].Fix == "" {
			t.Errorf("%s: want a problem with %s, got %v", name, field, err)
		}
		if err != nil && (strings.Contains(err.Error(), brokerToken) || strings.Contains(err.Error(), "PRIVATE")) {
			t.Errorf("%s: the error holds a secret", name)
		}
	}
	for _, tt := range []struct {
		name, field string
		edit        func(*resources.Kubernetes)
	}{
		{"no endpoint", "endpoint", func(k *resources.Kubernetes) { k.Endpoint = "" }},
		{"a url", "endpoint", func(k *resources.Kubernetes) { k.Endpoint = "https://api.example" }},
		{"instance metadata", "endpoint", func(k *resources.Kubernetes) { k.Endpoint = "169.254.169.254:80" }},
		{"loopback", "endpoint", func(k *resources.Kubernetes) { k.Endpoint = "127.0.0.1:6443" }},
		{"no tls", "tls.mode", func(k *resources.Kubernetes) { k.TLS.Mode = resources.Disable }},
		{"unknown tls", "tls.mode", func(k *resources.Kubernetes) { k.TLS.Mode = "perhaps" }},
		{"no authority", "tls.ca_pem", func(k *resources.Kubernetes) { k.TLS.CAPEM = "x" }},
		{"masters", "groups", func(k *resources.Kubernetes) { k.Groups = []string{"system:masters"} }},
		{"masters, trimmed on the way", "groups", func(k *resources.Kubernetes) { k.Groups = []string{"system:masters "} }},
		{"masters after a tab", "groups", func(k *resources.Kubernetes) { k.Groups = []string{"\tsystem:masters"} }},
		{"empty group", "groups", func(k *resources.Kubernetes) { k.Groups = []string{""} }},
		{"two groups in a header", "groups", func(k *resources.Kubernetes) { k.Groups = []string{"a\r\nImpersonate-Group: system:masters"} }},
		{"a principal's group", "groups", func(k *resources.Kubernetes) { k.Groups = []string{"writ:dba"} }},
		{"a group twice", "groups", func(k *resources.Kubernetes) { k.Groups = []string{"a", "a"} }},
		{"many groups", "groups", func(k *resources.Kubernetes) { k.Groups = strings.Split(strings.Repeat("x,", 65), ",") }},
		{"a class", "classes", func(k *resources.Kubernetes) { k.Classes = map[string][]string{"P I I": {"configmaps:data.*"}} }},
		{"a field without resource", "classes.pii", func(k *resources.Kubernetes) { k.Classes["pii"] = []string{"data.*"} }},
		{"a field without path", "classes.pii", func(k *resources.Kubernetes) { k.Classes["pii"] = []string{"configmaps:"} }},
		{"a resource as kubectl writes it", "classes.pii", func(k *resources.Kubernetes) { k.Classes["pii"] = []string{"deployments.apps:spec.x"} }},
		{"an upper-case resource", "classes.pii", func(k *resources.Kubernetes) { k.Classes["pii"] = []string{"ConfigMaps:data.*"} }},
		{"a version", "classes.pii", func(k *resources.Kubernetes) { k.Classes["pii"] = []string{"apps/v1/deployments:spec.x"} }},
		{"no path", "classes.pii", func(k *resources.Kubernetes) { k.Classes["pii"] = []string{"configmaps:data..x"} }},
		{"what objects are known by", "classes.pii", func(k *resources.Kubernetes) { k.Classes["pii"] = []string{"configmaps:metadata.name"} }},
		{"none and another", "detectors", func(k *resources.Kubernetes) { k.Detectors = []string{"none", "email"} }},
		{"no credential", "credential", func(k *resources.Kubernetes) { k.Credential = resources.ClusterCredential{} }},
		{"two credentials", "credential", func(k *resources.Kubernetes) { k.Credential.EKS = eks("x").Kubernetes.Credential.EKS }},
		{"no namespace", "credential.service_account.namespace", func(k *resources.Kubernetes) { k.Credential.ServiceAccount.Namespace = "" }},
		{"another path", "credential.service_account.namespace", func(k *resources.Kubernetes) { k.Credential.ServiceAccount.Namespace = "writ/../x" }},
		{"no account", "credential.service_account.name", func(k *resources.Kubernetes) { k.Credential.ServiceAccount.Name = "" }},
		{"dots", "credential.service_account.name", func(k *resources.Kubernetes) { k.Credential.ServiceAccount.Name = ".." }},
		{"an audience", "credential.service_account.audiences", func(k *resources.Kubernetes) { k.Credential.ServiceAccount.Audiences = []string{""} }},
		{"a token's line end", "credential.service_account.token", func(k *resources.Kubernetes) { k.Credential.ServiceAccount.Token += "\n" }},
		{"no token", "credential.service_account.token", func(k *resources.Kubernetes) { k.Credential.ServiceAccount.Token = "" }},
	} {
		r := cluster("shop-k8s")
		tt.edit(r.Kubernetes)
		refused(tt.name, r, "kubernetes."+tt.field)
	}
	for field, edit := range map[string]func(*resources.EKS){
		"cluster": func(e *resources.EKS) { e.Cluster = "shop cluster" }, "region": func(e *resources.EKS) { e.Region = "" },
		"role_arn": func(e *resources.EKS) { e.RoleARN = "" }, "external_id": func(e *resources.EKS) { e.ExternalID = "x" },
	} {
		r := eks("shop-k8s")
		edit(r.Kubernetes.Credential.EKS)
		refused("eks", r, "kubernetes.credential.eks."+field)
	}
	both := cluster("shop-k8s")
	both.Postgres = good("x").Postgres
	refused("two targets", both, "kubernetes")
}

func TestClientCertificates(t *testing.T) {
	inv, _ := setUp(t)
	other := pair(t, asIs)
	for field, r := range map[string]func() resources.Resource{
		"certificate_pem: expired": func() resources.Resource {
			return withCertificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
		},
		"certificate_pem: of a server": func() resources.Resource {
			return withCertificate(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
		},
		"certificate_pem: of masters": func() resources.Resource {
			return withCertificate(t, func(c *x509.Certificate) { c.Subject.Organization = []string{"system:masters"} })
		},
		"certificate_pem: none": func() resources.Resource {
			r := withCertificate(t, asIs)
			r.Kubernetes.Credential.ClientCertificate.CertificatePEM = ""
			return r
		},
		"key_pem: of another": func() resources.Resource {
			r := withCertificate(t, asIs)
			r.Kubernetes.Credential.ClientCertificate.KeyPEM = other.KeyPEM
			return r
		},
		"key_pem: none": func() resources.Resource {
			r := withCertificate(t, asIs)
			r.Kubernetes.Credential.ClientCertificate.KeyPEM = ""
			return r
		},
	} {
		want := "kubernetes.credential.client_certificate." + strings.Split(field, ":")[0]
		_, err := inv.Apply(t.Context(), []resources.Resource{r()}, true)
		var invalid *resources.Invalid
		if !errors.As(err, &invalid) || invalid.Problems[0].Field != want || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestClusterSecretsStayWhereTheyAre(t *testing.T) {
	inv, st := setUp(t)
	ctx := t.Context()
	certified := withCertificate(t, asIs)
	for name, r := range map[string]resources.Resource{"a": cluster("a"), "b": certified} {
		r.Name = name
		if _, err := inv.Apply(ctx, []resources.Resource{r}, false); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := inv.Secret(ctx, "b"); err != nil || s != certified.Kubernetes.Credential.ClientCertificate.KeyPEM {
		t.Fatalf("the key is not there: %v", err)
	}
	for _, collection := range []string{"resources", "resource-secrets"} {
		for _, name := range []string{"a", "b"} {
			e, err := store.Define[json.RawMessage](st, collection).Get(ctx, name)
			if err == nil && (strings.Contains(string(e.Value), brokerToken) || strings.Contains(string(e.Value), "PRIVATE")) {
				t.Errorf("%s holds the secret of %s in clear", collection, name)
			}
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", certified.Kubernetes.Credential.ClientCertificate, *certified.Kubernetes.Credential.ClientCertificate,
		*certified.Kubernetes.Credential.ClientCertificate); strings.Contains(text, "PRIVATE") {
		t.Errorf("printed: %s", text)
	}
	silent := cluster("a")
	silent.Kubernetes.Credential.ServiceAccount.Token = ""
	silent.Description = "kept its token"
	if changes, err := inv.Apply(ctx, []resources.Resource{silent}, false); err != nil || changes[0].What != resources.Updated {
		t.Fatalf("got %v, %v", changes, err)
	}
	if s, err := inv.Secret(ctx, "a"); err != nil || s != brokerToken {
		t.Fatalf("the token is gone: %v", err)
	}
	for name, edit := range map[string]func(*resources.Kubernetes){
		"another server":  func(k *resources.Kubernetes) { k.Endpoint = "evil.example:443" },
		"another account": func(k *resources.Kubernetes) { k.Credential.ServiceAccount.Name = "admin" },
		"less checking":   func(k *resources.Kubernetes) { k.TLS.Mode = resources.VerifyCA },
		"another certificate": func(k *resources.Kubernetes) {
			c := pair(t, asIs)
			c.KeyPEM = ""
			k.Credential = resources.ClusterCredential{ClientCertificate: &c}
		},
	} {
		moved := cluster("a")
		moved.Kubernetes.Credential.ServiceAccount.Token = ""
		edit(moved.Kubernetes)
		if _, err := inv.Apply(ctx, []resources.Resource{moved}, true); err == nil {
			t.Errorf("%s: the stored secret went along", name)
		}
	}
	if changes, err := inv.Apply(ctx, []resources.Resource{eks("a")}, false); err != nil || changes[0].What != resources.Updated {
		t.Fatalf("got %v, %v", changes, err)
	}
	if _, err := inv.Secret(ctx, "a"); !errors.Is(err, resources.ErrNotFound) {
		t.Fatalf("a token that nothing uses was kept: %v", err)
	}
}

func TestKindStays(t *testing.T) {
	inv, _ := setUp(t)
	if _, err := inv.Apply(t.Context(), []resources.Resource{good("a"), cluster("b")}, false); err != nil {
		t.Fatal(err)
	}
	for _, r := range []resources.Resource{cluster("a"), good("b")} {
		_, err := inv.Apply(t.Context(), []resources.Resource{r}, false)
		var invalid *resources.Invalid
		if !errors.As(err, &invalid) || invalid.Problems[0].Field != r.Kind() {
			t.Errorf("%s became %s: %v", r.Name, r.Kind(), err)
		}
	}
	if err := inv.Delete(t.Context(), "a", leases{}); err != nil {
		t.Fatal(err)
	}
	if _, err := inv.Apply(t.Context(), []resources.Resource{cluster("a")}, false); err != nil {
		t.Fatalf("a removed resource still holds its kind: %v", err)
	}
}

func FuzzApplyCluster(f *testing.F) {
	f.Add("api.example:6443", "configmaps:data.*", "viewers", "writ", brokerToken, "-----BEGIN CERTIFICATE-----\n")
	f.Add("[::1]:0", ":", "system:masters", "..", "\n", "")
	inv, err := resources.New(resources.Config{Store: new(store.Store), Sealer: seal.None(), Now: time.Now, Rand: rand.Reader})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, endpoint, field, group, account, token, certificate string) {
		r := cluster("shop-k8s")
		r.Kubernetes.Endpoint, r.Kubernetes.Groups = endpoint, []string{group}
		r.Kubernetes.Classes = map[string][]string{"pii": {field}}
		r.Kubernetes.Credential = resources.ClusterCredential{
			ServiceAccount:    &resources.ServiceAccount{Namespace: account, Name: account, Token: resources.Secret(token)},
			ClientCertificate: &resources.ClientCertificate{CertificatePEM: certificate, KeyPEM: resources.Secret(certificate)},
		}
		_, err := inv.Apply(t.Context(), []resources.Resource{r}, true) // two sources: always refused, before the store
		var invalid *resources.Invalid
		if !errors.As(err, &invalid) {
			t.Fatalf("got %v", err)
		}
	})
}
