package resources

// KindKubernetes is the kind of a resource that is a Kubernetes cluster.
const KindKubernetes = "kubernetes"

// Kubernetes is the API server of one cluster.
type Kubernetes struct {
	Endpoint      string              `json:"endpoint"` // "host:port" as the edge reaches it
	TLS           TLS                 `json:"tls"`
	Credential    ClusterCredential   `json:"credential"`
	Groups        []string            `json:"groups,omitempty"`  // that every session impersonates besides its principal's
	Classes       map[string][]string `json:"classes,omitempty"` // data class to fields "group/resource:path"
	AllowLoopback bool                `json:"allow_loopback,omitempty"`
	Detectors     []string            `json:"detectors,omitempty"`
}

// ClusterCredential has exactly one source.
type ClusterCredential struct {
	EKS               *EKS               `json:"eks,omitempty"`
	ServiceAccount    *ServiceAccount    `json:"service_account,omitempty"`
	ClientCertificate *ClientCertificate `json:"client_certificate,omitempty"`
}

// EKS signs in at an EKS cluster with a role that is assumed for each session.
type EKS struct {
	Cluster    string `json:"cluster"`
	Region     string `json:"region"`
	RoleARN    string `json:"role_arn"`
	ExternalID string `json:"external_id,omitempty"`
}

// ServiceAccount signs in with tokens of a service account that the cluster gives out for each session.
type ServiceAccount struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Audiences []string `json:"audiences,omitempty"` // empty is the API server's own
	Token     Secret   `json:"-"`                   // may create those tokens
}

// ClientCertificate signs in with one certificate for every session.
type ClientCertificate struct {
	CertificatePEM string `json:"certificate_pem"`
	KeyPEM         Secret `json:"-"`
}

// secret returns the place of the credential's token or key, or nil where it has none.
func (c *ClusterCredential) secret() *Secret {
	switch {
	case c.ServiceAccount != nil:
		return &c.ServiceAccount.Token
	case c.ClientCertificate != nil:
		return &c.ClientCertificate.KeyPEM
	}
	return nil
}

// secretField is the name of that place in a message.
func (c *ClusterCredential) secretField() string {
	if c.ServiceAccount != nil {
		return "kubernetes.credential.service_account.token"
	}
	return "kubernetes.credential.client_certificate.key_pem"
}

// user says whose the secret is: a token is for one service account, a key for one certificate.
func (c *ClusterCredential) user() string {
	switch {
	case c.ServiceAccount != nil:
		return "service account " + c.ServiceAccount.Namespace + "/" + c.ServiceAccount.Name
	case c.ClientCertificate != nil:
		return "certificate " + c.ClientCertificate.CertificatePEM
	}
	return ""
}
