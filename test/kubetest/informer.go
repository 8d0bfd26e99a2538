package kubetest

import (
	"context"
	"os/exec"
	"path/filepath"
)

// Informer prepares the program that was built with the lab of client-go's parts: test/kube/cmd/informer, which has its flags.
func (l *Lab) Informer(ctx context.Context, kubeconfig, namespace string, flags ...string) *exec.Cmd {
	args := append([]string{"-kubeconfig", kubeconfig, "-namespace", namespace}, flags...)
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(l.bin), "informer"), args...)
	cmd.Env = environment()
	return cmd
}
