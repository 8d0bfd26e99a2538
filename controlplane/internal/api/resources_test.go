package api

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"

	"github.com/writhq/writ/controlplane/internal/login"
	"github.com/writhq/writ/controlplane/internal/resources"
)

// Members see of a resource what they need to ask for access.
func TestMembersDoNotSeeHowTargetsAreReached(t *testing.T) {
	tls := resources.TLS{CAPEM: "inner ca", ServerName: "inner name"}
	for _, r := range []resources.Resource{
		{Name: "orders-db", Postgres: &resources.Postgres{
			Endpoint: "inner:5432", Database: "orders", TLS: tls,
			Credential: resources.Credential{Dynamic: &resources.Dynamic{AdminUser: "inner admin", MemberOf: []string{"inner role"}}},
		}},
		{Name: "shop-k8s", Kubernetes: &resources.Kubernetes{
			Endpoint: "inner:443", TLS: tls, Groups: []string{"inner group"}, Classes: map[string][]string{"pii": {"configmaps:data.*"}},
			Credential: resources.ClusterCredential{EKS: &resources.EKS{Cluster: "inner", Region: "inner", RoleARN: "inner", ExternalID: "inner"}},
		}},
		{Name: "lab-k8s", Kubernetes: &resources.Kubernetes{Credential: resources.ClusterCredential{
			ServiceAccount: &resources.ServiceAccount{Namespace: "inner", Name: "inner", Audiences: []string{"inner"}, Token: "inner"},
		}}},
		{Name: "old-k8s", Kubernetes: &resources.Kubernetes{Credential: resources.ClusterCredential{
			ClientCertificate: &resources.ClientCertificate{CertificatePEM: "inner", KeyPEM: "inner"},
		}}},
	} {
		for _, roles := range [][]login.Role{nil, {login.Member}} {
			shown := forCaller(login.Caller{Roles: roles}, r)
			if text := prototext.Format(shown); strings.Contains(text, "inner") || shown.GetName() != r.Name || shown.GetTarget() == nil {
				t.Errorf("%s to %v: %s", r.Name, roles, text)
			}
		}
		for _, role := range []login.Role{login.Admin, login.Auditor} {
			if text := prototext.Format(forCaller(login.Caller{Roles: []login.Role{role}}, r)); !strings.Contains(text, "inner") {
				t.Errorf("%s to %s: %s", r.Name, role, text)
			}
		}
	}
}
