package kubernetes

import (
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/policy"
)

// TestHelmIsTold: whoever asks for releases that policy masks learns why Helm will find none, and nobody else does.
func TestHelmIsTold(t *testing.T) {
	b := newBed(t)
	ns := b.lab.Namespace(t, "helm")
	b.lab.Kubectl(t, "-n", ns, "create", "secret", "generic", "sh.helm.release.v1.shop.v1", "--from-literal=release=text")
	b.lab.Kubectl(t, "-n", ns, "create", "secret", "generic", "db", "--from-literal=release=text")
	ask := func(want bool, args ...string) {
		t.Helper()
		out, err := b.kubectl("", append([]string{"-n", ns}, args...)...)
		if err != nil || strings.Contains(out, "Warning: writ: "+helmWarning) != want {
			t.Errorf("%q: wanted a warning %v: %v: %s", args, want, err, out)
		}
	}
	release := []string{"get", "secret", "sh.helm.release.v1.shop.v1"}
	ask(true, release...)
	ask(true, "get", "secrets", "-l", "owner=helm")
	ask(true, "get", "secrets", "-l", "name=shop,owner=helm")
	ask(false, "get", "secret", "db")
	ask(false, "get", "secrets")
	ask(false, "get", "secrets", "-l", "owner=helm", "--all-namespaces")
	ask(false, "get", "configmaps", "-l", "owner=helm")
	ask(false, "delete", "secret", "sh.helm.release.v1.shop.v1", "--wait=false")
	b.lab.Kubectl(t, "-n", ns, "create", "secret", "generic", "sh.helm.release.v1.shop.v1", "--from-literal=release=text")

	b.Policies.Set(t, permitAll+strings.Replace(maskSecrets, `"secret");`, `"secret") unless { resource.name like "sh.helm.release.v1.shop.*" };`, 1))
	ask(false, release...)
	ask(false, "get", "secrets", "-l", "name=shop,owner=helm")
	ask(true, "get", "secrets", "-l", "name=bank,owner=helm")
}

// TestReleasesAreSecrets: other objects may have the names and labels of releases, and be masked.
func TestReleasesAreSecrets(t *testing.T) {
	res := &Resource{Classes: map[string][]string{"x": {"configmaps:data.*", "example.com/secrets:data.*"}}}
	m, err := newMasks(res, mask.Key{})
	if err != nil {
		t.Fatal(err)
	}
	c, hide := &cluster{res: res, masks: m}, func(policy.Entity) policy.Masking { return policy.Masking{} }
	for _, of := range []struct {
		group, resource string
		want            bool
	}{{"", "secrets", true}, {"", "configmaps", false}, {"example.com", "secrets", false}} {
		r := kubeapi.Request{IsResource: true, Verb: "get", Group: of.group, Resource: of.resource, Namespace: "shop", Name: "sh.helm.release.v1.shop.v1"}
		if got := c.hidesReleases(hide, r); got != of.want {
			t.Errorf("%s %s: %v", of.group, of.resource, got)
		}
	}
}
