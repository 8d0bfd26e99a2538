package resources

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/kubemask"
)

var (
	// clusterForm is the pattern of CreateCluster in the Amazon EKS API.
	clusterForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)
	// externalForm is the pattern of ExternalId in AssumeRole of the AWS STS API, without its length.
	externalForm = regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]{2,}$`)
	// accountForm is a DNS subdomain name (RFC 1123), as Kubernetes names service accounts.
	accountForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
	// kindForm is a resource as the paths of the API name it, with its group unless that is the core group.
	kindForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*/)?[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	// bearerForm is what may follow "Bearer " (RFC 6750, section 2.1).
	bearerForm = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)
)

const (
	maxToken      = 16 << 10
	maxGroups     = 64
	maxAudiences  = 16
	maxExternalID = 1224 // as in AssumeRole of the AWS STS API
	// mastersGroup may do everything in a cluster: its API server asks no authorizer about it.
	mastersGroup = "system:masters"
	// ownGroups begins the groups that sessions impersonate for those of their principals.
	ownGroups = "writ:"
)

func (c *checker) kubernetes(k Kubernetes) {
	c.endpoint("kubernetes", k.Endpoint, k.AllowLoopback, "443")
	c.tls("kubernetes", k.TLS)
	if k.TLS.Mode == Disable {
		c.add("kubernetes.tls.mode", string(k.TLS.Mode), "credentials would travel in clear", "use verify-full")
	}
	c.clusterCredential(k.Credential)
	c.groups(k.Groups)
	c.classes("kubernetes", k.Classes, wrongField)
	c.detectors("kubernetes", k.Detectors)
}

// wrongField says what is wrong with the place of a data class in a cluster's objects.
func wrongField(field string) (what, fix string) {
	kind, text, _ := strings.Cut(field, ":")
	if !kindForm.MatchString(kind) {
		return "not a field of a resource",
			`write it as "resource:path" or "group/resource:path", such as "configmaps:data.*" or "apps/deployments:spec.template.metadata.annotations"`
	}
	group, resource, grouped := strings.Cut(kind, "/")
	if !grouped {
		group, resource = "", kind
	}
	path, err := kubemask.ParsePath(text)
	if err == nil {
		_, err = kubemask.New(kubemask.Config{Group: group, Resource: resource, Fields: []kubemask.Path{path}})
	}
	if err != nil {
		return "cannot be masked: " + err.Error(), `write names between dots, * for each of a map, [*] for each of a list, ["a.b"] for a name with dots`
	}
	return "", ""
}

func (c *checker) groups(groups []string) {
	const field = "kubernetes.groups"
	if len(groups) > maxGroups {
		c.add(field, strconv.Itoa(len(groups)), "too many", fmt.Sprintf("use at most %d", maxGroups))
	}
	for i, g := range groups {
		switch {
		case g == "" || len(g) > 256 || !printable(g) || strings.TrimSpace(g) != g:
			c.add(field, g, "not a group's name", "use 1 to 256 bytes of text without space around it")
		case g == mastersGroup:
			c.add(field, g, "bypasses RBAC", "bind a group of your own")
		case strings.HasPrefix(g, ownGroups):
			c.add(field, g, "begins as the groups of principals do", `use a name without "`+ownGroups+`" in front`)
		case slices.Contains(groups[:i], g):
			c.add(field, g, "given twice", "name every group once")
		}
	}
}

func (c *checker) clusterCredential(cred ClusterCredential) {
	n := 0
	if cred.EKS != nil {
		n++
		c.eks(*cred.EKS)
	}
	if cred.ServiceAccount != nil {
		n++
		c.serviceAccount(*cred.ServiceAccount)
	}
	if cred.ClientCertificate != nil {
		n++
		c.clientCertificate(*cred.ClientCertificate)
	}
	if n != 1 {
		c.add("kubernetes.credential", strconv.Itoa(n)+" sources", "not exactly one", "choose eks, service_account or client_certificate")
	}
}

func (c *checker) eks(e EKS) {
	const field = "kubernetes.credential.eks"
	if !clusterForm.MatchString(e.Cluster) {
		c.add(field+".cluster", e.Cluster, "not the name of an EKS cluster", "use the name that `aws eks list-clusters` shows")
	}
	if !regionForm.MatchString(e.Region) {
		c.add(field+".region", e.Region, "not an AWS region", "use one such as eu-west-1")
	}
	if !roleForm.MatchString(e.RoleARN) {
		c.add(field+".role_arn", e.RoleARN, "not the ARN of an IAM role", "use arn:aws:iam::123456789012:role/name")
	}
	c.externalID(field+".external_id", e.ExternalID)
}

func (c *checker) serviceAccount(s ServiceAccount) {
	const field = "kubernetes.credential.service_account"
	if !validName(s.Namespace) {
		c.add(field+".namespace", s.Namespace, "not a namespace", nameFix)
	}
	if len(s.Name) > 253 || !accountForm.MatchString(s.Name) {
		c.add(field+".name", s.Name, "not the name of a service account", "use lower-case letters, digits, dashes and dots, at most 253")
	}
	if len(s.Audiences) > maxAudiences {
		c.add(field+".audiences", strconv.Itoa(len(s.Audiences)), "too many", fmt.Sprintf("use at most %d", maxAudiences))
	}
	for _, a := range s.Audiences {
		if a == "" || len(a) > 256 || !printable(a) {
			c.add(field+".audiences", a, "not an audience", "use 1 to 256 bytes of text")
		}
	}
	if len(s.Token) > maxToken || s.Token != "" && !bearerForm.MatchString(string(s.Token)) {
		c.add(field+".token", "", "not a bearer token", "give the token alone, without space or line ends, at most 16 KiB")
	}
}

func (c *checker) clientCertificate(cert ClientCertificate) {
	const field = "kubernetes.credential.client_certificate"
	if len(cert.CertificatePEM) > maxPEM || len(cert.KeyPEM) > maxPEM {
		c.add(field, "", "too large", "use at most 128 KiB each")
		return
	}
	leaf := firstCertificate(cert.CertificatePEM)
	switch {
	case leaf == nil:
		c.add(field+".certificate_pem", cert.CertificatePEM, "holds no certificate", "give PEM blocks of type CERTIFICATE, the client's first")
		return
	case !c.now.Before(leaf.NotAfter):
		c.add(field+".certificate_pem", leaf.Subject.String(), "expired at "+leaf.NotAfter.UTC().Format(time.RFC3339), "give one that is valid")
	case slices.Contains(leaf.Subject.Organization, mastersGroup):
		c.add(field+".certificate_pem", leaf.Subject.String(), "its group "+mastersGroup+" bypasses RBAC", "give one that may impersonate and nothing else")
	case !forClients(leaf):
		c.add(field+".certificate_pem", leaf.Subject.String(), "not a client's certificate", "give one with the extended key usage of clients")
	}
	if cert.KeyPEM == "" {
		return
	}
	if _, err := tls.X509KeyPair([]byte(cert.CertificatePEM), []byte(cert.KeyPEM)); err != nil {
		c.add(field+".key_pem", "", "not the key of the certificate", "give the certificate's own key, not encrypted, as PEM")
	}
}

// firstCertificate returns nil when what comes first is none.
func firstCertificate(text string) *x509.Certificate {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	return leaf
}

func forClients(leaf *x509.Certificate) bool {
	usage := leaf.ExtKeyUsage
	return len(usage)+len(leaf.UnknownExtKeyUsage) == 0 || slices.Contains(usage, x509.ExtKeyUsageClientAuth) || slices.Contains(usage, x509.ExtKeyUsageAny)
}
