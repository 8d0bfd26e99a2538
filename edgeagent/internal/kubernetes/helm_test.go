package kubernetes

import (
	"strings"
	"testing"
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
	ask(false, "get", "configmaps", "-l", "owner=helm")

	b.Policies.Set(t, permitAll+strings.Replace(maskSecrets, `"secret");`, `"secret") unless { resource.name like "sh.helm.release.v1.shop.*" };`, 1))
	ask(false, release...)
	ask(false, "get", "secrets", "-l", "name=shop,owner=helm")
	ask(true, "get", "secrets", "-l", "name=bank,owner=helm")
}
