package kubetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const agents = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: test-agents}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: Group, name: "writ:agents", apiGroup: rbac.authorization.k8s.io}]
`

const manifest = `
kind: kubernetes
name: lab
labels: {env: demo}
edges: [edge-a]
endpoint: %q
allow_loopback: true
tls: {mode: verify-full, ca_file: %q}
credential:
  service_account: {namespace: writ, name: writ-edge, token_file: %q}
`

// Join applies the RBAC that the documentation names, makes the group of agents an administrator of the cluster, and returns what
// puts the cluster into Writ's inventory as "lab", for edge-a.
func (l *Lab) Join(t testing.TB) string {
	t.Helper()
	l.Kubectl(t, "apply", "-f", above(t, filepath.Join("deployments", "kubernetes", "rbac.yaml")))
	l.Apply(t, agents)
	dir := t.TempDir()
	token, ca := filepath.Join(dir, "token"), filepath.Join(dir, "ca.pem")
	broker := l.Kubectl(t, "-n", "writ", "create", "token", "writ-broker", "--duration", "1h")
	if err := os.WriteFile(token, []byte(broker), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca, l.CAPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(manifest, strings.TrimPrefix(l.Server, "https://"), ca, token)
}

// above finds a file of the repository from a folder in it.
func above(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	t.Fatalf("no %s above the working directory", name)
	return ""
}
