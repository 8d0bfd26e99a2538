package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/test/kubetest"
	"github.com/writhq/writ/test/mototest"
)

// TestKubernetesOnEKS signs in with a role that is assumed for the session, at an API server that takes tokens as EKS does.
func TestKubernetesOnEKS(t *testing.T) {
	const role = "arn:aws:iam::" + mototest.Account + ":role/writ-shop"
	moto := mototest.Start(t)
	eks := kubetest.EKS{Cluster: "shop", Region: "eu-central-1", Moto: moto.URL, Roles: map[string][]string{role: {"writ-edge"}}}
	g := newGateway(t, kubetest.Config{TokenWebhook: eks.Webhook(t)},
		"AWS_ENDPOINT_URL_STS="+moto.URL, "AWS_ACCESS_KEY_ID="+moto.Key, "AWS_SECRET_ACCESS_KEY="+moto.Secret)
	g.lab.Kubectl(t, "apply", "-f", "../../deployments/eks/rbac.yaml")
	kubeconfig := g.join(fmt.Sprintf("eks: {cluster: shop, region: eu-central-1, role_arn: %q, external_id: writ-shop}", role))
	user := g.actsAs(kubeconfig)
	if !strings.HasPrefix(user.Username, "arn:aws:sts::"+mototest.Account+":assumed-role/writ-shop/ses-") || !slices.Contains(user.Groups, "writ-edge") {
		t.Errorf("signed in as %+v", user)
	}
	g.nowhere("k8s-aws-v1.")
}
