package tunnel

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

func clusterTarget(mode accessv1.TargetTLS_Mode) *accessv1.Resource {
	return &accessv1.Resource{
		Name: "shop-k8s", Labels: map[string]string{"env": "prod"}, Version: 7,
		Target: &accessv1.Resource_Kubernetes{Kubernetes: &accessv1.KubernetesTarget{
			Endpoint: "api.example:6443", Tls: &accessv1.TargetTLS{Mode: mode, CaPem: "ca", ServerName: "kubernetes"},
			Groups: []string{"viewers"}, AllowLoopback: true, Detectors: []string{"email"},
			Classes: map[string]*accessv1.FieldList{"pii": {Fields: []string{"configmaps:data.*"}}},
		}},
	}
}

func TestStateHoldsClusters(t *testing.T) {
	wire := newFakePlane(t).stateWith("orders-db")
	wire.Resources = append(wire.Resources, clusterTarget(accessv1.TargetTLS_MODE_VERIFY_CA))
	st, err := stateOf(wire)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := st.Resource("shop-k8s")
	want := Resource{
		Name: "shop-k8s", Kind: KindKubernetes, Labels: map[string]string{"env": "prod"}, Version: 7,
		Kubernetes: &Kubernetes{
			Endpoint: "api.example:6443", TLS: TargetTLS{Mode: VerifyCA, CAPEM: "ca", ServerName: "kubernetes"}, Groups: []string{"viewers"},
			Classes: map[string][]string{"pii": {"configmaps:data.*"}}, AllowLoopback: true, Detectors: []string{"email"},
		},
	}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if got.Policy().Kind != "kubernetes" {
		t.Fatalf("policies see the kind %q", got.Policy().Kind)
	}
	if db, _ := st.Resource("orders-db"); db.Postgres == nil || db.Kubernetes != nil {
		t.Fatalf("the database became %+v", db)
	}
}

func TestClusterWithoutTLSIsNotServed(t *testing.T) {
	wire := newFakePlane(t).stateWith("orders-db")
	wire.Resources = append(wire.Resources, clusterTarget(accessv1.TargetTLS_MODE_DISABLE), clusterTarget(accessv1.TargetTLS_Mode(99)))
	st, err := stateOf(wire)
	if err != nil || len(st.Resources) != 1 {
		t.Fatalf("%+v, %v", st.Resources, err)
	}
}

func TestRefreshCredential(t *testing.T) {
	p := newFakePlane(t)
	r := p.run(p.config(t.TempDir() + "/s"))
	await(t, "readiness", r.Ready())
	p.refresh = func(req *edgev1.RefreshCredentialRequest) (*edgev1.RefreshCredentialResponse, error) {
		return &edgev1.RefreshCredentialResponse{Credential: &edgev1.Credential{
			Lease: "lease-of-" + req.GetSession(), Password: []byte("key"), ClientCertificate: []byte("cert"),
			TokenRequest: &edgev1.TokenRequest{Namespace: "writ", ServiceAccount: "gate", Audiences: []string{"a"}},
		}}, nil
	}
	cred, err := r.RefreshCredential(t.Context(), "ses-1")
	if err != nil {
		t.Fatal(err)
	}
	key, cert := cred.Password, cred.ClientCertificate
	if cred.Lease != "lease-of-ses-1" || string(key) != "key" || string(cert) != "cert" ||
		!reflect.DeepEqual(cred.TokenRequest, &enforce.TokenRequest{Namespace: "writ", ServiceAccount: "gate", Audiences: []string{"a"}}) {
		t.Fatalf("got %+v", cred)
	}
	cred.Wipe()
	if string(key) != "\x00\x00\x00" || string(cert) != "\x00\x00\x00\x00" || cred.Password != nil || cred.ClientCertificate != nil || cred.TokenRequest != nil {
		t.Fatalf("left after the wipe: %q %q %+v", key, cert, cred)
	}
	p.refresh = func(*edgev1.RefreshCredentialRequest) (*edgev1.RefreshCredentialResponse, error) {
		return nil, status.Error(codes.PermissionDenied, "the grant was revoked")
	}
	var denied *enforce.Denied
	if _, err := r.RefreshCredential(t.Context(), "ses-1"); !errors.As(err, &denied) || denied.Cause != enforce.CauseEnded || denied.Reason != "the grant was revoked" {
		t.Fatalf("got %v", err)
	}
}
