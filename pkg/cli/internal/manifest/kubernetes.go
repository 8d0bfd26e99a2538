package manifest

import (
	"errors"
	"fmt"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// kubernetes is a document of kind kubernetes.
type kubernetes struct {
	Kind          string              `yaml:"kind"`
	Name          string              `yaml:"name"`
	Description   string              `yaml:"description"`
	Labels        map[string]string   `yaml:"labels"`
	Edges         []string            `yaml:"edges"`
	Endpoint      string              `yaml:"endpoint"`
	AllowLoopback bool                `yaml:"allow_loopback"`
	TLS           targetTLS           `yaml:"tls"`
	Credential    clusterCredential   `yaml:"credential"`
	Groups        []string            `yaml:"groups"`
	Classes       map[string][]string `yaml:"classes"`
	Detectors     []string            `yaml:"detectors"`
}

// clusterCredential has exactly one source.
type clusterCredential struct {
	EKS               *eks               `yaml:"eks"`
	ServiceAccount    *serviceAccount    `yaml:"service_account"`
	ClientCertificate *clientCertificate `yaml:"client_certificate"`
}

type eks struct {
	Cluster    string `yaml:"cluster"`
	Region     string `yaml:"region"`
	RoleARN    string `yaml:"role_arn"`
	ExternalID string `yaml:"external_id"`
}

type serviceAccount struct {
	Namespace string   `yaml:"namespace"`
	Name      string   `yaml:"name"`
	Audiences []string `yaml:"audiences"`
	TokenFile string   `yaml:"token_file"`
	TokenEnv  string   `yaml:"token_env"`
}

type clientCertificate struct {
	CertificateFile string `yaml:"certificate_file"`
	KeyFile         string `yaml:"key_file"`
	KeyEnv          string `yaml:"key_env"`
}

func (s Source) kubernetes(d kubernetes) (*accessv1.Resource, error) {
	switch {
	case d.Name == "":
		return nil, errors.New("the resource has no name")
	case d.Endpoint == "":
		return nil, fmt.Errorf("resource %s has no endpoint", d.Name)
	}
	target := &accessv1.KubernetesTarget{
		Endpoint: d.Endpoint, AllowLoopback: d.AllowLoopback, Groups: d.Groups, Detectors: d.Detectors,
		Classes: map[string]*accessv1.FieldList{},
	}
	for class, fields := range d.Classes {
		target.Classes[class] = &accessv1.FieldList{Fields: fields}
	}
	var err error
	if target.Tls, err = s.tls(d.TLS); err != nil {
		return nil, fmt.Errorf("resource %s: tls: %w", d.Name, err)
	}
	if target.Credential, err = s.clusterCredential(d.Credential); err != nil {
		return nil, fmt.Errorf("resource %s: credential: %w", d.Name, err)
	}
	return &accessv1.Resource{
		Name: d.Name, Description: d.Description, Labels: d.Labels, Edges: d.Edges,
		Target: &accessv1.Resource_Kubernetes{Kubernetes: target},
	}, nil
}

func (s Source) clusterCredential(d clusterCredential) (*accessv1.KubernetesCredential, error) {
	given := 0
	for _, there := range []bool{d.EKS != nil, d.ServiceAccount != nil, d.ClientCertificate != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		return nil, errors.New("needs exactly one of eks, service_account and client_certificate")
	}
	switch {
	case d.EKS != nil:
		return &accessv1.KubernetesCredential{Source: &accessv1.KubernetesCredential_Eks{Eks: &accessv1.EksCredential{
			Cluster: d.EKS.Cluster, Region: d.EKS.Region, RoleArn: d.EKS.RoleARN, ExternalId: d.EKS.ExternalID,
		}}}, nil
	case d.ServiceAccount != nil:
		return s.serviceAccount(*d.ServiceAccount)
	}
	return s.clientCertificate(*d.ClientCertificate)
}

func (s Source) serviceAccount(d serviceAccount) (*accessv1.KubernetesCredential, error) {
	token, err := s.secret("token", d.TokenFile, d.TokenEnv)
	if err != nil {
		return nil, fmt.Errorf("service_account: %w", err)
	}
	return &accessv1.KubernetesCredential{Source: &accessv1.KubernetesCredential_ServiceAccount{
		ServiceAccount: &accessv1.ServiceAccountCredential{Namespace: d.Namespace, Name: d.Name, Audiences: d.Audiences, Token: token},
	}}, nil
}

func (s Source) clientCertificate(d clientCertificate) (*accessv1.KubernetesCredential, error) {
	if d.CertificateFile == "" {
		return nil, errors.New("client_certificate: needs certificate_file")
	}
	certificate, err := s.file(d.CertificateFile, maxCA)
	if err != nil {
		return nil, fmt.Errorf("client_certificate: read certificate_file: %w", err)
	}
	key, err := s.secret("key", d.KeyFile, d.KeyEnv)
	if err != nil {
		return nil, fmt.Errorf("client_certificate: %w", err)
	}
	return &accessv1.KubernetesCredential{Source: &accessv1.KubernetesCredential_ClientCertificate{
		ClientCertificate: &accessv1.ClientCertificate{CertificatePem: string(certificate), KeyPem: key},
	}}, nil
}
