package tunnel

import (
	"context"
	"fmt"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// KindKubernetes is the kind of a Kubernetes cluster.
const KindKubernetes = "kubernetes"

// Kubernetes is the API server of one cluster.
type Kubernetes struct {
	Endpoint      string              // "host:port"
	TLS           TargetTLS           // never disabled
	Groups        []string            // that every session impersonates besides those of its principal, as they are
	Classes       map[string][]string // data class to fields "group/resource:path"
	AllowLoopback bool
	Detectors     []string
}

func kubernetesOf(w *accessv1.KubernetesTarget) (*Kubernetes, error) {
	tls, err := tlsOf(w.GetTls())
	if err != nil {
		return nil, err
	}
	if tls.Mode == DisableTLS {
		return nil, fmt.Errorf("a cluster without tls: %w", errUnknown)
	}
	k := &Kubernetes{
		Endpoint: w.GetEndpoint(), TLS: tls, Groups: w.GetGroups(), AllowLoopback: w.GetAllowLoopback(),
		Detectors: w.GetDetectors(), Classes: map[string][]string{},
	}
	for class, fields := range w.GetClasses() {
		k.Classes[class] = fields.GetFields()
	}
	return k, nil
}

// RefreshCredential returns a live session's credential minted anew. It fails with a *enforce.Denied. The caller wipes
// it.
func (c *Client) RefreshCredential(ctx context.Context, session string) (enforce.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.client().RefreshCredential(ctx, &edgev1.RefreshCredentialRequest{Session: session})
	if err != nil {
		return enforce.Credential{}, c.denied("refresh credential", enforce.CauseEnded, err)
	}
	return credentialOf(resp.GetCredential()), nil
}

func tokenRequestOf(w *edgev1.TokenRequest) *enforce.TokenRequest {
	if w == nil {
		return nil
	}
	return &enforce.TokenRequest{Namespace: w.GetNamespace(), ServiceAccount: w.GetServiceAccount(), Audiences: w.GetAudiences()}
}
