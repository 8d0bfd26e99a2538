package kubetest

import (
	"context"
	"os/exec"
	"path/filepath"
)

// Helm prepares the helm that was built with the lab. It keeps nothing outside of the lab.
func (l *Lab) Helm(ctx context.Context, kubeconfig string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(l.bin), "helm"), args...)
	home := filepath.Join(l.Dir, "helm")
	cmd.Env = append(environment(), "KUBECONFIG="+kubeconfig, "KUBECACHEDIR="+filepath.Join(l.Dir, "kubectl-cache"),
		"HELM_CACHE_HOME="+filepath.Join(home, "cache"), "HELM_CONFIG_HOME="+filepath.Join(home, "config"), "HELM_DATA_HOME="+filepath.Join(home, "data"))
	return cmd
}
