package convert

import (
	"github.com/writhq/writ/controlplane/internal/resources"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func kubernetes(k resources.Kubernetes) *accessv1.KubernetesTarget {
	classes := make(map[string]*accessv1.FieldList, len(k.Classes))
	for class, fields := range k.Classes {
		classes[class] = &accessv1.FieldList{Fields: clone(fields)}
	}
	return &accessv1.KubernetesTarget{
		Endpoint: k.Endpoint, Tls: targetTLS(k.TLS), Credential: clusterCredential(k.Credential), Groups: clone(k.Groups),
		Classes: classes, AllowLoopback: k.AllowLoopback, Detectors: clone(k.Detectors),
	}
}

func clusterCredential(c resources.ClusterCredential) *accessv1.KubernetesCredential {
	out := &accessv1.KubernetesCredential{}
	switch {
	case c.EKS != nil:
		out.Source = &accessv1.KubernetesCredential_Eks{Eks: &accessv1.EksCredential{
			Cluster: c.EKS.Cluster, Region: c.EKS.Region, RoleArn: c.EKS.RoleARN, ExternalId: c.EKS.ExternalID,
		}}
	case c.ServiceAccount != nil:
		out.Source = &accessv1.KubernetesCredential_ServiceAccount{ServiceAccount: &accessv1.ServiceAccountCredential{
			Namespace: c.ServiceAccount.Namespace, Name: c.ServiceAccount.Name, Audiences: clone(c.ServiceAccount.Audiences),
		}}
	case c.ClientCertificate != nil:
		out.Source = &accessv1.KubernetesCredential_ClientCertificate{ClientCertificate: &accessv1.ClientCertificate{
			CertificatePem: c.ClientCertificate.CertificatePEM,
		}}
	}
	return out
}

func fromKubernetes(k *accessv1.KubernetesTarget) *resources.Kubernetes {
	out := &resources.Kubernetes{
		Endpoint: k.GetEndpoint(), TLS: fromTLS(k.GetTls()), Credential: fromClusterCredential(k.GetCredential()),
		Groups: k.GetGroups(), AllowLoopback: k.GetAllowLoopback(), Detectors: k.GetDetectors(),
	}
	for class, fields := range k.GetClasses() {
		if out.Classes == nil {
			out.Classes = map[string][]string{}
		}
		out.Classes[class] = fields.GetFields()
	}
	return out
}

func fromClusterCredential(c *accessv1.KubernetesCredential) resources.ClusterCredential {
	var out resources.ClusterCredential
	if e := c.GetEks(); e != nil {
		out.EKS = &resources.EKS{Cluster: e.GetCluster(), Region: e.GetRegion(), RoleARN: e.GetRoleArn(), ExternalID: e.GetExternalId()}
	}
	if s := c.GetServiceAccount(); s != nil {
		out.ServiceAccount = &resources.ServiceAccount{
			Namespace: s.GetNamespace(), Name: s.GetName(), Audiences: s.GetAudiences(), Token: resources.Secret(s.GetToken()),
		}
	}
	if cc := c.GetClientCertificate(); cc != nil {
		out.ClientCertificate = &resources.ClientCertificate{
			CertificatePEM: cc.GetCertificatePem(), KeyPEM: resources.Secret(cc.GetKeyPem()),
		}
	}
	return out
}
